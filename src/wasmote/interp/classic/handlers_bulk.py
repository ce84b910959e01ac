"""Handlers of what works on memories and tables as a whole, and of prefixes.

Handlers behind a prefix get the address of their first immediate in `r`, so their operands come
from memory.
"""

from collections.abc import Callable

from wasmote.core.memory import data_drop, memory_copy, memory_fill, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.core.table import elem_drop, table_copy, table_fill, table_grow, table_init
from wasmote.interp.common.accumulators import FLOATS
from wasmote.nativepy import NativeFunction, dispatch, inline, ptr, trap_if, u8, u32, u64, usize

from .immediates import cursor, read_index
from .registers import BEHIND, CACHED, HANDLERS, PLACES, go, handler, push
from .side_table import SideTable


def prefix(opcode: int, first: int) -> None:
    """Go on with the handler of the number that follows."""

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        code = usize(read_index(at)) + first
        after = u64(usize(at[0]))
        return dispatch(
            HANDLERS, code, pc, sp, fp, mem, size, exec, inst, table, stp, side, after, f
        )

    PLACES[opcode] = PLACES[CACHED + opcode] = NativeFunction(
        run, convention="handler", name=f"prefix {opcode:#x}"
    )


for _opcode, _first in BEHIND.items():
    prefix(_opcode, _first)


def bulk(name: str, operands: int) -> Callable[[NativeFunction], None]:
    """Decorator: (cursor at the immediates, operands, instance) -> trap code; there is no
    result.
    """

    def register(perform: NativeFunction) -> None:
        @handler(name)
        def run(
            pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
            inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
            f: FLOATS,
        ) -> u32:  # fmt: skip
            at = cursor(ptr[u8](usize(r)))
            rest = sp - operands
            code = perform(at, rest, inst)
            trap_if(code != 0, code)
            return go(False, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)

    return register


@bulk("memory.init", 3)
@inline
def memory_init_(at, o, inst):
    segment = read_index(at)
    memory = inst.memories[read_index(at)]
    return memory_init(inst, segment, memory, u64(o[0]), u64(o[1]), u64(o[2]))


@bulk("data.drop", 0)
@inline
def data_drop_(at, o, inst):
    data_drop(inst, read_index(at))
    return u32(0)


@bulk("memory.copy", 3)
@inline
def memory_copy_(at, o, inst):
    to = inst.memories[read_index(at)]
    source = inst.memories[read_index(at)]
    return memory_copy(to, source, u64(o[0]), u64(o[1]), u64(o[2]))


@bulk("memory.fill", 3)
@inline
def memory_fill_(at, o, inst):
    return memory_fill(inst.memories[read_index(at)], u64(o[0]), u8(o[1]), u64(o[2]))


@bulk("table.init", 3)
@inline
def table_init_(at, o, inst):
    segment = read_index(at)
    table = inst.tables[read_index(at)]
    return table_init(inst, segment, table, u64(o[0]), u64(o[1]), u64(o[2]))


@bulk("elem.drop", 0)
@inline
def elem_drop_(at, o, inst):
    elem_drop(inst, read_index(at))
    return u32(0)


@bulk("table.copy", 3)
@inline
def table_copy_(at, o, inst):
    to = inst.tables[read_index(at)]
    source = inst.tables[read_index(at)]
    return table_copy(to, source, u64(o[0]), u64(o[1]), u64(o[2]))


@bulk("table.fill", 3)
@inline
def table_fill_(at, o, inst):
    return table_fill(inst.tables[read_index(at)], u64(o[0]), o[1], u64(o[2]))


@handler("memory.size")
def memory_size(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    pages = u32(inst.memories[read_index(at)].pages)
    return push(pages, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("memory.grow")
def memory_grow_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    old = u32(memory_grow(inst.memories[read_index(at)], u64(sp[-1])))
    now = inst.memories[0]
    return push(old, at[0], sp - 1, fp, now.data, now.size, exec, inst, table, stp, side, r, f)


@handler("table.get")
def table_get(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    references = inst.tables[read_index(at)]
    index = sp[-1]
    trap_if(index >= references.size, TrapCode.TABLE_OUT_OF_BOUNDS)
    value = references.elements[index]
    return push(value, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("table.set")
def table_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    references = inst.tables[read_index(at)]
    index = sp[-2]
    trap_if(index >= references.size, TrapCode.TABLE_OUT_OF_BOUNDS)
    references.elements[index] = sp[-1]
    return go(False, at[0], sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("table.size")
def table_size(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    count = inst.tables[read_index(at)].size
    return push(count, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("table.grow")
def table_grow_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    old = u32(table_grow(inst.tables[read_index(at)], u64(sp[-1]), sp[-2]))
    return push(old, at[0], sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)
