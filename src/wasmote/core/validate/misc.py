"""Memories, tables and segments; the instructions behind the prefix 0xFC."""

from wasmote.core.bounds import index_type
from wasmote.core.loader import Loader, fail_here, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_u32, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import NONE, MemoryType, TableType
from wasmote.core.validate.constant import illegal
from wasmote.core.validate.operands import apply_signature, mismatch, pop, push
from wasmote.core.validate.tables import (
    MISC_COUNT,
    MISC_DEFINED,
    MISC_FEATURE,
    MISC_SIGNATURE,
)
from wasmote.core.value_types import matches
from wasmote.isa import by_name
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC
from wasmote.nativepy import boolean, inline, native, ptr, u32, u64

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
    ADD128 = by_name("i64.add128").code
    SUB128 = by_name("i64.sub128").code
    MUL_WIDE_S = by_name("i64.mul_wide_s").code
    MUL_WIDE_U = by_name("i64.mul_wide_u").code


@native
def memory_argument(loader: ptr[Loader], natural: u32) -> ptr[MemoryType]:
    """Alignment, memory and offset of a load or store; None on failure.

    `natural` is log2 of the greatest alignment that may be claimed.
    """
    at = loader.reader.pos
    alignment = read_u32(loader.reader)
    index = u32(0)
    if alignment & MEMORY_INDEX_FLAG != 0 and alignment < 2 * MEMORY_INDEX_FLAG:
        if not has_feature(loader, Feature.MULTI_MEMORY):
            unsupported(loader, at, Feature.MULTI_MEMORY.bit)
        alignment -= MEMORY_INDEX_FLAG
        index = read_u32(loader.reader)
    offset_at = loader.reader.pos
    offset = read_unsigned(loader.reader, 64)
    if failed(loader.reader):
        return None
    if alignment >= MEMORY_INDEX_FLAG:
        fail(loader.reader, at, Status.MEMARG_FLAGS, u64(alignment), 0)
        return None
    if index >= loader.module.memory_count:
        fail_here(loader, Status.UNKNOWN_MEMORY, u64(index), 0)
        return None
    memory = loader.module.memories + index
    if alignment > natural:
        fail(loader.reader, at, Status.ALIGNMENT, u64(loader.opcode), u64(alignment))
    elif offset > MAXIMUM_OFFSET and index_type(memory.flags) == ValueType.I32:
        fail(loader.reader, offset_at, Status.OFFSET_RANGE, offset, 0)
    return None if failed(loader.reader) else memory


@native
def memory_access(loader: ptr[Loader], natural: u32, signature: u32) -> boolean:
    """A load or store: its argument, and its effect on the operands; see `tables.SIGNATURE`."""
    memory = memory_argument(loader, natural)
    return memory is not None and apply_signature(loader, with_address(signature, memory))


@native
def with_address(signature: u32, memory: ptr[MemoryType]) -> u32:
    """The signature of a load or store of a memory; the address is the deepest operand."""
    if index_type(memory.flags) == ValueType.I32:
        return signature
    change = u32(ValueType.I32 ^ ValueType.I64)
    if signature & 0xFF00 == 0:
        return signature ^ change
    if signature & 0xFF_0000 == 0:
        return signature ^ (change << 8)
    return signature ^ (change << 16)


@native
def read_memory(loader: ptr[Loader]) -> ptr[MemoryType]:
    """The memory whose index follows; None on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    if index >= loader.module.memory_count:
        fail_here(loader, Status.UNKNOWN_MEMORY, u64(index), 0)
        return None
    return loader.module.memories + index


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
    match code:
        case Misc.MEMORY_INIT:
            return validate_memory_init(loader)
        case Misc.DATA_DROP:
            return validate_data_drop(loader)
        case Misc.MEMORY_COPY:
            return validate_memory_copy(loader)
        case Misc.MEMORY_FILL:
            return validate_memory_fill(loader)
        case Misc.TABLE_INIT:
            return validate_table_init(loader)
        case Misc.ELEM_DROP:
            return validate_elem_drop(loader)
        case Misc.TABLE_COPY:
            return validate_table_copy(loader)
        case Misc.TABLE_GROW:
            return validate_table_grow(loader)
        case Misc.TABLE_SIZE:
            t = read_table(loader)
            return t is not None and push(loader, index_type(t.flags))
        case Misc.TABLE_FILL:
            return validate_table_fill(loader)
        case Misc.ADD128 | Misc.SUB128:
            return validate_wide(loader, 4)
        case Misc.MUL_WIDE_S | Misc.MUL_WIDE_U:
            return validate_wide(loader, 2)
        case _:
            return apply_signature(loader, MISC_SIGNATURE[code])


@native
def validate_wide(loader: ptr[Loader], operands: u32) -> boolean:
    """Wide arithmetic: so many i64 make two."""
    for _ in range(operands):
        if not pop(loader, ValueType.I64):
            return False
    return push(loader, ValueType.I64) and push(loader, ValueType.I64)


@inline
def pop_range(loader: ptr[Loader], start: u32, second: u32, size: u32) -> boolean:
    """Take three operands off: of these types, the last on top."""
    return pop(loader, size) and pop(loader, second) and pop(loader, start)


@inline
def narrower(a: u32, b: u32) -> u32:
    """The type of a size that two memories or tables have in common, whose indices are a and b."""
    return a if a == b else u32(ValueType.I32)


@native
def validate_memory_init(loader: ptr[Loader]) -> boolean:
    index = read_data_index(loader)
    m = read_memory(loader)
    if m is None or not check_data_index(loader, index):
        return False
    return pop_range(loader, index_type(m.flags), u32(ValueType.I32), u32(ValueType.I32))


@native
def validate_memory_copy(loader: ptr[Loader]) -> boolean:
    to = read_memory(loader)
    source = read_memory(loader)
    if to is None or source is None:
        return False
    a = index_type(to.flags)
    b = index_type(source.flags)
    return pop_range(loader, a, b, narrower(a, b))


@native
def validate_memory_fill(loader: ptr[Loader]) -> boolean:
    m = read_memory(loader)
    if m is None:
        return False
    index = index_type(m.flags)
    return pop_range(loader, index, u32(ValueType.I32), index)


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
    if not matches(loader.module, element, t.element):
        return mismatch(loader, t.element, element)
    return pop_range(loader, index_type(t.flags), u32(ValueType.I32), u32(ValueType.I32))


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
    if not matches(loader.module, source.element, to.element):
        return mismatch(loader, to.element, source.element)
    a = index_type(to.flags)
    b = index_type(source.flags)
    return pop_range(loader, a, b, narrower(a, b))


@native
def validate_table_grow(loader: ptr[Loader]) -> boolean:
    t = read_table(loader)
    if t is None:
        return False
    index = index_type(t.flags)
    return pop(loader, index) and pop(loader, t.element) and push(loader, index)


@native
def validate_table_fill(loader: ptr[Loader]) -> boolean:
    t = read_table(loader)
    if t is None:
        return False
    index = index_type(t.flags)
    return pop_range(loader, index, t.element, index)
