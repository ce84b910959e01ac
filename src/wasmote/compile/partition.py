"""How a module is divided for compiling: parts that need nothing of each other but symbols.

The division depends on the module only, never on how many processes share the work, so that a
module always becomes the same bytes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wasmote.compile.hints import SECTION, read_hints
from wasmote.compile.locations import Locations, NoLocations
from wasmote.compile.machines import machine_of
from wasmote.compile.options import Options
from wasmote.compile.product_functions import stores_product
from wasmote.compile.recursion import find_recursion
from wasmote.compile.scan import ANY, Calls, scan
from wasmote.compile.source import Body, Source
from wasmote.compile.static_tables import few_callees, static_tables

#: Bytes of bodies up to which a module stays whole, and that a part of a larger one has at least:
#: LLVM sees what it may expand where, and parts are not so small that starting on one costs more.
PART_SIZE = 64 << 10
#: Functions of which this share is in tight loops are worth all of LLVM's passes, if their bodies
#: have so many bytes at most.
_TIGHT, _TIGHT_SIZE = 1 / 16, 2048
#: Those that call themselves, if they have so many.
_RECURSIVE_SIZE = 512
#: Bytes of a body up to which a function is expanded wherever it is called,
_INLINED = 32
#: where a call through a table finds it among few others,
_DISPATCHED = 64
#: and, if LLVM thinks so, in functions that call themselves.
_OFFERED = 160


@dataclass(frozen=True, slots=True)
class Partition:
    """Functions that are compiled together.

    `glue` says that the part has what the module has once: how its functions are entered and how
    they call out. `share` is how much of the module it is, between 0 and 1. If `full`, all that
    LLVM has is worth its time.

    A part may have no functions, but code that begins at `loops` of others' functions, which are
    named by the functions' indices and the loops' offsets in the binary (`compile.loops`).
    """

    number: int
    bodies: tuple[Body, ...]
    glue: bool
    share: float
    full: bool
    loops: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the bodies."""
        return _size(self.bodies)


