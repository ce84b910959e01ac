"""Handlers of `local.get`, `local.set` and `local.tee`.

They read indices of one byte; their long forms, to which they leave the others, read any.
"""

from collections.abc import Callable

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, from_accumulator
from wasmote.isa import by_name
from wasmote.nativepy import (
    f32,
    f64,
    likely,
    load,
    ptr,
    store,
    tail,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)

from .handlers_constants import I32_ADD, I32_CONST_LONG
from .immediates import cursor, read_index, short_number
from .registers import (
    HELD,
    State,
    below,
    go,
    handler,
    long_form,
    push,
    set_local,
)
from .side_table import KIND_STEP, LocalKind, SideTable, local_of, locals_of

LOCAL_GET, I32_CONST = by_name("local.get").opcode, by_name("i32.const").opcode


def get_long(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    local = local_of(side, read_index(at))
    slot = fp + (local & 0xFFFF)
    match local >> 16:
        case LocalKind.I32:
            number = load(u32, slot, align=4)
            return push(number, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case LocalKind.I64:
            wide = load(u64, slot, align=4)
            return push(wide, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case LocalKind.F64:
            double = load(f64, slot, align=4)
            return push(double, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case LocalKind.F32:
            single = load(f32, slot, align=4)
            return push(single, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case _:
            lanes = load(FLOATS, slot, align=4)
            return push(lanes, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


GET_LONG = long_form("local.get", get_long)


@handler("local.get")
def local_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """After an i32 mostly another one or a constant follows, which is pushed at once."""
    if unlikely(pc[1] >= 0x80):
        return tail(GET_LONG, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    local = u32(locals_of(side)[pc[1]])
    if likely(local < KIND_STEP):
        value = fp[local]
        if pc[2] == I32_CONST:
            left = u64(value)
            if pc[3] >= 0x80:
                return tail(
                    I32_CONST_LONG, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, left, f
                )
            if pc[4] == I32_ADD:
                total = value + short_number(u32, pc[3])
                return push(total, pc + 5, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
            return go(
                State.I32_CONST, pc + 4, sp, fp, mem, size, exec, inst, table, stp, side, left, f
            )
        if pc[2] == LOCAL_GET and pc[3] < 0x80:
            local = u32(locals_of(side)[pc[3]])
            if local < KIND_STEP:
                sp[0] = value
                second = fp[local]
                return push(
                    second, pc + 4, sp + 1, fp, mem, size, exec, inst, table, stp, side, r, f
                )
        return push(value, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    slot = fp + local % KIND_STEP
    if local < KIND_STEP * (LocalKind.I64 + 1):
        wide = load(u64, slot, align=4)
        return push(wide, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    if local < KIND_STEP * (LocalKind.F64 + 1):
        double = load(f64, slot, align=4)
        return push(double, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    if local < KIND_STEP * (LocalKind.F32 + 1):
        single = load(f32, slot, align=4)
        return push(single, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    lanes = load(FLOATS, slot, align=4)
    return push(lanes, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def write_held_long(state: int, after: int) -> Callable[..., int]:
    kind = HELD[state]

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        slot = local_of(side, read_index(at)) & 0xFFFF
        store(fp + slot, from_accumulator(kind, r, f), align=4)
        return go(after, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return run


def write_held(name: str, state: int, after: int) -> None:
    """local.set or local.tee of the value in an accumulator, whose type is that of the local."""
    long = long_form(f"{name} {HELD[state]}", write_held_long(state, after))
    kind = HELD[state]

    @handler(name, state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if unlikely(pc[1] >= 0x80):
            return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        set_local(state, from_accumulator(kind, r, f), side, fp, pc[1])
        return go(after, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def write_stored(name: str, tee: bool) -> None:
    """local.set or local.tee of a value that is on the stack."""

    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        local = local_of(side, read_index(at))
        slot = fp + (local & 0xFFFF)
        kind = local >> 16
        many = u32(1)
        if kind == LocalKind.I64 or kind == LocalKind.F64:
            many = 2
            store(slot, below(u64, sp), align=4)
        elif kind == LocalKind.V128:
            many = 4
            store(slot, below(FLOATS, sp), align=4)
        else:
            slot[0] = sp[-1]
        rest = sp if tee else sp - many
        return go(State.MEMORY, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)


for _name, _tee in (("local.set", False), ("local.tee", True)):
    write_stored(_name, _tee)
    for _state in HELD:
        write_held(_name, _state, _state if _tee else State.MEMORY)
