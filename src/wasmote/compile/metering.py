"""Code that counts instructions (see `core.fuel`): each run of them begins with paying for it."""

from typing import TYPE_CHECKING

from wasmote.core.status import TrapCode
from wasmote.core.structs import Fuel
from wasmote.isa.fuel import COST_CLASSES, COSTS, ENDS_RUN, GC_COST_CLASSES
from wasmote.isa.instruction import PREFIX_GC

if TYPE_CHECKING:
    from wasmote.compile.function import Function
    from wasmote.compile.runtime import Runtime

_PREFIX = PREFIX_GC >> 16
#: Stands in the text for a cost that is not known yet.
_LATER = "{cost}"


class Meter:
    """Counts what a function's instructions cost while its text is written."""

    def __init__(self) -> None:
        self._line = -1  # where the run under way is paid for; -1: none is
        self._cost = 0

    def count(self, f: "Function") -> None:
        """The instruction at `f.pos` is next."""
        if f.dead:
            self._finish(f)
            return
        first = f.code[f.pos]
        kind = COST_CLASSES[first]
        if first == _PREFIX:
            kind = GC_COST_CLASSES[f.code[f.pos + 1] & 31]
        if kind & COSTS:
            if self._line < 0:
                f.needs.add("rt.spend")
                self._line, self._cost = len(f.lines), 0
                f.lines.append(_spend(f, _LATER))
            self._cost += 1
        if kind & ENDS_RUN:
            self._finish(f)

    def _finish(self, f: "Function") -> None:
        """The run ends: what it costs is known."""
        if self._line >= 0:
            f.lines[self._line] = f.lines[self._line].replace(_LATER, str(self._cost))
            self._line = -1


def spend_for_size(f: "Function", size: str) -> None:
    """What an instruction costs on top that works on so many bytes or elements, an i64."""
    if f.meter is None:
        return
    f.needs.add("rt.spend")
    f.unit.declare("declare i64 @llvm.umin.i64(i64, i64)")
    limited = f.value(f"call i64 @llvm.umin.i64(i64 {size}, i64 {1 << 62})")
    f.lines.append(_spend(f, limited))


def _spend(f: "Function", cost: str) -> str:
    return f"  call void @rt.spend(ptr %exec, ptr %ctx, ptr %fuel.left, i64 {cost})\n"


def add_metering(runtime: "Runtime") -> None:
    """rt.spend pays. Volatile: what may trap afterwards finds the fuel spent."""
    left = runtime.o.field(Fuel, "left")
    runtime.define(
        "rt.spend", "void", ", ptr %fuel, i64 %cost", "alwaysinline",
        runtime.at("%fuel", left, "at"),
        "  %before = load volatile i64, ptr %at, !tbaa !5\n"
        "  %after = sub i64 %before, %cost\n  %ok = icmp sge i64 %after, 0\n"
        "  br i1 %ok, label %fine, label %trap, !prof !7\n"
        "trap:\n  store volatile i64 0, ptr %at, !tbaa !5\n",
        runtime.trap(TrapCode.OUT_OF_FUEL),
        "fine:\n  store volatile i64 %after, ptr %at, !tbaa !5\n  ret void\n",
    )  # fmt: skip
