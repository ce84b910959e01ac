"""Decodes the code section and has each body validated."""

from wasmote.core.bounds import index_type
from wasmote.core.loader import Loader
from wasmote.core.reader import fail, failed, read_count, read_size
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import Module
from wasmote.core.validate.body import validate_function
from wasmote.nativepy import native, ptr, u32, u64, usize, void

MAXIMUM_BODIES = 0xFFFF_FFFF


@native
def decode_code_section(loader: ptr[Loader]) -> void:
    m = loader.module
    m.code_section = u32(usize(loader.reader.pos) - usize(m.binary))
    m.code_section_size = u32(usize(loader.reader.end) - usize(loader.reader.pos))
    loader.plain_memory = u32(
        m.memory_count != 0 and index_type(m.memories[0].flags) == ValueType.I32
    )
    at = loader.reader.pos
    count = read_count(loader.reader, 0, MAXIMUM_BODIES, Status.LIMIT_FUNCTIONS)
    if count > loader.body_count:  # too few are noticed at the module's end
        fail(loader.reader, at, Status.FUNCTION_CODE_COUNT, u64(loader.body_count), u64(count))
    while loader.code_count < count and not failed(loader.reader):
        decode_body(loader, m, m.imported_functions + loader.code_count)
        loader.code_count += 1


@native
def decode_body(loader: ptr[Loader], m: ptr[Module], index: u32) -> void:
    at = loader.reader.pos
    size = read_size(loader.reader)
    if size > m.limits.function_size:
        fail(loader.reader, at, Status.LIMIT_FUNCTION_SIZE, u64(size), u64(m.limits.function_size))
    if failed(loader.reader):
        return
    f = m.functions + index
    f.body = loader.reader.pos
    f.body_size = size
    section_end = loader.reader.end
    loader.reader.end = loader.reader.pos + size
    validate_function(loader, f)
    loader.reader.end = section_end
    loader.reader.pos = section_end if failed(loader.reader) else f.body + size
