"""Functions that begin at one of their loops, for frames that the fast interpreter is in.

The locals are where that interpreter has them, in the cells of its frame (`interp.fast.translate`);
operands there must be none. What comes before the loop is only reached from within it. The results
go where the caller in the interpreter expects them, at the frame's first cells.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wasmote.compile.cells import CELLS, load_cells
from wasmote.compile.function import Frame, Function
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.source import Body
from wasmote.interp.fast.registers import HEADER_CELLS

if TYPE_CHECKING:
    from wasmote.compile.unit import Unit

#: Bytes of bodies that the entries of one function may have in all.
_MOST = 256 << 10
#: Numbers for the locations of text, beyond those of functions.
_SCOPES = 1 << 24
#: What enters such functions in the way of `calls.entry_text`; a backtrace leaves out its frame.
ENTER_LOOP = "enter.loop"


class LoopEntry(Function):
    """Writes the text of a function that begins at the loop at an offset in the binary."""

    def __init__(self, unit: "Unit", body: Body, start: int) -> None:
        super().__init__(unit, body)
        self.counts = True  # signals only poll in what the table of functions has
        self.start = start
        self.scope = _SCOPES + start
        self.cell = 0  # of the next local
        self.lines.append("")  # the jump to the loop
        self.last_block = "start"

    def expansion(self, callee: int) -> str:
        """Functions that may have no polls of their own stay where signals find them."""
        return " noinline"

    def declare(self, kind: str, value: str) -> None:
        i = len(self.local_kinds)
        if i == len(self.signature.params):
            self.cell += HEADER_CELLS
        self.entry.append(
            f"  %l{i} = alloca {kind}\n"
            f"  %c{i}.at = getelementptr i8, ptr %places, i64 {4 * self.cell}\n"
            + load_cells(self.unit.target, f"%c{i}", kind, f"%c{i}.at", f"align 4, {RUNTIME}")
            + f"  store {kind} %c{i}, ptr %l{i}\n"
        )
        self.cell += _cells(kind)
        self.local_kinds.append(kind)

    def begin_loop(self, start: int, frame: Frame) -> None:
        if start == self.start:
            self.lines[0] = f"  br label %{frame.label}\nstart:\n"
            frame.edges.append(("entry", []))

    def return_values(self) -> None:
        results = self.signature.results
        cell = 0
        for kind, value in zip(results, self.pop_many(len(results)), strict=True):
            at = self.value(f"getelementptr i8, ptr %places, i64 {4 * cell}")
            self.store_cells(kind, value, at, f"align 4, {RUNTIME}")
            cell += _cells(kind)
        self.roots.leave()
        self.emit("ret i32 0")

    def spilled(self) -> str:
        return ""  # its parameters are in cells, as all locals are

    def head(self) -> str:
        symbol = loop_symbol(self.body.index, self.start)
        return f"define hidden i32 @{symbol}(ptr %exec, ptr %ctx, ptr %function, ptr %places)"


def loop_entries(unit: "Unit", function: Function) -> Iterator[Function]:
    """The functions that begin at the loops of one that was translated."""
    body, starts = function.body, function.loop_starts
    if body.index not in unit.plan.options.loops or not _can_be_left(unit, function):
        return
    for start in starts[: _MOST // (body.end - body.start)]:
        entry = LoopEntry(unit, body, start)
        entry.translate()
        yield entry


def loop_entry(unit: "Unit", index: int, start: int) -> Function | None:
    """The function that begins at the loop at that offset. None: there can be none."""
    body = unit.source.body(index)
    function = Function(unit, body)
    function.translate()
    if start not in function.loop_starts or not _can_be_left(unit, function):
        return None
    entry = LoopEntry(unit, body, start)
    entry.translate()
    return entry


def _can_be_left(unit: "Unit", function: Function) -> bool:
    """Whether a frame of the interpreter has all that the function needs in its loops."""
    if unit.plan.calls[function.body.index].tail:
        return False
    return not (function.reference_locals or function.roots.has_frame or function.thrown)


def enter_loop_text() -> str:
    """The function that those which begin at loops are entered by."""
    return (
        f"define hidden i32 @{ENTER_LOOP}(ptr %exec, ptr %ctx, ptr %function, ptr %cells) #0 {{\n"
        "  %code = call i32 %function(ptr %exec, ptr %ctx, ptr %function, ptr %cells)\n"
        "  ret i32 %code\n}\n"
    )


def loop_symbol(index: int, start: int) -> str:
    """What the code is called that begins at a loop."""
    return f"loop.{index}.{start}"


def loops_in(symbols: dict[str, tuple[int, int]]) -> list[tuple[int, ...]]:
    """Index, offset of the loop, place and size of the code, for each that there is, in order."""
    names = (name.split(".") for name in symbols if name.startswith("loop."))
    keys = sorted((int(index), int(start)) for _, index, start in names)
    return [(*key, *symbols[loop_symbol(*key)]) for key in keys]


def _cells(kind: str) -> int:
    return CELLS[kind] // 4
