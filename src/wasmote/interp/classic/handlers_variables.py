"""Handlers of globals, drop and select."""

from wasmote.core.status import ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, from_accumulator
from wasmote.nativepy import (
    bitcast,
    const,
    copy,
    f32,
    f64,
    inline,
    likely,
    load,
    ptr,
    store,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .branches import CELLS_MASK, FLOAT
from .immediates import cursor, read_index
from .registers import HELD, State, below, cells, go, handler, push
from .side_table import SideTable


@inline
def is_wide(content):
    """Whether a number type takes two cells."""
    return content & ~u32(ValueType.I64 ^ ValueType.F64) == ValueType.F64


@handler("global.get")
def global_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    variable = inst.globals[read_index(at)]
    if likely(variable.content == ValueType.I32):
        return push(variable.value[0], at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    sp[0] = variable.value[0]
    if is_wide(variable.content):
        sp[1] = variable.value[1]
        return go(State.MEMORY, at[0], sp + 2, fp, mem, size, exec, inst, table, stp, side, r, f)
    if variable.content == ValueType.V128:
        copy(sp, variable, 16)
        return go(State.MEMORY, at[0], sp + 4, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, at[0], sp + 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("global.set")
def global_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    variable = inst.globals[read_index(at)]
    if is_wide(variable.content):
        store(ptr[u64](variable), below(u64, sp), align=4)
        return go(State.MEMORY, at[0], sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)
    if variable.content == ValueType.V128:
        copy(variable, sp - 4, 16)
        return go(State.MEMORY, at[0], sp - 4, fp, mem, size, exec, inst, table, stp, side, r, f)
    variable.value[0] = below(u32, sp)
    return go(State.MEMORY, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


def set_held(state: int) -> None:
    """global.set of the value in an accumulator, whose type is that of the global."""
    kind = HELD[state]

    @handler("global.set", state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        variable = inst.globals[read_index(at)]
        store(ptr[u32](variable), from_accumulator(kind, r, f), align=4)
        return go(State.MEMORY, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


for _state in HELD:
    set_held(_state)


@handler("drop", *HELD)
def drop_held(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f)


@handler("drop")
def drop(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    rest = sp - (u32(stp[0]) & CELLS_MASK)
    return go(State.MEMORY, pc + 1, rest, fp, mem, size, exec, inst, table, stp - 1, side, r, f)


@inline
def chosen(kind: const, condition, sp):
    """One of two operands, without a branch that the machine could predict wrongly."""
    first = load(kind, sp - 2 * cells(kind), align=4)
    second = load(kind, sp - cells(kind), align=4)
    return first if condition != 0 else second


def select(name: str) -> None:
    @handler(name, State.I32)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        condition = u32(r)
        what = u32(stp[0])
        pc = pc + (what >> 4)
        stp = stp - 1
        if likely(what & 15 == 1):
            number = chosen(u32, condition, sp)
            return push(number, pc, sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)
        if what & CELLS_MASK == 2:
            wide = chosen(u64, condition, sp)
            if what & FLOAT == 0:
                return push(wide, pc, sp - 4, fp, mem, size, exec, inst, table, stp, side, r, f)
            double = bitcast(f64, wide)
            return push(double, pc, sp - 4, fp, mem, size, exec, inst, table, stp, side, r, f)
        if what & FLOAT != 0:
            single = bitcast(f32, chosen(u32, condition, sp))
            return push(single, pc, sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)
        if condition == 0:
            copy(sp - 8, sp - 4, 16)
        return go(State.MEMORY, pc, sp - 4, fp, mem, size, exec, inst, table, stp, side, r, f)


for _name in ("select", "select t"):
    select(_name)
