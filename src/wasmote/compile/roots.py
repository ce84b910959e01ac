"""What compiled code tells the garbage collector: the references that a function still uses.

References in registers are invisible to the collector. So before a call the function writes those
that it uses afterwards, and nothing else, to its *slots* on the value stack, and makes `Exec.top`
their end. Slots are given out anew at each call; a value that is in one already stays there. Where
somebody looks only rarely (the host at a poll, the collector when an object finds no free cell),
that is done on the side path which leads there, and undone after it: the usual path costs nothing.

Objects never move, so nothing is read back. A reference to a function, which only the host looks
for, is written as an odd number, its handle times 2 plus 1: to the collector these are no objects.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wasmote.compile.liveness import Liveness, find_liveness
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.types import FunctionReference, Reference
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec

if TYPE_CHECKING:
    from wasmote.compile.function import Function

CELL = 4
#: A place in the code: how many slots are in use (None: not known), and what is in them.
State = tuple[int | None, tuple[str, ...]]
NOTHING: State = (0, ())
UNKNOWN: State = (None, ())


@dataclass(slots=True)
class _Aside:
    """A side path: where its two pieces of text go, and what they are made of."""

    before: int
    after: int
    top: int | None
    missing: list[tuple[int, str, str]]  # slot, type and value of what is in no slot yet
    slots: int


class Roots:
    """The slots of one function, while its text is written."""

    def __init__(self, f: "Function") -> None:
        self.f = f
        self.state: State = NOTHING
        self.room = 0  # slots that the function needs
        self.has_frame = False  # it writes references before some call
        self.values = 0  # names in use
        self.asides: list[_Aside] = []
        #: Text that only functions with a frame need.
        self.optional: list[int] = []
        #: Values that are no objects, or always known otherwise.
        self.harmless: set[str] = set()
        self._liveness: Liveness | None = None

    # -- what is in use --------------------------------------------------------------------------

    def locals(self) -> Iterator[int]:
        """Locals with references that the code behind this place may read."""
        f = self.f
        if not f.reference_locals:
            return
        if self._liveness is None:
            self._liveness = find_liveness(f.code, f.body, f.defined, f.reference_locals)
        live = self._liveness.at(f.pos)
        for i, local in enumerate(f.reference_locals):
            if live >> i & 1:
                yield local

    def in_use(self, keep: bool) -> dict[str, str]:
        """References that are operands or in locals, with their types. `keep`: what is loaded for
        that can be used further on.
        """
        f = self.f
        found: dict[str, str] = {}
        for value, kind in zip(f.values, f.kinds, strict=True):
            if isinstance(kind, Reference):
                found[value] = kind
        for local in self.locals():
            known = f.known.get(local) or f.value(f"load i32, ptr %l{local}")
            if keep:
                f.known[local] = known
            found[known] = f.local_kinds[local]
        return {v: k for v, k in found.items() if v[0] == "%" and v not in self.harmless}

    # -- before calls ----------------------------------------------------------------------------

    def show(self) -> None:
        """Before a call: write what is used after it. What the call takes is popped already."""
        wanted = self.in_use(keep=True)
        count = len(wanted)
        top, held = self.state
        if not wanted:
            if top != 0:
                self._optional(self._set_top("%shadow", 0))
                self.state = NOTHING
            return
        self.has_frame = True
        self.room = max(self.room, count)
        missing, held = placed(wanted, held)
        self.f.lines.append(self._stores("%shadow", missing))
        if top != count:
            self.f.lines.append(self._set_top("%shadow", count))
        self.state = count, held

    def leave(self) -> None:
        """Before a return or a tail call: the value stack is as it was."""
        if self.state[0] != 0:
            self._optional(self._set_top("%shadow", 0))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is written meanwhile is a side path where somebody may look at all that is in use
        now, operands included.
        """
        lines = self.f.lines
        wanted = self.in_use(keep=False)
        top, held = self.state
        missing, _ = placed(wanted, held)
        made = _Aside(len(lines), 0, top, missing, len(wanted))
        lines.append("")
        yield
        made.after = len(lines)
        lines.append("")
        self.room = max(self.room, len(wanted))
        self.asides.append(made)

    # -- where paths meet ------------------------------------------------------------------------

    def merge(self, states: list[State]) -> None:
        """Control comes here from where it was like that."""
        tops = {top for top, _ in states}
        columns = zip(*(held for _, held in states), strict=False)
        held = tuple(each[0] if len(set(each)) == 1 else "" for each in columns)
        self.state = (tops.pop() if len(tops) == 1 else None), held

    # -- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """All is translated: fill in what depends on whether the function has a frame."""
        lines = self.f.lines
        if not self.has_frame:
            for line in self.optional:
                lines[line] = ""
        for made in self.asides:
            if self.has_frame:
                lines[made.before], lines[made.after] = self._in_frame(made)
            elif made.slots:
                lines[made.before], lines[made.after] = self.for_a_moment(made.missing)

    def frame(self) -> str:
        """Text before the block `entry`, of a function with a frame: `%shadow`, where it begins."""
        offsets = self.f.unit.offsets
        self.f.needs.add("rt.trap")
        code = int(TrapCode.STACK_OVERFLOW)
        return (
            f"  %top.at = getelementptr i8, ptr %exec, i64 {offsets.field(Exec, 'top')}\n"
            f"  %shadow = load ptr, ptr %top.at, {RUNTIME}\n"
            f"  %shadow.end = getelementptr i8, ptr %shadow, i64 {CELL * self.room}\n"
            f"  %end.at = getelementptr i8, ptr %exec, i64 {offsets.field(Exec, 'stack_end')}\n"
            f"  %end = load ptr, ptr %end.at, {RUNTIME}\n"
            "  %full = icmp ugt ptr %shadow.end, %end\n"
            "  br i1 %full, label %full.trap, label %framed, !prof !11\n"
            f"full.trap:\n  call void @rt.trap(ptr %exec, ptr %ctx, i32 {code})\n"
            "  unreachable\nframed:\n"
        )

    def for_a_moment(self, missing: list[tuple[int, str, str]]) -> tuple[str, str]:
        """A side path of a function without a frame: it finds its own slots."""
        self.f.needs.add("rt.slots")
        base = self._name()
        slots = len(missing)
        before = f"  {base} = call ptr @rt.slots(ptr %exec, ptr %ctx, i64 {CELL * slots})\n"
        return before + self._stores(base, missing), (
            f"  {base}.top = getelementptr i8, ptr %exec, i64 {self._top()}\n"
            f"  store ptr {base}, ptr {base}.top, {RUNTIME}\n"
        )

    # -- text ------------------------------------------------------------------------------------

    def _in_frame(self, made: _Aside) -> tuple[str, str]:
        if made.top == made.slots:
            return self._stores("%shadow", made.missing), ""
        stores = self._stores("%shadow", made.missing) + self._set_top("%shadow", made.slots)
        if made.top is not None:
            return stores, self._set_top("%shadow", made.top)
        old = self._name()
        return (
            f"  {old} = load ptr, ptr %top.at, {RUNTIME}\n{stores}",
            f"  store ptr {old}, ptr %top.at, {RUNTIME}\n",
        )

    def _top(self) -> int:
        return self.f.unit.offsets.field(Exec, "top")

    def _name(self) -> str:
        self.values += 1
        return f"%root{self.values}"

    def _optional(self, text: str) -> None:
        self.optional.append(len(self.f.lines))
        self.f.lines.append(text)

    def _set_top(self, base: str, slots: int) -> str:
        if not slots:
            return f"  store ptr {base}, ptr %top.at, {RUNTIME}\n"
        name = self._name()
        return (
            f"  {name} = getelementptr i8, ptr {base}, i64 {CELL * slots}\n"
            f"  store ptr {name}, ptr %top.at, {RUNTIME}\n"
        )

    def _stores(self, base: str, missing: list[tuple[int, str, str]]) -> str:
        text = []
        for slot, kind, value in missing:
            name = self._name()
            if isinstance(kind, FunctionReference):
                text.append(f"  {name}.2 = shl i32 {value}, 1\n  {name}.1 = or i32 {name}.2, 1\n")
                value = f"{name}.1"
            text.append(
                f"  {name} = getelementptr i8, ptr {base}, i64 {CELL * slot}\n"
                f"  store i32 {value}, ptr {name}, {RUNTIME}\n"
            )
        return "".join(text)


def placed(
    wanted: dict[str, str], held: tuple[str, ...]
) -> tuple[list[tuple[int, str, str]], tuple[str, ...]]:
    """Give each value one of the first slots, its own if it is there already. Returns what has to
    be written, and what all slots hold then.
    """
    count = len(wanted)
    slots = [value if value in wanted else "" for value in held[:count]]
    slots += [""] * (count - len(slots))
    there = set(slots)
    free = (i for i, value in enumerate(slots) if not value)
    missing = [(next(free), kind, v) for v, kind in list(wanted.items()) if v not in there]
    for slot, _, value in missing:
        slots[slot] = value
    return missing, tuple(slots)
