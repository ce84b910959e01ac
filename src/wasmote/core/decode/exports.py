"""Decodes the export section; finds duplicate names."""

from wasmote.core.arithmetic import larger
from wasmote.core.decode.imports import check_exceptions
from wasmote.core.loader import Loader, allocate_array, out_of_memory
from wasmote.core.reader import (
    compare_names,
    fail,
    failed,
    read_byte,
    read_count,
    read_name,
    read_u32,
)
from wasmote.core.status import ExternKind, Status
from wasmote.core.structs import Export, Module, Name
from wasmote.core.validate.constant import declare_function
from wasmote.nativepy import boolean, inline, native, ptr, sizeof, u32, u64, usize, void


@native
def decode_export_section(loader: ptr[Loader]) -> void:
    m = loader.module
    count = read_count(loader.reader, 0, m.limits.exports, Status.LIMIT_EXPORTS)
    m.exports = ptr[Export](allocate_array(loader, count, sizeof(Export)))
    while m.export_count < count and not failed(loader.reader):
        decode_export(loader, m.exports + m.export_count)
        m.export_count += 1
    if not failed(loader.reader) and count > 1:
        find_duplicates(loader)


@native
def decode_export(loader: ptr[Loader], export: ptr[Export]) -> void:
    read_name(loader.reader, export.name, loader.module.limits.name_size)
    at = loader.reader.pos
    kind = read_byte(loader.reader)
    index_at = loader.reader.pos
    index = read_u32(loader.reader)
    if kind == ExternKind.TAG and not failed(loader.reader):
        check_exceptions(loader, at)
    elif kind > ExternKind.TAG:
        fail(loader.reader, at, Status.EXPORT_KIND, u64(kind), 0)
    if failed(loader.reader):
        return
    export.kind = kind
    export.index = index
    m = loader.module
    match kind:
        case ExternKind.FUNCTION:
            if index < m.function_count:
                declare_function(loader, index)
            else:
                fail(loader.reader, index_at, Status.UNKNOWN_FUNCTION, u64(index), 0)
        case ExternKind.TABLE:
            if index >= m.table_count:
                fail(loader.reader, index_at, Status.UNKNOWN_TABLE, u64(index), 0)
        case ExternKind.MEMORY:
            if index >= m.memory_count:
                fail(loader.reader, index_at, Status.UNKNOWN_MEMORY, u64(index), 0)
        case ExternKind.GLOBAL:
            if index >= m.global_count:
                fail(loader.reader, index_at, Status.UNKNOWN_GLOBAL, u64(index), 0)
        case _:
            if index >= m.tag_count:
                fail(loader.reader, index_at, Status.UNKNOWN_TAG, u64(index), 0)


@native
def hash_name(name: ptr[Name]) -> u32:
    """FNV-1a. Collisions cost time only: names with equal hashes are ordered by their bytes."""
    result = u32(0x811C_9DC5)
    for i in range(name.size):
        result = (result ^ u32(name.data[i])) * 0x0100_0193
    return result


@inline
def in_order(m: ptr[Module], a: u64, b: u64) -> boolean:
    """Keys are a hash above an export's index."""
    if a >> 32 != b >> 32:
        return a < b
    return compare_names(m.exports[u32(a)].name, m.exports[u32(b)].name) <= 0


@native
def find_duplicates(loader: ptr[Loader]) -> void:
    """Sort keys of the names; equal names become neighbours."""
    m = loader.module
    count = m.export_count
    scratch = m.platform.allocate(2 * usize(count) * sizeof(u64))
    if scratch is None:
        out_of_memory(loader)
        return
    keys = ptr[u64](scratch)
    for i in range(count):
        keys[i] = (u64(hash_name(m.exports[i].name)) << 32) | u64(i)
    keys = merge_sort(m, keys, keys + count, count)
    for i in range(1, count):
        a = u32(keys[i - 1])
        b = u32(keys[i])
        if compare_names(m.exports[a].name, m.exports[b].name) == 0:
            second = larger(a, b)
            fail(
                loader.reader, m.exports[second].name.data, Status.DUPLICATE_EXPORT, u64(second), 0
            )
            break
    m.platform.release(scratch)


@native
def merge_sort(m: ptr[Module], keys: ptr[u64], spare: ptr[u64], count: u32) -> ptr[u64]:
    """Bottom-up; returns whichever of the two arrays holds the result."""
    width = u32(1)
    while width < count:
        start = u32(0)
        while start < count:
            middle = start + width if count - start > width else count
            end = middle + width if count - middle > width else count
            merge(m, keys, spare, start, middle, end)
            start = end
        done = spare
        spare = keys
        keys = done
        width = width * 2
    return keys


@native
def merge(m: ptr[Module], keys: ptr[u64], to: ptr[u64], start: u32, middle: u32, end: u32) -> void:
    a = start
    b = middle
    for i in range(start, end):
        if b == end or (a != middle and in_order(m, keys[a], keys[b])):
            to[i] = keys[a]
            a += 1
        else:
            to[i] = keys[b]
            b += 1
