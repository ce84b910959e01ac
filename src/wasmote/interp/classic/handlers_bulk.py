"""Handlers of what works on memories and tables as a whole, and of prefixes.

Handlers behind a prefix get the address of their first immediate in `r`, so their operands come
from memory.
"""

from collections.abc import Callable

from wasmote.core.bounds import LimitsFlag
from wasmote.core.fuel import spend_for_size
from wasmote.core.gc.mark import before_table_write
from wasmote.core.memory import data_drop, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.core.table import elem_drop, table_copy, table_fill, table_grow, table_init
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.bulk import copy_memory, fill_memory
from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import (
    NativeFunction,
    dispatch,
    inline,
    ptr,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .handlers_any_memory import pop_index, stack_below
from .immediates import cursor, read_index
from .registers import (
    BEHIND,
    HANDLERS,
    PLACES,
    State,
    go,
    handler,
    offset_of,
    push,
    reach,
)
from .side_table import SideTable


def prefix(opcode: int, first: int) -> None:
    """Go on with the handler of the number that follows."""

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        code = usize(read_index(at)) + first
        after = u64(usize(at[0]))
        return dispatch(
            HANDLERS, code, pc, sp, fp, mem, size, exec, inst, table, stp, side, after, f
        )

    PLACES[opcode] = NativeFunction(run, convention="handler", name=f"prefix {opcode:#x}")


for _opcode, _first in BEHIND.items():
    prefix(_opcode, _first)


def bulk(name: str) -> Callable[[NativeFunction], None]:
    """Decorator: (cursor at the immediates, cursor for `pop_index`, thread, instance) -> trap code;
    there is no result. What works on so many bytes or elements pays for them.
    """

    def register(perform: NativeFunction) -> None:
        @handler(name)
        def run(
            pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
            inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
            f: FLOATS,
        ) -> u32:  # fmt: skip
            at = cursor(ptr[u8](usize(r)))
            o = stack_below(sp)
            leave_for(exec.entry, inst, offset_of(inst, pc), fp)  # long ones poll
            code = perform(at, o, exec, inst)
            trap_if(code != 0, code)
            return go(State.MEMORY, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)

    return register


@inline
def pop_cell(o):
    o[0] = o[0] - 1
    return o[0][0]


@bulk("memory.init")
@inline
def memory_init_(at, o, exec, inst):
    segment = read_index(at)
    memory = inst.memories[read_index(at)]
    n = u64(pop_cell(o))
    source = u64(pop_cell(o))
    target = pop_index(o, memory.type.flags)
    code = spend_for_size(inst, n)
    return memory_init(inst, segment, memory, target, source, n) if code == 0 else code


@bulk("data.drop")
@inline
def data_drop_(at, o, exec, inst):
    data_drop(inst, read_index(at))
    return u32(0)


@bulk("memory.copy")
@inline
def memory_copy_(at, o, exec, inst):
    to = inst.memories[read_index(at)]
    source = inst.memories[read_index(at)]
    n = pop_index(o, to.type.flags & source.type.flags)
    start = pop_index(o, source.type.flags)
    target = pop_index(o, to.type.flags)
    code = spend_for_size(inst, n)
    return copy_memory(exec, to, source, target, start, n) if code == 0 else code


@bulk("memory.fill")
@inline
def memory_fill_(at, o, exec, inst):
    memory = inst.memories[read_index(at)]
    n = pop_index(o, memory.type.flags)
    value = u8(pop_cell(o))
    target = pop_index(o, memory.type.flags)
    code = spend_for_size(inst, n)
    return fill_memory(exec, memory, target, value, n) if code == 0 else code


@bulk("table.init")
@inline
def table_init_(at, o, exec, inst):
    segment = read_index(at)
    table = inst.tables[read_index(at)]
    n = u64(pop_cell(o))
    source = u64(pop_cell(o))
    target = pop_index(o, table.type.flags)
    code = spend_for_size(inst, n)
    return table_init(inst, segment, table, target, source, n) if code == 0 else code


@bulk("elem.drop")
@inline
def elem_drop_(at, o, exec, inst):
    elem_drop(inst, read_index(at))
    return u32(0)


@bulk("table.copy")
@inline
def table_copy_(at, o, exec, inst):
    to = inst.tables[read_index(at)]
    source = inst.tables[read_index(at)]
    n = pop_index(o, to.type.flags & source.type.flags)
    start = pop_index(o, source.type.flags)
    target = pop_index(o, to.type.flags)
    code = spend_for_size(inst, n)
    return table_copy(to, source, target, start, n) if code == 0 else code


@bulk("table.fill")
@inline
def table_fill_(at, o, exec, inst):
    table = inst.tables[read_index(at)]
    n = pop_index(o, table.type.flags)
    value = pop_cell(o)
    target = pop_index(o, table.type.flags)
    code = spend_for_size(inst, n)
    return table_fill(table, target, value, n) if code == 0 else code


@inline
def push_index(flags, value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue with an index or size pushed; limits flags say its width."""
    if flags & LimitsFlag.INDEX_64 != 0:
        return push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return push(u32(value), pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("memory.size")
def memory_size(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    memory = inst.memories[read_index(at)]
    return push_index(
        memory.type.flags,
        memory.pages,
        at[0],
        sp,
        fp,
        mem,
        size,
        exec,
        inst,
        table,
        stp,
        side,
        r,
        f,
    )


@handler("memory.grow")
def memory_grow_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    memory = inst.memories[read_index(at)]
    flags = memory.type.flags
    o = stack_below(sp)
    old = memory_grow(memory, pop_index(o, flags))
    now = inst.memories[0]
    return push_index(
        flags, old, at[0], o[0], fp, now.data, reach(now), exec, inst, table, stp, side, r, f
    )


@handler("table.get")
def table_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    references = inst.tables[read_index(at)]
    o = stack_below(sp)
    index = pop_index(o, references.type.flags)
    trap_if(index >= u64(references.size), TrapCode.TABLE_OUT_OF_BOUNDS)
    value = references.elements[index]
    return push(value, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("table.set")
def table_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    references = inst.tables[read_index(at)]
    o = stack_below(sp - 1)
    index = pop_index(o, references.type.flags)
    trap_if(index >= u64(references.size), TrapCode.TABLE_OUT_OF_BOUNDS)
    before_table_write(references, index, 1)
    references.elements[index] = sp[-1]
    return go(State.MEMORY, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("table.size")
def table_size(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    references = inst.tables[read_index(at)]
    return push_index(
        references.type.flags, u64(references.size), at[0], sp, fp, mem, size, exec, inst, table,
        stp, side, r, f,
    )  # fmt: skip


@handler("table.grow")
def table_grow_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    references = inst.tables[read_index(at)]
    flags = references.type.flags
    o = stack_below(sp)
    delta = pop_index(o, flags)
    old = table_grow(references, delta, pop_cell(o))
    return push_index(flags, old, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)
