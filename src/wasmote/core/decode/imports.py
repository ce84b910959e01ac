"""Decodes the import section. Imports come first in the index space of their kind."""

from wasmote.core.decode.types import read_global_type, read_memory_type, read_table_type
from wasmote.core.loader import (
    Loader,
    allocate_array,
    append_room,
    has_exceptions,
    has_feature,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_byte, read_count, read_name, read_u32
from wasmote.core.status import ExternKind, Status
from wasmote.core.structs import Function, GlobalType, Import, MemoryType, TableType, TagType
from wasmote.core.value_types import Form
from wasmote.isa.features import Feature
from wasmote.nativepy import native, ptr, sizeof, u8, u32, u64, void


@native
def decode_import_section(loader: ptr[Loader]) -> void:
    m = loader.module
    count = read_count(loader.reader, 0, m.limits.imports, Status.LIMIT_IMPORTS)
    m.imports = ptr[Import](allocate_array(loader, count, sizeof(Import)))
    while m.import_count < count and not failed(loader.reader):
        decode_import(loader, m.imports + m.import_count)
        m.import_count += 1


@native
def decode_import(loader: ptr[Loader], imported: ptr[Import]) -> void:
    limit = loader.module.limits.name_size
    read_name(loader.reader, imported.module, limit)
    read_name(loader.reader, imported.name, limit)
    at = loader.reader.pos
    kind = read_byte(loader.reader)
    if failed(loader.reader):
        return
    imported.kind = kind
    match kind:
        case ExternKind.FUNCTION:
            imported.index = import_function(loader)
        case ExternKind.TABLE:
            imported.index = import_table(loader)
        case ExternKind.MEMORY:
            imported.index = import_memory(loader)
        case ExternKind.GLOBAL:
            imported.index = import_global(loader)
        case ExternKind.TAG:
            imported.index = import_tag(loader, at)
        case _:
            fail(loader.reader, at, Status.IMPORT_KIND, u64(kind), 0)


@native
def check_limit(loader: ptr[Loader], used: u32, limit: u32, status: u32) -> void:
    """Whether one more fits the limit."""
    if used >= limit:
        fail(loader.reader, loader.reader.pos, status, u64(used) + 1, u64(limit))


@native
def read_type_index(loader: ptr[Loader]) -> u32:
    at = loader.reader.pos
    index = read_u32(loader.reader)
    if index >= loader.module.type_count and not failed(loader.reader):
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    elif not failed(loader.reader) and loader.module.types[index].form != Form.FUNCTION:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    return index


@native
def import_function(loader: ptr[Loader]) -> u32:
    m = loader.module
    index = m.function_count
    check_limit(loader, index, m.limits.functions, Status.LIMIT_FUNCTIONS)
    m.functions = ptr[Function](append_room(loader, ptr[u8](m.functions), index, sizeof(Function)))
    if m.functions is not None:
        m.functions[index].type = read_type_index(loader)
        m.function_count += 1
        m.imported_functions += 1
    return index


@native
def import_table(loader: ptr[Loader]) -> u32:
    m = loader.module
    index = m.table_count
    check_limit(loader, index, m.limits.tables, Status.LIMIT_TABLES)
    check_second_table(loader, index)
    m.tables = ptr[TableType](append_room(loader, ptr[u8](m.tables), index, sizeof(TableType)))
    if m.tables is not None:
        read_table_type(loader, m.tables + index)
        m.table_count += 1
        m.imported_tables += 1
    return index


@native
def import_memory(loader: ptr[Loader]) -> u32:
    m = loader.module
    index = m.memory_count
    check_limit(loader, index, m.limits.memories, Status.LIMIT_MEMORIES)
    check_second_memory(loader, index)
    m.memories = ptr[MemoryType](
        append_room(loader, ptr[u8](m.memories), index, sizeof(MemoryType))
    )
    if m.memories is not None:
        read_memory_type(loader, m.memories + index)
        m.memory_count += 1
        m.imported_memories += 1
    return index


@native
def import_global(loader: ptr[Loader]) -> u32:
    m = loader.module
    index = m.global_count
    check_limit(loader, index, m.limits.globals, Status.LIMIT_GLOBALS)
    m.globals = ptr[GlobalType](append_room(loader, ptr[u8](m.globals), index, sizeof(GlobalType)))
    if m.globals is not None:
        read_global_type(loader, m.globals + index)
        m.global_count += 1
        m.imported_globals += 1
    return index


@native
def import_tag(loader: ptr[Loader], at: ptr[u8]) -> u32:
    m = loader.module
    index = m.tag_count
    check_limit(loader, index, m.limits.tags, Status.LIMIT_TAGS)
    check_exceptions(loader, at)
    m.tags = ptr[TagType](append_room(loader, ptr[u8](m.tags), index, sizeof(TagType)))
    if m.tags is not None:
        read_tag_type(loader, m.tags + index)
        m.tag_count += 1
        m.imported_tags += 1
    return index


@native
def read_tag_type(loader: ptr[Loader], tag: ptr[TagType]) -> void:
    """An attribute, which is 0, then a function type without results."""
    at = loader.reader.pos
    attribute = read_byte(loader.reader)
    if attribute != 0 and not failed(loader.reader):
        fail(loader.reader, at, Status.TAG_ATTRIBUTE, u64(attribute), 0)
    at = loader.reader.pos
    tag.type = read_type_index(loader)
    if not failed(loader.reader) and loader.module.types[tag.type].result_count != 0:
        fail(loader.reader, at, Status.TAG_RESULTS, u64(tag.type), 0)


@native
def check_exceptions(loader: ptr[Loader], at: ptr[u8]) -> void:
    """Both forms of exception handling have tags."""
    if not has_exceptions(loader):
        unsupported(loader, at, Feature.EXCEPTIONS.bit)


@native
def check_second_table(loader: ptr[Loader], used: u32) -> void:
    if used != 0 and not has_feature(loader, Feature.REFERENCE_TYPES):
        unsupported(loader, loader.reader.pos, Feature.REFERENCE_TYPES.bit)


@native
def check_second_memory(loader: ptr[Loader], used: u32) -> void:
    if used != 0 and not has_feature(loader, Feature.MULTI_MEMORY):
        unsupported(loader, loader.reader.pos, Feature.MULTI_MEMORY.bit)
