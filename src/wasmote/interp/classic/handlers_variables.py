"""Handlers of constants, locals, globals, drop and select."""

from wasmote.core.status import ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.nativepy import (
    copy,
    f32,
    f64,
    inline,
    likely,
    load,
    ptr,
    store,
    u8,
    u32,
    u64,
    usize,
)

from .immediates import cursor, read_i32, read_i64, read_index
from .registers import below, go, handler, push, top
from .side_table import LocalKind, SideTable, local_at


@handler("i32.const")
def i32_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    value = read_i32(at)
    return push(value, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("i64.const")
def i64_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    value = read_i64(at)
    return push(value, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("f32.const")
def f32_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    value = load(f32, pc + 1)
    return push(value, pc + 5, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("f64.const")
def f64_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    value = load(f64, pc + 1)
    return push(value, pc + 9, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("local.get")
def local_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    local = local_at(side, read_index(at))
    value = fp + u32(local.slot)
    if likely(local.kind == LocalKind.I32):
        return push(value[0], at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    match local.kind:
        case LocalKind.I64:
            wide = load(u64, value, align=4)
            return push(wide, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case LocalKind.F32:
            single = load(f32, value, align=4)
            return push(single, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case LocalKind.F64:
            double = load(f64, value, align=4)
            return push(double, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case _:
            lanes = load(FLOATS, value, align=4)
            return push(lanes, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def local_write(cached: bool, name: str, tee: bool) -> None:
    """local.set and local.tee."""

    @handler(name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        local = local_at(side, read_index(at))
        slot = fp + u32(local.slot)
        if likely(local.kind == LocalKind.I32):
            slot[0] = top(cached, u32, sp, r, f)
            rest = sp if tee else sp - 1
            return go(tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        if local.kind == LocalKind.F32:
            store(slot, top(cached, f32, sp, r, f), align=4)
            rest = sp if tee else sp - 1
            return go(tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        if local.kind == LocalKind.V128:
            store(slot, top(cached, FLOATS, sp, r, f), align=4)
            rest = sp if tee else sp - 4
            return go(tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        if local.kind == LocalKind.F64:
            store(slot, top(cached, f64, sp, r, f), align=4)
        else:
            store(slot, top(cached, u64, sp, r, f), align=4)
        rest = sp if tee else sp - 2
        return go(tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)


for _cached in (False, True):
    local_write(_cached, "local.set", False)
    local_write(_cached, "local.tee", True)


@inline
def is_wide(content):
    """Whether a number type takes two cells."""
    return content & ~u32(ValueType.I64 ^ ValueType.F64) == ValueType.F64


@handler("global.get")
def global_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    variable = inst.globals[read_index(at)]
    if likely(variable.content == ValueType.I32):
        return push(variable.value[0], at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    sp[0] = variable.value[0]
    if is_wide(variable.content):
        sp[1] = variable.value[1]
        return go(False, at[0], sp + 2, fp, mem, size, exec, inst, table, stp, side, r, f)
    if variable.content == ValueType.V128:
        copy(sp, variable, 16)
        return go(False, at[0], sp + 4, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(False, at[0], sp + 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("global.set")
def global_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    variable = inst.globals[read_index(at)]
    if is_wide(variable.content):
        store(ptr[u64](variable), below(u64, sp), align=4)
        return go(False, at[0], sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)
    if variable.content == ValueType.V128:
        copy(variable, sp - 4, 16)
        return go(False, at[0], sp - 4, fp, mem, size, exec, inst, table, stp, side, r, f)
    variable.value[0] = below(u32, sp)
    return go(False, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("drop")
def drop(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    rest = sp - (stp[0] & 0xFFFF)
    return go(False, pc + 1, rest, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


def select(name: str, cached: bool) -> None:
    @handler(name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        condition = top(cached, u32, sp, r, f)
        pc = pc + (stp[0] >> 16)
        many = stp[0] & 0xFFFF
        if likely(many == 1):
            first = sp[-3]
            sp[-3] = first if condition != 0 else sp[-2]
            return go(False, pc, sp - 2, fp, mem, size, exec, inst, table, stp + 1, side, r, f)
        if condition == 0:
            second = sp - 1 - many
            copy(second - many, second, usize(many) * 4)
        return go(False, pc, sp - 1 - many, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


for _name in ("select", "select t"):
    for _cached in (False, True):
        select(_name, _cached)
