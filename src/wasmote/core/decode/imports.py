"""Decodes the import section. Imports come first in the index space of their kind."""

from wasmote.core.decode.types import read_global_type, read_memory_type, read_table_type
from wasmote.core.loader import Loader, allocate_array, append_room, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_count, read_name, read_u32
from wasmote.core.status import ExternKind, Status
from wasmote.core.structs import Function, GlobalType, Import, MemoryType, TableType
from wasmote.isa.features import Feature
from wasmote.nativepy import native, ptr, sizeof, u8, u32, u64, void

TAG = 4  # the kind that exception handling adds


@native
def decode_import_section(l: ptr[Loader]) -> void:
    m = l.module
    count = read_count(l.reader, 0, m.limits.imports, Status.LIMIT_IMPORTS)
    m.imports = ptr[Import](allocate_array(l, count, sizeof(Import)))
    while m.import_count < count and not failed(l.reader):
        decode_import(l, m.imports + m.import_count)
        m.import_count += 1


@native
def decode_import(l: ptr[Loader], imported: ptr[Import]) -> void:
    limit = l.module.limits.name_size
    read_name(l.reader, imported.module, limit)
    read_name(l.reader, imported.name, limit)
    at = l.reader.pos
    kind = read_byte(l.reader)
    if failed(l.reader):
        return
    imported.kind = kind
    match kind:
        case ExternKind.FUNCTION:
            imported.index = import_function(l)
        case ExternKind.TABLE:
            imported.index = import_table(l)
        case ExternKind.MEMORY:
            imported.index = import_memory(l)
        case ExternKind.GLOBAL:
            imported.index = import_global(l)
        case 4:  # TAG
            unsupported(l, at, Feature.EXCEPTIONS.bit)
        case _:
            fail(l.reader, at, Status.IMPORT_KIND, u64(kind), 0)


@native
def check_limit(l: ptr[Loader], used: u32, limit: u32, status: u32) -> void:
    """Whether one more fits the limit."""
    if used >= limit:
        fail(l.reader, l.reader.pos, status, u64(used) + 1, u64(limit))


@native
def read_type_index(l: ptr[Loader]) -> u32:
    at = l.reader.pos
    index = read_u32(l.reader)
    if index >= l.module.type_count and not failed(l.reader):
        fail(l.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    return index


@native
def import_function(l: ptr[Loader]) -> u32:
    m = l.module
    index = m.function_count
    check_limit(l, index, m.limits.functions, Status.LIMIT_FUNCTIONS)
    m.functions = ptr[Function](append_room(l, ptr[u8](m.functions), index, sizeof(Function)))
    if m.functions is not None:
        m.functions[index].type = read_type_index(l)
        m.function_count += 1
        m.imported_functions += 1
    return index


@native
def import_table(l: ptr[Loader]) -> u32:
    m = l.module
    index = m.table_count
    check_limit(l, index, m.limits.tables, Status.LIMIT_TABLES)
    check_second_table(l, index)
    m.tables = ptr[TableType](append_room(l, ptr[u8](m.tables), index, sizeof(TableType)))
    if m.tables is not None:
        read_table_type(l, m.tables + index)
        m.table_count += 1
        m.imported_tables += 1
    return index


@native
def import_memory(l: ptr[Loader]) -> u32:
    m = l.module
    index = m.memory_count
    check_limit(l, index, m.limits.memories, Status.LIMIT_MEMORIES)
    check_second_memory(l, index)
    m.memories = ptr[MemoryType](append_room(l, ptr[u8](m.memories), index, sizeof(MemoryType)))
    if m.memories is not None:
        read_memory_type(l, m.memories + index)
        m.memory_count += 1
        m.imported_memories += 1
    return index


@native
def import_global(l: ptr[Loader]) -> u32:
    m = l.module
    index = m.global_count
    check_limit(l, index, m.limits.globals, Status.LIMIT_GLOBALS)
    m.globals = ptr[GlobalType](append_room(l, ptr[u8](m.globals), index, sizeof(GlobalType)))
    if m.globals is not None:
        read_global_type(l, m.globals + index)
        m.global_count += 1
        m.imported_globals += 1
    return index


@native
def check_second_table(l: ptr[Loader], used: u32) -> void:
    if used != 0 and not has_feature(l, Feature.REFERENCE_TYPES):
        unsupported(l, l.reader.pos, Feature.REFERENCE_TYPES.bit)


@native
def check_second_memory(l: ptr[Loader], used: u32) -> void:
    if used != 0 and not has_feature(l, Feature.MULTI_MEMORY):
        unsupported(l, l.reader.pos, Feature.MULTI_MEMORY.bit)
