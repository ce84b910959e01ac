"""Memories, tables and segments; the instructions behind the prefix 0xFC."""

from wasmote.core.loader import Loader, fail_here, unsupported
from wasmote.core.reader import fail, failed, read_u32, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import NONE, TableType
from wasmote.core.validate.constant import illegal
from wasmote.core.validate.operands import apply_signature, mismatch, pop, push
from wasmote.core.validate.tables import (
    ALIGNMENT,
    MISC_COUNT,
    MISC_DEFINED,
    MISC_FEATURE,
    MISC_SIGNATURE,
)
from wasmote.isa import by_name
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC
from wasmote.nativepy import boolean, native, ptr, u32, u64

#: Set in the alignment: a memory index follows.
MEMORY_INDEX_FLAG = 64
MAXIMUM_OFFSET = 0xFFFF_FFFF


class Misc:
    """Sub-opcodes behind the prefix 0xFC by name."""

    MEMORY_INIT = by_name("memory.init").code
    DATA_DROP = by_name("data.drop").code
    MEMORY_COPY = by_name("memory.copy").code
    MEMORY_FILL = by_name("memory.fill").code
    TABLE_INIT = by_name("table.init").code
    ELEM_DROP = by_name("elem.drop").code
    TABLE_COPY = by_name("table.copy").code
    TABLE_GROW = by_name("table.grow").code
    TABLE_SIZE = by_name("table.size").code
    TABLE_FILL = by_name("table.fill").code


@native
def memory_argument(l: ptr[Loader], opcode: u32) -> boolean:
    """Alignment and offset of a load or store."""
    at = l.reader.pos
    alignment = read_u32(l.reader)
    offset_at = l.reader.pos
    offset = read_unsigned(l.reader, 64)
    if failed(l.reader):
        return False
    if alignment >= MEMORY_INDEX_FLAG:
        if alignment < 2 * MEMORY_INDEX_FLAG:
            return unsupported(l, at, Feature.MULTI_MEMORY.bit)
        return fail(l.reader, at, Status.MEMARG_FLAGS, u64(alignment), 0)
    if l.module.memory_count == 0:
        return fail_here(l, Status.UNKNOWN_MEMORY, 0, 0)
    if alignment > u32(ALIGNMENT[opcode]):
        return fail(l.reader, at, Status.ALIGNMENT, u64(opcode), u64(alignment))
    if offset > MAXIMUM_OFFSET:
        return fail(l.reader, offset_at, Status.OFFSET_RANGE, offset, 0)
    return True


@native
def read_memory(l: ptr[Loader]) -> boolean:
    """The index of a memory."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return False
    if index >= l.module.memory_count:
        return fail_here(l, Status.UNKNOWN_MEMORY, u64(index), 0)
    return True


@native
def read_table(l: ptr[Loader]) -> ptr[TableType]:
    """The table whose index follows; None on failure."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return None
    if index >= l.module.table_count:
        fail_here(l, Status.UNKNOWN_TABLE, u64(index), 0)
        return None
    return l.module.tables + index


@native
def read_data_index(l: ptr[Loader]) -> u32:
    """Data segments come after the code: their number must have been told before."""
    index = read_u32(l.reader)
    if l.data_count == NONE and not failed(l.reader):
        fail_here(l, Status.DATA_COUNT_REQUIRED, 0, 0)
    return index


@native
def check_data_index(l: ptr[Loader], index: u32) -> boolean:
    return index < l.data_count or fail_here(l, Status.UNKNOWN_DATA_SEGMENT, u64(index), 0)


@native
def check_element_index(l: ptr[Loader], index: u32) -> boolean:
    known = index < l.module.element_count
    return known or fail_here(l, Status.UNKNOWN_ELEMENT_SEGMENT, u64(index), 0)


@native
def misc_instruction(l: ptr[Loader]) -> boolean:
    """Instructions behind the prefix 0xFC."""
    code = read_u32(l.reader)
    if failed(l.reader):
        return False
    l.opcode = PREFIX_MISC | code
    if code >= MISC_COUNT:
        return fail_here(l, Status.ILLEGAL_OPCODE, u64(l.opcode), 0)
    feature = MISC_FEATURE[code]
    if MISC_DEFINED[code] == 0:
        return illegal(l, l.opcode, feature)
    if (l.module.features >> u64(feature)) & 1 == 0:
        return unsupported(l, l.at, u32(feature))
    return misc_immediates(l, code) and apply_signature(l, MISC_SIGNATURE[code])


@native
def misc_immediates(l: ptr[Loader], code: u32) -> boolean:
    """Immediates, and the effect of what has no signature in the table."""
    match code:
        case Misc.MEMORY_INIT:
            return validate_memory_init(l)
        case Misc.DATA_DROP:
            return validate_data_drop(l)
        case Misc.MEMORY_COPY:
            return read_memory(l) and read_memory(l)
        case Misc.MEMORY_FILL:
            return read_memory(l)
        case Misc.TABLE_INIT:
            return validate_table_init(l)
        case Misc.ELEM_DROP:
            return validate_elem_drop(l)
        case Misc.TABLE_COPY:
            return validate_table_copy(l)
        case Misc.TABLE_GROW:
            return validate_table_grow(l)
        case Misc.TABLE_SIZE:
            return read_table(l) is not None
        case Misc.TABLE_FILL:
            return validate_table_fill(l)
        case _:
            return True


@native
def validate_memory_init(l: ptr[Loader]) -> boolean:
    index = read_data_index(l)
    return not failed(l.reader) and read_memory(l) and check_data_index(l, index)


@native
def validate_data_drop(l: ptr[Loader]) -> boolean:
    index = read_data_index(l)
    return not failed(l.reader) and check_data_index(l, index)


@native
def validate_table_init(l: ptr[Loader]) -> boolean:
    index = read_u32(l.reader)
    t = read_table(l)
    if t is None or not check_element_index(l, index):
        return False
    element = l.module.elements[index].type
    return element == t.element or mismatch(l, t.element, element)


@native
def validate_elem_drop(l: ptr[Loader]) -> boolean:
    index = read_u32(l.reader)
    return not failed(l.reader) and check_element_index(l, index)


@native
def validate_table_copy(l: ptr[Loader]) -> boolean:
    to = read_table(l)
    source = read_table(l)
    if to is None or source is None:
        return False
    return to.element == source.element or mismatch(l, to.element, source.element)


@native
def validate_table_grow(l: ptr[Loader]) -> boolean:
    t = read_table(l)
    if t is None:
        return False
    return pop(l, ValueType.I32) and pop(l, t.element) and push(l, ValueType.I32)


@native
def validate_table_fill(l: ptr[Loader]) -> boolean:
    t = read_table(l)
    if t is None:
        return False
    return pop(l, ValueType.I32) and pop(l, t.element) and pop(l, ValueType.I32)
