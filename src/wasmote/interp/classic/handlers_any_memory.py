"""Loads and stores of any memory: with an index, with 64-bit addresses.

The other handlers of loads and stores know memory 0 with 32-bit addresses only, by what the
interpreter keeps of it in registers. Whatever is out of those bounds they leave to the handlers
here, which look at the memory itself; another thread may have let memory 0 grow meanwhile, too.
"""

from functools import cache

from wasmote.core.bounds import LimitsFlag
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, native_params
from wasmote.interp.common.leb import read_u32, read_u64
from wasmote.isa import Immediate, Instruction
from wasmote.nativepy import (
    NativeFunction,
    addr,
    const,
    inline,
    likely,
    load,
    load_le,
    native,
    ptr,
    stack,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
    volatile_load,
)

from .immediates import MEMORY_INDEX, cursor, skip
from .registers import State, below, cells, go, on_trap, push, reach
from .side_table import SideTable


@inline
def pop_index(o, flags):
    """Take an address, index or size off the stack that ends at `o[0]`; limits flags say its
    width.
    """
    if flags & LimitsFlag.INDEX_64 != 0:
        o[0] = o[0] - 2
        return load(u64, o[0], align=4)
    o[0] = o[0] - 1
    return u64(o[0][0])


@native(noinline=True)
def read_argument(at: ptr[ptr[u8]], index: ptr[u32]) -> u64:
    """The offset of the memory argument at a cursor, which moves past it, and its memory."""
    if read_u32(at) & MEMORY_INDEX != 0:
        index[0] = read_u32(at)
    return read_u64(at)


@inline
def accessed(inst, at, o, access: const):
    """Where the bytes are that a load or store touches.

    The cursor `at` moves past the memory argument, and the address comes off the stack that ends at
    `o[0]`.
    """
    p = at[0]
    both = u32(load_le(u16, p))
    index = stack(u32)
    index[0] = 0
    if likely(both & (0x8080 | MEMORY_INDEX) == 0):
        offset = u64(both >> 8)
        at[0] = p + 2
    elif both & 0x8080 == 0 and p[2] < 0x80:
        index[0] = both >> 8
        offset = u64(p[2])
        at[0] = p + 3
    else:
        offset = read_argument(at, index)
    memory = inst.memories[index[0]]
    address = pop_index(o, memory.type.flags)
    size = volatile_load(addr(memory.size))
    trap_if(size < access, TrapCode.MEMORY_OUT_OF_BOUNDS)
    room = size - access
    trap_if(offset > room or address > room - offset, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return memory.data + (address + offset)


def _made(i: Instruction, function) -> NativeFunction:
    return NativeFunction(
        function, convention="handler", on_trap=on_trap, name=f"{i.name} any memory", noinline=True
    )


@inline
def memory_argument(pc, behind_prefix):
    """A cursor at the memory argument of the instruction at `pc`."""
    at = cursor(pc + 1)
    if behind_prefix:
        skip(at)
    return at


@inline
def stack_below(sp):
    """A cursor for `pop_index`."""
    o = stack(ptr[u32])
    o[0] = sp
    return o


@cache
def any_load(i: Instruction) -> NativeFunction:
    """The handler of a load, or of the load of one lane, in any memory."""
    meaning, access = i.semantics, i.access
    behind_prefix = i.prefix != 0
    lane = Immediate.LANE in i.immediates
    held = native_params(i)[1] if lane else None
    kept = cells(held) if lane else 0

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = memory_argument(pc, behind_prefix)
        o = stack_below(sp - kept)
        p = accessed(inst, at, o, access)
        size = reach(inst.memories[0])
        if lane:
            picked = meaning(p, below(held, sp), u32(at[0][0]))
            return push(picked, at[0] + 1, o[0], fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(p)
        return push(value, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(i, run)


@cache
def any_store(i: Instruction) -> NativeFunction:
    """The handler of a store, or of the store of one lane, in any memory."""
    meaning, access = i.semantics, i.access
    behind_prefix = i.prefix != 0
    lane = Immediate.LANE in i.immediates
    kind = native_params(i)[1]

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = memory_argument(pc, behind_prefix)
        o = stack_below(sp - cells(kind))
        p = accessed(inst, at, o, access)
        size = reach(inst.memories[0])
        if lane:
            meaning(p, below(kind, sp), u32(at[0][0]))
            return go(
                State.MEMORY, at[0] + 1, o[0], fp, mem, size, exec, inst, table, stp, side, r, f
            )
        meaning(p, below(kind, sp))
        return go(State.MEMORY, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(i, run)
