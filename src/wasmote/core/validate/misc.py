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
from wasmote.core.value_types import matches
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
def memory_argument(loader: ptr[Loader], opcode: u32) -> boolean:
    """Alignment and offset of a load or store with a one-byte opcode."""
    return aligned_memory_argument(loader, opcode, u32(ALIGNMENT[opcode]))


@native
def aligned_memory_argument(loader: ptr[Loader], opcode: u32, natural: u32) -> boolean:
    """Alignment, which must not be larger than natural, and offset."""
    at = loader.reader.pos
    alignment = read_u32(loader.reader)
    offset_at = loader.reader.pos
    offset = read_unsigned(loader.reader, 64)
    if failed(loader.reader):
        return False
    if alignment >= MEMORY_INDEX_FLAG:
        if alignment < 2 * MEMORY_INDEX_FLAG:
            return unsupported(loader, at, Feature.MULTI_MEMORY.bit)
        return fail(loader.reader, at, Status.MEMARG_FLAGS, u64(alignment), 0)
    if loader.module.memory_count == 0:
        return fail_here(loader, Status.UNKNOWN_MEMORY, 0, 0)
    if alignment > natural:
        return fail(loader.reader, at, Status.ALIGNMENT, u64(opcode), u64(alignment))
    if offset > MAXIMUM_OFFSET:
        return fail(loader.reader, offset_at, Status.OFFSET_RANGE, offset, 0)
    return True


@native
def read_memory(loader: ptr[Loader]) -> boolean:
    """The index of a memory."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if index >= loader.module.memory_count:
        return fail_here(loader, Status.UNKNOWN_MEMORY, u64(index), 0)
    return True


@native
def read_table(loader: ptr[Loader]) -> ptr[TableType]:
    """The table whose index follows; None on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    if index >= loader.module.table_count:
        fail_here(loader, Status.UNKNOWN_TABLE, u64(index), 0)
        return None
    return loader.module.tables + index


@native
def read_data_index(loader: ptr[Loader]) -> u32:
    """Data segments come after the code: their number must have been told before."""
    index = read_u32(loader.reader)
    if loader.data_count == NONE and not failed(loader.reader):
        fail_here(loader, Status.DATA_COUNT_REQUIRED, 0, 0)
    return index


@native
def check_data_index(loader: ptr[Loader], index: u32) -> boolean:
    return index < loader.data_count or fail_here(
        loader, Status.UNKNOWN_DATA_SEGMENT, u64(index), 0
    )


@native
def check_element_index(loader: ptr[Loader], index: u32) -> boolean:
    known = index < loader.module.element_count
    return known or fail_here(loader, Status.UNKNOWN_ELEMENT_SEGMENT, u64(index), 0)


@native
def misc_instruction(loader: ptr[Loader]) -> boolean:
    """Instructions behind the prefix 0xFC."""
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    loader.opcode = PREFIX_MISC | code
    if code >= MISC_COUNT:
        return fail_here(loader, Status.ILLEGAL_OPCODE, u64(loader.opcode), 0)
    feature = MISC_FEATURE[code]
    if MISC_DEFINED[code] == 0:
        return illegal(loader, loader.opcode, feature)
    if (loader.module.features >> u64(feature)) & 1 == 0:
        return unsupported(loader, loader.at, u32(feature))
    return misc_immediates(loader, code) and apply_signature(loader, MISC_SIGNATURE[code])


@native
def misc_immediates(loader: ptr[Loader], code: u32) -> boolean:
    """Immediates, and the effect of what has no signature in the table."""
    match code:
        case Misc.MEMORY_INIT:
            return validate_memory_init(loader)
        case Misc.DATA_DROP:
            return validate_data_drop(loader)
        case Misc.MEMORY_COPY:
            return read_memory(loader) and read_memory(loader)
        case Misc.MEMORY_FILL:
            return read_memory(loader)
        case Misc.TABLE_INIT:
            return validate_table_init(loader)
        case Misc.ELEM_DROP:
            return validate_elem_drop(loader)
        case Misc.TABLE_COPY:
            return validate_table_copy(loader)
        case Misc.TABLE_GROW:
            return validate_table_grow(loader)
        case Misc.TABLE_SIZE:
            return read_table(loader) is not None
        case Misc.TABLE_FILL:
            return validate_table_fill(loader)
        case _:
            return True


@native
def validate_memory_init(loader: ptr[Loader]) -> boolean:
    index = read_data_index(loader)
    return not failed(loader.reader) and read_memory(loader) and check_data_index(loader, index)


@native
def validate_data_drop(loader: ptr[Loader]) -> boolean:
    index = read_data_index(loader)
    return not failed(loader.reader) and check_data_index(loader, index)


@native
def validate_table_init(loader: ptr[Loader]) -> boolean:
    index = read_u32(loader.reader)
    t = read_table(loader)
    if t is None or not check_element_index(loader, index):
        return False
    element = loader.module.elements[index].type
    return matches(loader.module, element, t.element) or mismatch(loader, t.element, element)


@native
def validate_elem_drop(loader: ptr[Loader]) -> boolean:
    index = read_u32(loader.reader)
    return not failed(loader.reader) and check_element_index(loader, index)


@native
def validate_table_copy(loader: ptr[Loader]) -> boolean:
    to = read_table(loader)
    source = read_table(loader)
    if to is None or source is None:
        return False
    fine = matches(loader.module, source.element, to.element)
    return fine or mismatch(loader, to.element, source.element)


@native
def validate_table_grow(loader: ptr[Loader]) -> boolean:
    t = read_table(loader)
    if t is None:
        return False
    return pop(loader, ValueType.I32) and pop(loader, t.element) and push(loader, ValueType.I32)


@native
def validate_table_fill(loader: ptr[Loader]) -> boolean:
    t = read_table(loader)
    if t is None:
        return False
    return pop(loader, ValueType.I32) and pop(loader, t.element) and pop(loader, ValueType.I32)
