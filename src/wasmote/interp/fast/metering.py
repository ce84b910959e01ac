"""Metered code: each run of instructions starts with one that pays for it (core.fuel)."""

from wasmote.core.fuel import cost_class, spend
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.isa.fuel import COSTS, ENDS_RUN
from wasmote.nativepy import i64, load, native, ptr, store, trap_if, u8, u16, u32, u64, usize

from .registers import FLOATS, OPCODES, go, handler
from .stack import Translator, begin, finish


@handler("spend fuel")
def spend_fuel(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, cost (2)]"""
    enough = spend(inst.fuel, i64(load(u32, pc + 1, align=2)))
    trap_if(not enough, TrapCode.OUT_OF_FUEL)
    return go(pc + 3, fp, mem, size, exec, inst, table, r, f)


@native
def count(t: ptr[Translator]):
    """Count the instruction that is translated next."""
    if t.dead != 0:
        t.run = 0
        return
    kind = cost_class(t.pc)
    if kind & COSTS != 0:
        if t.run == 0:
            start_run(t)
        if t.failed == 0:
            p = ptr[u32](t.code + t.run)
            store(p, load(u32, p, align=2) + 1, align=2)
    if kind & ENDS_RUN != 0:
        t.run = 0


@native
def start_run(t: ptr[Translator]):
    at = t.at
    p = begin(t, OPCODES["spend fuel"])
    store(ptr[u32](p + 1), u32(0), align=2)
    finish(t, 3)
    t.run = at + 1
