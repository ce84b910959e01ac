"""Handlers of numeric instructions, loads and stores, made from their definitions.

They take their last operand from its accumulator. A comparison looks whether a `br_if` follows, as
it mostly does, and branches then at once; those in `SETTING` look for `local.set` and `local.tee`.
"""

from collections.abc import Callable

from wasmote.core.status import ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, from_accumulator, native_params
from wasmote.isa import INSTRUCTIONS, Instruction, by_name
from wasmote.nativepy import (
    NativeFunction,
    Type,
    const,
    inline,
    likely,
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

from .handlers_any_memory import any_load, any_store
from .handlers_control import branch_if
from .immediates import MEMORY_INDEX, cursor, read_offset, short_number
from .registers import (
    CONSTANT,
    HELD,
    State,
    below,
    cells,
    go,
    handler,
    long_form,
    push,
    push_or_set,
    spill,
    state_of,
)
from .side_table import SideTable

BR_IF = by_name("br_if").opcode
#: The types of the constants that handlers read.
VALUE_TYPES = {State.I32: ValueType.I32, State.I64: ValueType.I64}
#: What is often followed by `local.set` or `local.tee`.
SETTING = (
    "i32.add", "i32.sub", "i32.mul", "i32.and", "i32.or", "i32.xor", "i32.shr_u",
    "i64.add", "i64.sub", "i64.mul", "i64.xor", "i64.shr_u", "i64.rem_u",
)  # fmt: skip


def unary(i: Instruction) -> None:
    (kind,), meaning = native_params(i), i.semantics
    fuses = i.family == "test"

    @handler(i.name, state_of(kind))
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(from_accumulator(kind, r, f))
        if fuses:
            if likely(pc[1] == BR_IF):
                return branch_if(
                    value != 0, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f
                )
        return push(value, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def unary_behind_prefix(i: Instruction) -> None:
    (kind,), meaning = native_params(i), i.semantics

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(below(kind, sp))
        after, rest = ptr[u8](usize(r)), sp - cells(kind)
        return push(value, after, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def binary(i: Instruction) -> None:
    (left, right), meaning = native_params(i), i.semantics

    @handler(i.name, state_of(right))
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(below(left, sp), from_accumulator(right, r, f))
        rest = sp - cells(left)
        return finish(i, value, pc, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def binary_with_constant(i: Instruction, state: int) -> None:
    """An operation of an accumulator and a constant, the byte before."""
    (left, right), meaning = native_params(i), i.semantics
    bits = HELD[CONSTANT[state]]

    @handler(i.name, state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(left(r), right(short_number(bits, pc[-1])))
        return finish(i, value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def finish(i: const, value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Push the result of the instruction at `pc`, or do with it what follows."""
    if i.family == "compare":
        if likely(pc[1] == BR_IF):
            return branch_if(
                value != 0, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f
            )
    if i.name in SETTING:
        return push_or_set(value, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return push(value, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


#: The first two bytes of a memory argument that is longer, or that names a memory.
LONG_ARGUMENT = 0x8080 | MEMORY_INDEX


def load_form(i: Instruction, long: NativeFunction | None) -> Callable[..., int]:
    """A load with a memory argument of two bytes; without `long` it is the long form itself.

    Of memory 0 with 32-bit addresses; what is out of its bounds is left to `any_load`. An address
    is checked in 64 bits, where it cannot wrap: 32-bit address plus 32-bit offset.
    """
    meaning, access, of_any = i.semantics, i.access, any_load(i)

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        following = pc + 3
        if long is not None:
            argument = u32(load_le(u16, pc + 1))
            if unlikely(argument & LONG_ARGUMENT != 0):
                return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
            start = r + u64(argument >> 8)
        else:
            at = cursor(pc + 1)
            start = r + read_offset(at)
            following = at[0]
        if unlikely(start + access > size):
            sp = spill(State.I32, sp, r, f)
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(mem + start)
        return push(value, following, sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return run


def wide_load(i: Instruction) -> Callable[..., int]:
    """A load with an address of 64 bits."""
    of_any = any_load(i)

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        sp = spill(State.I64, sp, r, f)
        return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return run


def store_form(i: Instruction, long: NativeFunction | None) -> Callable[..., int]:
    """A store, in forms as `load_form` has them."""
    meaning, access, of_any = i.semantics, i.access, any_store(i)
    kind: Type = native_params(i)[1]
    state = state_of(kind)

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        following = pc + 3
        if long is not None:
            argument = u32(load_le(u16, pc + 1))
            if unlikely(argument & LONG_ARGUMENT != 0):
                return tail(long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
            start = u64(sp[-1]) + u64(argument >> 8)
        else:
            at = cursor(pc + 1)
            start = u64(sp[-1]) + read_offset(at)
            following = at[0]
        if unlikely(start + access > size):
            sp = spill(state, sp, r, f)
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        meaning(mem + start, from_accumulator(kind, r, f))
        return go(
            State.MEMORY, following, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f
        )

    return run


def _make(i: Instruction) -> None:
    if i.family == "load":
        handler(i.name, State.I32)(load_form(i, long_form(i.name, load_form(i, None))))
        handler(i.name, State.I64)(wide_load(i))
    elif i.family == "store":
        state = state_of(native_params(i)[1])
        handler(i.name, state)(store_form(i, long_form(i.name, store_form(i, None))))
    elif len(i.params or ()) == 1:
        unary(i)
    else:
        binary(i)
        for state, held in CONSTANT.items():
            if i.params == (VALUE_TYPES[held],) * 2:
                binary_with_constant(i, state)


for _instruction in INSTRUCTIONS.values():
    if _instruction.semantics is not None and _instruction.prefix == 0:
        _make(_instruction)
    elif _instruction.family == "convert":  # behind the prefix 0xFC
        unary_behind_prefix(_instruction)
