"""Decodes what a module defines itself: functions' types, tables, memories, globals, the start."""

from wasmote.core.decode.imports import (
    check_exceptions,
    check_second_memory,
    check_second_table,
    read_tag_type,
    read_type_index,
)
from wasmote.core.decode.types import read_global_type, read_memory_type, read_table_type
from wasmote.core.loader import Loader, extend_array, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_count, read_u32
from wasmote.core.status import Status
from wasmote.core.structs import Function, GlobalType, MemoryType, TableType, TagType
from wasmote.core.validate.constant import decode_constant
from wasmote.core.validate.operands import NO_INSTRUCTION, NOTHING, mismatch_at
from wasmote.core.value_types import is_defaultable
from wasmote.isa.features import Feature
from wasmote.nativepy import native, ptr, sizeof, u8, u64, void

#: Instead of an element type: a table with an initializer follows.
TABLE_WITH_INITIALIZER = 0x40


@native
def decode_function_section(loader: ptr[Loader]) -> void:
    m = loader.module
    first = m.function_count
    count = read_count(loader.reader, first, m.limits.functions, Status.LIMIT_FUNCTIONS)
    made = extend_array(loader, ptr[u8](m.functions), first, count, sizeof(Function))
    m.functions = ptr[Function](made)
    loader.body_count = count
    while m.function_count < first + count and not failed(loader.reader):
        m.functions[m.function_count].type = read_type_index(loader)
        m.function_count += 1


@native
def decode_tag_section(loader: ptr[Loader]) -> void:
    m = loader.module
    check_exceptions(loader, loader.reader.pos)
    first = m.tag_count
    count = read_count(loader.reader, first, m.limits.tags, Status.LIMIT_TAGS)
    m.tags = ptr[TagType](extend_array(loader, ptr[u8](m.tags), first, count, sizeof(TagType)))
    while m.tag_count < first + count and not failed(loader.reader):
        read_tag_type(loader, m.tags + m.tag_count)
        m.tag_count += 1


@native
def decode_table_section(loader: ptr[Loader]) -> void:
    m = loader.module
    first = m.table_count
    count = read_count(loader.reader, first, m.limits.tables, Status.LIMIT_TABLES)
    m.tables = ptr[TableType](
        extend_array(loader, ptr[u8](m.tables), first, count, sizeof(TableType))
    )
    while m.table_count < first + count and not failed(loader.reader):
        check_second_table(loader, m.table_count)
        if (
            loader.reader.pos != loader.reader.end
            and loader.reader.pos[0] == TABLE_WITH_INITIALIZER
        ):
            table_with_initializer(loader, m.tables + m.table_count)
        else:
            at = loader.reader.pos
            read_table_type(loader, m.tables + m.table_count)
            element = m.tables[m.table_count].element
            if not is_defaultable(element) and not failed(loader.reader):
                mismatch_at(loader, at, NO_INSTRUCTION, element, NOTHING)
        m.table_count += 1


@native
def table_with_initializer(loader: ptr[Loader], t: ptr[TableType]) -> void:
    """All elements start as the value of a constant expression."""
    r = loader.reader
    at = r.pos
    if not has_feature(loader, Feature.FUNCTION_REFERENCES):
        unsupported(loader, at, Feature.FUNCTION_REFERENCES.bit)
    read_byte(r)
    reserved = read_byte(r)
    if reserved != 0 and not failed(r):
        fail(r, at + 1, Status.REFERENCE_TYPE, u64(reserved), 0)
    read_table_type(loader, t)
    decode_constant(loader, t.element, t.init)


@native
def decode_memory_section(loader: ptr[Loader]) -> void:
    m = loader.module
    first = m.memory_count
    count = read_count(loader.reader, first, m.limits.memories, Status.LIMIT_MEMORIES)
    made = extend_array(loader, ptr[u8](m.memories), first, count, sizeof(MemoryType))
    m.memories = ptr[MemoryType](made)
    while m.memory_count < first + count and not failed(loader.reader):
        check_second_memory(loader, m.memory_count)
        read_memory_type(loader, m.memories + m.memory_count)
        m.memory_count += 1


@native
def decode_global_section(loader: ptr[Loader]) -> void:
    """An initial value may use the globals before it: they count one by one."""
    m = loader.module
    first = m.global_count
    count = read_count(loader.reader, first, m.limits.globals, Status.LIMIT_GLOBALS)
    made = extend_array(loader, ptr[u8](m.globals), first, count, sizeof(GlobalType))
    m.globals = ptr[GlobalType](made)
    while m.global_count < first + count and not failed(loader.reader):
        defined = m.globals + m.global_count
        read_global_type(loader, defined)
        decode_constant(loader, defined.content, defined.init)
        m.global_count += 1


@native
def decode_start_section(loader: ptr[Loader]) -> void:
    m = loader.module
    at = loader.reader.pos
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return
    if index >= m.function_count:
        fail(loader.reader, at, Status.UNKNOWN_FUNCTION, u64(index), 0)
        return
    t = m.types + m.functions[index].type
    if t.param_count != 0 or t.result_count != 0:
        fail(loader.reader, at, Status.START_FUNCTION, u64(index), 0)
    m.start = index
