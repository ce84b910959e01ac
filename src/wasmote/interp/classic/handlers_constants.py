"""Handlers of constants.

They read numbers of one byte; their long forms, to which they leave the others, read any.
"""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.isa import by_name
from wasmote.nativepy import (
    NativeFunction,
    Type,
    f32,
    f64,
    load_le,
    ptr,
    tail,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)

from .immediates import cursor, read_i32, read_i64, short_number
from .registers import State, go, handler, long_form, push, spill
from .side_table import SideTable

I32_ADD = by_name("i32.add").opcode


def long_constant(name: str, state: int) -> NativeFunction:
    """The long form; after another i32 mostly an addition follows."""
    read, kind = (read_i32, u32) if name == "i32.const" else (read_i64, u64)
    adds = state == State.I32

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        value = kind(read(at))
        if adds:
            if at[0][0] == I32_ADD:
                total = u32(r) + value
                return push(total, at[0] + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        sp = spill(state, sp, r, f)
        return push(value, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return long_form(name, run)


def constant(name: str, kind: Type) -> None:
    long = long_constant(name, State.MEMORY)

    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if unlikely(pc[1] >= 0x80):
            return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = short_number(kind, pc[1])
        return push(value, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


constant("i32.const", u32)
constant("i64.const", u64)


I32_CONST_LONG = long_constant("i32.const", State.I32)


def constant_after(name: str, state: int, then: int, long: NativeFunction) -> None:
    """A constant after an operand of its type. With i32, mostly an addition follows."""
    adds = name == "i32.const"

    @handler(name, state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if unlikely(pc[1] >= 0x80):
            return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        if adds:
            if pc[2] == I32_ADD:
                total = u32(r) + short_number(u32, pc[1])
                return push(total, pc + 3, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        return go(then, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


constant_after("i32.const", State.I32, State.I32_CONST, I32_CONST_LONG)
constant_after("i64.const", State.I64, State.I64_CONST, long_constant("i64.const", State.I64))


@handler("f32.const")
def f32_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    value = load_le(f32, pc + 1)
    return push(value, pc + 5, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("f64.const")
def f64_const(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    value = load_le(f64, pc + 1)
    return push(value, pc + 9, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
