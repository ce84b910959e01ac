"""Handlers of constants, locals, globals, drop and select."""

from collections.abc import Callable

from wasmote.core.status import ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.isa import by_name
from wasmote.nativepy import (
    NativeFunction,
    copy,
    f32,
    f64,
    i32,
    i64,
    inline,
    likely,
    load,
    ptr,
    store,
    tail,
    u8,
    u32,
    u64,
    unlikely,
    usize,
)

from .immediates import cursor, read_i32, read_i64, read_index, short_i32
from .registers import below, go, handler, long_form, push, top
from .side_table import LocalKind, SideTable, local_at

LOCAL_GET, I32_CONST, I32_ADD = (
    by_name(name).opcode for name in ("local.get", "i32.const", "i32.add")
)


def i32_const(cached: bool) -> None:
    """Mostly an addition follows, which is done at once."""

    @handler("i32.const", cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        value = read_i32(at)
        following = at[0]
        if following[0] == I32_ADD:
            total = top(cached, u32, sp, r, f) + value
            return push(
                total, following + 1, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        return push(value, following, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


i32_const(False)
i32_const(True)


def i64_const_form(long: NativeFunction | None) -> Callable[..., int]:
    """i64.const of one byte, with the form for all others; that form itself."""

    def i64_const(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if long is not None:
            if unlikely(pc[1] >= 0x80):
                return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
            number = u64(i64(i32(short_i32(u32(pc[1])))))
            return push(number, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        at = cursor(pc + 1)
        value = read_i64(at)
        return push(value, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return i64_const


handler("i64.const")(i64_const_form(long_form("i64.const", i64_const_form(None))))


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


@inline
def read_first(short, at):
    """The index of a local, which in a short form is one byte."""
    if short:
        index = u32(at[0][0])
        at[0] = at[0] + 1
        return index
    return read_index(at)


def local_get_form(long: NativeFunction | None) -> Callable[..., int]:
    """local.get of the first 128 locals, with the form for all others; that form itself."""

    def local_get(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        """Mostly another local or a constant follows, which is pushed at once."""
        if long is not None:
            if unlikely(pc[1] >= 0x80):
                return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        at = cursor(pc + 1)
        local = local_at(side, read_first(long is not None, at))
        value = fp + u32(local.slot)
        if likely(local.kind == LocalKind.I32):
            following = at[0]
            if following[0] == LOCAL_GET:
                second = local_at(side, u32(following[1]))
                if following[1] < 0x80 and second.kind == LocalKind.I32:
                    sp[0] = value[0]
                    return push(
                        fp[second.slot], following + 2, sp + 1, fp, mem, size, exec, inst, table,
                        stp, side, r, f,
                    )  # fmt: skip
            if following[0] == I32_CONST and following[1] < 0x80:
                number = short_i32(u32(following[1]))
                if following[2] == I32_ADD:
                    return push(
                        value[0] + number, following + 3, sp, fp, mem, size, exec, inst, table, stp,
                        side, r, f,
                    )  # fmt: skip
                sp[0] = value[0]
                return push(
                    number, following + 2, sp + 1, fp, mem, size, exec, inst, table, stp, side, r, f
                )
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

    return local_get


handler("local.get")(local_get_form(long_form("local.get", local_get_form(None))))


def local_write(cached: bool, tee: bool, long: NativeFunction | None) -> Callable[..., int]:
    """local.set or local.tee, in forms as `local_get_form` has them."""

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if long is not None:
            if unlikely(pc[1] >= 0x80):
                return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        at = cursor(pc + 1)
        local = local_at(side, read_first(long is not None, at))
        slot = fp + u32(local.slot)
        if likely(local.kind == LocalKind.I32):
            slot[0] = top(cached, u32, sp, r, f)
            rest = sp if tee else sp - 1
            return go(
                tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        if local.kind == LocalKind.F32:
            store(slot, top(cached, f32, sp, r, f), align=4)
            rest = sp if tee else sp - 1
            return go(
                tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        if local.kind == LocalKind.V128:
            store(slot, top(cached, FLOATS, sp, r, f), align=4)
            rest = sp if tee else sp - 4
            return go(
                tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        if local.kind == LocalKind.F64:
            store(slot, top(cached, f64, sp, r, f), align=4)
        else:
            store(slot, top(cached, u64, sp, r, f), align=4)
        rest = sp if tee else sp - 2
        return go(tee and cached, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)

    return run


for _cached in (False, True):
    for _name, _tee in (("local.set", False), ("local.tee", True)):
        _long = long_form(_name, local_write(_cached, _tee, None))
        handler(_name, _cached)(local_write(_cached, _tee, _long))


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
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
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
