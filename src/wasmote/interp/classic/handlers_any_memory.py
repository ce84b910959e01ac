"""Loads and stores of any memory: with an index, with 64-bit addresses.

The other handlers of loads and stores know memory 0 with 32-bit addresses only, by what the
interpreter keeps of it in registers. Whatever is out of those bounds they leave to the handlers
here, which look at the memory itself.
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
    inline,
    load,
    native,
    ptr,
    stack,
    trap_if,
    u8,
    u32,
    u64,
    usize,
)

from .immediates import MEMORY_INDEX, cursor, skip
from .registers import below, cells, go, on_trap, push
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
def accessed(inst: ptr[Instance], at: ptr[ptr[u8]], o: ptr[ptr[u32]], access: u64) -> ptr[u8]:
    """Where the `access` bytes are that a load or store touches; None: out of bounds.

    The cursor `at` moves past the memory argument, and the address comes off the stack that ends at
    `o[0]`.
    """
    index: u32 = 0
    if read_u32(at) & MEMORY_INDEX != 0:
        index = read_u32(at)
    offset = read_u64(at)
    memory = inst.memories[index]
    address = pop_index(o, memory.type.flags)
    size = memory.size
    if size < access:
        return None
    room = size - access
    if offset > room or address > room - offset:
        return None
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
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = memory_argument(pc, behind_prefix)
        o = stack_below(sp - kept)
        p = accessed(inst, at, o, u64(access))
        trap_if(p is None, TrapCode.MEMORY_OUT_OF_BOUNDS)
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
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = memory_argument(pc, behind_prefix)
        o = stack_below(sp - cells(kind))
        p = accessed(inst, at, o, u64(access))
        trap_if(p is None, TrapCode.MEMORY_OUT_OF_BOUNDS)
        if lane:
            meaning(p, below(kind, sp), u32(at[0][0]))
            return go(False, at[0] + 1, o[0], fp, mem, size, exec, inst, table, stp, side, r, f)
        meaning(p, below(kind, sp))
        return go(False, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(i, run)
