"""Handlers of the atomic instructions: those behind the prefix 0xFE.

They get the address of their first immediate in `r`, so their operands come from memory.
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.core.waiting import memory_notify, memory_wait
from wasmote.interp.common.accumulators import FLOATS, native_params
from wasmote.interp.common.leb import read_u32, read_u64
from wasmote.interp.common.outside import leave_for
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import (
    const,
    fence,
    i64,
    inline,
    ptr,
    stack,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .handlers_any_memory import pop_index, stack_below
from .immediates import MEMORY_INDEX, cursor
from .registers import State, below, cells, go, handler, offset_of, push, reach
from .side_table import SideTable


@inline
def memory_of(inst, at):
    """The memory that the memory argument at the cursor names; the offset is left."""
    index: u32 = 0
    if read_u32(at) & MEMORY_INDEX != 0:
        index = read_u32(at)
    return inst.memories[index]


@inline
def pop_address(access: const, memory, at, o):
    """Take the address off the stack that ends at `o[0]`; it is aligned and `access` bytes there
    are in the memory. The cursor moves past the offset.
    """
    offset = read_u64(at)
    start = pop_index(o, memory.type.flags) + offset
    trap_if(start & (access - 1) != 0, TrapCode.UNALIGNED_ATOMIC)
    size = memory.size  # of pages of one byte, maybe, so an aligned access may go beyond it
    outside = start < offset or start >= size or size - start < access
    trap_if(outside, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return start


def access_handler(i: Instruction) -> None:
    """Loads, stores, and what does both at once."""
    meaning, access = i.semantics, i.access
    kinds, has_result = native_params(i)[1:], bool(i.results)
    width = cells(kinds[0]) if kinds else 0

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        o = stack_below(sp - len(kinds) * width)
        memory = memory_of(inst, at)
        p = memory.data + pop_address(access, memory, at, o)
        if len(kinds) == 0:
            value = meaning(p)
        elif len(kinds) == 2:
            value = meaning(p, below(kinds[0], sp - width), below(kinds[1], sp))
        elif has_result:
            value = meaning(p, below(kinds[0], sp))
        else:
            meaning(p, below(kinds[0], sp))
        if has_result:
            return push(value, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)
        return go(State.MEMORY, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)


def wait_handler(i: Instruction) -> None:
    access = i.access
    kind = u64 if i.params[1] == ValueType.I64 else u32

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        timeout = below(i64, sp)
        expected = u64(below(kind, sp - 2))
        o = stack_below(sp - 2 - cells(kind))
        memory = memory_of(inst, at)
        start = pop_address(access, memory, at, o)
        leave_for(exec.entry, inst, offset_of(inst, pc), fp)
        result = stack(u32)
        code = memory_wait(exec, memory, start, expected, access * 8, timeout, result)
        trap_if(code != 0, code)
        now = inst.memories[0]  # may have grown meanwhile
        return push(
            result[0], at[0], o[0], fp, now.data, reach(now), exec, inst, table, stp, side, r, f
        )


@handler("memory.atomic.notify")
def notify(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    o = stack_below(sp - 1)
    memory = memory_of(inst, at)
    woken = memory_notify(memory, pop_address(4, memory, at, o), sp[-1])
    return push(woken, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("atomic.fence")
def fence_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Past the byte that is zero."""
    fence()
    after = ptr[u8](usize(r)) + 1
    return go(State.MEMORY, after, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "atomic":
        access_handler(_instruction)
    elif _instruction.name.startswith("memory.atomic.wait"):
        wait_handler(_instruction)
