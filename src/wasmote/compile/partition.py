"""How a module is divided for compiling: parts that need nothing of each other but symbols.

The division depends on the module only, never on how many processes share the work, so that a
module always becomes the same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wasmote.compile.options import Options
from wasmote.compile.recursion import find_recursion
from wasmote.compile.scan import ANY, Calls, scan
from wasmote.compile.source import Body, Source

#: Bytes of bodies up to which a module stays whole, and that a part of a larger one has at least:
#: LLVM sees what it may expand where, and parts are not so small that starting on one costs more.
PART_SIZE = 64 << 10


@dataclass(frozen=True, slots=True)
class Partition:
    """Functions that are compiled together.

    `glue` says that the part has what the module has once: how its functions are entered and how
    they call out. `share` is how much of the module it is, between 0 and 1.
    """

    number: int
    bodies: tuple[Body, ...]
    glue: bool
    share: float

    @property
    def size(self) -> int:
        """Bytes of the bodies."""
        return _size(self.bodies)


class Plan:
    """All that compiling a part takes: the module, the options, and what is known of the whole."""

    def __init__(self, source: Source, options: Options, part_size: int | None = None) -> None:
        self.source, self.options = source, options
        self.part_size = PART_SIZE if part_size is None else part_size
        self.calls = scan(source)
        self.recursive = find_recursion(
            {index: calls.functions for index, calls in self.calls.items()}, source.entries
        )
        self.partitions = partitions(source, self.part_size)
        self.whole = len(self.partitions) == 1
        self.visible = set(self._visible())
        #: Whether some function catches exceptions: then those that may throw are called with a
        #: look at whether they did.
        self.catches = any(calls.catches for calls in self.calls.values())
        self.throwing = find_throwing(self.calls) if self.catches else set()
        tail = any(calls.tail for calls in self.calls.values())
        #: tailcc guarantees tail calls between any two types, and costs a little more.
        self.convention = "tailcc " if tail else "fastcc "

    @property
    def linkage(self) -> str:
        """Of what the glue defines for all parts."""
        return "internal " if self.whole else "hidden "

    def _visible(self) -> Iterable[int]:
        """Functions that others than those of their own part refer to."""
        yield from self.source.entries
        if self.options.enterable:
            yield from (body.index for body in self.source.bodies)
        part_of = {body.index: part.number for part in self.partitions for body in part.bodies}
        for caller, calls in self.calls.items():
            for callee in calls.functions:
                if callee != ANY and part_of.get(callee) != part_of[caller]:
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


def partitions(source: Source, part_size: int) -> list[Partition]:
    """The parts of a module: its functions in their order, as compilers put related ones side by
    side. The last part is the glue, without functions unless it is the only one.
    """
    whole = _size(source.bodies)
    if whole <= part_size:
        return [Partition(0, tuple(source.bodies), True, 1.0)]
    groups: list[list[Body]] = [[]]
    size = 0
    for body in source.bodies:
        if size >= part_size:
            groups.append([])
            size = 0
        groups[-1].append(body)
        size += body.end - body.start
    parts = [
        Partition(number, tuple(group), False, _size(group) / whole)
        for number, group in enumerate(groups)
    ]
    return [*parts, Partition(len(parts), (), True, 0.0)]


def _size(bodies: Iterable[Body]) -> int:
    return sum(body.end - body.start for body in bodies)
