"""Translation of what works on tables, on whole memories, and makes references."""

from wasmote.core.bounds import index_type
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE
from wasmote.interp.common.leb import read_u32
from wasmote.nativepy import (
    addr,
    native,
    ptr,
    store,
    u16,
    u32,
)

from .bytecode import OPCODES
from .operations import unary, wide
from .stack import (
    ACC,
    CONSTANT,
    LOCAL,
    TEMPORARY,
    Operand,
    Translator,
    begin,
    finish,
    form_of,
    in_slot,
    operand_at,
    pop,
    push_result,
    push_saved,
    release_r,
    settle,
    settle_top,
    written,
)


@native
def read_index(t: ptr[Translator]) -> u32:
    """The index of a memory or table, as far as an instruction has room for it."""
    index = read_u32(addr(t.pc))
    if index > 65535:
        t.failed = TrapCode.UNTRANSLATABLE
    return index


@native
def narrow_index(t: ptr[Translator], o: ptr[Operand]):
    """Before an operation on one element of a table: an index of 64 bits becomes one of 32."""
    if o.type != ValueType.I64:
        return
    in_slot(t, o)
    p = begin(t, OPCODES["narrow index"])
    p[1] = u16(o.home)
    p[2] = u16(o.slot)
    finish(t, 3)
    written(t, o.home)
    if o.where == LOCAL:
        t.references[o.local] -= 1
    o.where = TEMPORARY
    o.type = ValueType.I32
    o.slot = o.home


@native
def saved_result(t: ptr[Translator], opcode: u32, type: u32, index: u32, operands: u32):
    """An instruction [op, dst, index, first operand?] that writes its integer to a slot and the
    accumulator.
    """
    settle_top(t, operands)
    release_r(t)
    first = u32(0)
    if operands != 0:
        first = (t.operands + (t.height - operands)).home
    for i in range(u32(0), operands):
        pop(t)
    p = begin(t, opcode)
    p[2] = u16(index)
    p[3] = u16(first)
    finish(t, u32(3) if operands == 0 else u32(4))
    push_saved(t, type)
    p[1] = u16(operand_at(t, 0).home)


@native
def ref_func(t: ptr[Translator], index: u32):
    release_r(t)
    p = begin(t, OPCODES["ref.func"])
    store(ptr[u32](p + 2), index, align=2)
    finish(t, 4)
    push_saved(t, ValueType.FUNCREF)
    p[1] = u16(operand_at(t, 0).home)


@native
def table_get(t: ptr[Translator]):
    table = read_index(t)
    o = operand_at(t, 0)
    narrow_index(t, o)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    type = t.module.tables[table].element
    release_r(t)
    at = t.at
    p = begin(t, u32(OPCODES["table.get S A"]) + form * 2)
    p[2] = u16(table)
    p[3] = u16(slot)
    finish(t, u32(3) if form == ACC else u32(4))
    push_result(t, type, at)


@native
def table_set(t: ptr[Translator]):
    table = read_index(t)
    narrow_index(t, operand_at(t, 1))
    in_slot(t, operand_at(t, 1))
    in_slot(t, operand_at(t, 0))
    p = begin(t, OPCODES["table.set"])
    p[1] = u16(table)
    p[2] = u16(operand_at(t, 1).slot)
    p[3] = u16(operand_at(t, 0).slot)
    finish(t, 4)
    pop(t)
    pop(t)


@native
def memory_size(t: ptr[Translator], opcode: u32, operands: u32):
    """memory.size and memory.grow, of which `opcode` is the form with 32 bits."""
    index = read_index(t)
    type = index_type(t.module.memories[index].flags)
    saved_result(t, opcode + u32(type == ValueType.I64) * 2, type, index, operands)


@native
def table_size(t: ptr[Translator], opcode: u32, operands: u32):
    index = read_index(t)
    type = index_type(t.module.tables[index].flags)
    saved_result(t, opcode + u32(type == ValueType.I64) * 2, type, index, operands)


@native
def bulk(t: ptr[Translator], opcode: u32, segment: u32, indices: u32):
    """[op, wide operands, three slots, index…, segment (2)?]; the segment is NONE or was read
    before.
    """
    release_r(t)  # long ones poll: a reference that is only there would escape the collector
    wide: u32 = 0
    for i in range(u32(0), 3):
        o = t.operands + (t.height - 3 + i)
        in_slot(t, o)
        wide |= u32(o.type == ValueType.I64) << i
    p = begin(t, opcode)
    p[1] = u16(wide)
    for i in range(u32(0), 3):
        p[2 + i] = u16((t.operands + (t.height - 3 + i)).slot)
    for i in range(u32(0), indices):
        p[5 + i] = u16(read_index(t))
    if segment != NONE:
        store(ptr[u32](p + 6), segment, align=2)
        finish(t, 8)
    else:
        finish(t, 5 + indices)
    for i in range(u32(0), 3):
        pop(t)


@native
def drop_segment(t: ptr[Translator], opcode: u32):
    p = begin(t, opcode)
    store(ptr[u32](p + 1), read_u32(addr(t.pc)), align=2)
    finish(t, 3)


@native
def misc(t: ptr[Translator]):
    """Instructions behind the prefix 0xFC."""
    code = read_u32(addr(t.pc))
    match code:
        case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7:
            unary(t, 256 + code)
        case 8:
            bulk(t, OPCODES["memory.init"], read_u32(addr(t.pc)), 1)
        case 9:
            drop_segment(t, OPCODES["data.drop"])
        case 10:
            bulk(t, OPCODES["memory.copy"], NONE, 2)
        case 11:
            bulk(t, OPCODES["memory.fill"], NONE, 1)
        case 12:
            bulk(t, OPCODES["table.init"], read_u32(addr(t.pc)), 1)
        case 13:
            drop_segment(t, OPCODES["elem.drop"])
        case 14:
            bulk(t, OPCODES["table.copy"], NONE, 2)
        case 15:
            table_size(t, OPCODES["table.grow i32"], 2)
        case 16:
            table_size(t, OPCODES["table.size i32"], 0)
        case 17:
            bulk(t, OPCODES["table.fill"], NONE, 1)
        case 19:
            wide(t, OPCODES["i64.add128"], 4)
        case 20:
            wide(t, OPCODES["i64.sub128"], 4)
        case 21:
            wide(t, OPCODES["i64.mul_wide_s"], 2)
        case 22:
            wide(t, OPCODES["i64.mul_wide_u"], 2)
        case _:
            t.failed = TrapCode.UNTRANSLATABLE