class Plan:
    """All that compiling a part takes: the module, the options, and what is known of the whole."""

    def __init__(
        self,
        source: Source,
        options: Options,
        part_size: int | None = None,
        divided: bool = True,
    ) -> None:
        self.source, self.options = source, options
        #: Without, the module is one part.
        self.divided = divided
        self.part_size = (PART_SIZE if part_size is None else part_size) if divided else 1 << 32
        self.make_locations: Callable[[], Locations] = Locations if options.debug else NoLocations
        self.calls = scan(source)
        self.recursive = find_recursion(
            {index: calls.functions for index, calls in self.calls.items()}, source.entries
        )
        #: Functions that poll by counting: all of them, or those that have references, which a poll
        #: must not come upon while they are in registers.
        self.counting = {
            index
            for index, calls in self.calls.items()
            if options.polls != "signals" or calls.references
        }
        #: Functions that store products of 128 bits.
        self.products = {
            body.index
            for body in (source.bodies if options.level else ())
            if stores_product(source, body) and not self.source.memories[0].shared
        }
        self.inlined = set(self._inlined(_INLINED)) | self.products if options.level else set()
        self.static_tables = (
            static_tables(source, self.calls) if machine_of(options.target).relative else {}
        )
        small = set(self._inlined(_DISPATCHED)) if options.level else set()
        #: Calls through tables that look which function it is, for that to be expanded.
        self.few = few_callees(source, self.static_tables, small)
        self.inlined |= {callee for callees in self.few.values() for callee in callees}
        #: Functions that LLVM may expand in those of other parts that call themselves.
        self.offered = set(self._inlined(_OFFERED)) - self.inlined if options.level > 1 else set()
        self.partitions = self._partitions()
        self.recursive &= self.counting  # from here on: those that count their calls
        self.hints = read_hints(source.module.custom_sections(SECTION))
        self.whole = len(self.partitions) == 1
        #: Whether so little is to be done that starting processes would take longer.
        self.small = _size(source.bodies) <= self.part_size
        self.visible = set(self._visible())
        #: Whether some function catches exceptions: then those that may throw are called with a
        #: look at whether they did.
        self.catches = any(calls.catches for calls in self.calls.values())
        self.throwing = find_throwing(self.calls) if self.catches else set()
        machine = machine_of(options.target)
        tail = any(calls.tail for calls in self.calls.values())
        self.guarantees_tail_calls = tail and machine.tail_calls
        #: tailcc guarantees tail calls between any two types, and costs a little more.
        self.convention = "tailcc " if self.guarantees_tail_calls else "fastcc "

    @property
    def linkage(self) -> str:
        """Of what the glue defines for all parts."""
        visible = machine_of(self.options.target).visible
        return "internal " if self.whole and not visible else "hidden "

    def _inlined(self, size: int) -> Iterable[int]:
        """Functions of up to so many bytes that may be expanded where they are called."""
        for body in self.source.bodies:
            calls = self.calls[body.index]
            simple = not calls.tail and not calls.tight and body.index not in self.recursive
            if simple and body.end - body.start <= size:
                yield body.index

    def offers(self, bodies: Iterable[Body]) -> set[int]:
        """Functions that those of the bodies call that call themselves, and that LLVM may expand
        there, with those that they call.
        """
        found: set[int] = set()
        for _ in range(2):
            callers = found | {b.index for b in bodies if b.index in self.calls[b.index].functions}
            found |= {c for i in callers for c in self.calls[i].functions} & self.offered
        return found

    def _is_worth_it(self, body: Body) -> bool:
        """Whether all of LLVM's passes may make a difference: in tight loops, where a function
        calls itself and is small enough to be expanded there, and for wide products. The rest was
        optimised when it became WebAssembly, and large functions take long.
        """
        calls, size = self.calls[body.index], body.end - body.start
        if self.products & calls.functions:
            return True
        if body.index in calls.functions and size <= _RECURSIVE_SIZE:
            return True
        return size <= _TIGHT_SIZE and calls.tight > _TIGHT * size

    def _partitions(self) -> list[Partition]:
        """The parts of the module: functions in their order, as compilers put related ones side by
        side. The last part is the glue, without functions unless the module is small.
        """
        full: list[Body] = self.source.bodies
        plain: list[Body] = []
        if self.options.level == 1:
            full, plain = plain, full
        elif self.options.level > 1 and not self.options.bounds_checks and self.divided:
            full = [body for body in self.source.bodies if self._is_worth_it(body)]
            plain = [body for body in self.source.bodies if not self._is_worth_it(body)]
        groups = [(True, group) for group in _groups(full, self.part_size)]
        groups += [(False, group) for group in _groups(plain, self.part_size)]
        total = _size(self.source.bodies)
        if not groups or total > self.part_size:
            groups.append((False, []))
        return [
            Partition(
                number, tuple(group), number == len(groups) - 1, _size(group) / (total or 1), full
            )
            for number, (full, group) in enumerate(groups)
        ]

    def _visible(self) -> Iterable[int]:
        """Functions that others than those of their own part refer to, or may where a function that
        calls them is expanded.
        """
        yield from self.source.entries
        if self.options.enterable:
            yield from (body.index for body in self.source.bodies)
        part_of = {body.index: part.number for part in self.partitions for body in part.bodies}
        copied = self.inlined | self.offered
        for caller, calls in self.calls.items():
            for callee in calls.functions:
                here = part_of.get(callee) == part_of[caller] and caller not in copied
                if callee != ANY and not here:
                    yield callee

    def called_imports(self) -> list[int]:
        """Imported functions that the module's code calls by name."""
        called = set().union(*(calls.functions for calls in self.calls.values()))
        return sorted(i for i in called if 0 <= i < self.source.imported_functions)

    def types_called_outside(self) -> set[int]:
        """Types of functions that may not be this instance's compiled code."""
        types = {self.source.functions[i] for i in self.called_imports()}
        return types.union(*(calls.types for calls in self.calls.values()))


def find_throwing(calls: dict[int, Calls]) -> set[int]:
    """Functions that exceptions may come out of: those that throw, those that call what may be
    functions of others, and those that call such functions, whatever they catch.
    """
    callers: dict[int, list[int]] = {}
    for caller, each in calls.items():
        for callee in each.functions:
            callers.setdefault(callee, []).append(caller)
    todo = [index for index, each in calls.items() if each.throws]
    todo += [index for index in callers if index not in calls]  # imports, ANY
    found: set[int] = set()
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo += callers.get(index, ())
    return found


def _groups(bodies: Iterable[Body], size: int) -> list[list[Body]]:
    """Bodies one after the other, in groups of at least so many bytes, but for the last."""
    groups: list[list[Body]] = []
    for body in bodies:
        if not groups or _size(groups[-1]) >= size:
            groups.append([])
        groups[-1].append(body)
    return groups


def _size(bodies: Iterable[Body]) -> int:
    return sum(body.end - body.start for body in bodies)
