"""Decodes element and data segments."""

from wasmote.core.bounds import index_type
from wasmote.core.decode.types import read_reference_type
from wasmote.core.loader import Loader, allocate_array, has_feature, unsupported
from wasmote.core.reader import (
    fail,
    failed,
    read_byte,
    read_count,
    read_size,
    read_u32,
)
from wasmote.core.status import SegmentMode, Status, ValueType
from wasmote.core.structs import NONE, ConstExpr, DataSegment, ElementSegment
from wasmote.core.validate.constant import declare_function, decode_constant
from wasmote.core.validate.operands import NO_INSTRUCTION, mismatch_at
from wasmote.core.value_types import NON_NULL, matches
from wasmote.isa.features import Feature
from wasmote.nativepy import native, ptr, sizeof, stack, u32, u64, usize, void

# Bits of an element segment's flags.
NOT_ACTIVE = 1
EXPLICIT = 2  # active: has a table index; else: declarative
EXPRESSIONS = 4
#: The only element kind: functions.
FUNCTION_KIND = 0
MAXIMUM_ITEMS = 0xFFFF_FFFF


@native
def decode_element_section(loader: ptr[Loader]) -> void:
    m = loader.module
    count = read_count(loader.reader, 0, m.limits.segments, Status.LIMIT_SEGMENTS)
    m.elements = ptr[ElementSegment](allocate_array(loader, count, sizeof(ElementSegment)))
    while m.element_count < count and not failed(loader.reader):
        decode_element_segment(loader, m.elements + m.element_count)
        m.element_count += 1


@native
def decode_element_segment(loader: ptr[Loader], segment: ptr[ElementSegment]) -> void:
    at = loader.reader.pos
    flags = read_u32(loader.reader)
    if flags > (NOT_ACTIVE | EXPLICIT | EXPRESSIONS):
        fail(loader.reader, at, Status.ELEMENT_SEGMENT_KIND, u64(flags), 0)
    elif flags != 0 and not has_feature(loader, Feature.BULK_MEMORY):
        unsupported(loader, at, Feature.BULK_MEMORY.bit)
    if failed(loader.reader):
        return
    segment.mode = SegmentMode.ACTIVE
    if flags & NOT_ACTIVE != 0:
        segment.mode = SegmentMode.PASSIVE
        if flags & EXPLICIT != 0:
            segment.mode = SegmentMode.DECLARATIVE
    else:
        decode_table_and_offset(loader, segment, flags)
    segment.functions = u32(flags & EXPRESSIONS == 0)
    segment.type = ValueType.FUNCREF | (NON_NULL if segment.functions != 0 else u32(0))
    type_at = loader.reader.pos
    if flags & (NOT_ACTIVE | EXPLICIT) != 0:
        read_item_type(loader, segment)
    if failed(loader.reader):
        return
    if segment.mode == SegmentMode.ACTIVE:
        element = loader.module.tables[segment.table].element
        if not matches(loader.module, segment.type, element):
            mismatch_at(loader, type_at, NO_INSTRUCTION, element, segment.type)
    decode_items(loader, segment)


@native
def decode_table_and_offset(loader: ptr[Loader], segment: ptr[ElementSegment], flags: u32) -> void:
    at = loader.reader.pos
    if flags & EXPLICIT != 0:
        segment.table = read_u32(loader.reader)
    if failed(loader.reader):
        return
    if segment.table < loader.module.table_count:
        flags = loader.module.tables[segment.table].flags
        decode_constant(loader, index_type(flags), segment.offset)
    else:
        fail(loader.reader, at, Status.UNKNOWN_TABLE, u64(segment.table), 0)


@native
def read_item_type(loader: ptr[Loader], segment: ptr[ElementSegment]) -> void:
    if segment.functions == 0:
        segment.type = read_reference_type(loader)
        return
    at = loader.reader.pos
    kind = read_byte(loader.reader)
    if kind != FUNCTION_KIND:
        fail(loader.reader, at, Status.ELEMENT_KIND, u64(kind), 0)


@native
def decode_items(loader: ptr[Loader], segment: ptr[ElementSegment]) -> void:
    """Items stay in the binary; they are checked here."""
    count = read_count(loader.reader, 0, MAXIMUM_ITEMS, Status.LIMIT_SEGMENTS)
    segment.count = count
    segment.items = loader.reader.pos
    scratch = stack(ConstExpr)
    for _ in range(count):
        if segment.functions != 0:
            read_function_index(loader)
        else:
            decode_constant(loader, segment.type, scratch)
        if failed(loader.reader):
            return
    segment.items_size = u32(usize(loader.reader.pos) - usize(segment.items))


@native
def read_function_index(loader: ptr[Loader]) -> void:
    at = loader.reader.pos
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return
    if index < loader.module.function_count:
        declare_function(loader, index)
    else:
        fail(loader.reader, at, Status.UNKNOWN_FUNCTION, u64(index), 0)


@native
def decode_data_count_section(loader: ptr[Loader]) -> void:
    at = loader.reader.pos
    if not has_feature(loader, Feature.BULK_MEMORY):
        unsupported(loader, at, Feature.BULK_MEMORY.bit)
    count = read_u32(loader.reader)
    limit = loader.module.limits.segments
    if count > limit:
        fail(loader.reader, at, Status.LIMIT_SEGMENTS, u64(count), u64(limit))
    loader.data_count = count


@native
def decode_data_section(loader: ptr[Loader]) -> void:
    m = loader.module
    at = loader.reader.pos
    count = read_count(loader.reader, 0, m.limits.segments, Status.LIMIT_SEGMENTS)
    if loader.data_count != NONE and loader.data_count != count and not failed(loader.reader):
        fail(loader.reader, at, Status.DATA_COUNT, u64(loader.data_count), u64(count))
    m.data = ptr[DataSegment](allocate_array(loader, count, sizeof(DataSegment)))
    while m.data_count < count and not failed(loader.reader):
        decode_data_segment(loader, m.data + m.data_count)
        m.data_count += 1


@native
def decode_data_segment(loader: ptr[Loader], segment: ptr[DataSegment]) -> void:
    at = loader.reader.pos
    flags = read_u32(loader.reader)
    if flags > 2:
        fail(loader.reader, at, Status.DATA_SEGMENT_KIND, u64(flags), 0)
    elif flags == 1 and not has_feature(loader, Feature.BULK_MEMORY):
        unsupported(loader, at, Feature.BULK_MEMORY.bit)
    if failed(loader.reader):
        return
    segment.mode = SegmentMode.PASSIVE
    if flags != 1:
        segment.mode = SegmentMode.ACTIVE
        decode_memory_and_offset(loader, segment, flags)
    segment.size = read_size(loader.reader)
    segment.data = loader.reader.pos
    loader.reader.pos = loader.reader.pos + segment.size


@native
def decode_memory_and_offset(loader: ptr[Loader], segment: ptr[DataSegment], flags: u32) -> void:
    at = loader.reader.pos
    if flags == 2:
        segment.memory = read_u32(loader.reader)
    if failed(loader.reader):
        return
    if segment.memory < loader.module.memory_count:
        memory = loader.module.memories + segment.memory
        decode_constant(loader, index_type(memory.flags), segment.offset)
    else:
        fail(loader.reader, at, Status.UNKNOWN_MEMORY, u64(segment.memory), 0)
