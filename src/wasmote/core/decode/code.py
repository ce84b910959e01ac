"""Decodes the code section and has each body validated."""

from wasmote.core.loader import Loader
from wasmote.core.reader import fail, failed, read_count, read_size
from wasmote.core.status import Status
from wasmote.core.structs import Module
from wasmote.core.validate.body import validate_function
from wasmote.nativepy import native, ptr, u32, u64, usize, void

MAXIMUM_BODIES = 0xFFFF_FFFF


@native
def decode_code_section(l: ptr[Loader]) -> void:
    m = l.module
    m.code_section = u32(usize(l.reader.pos) - usize(m.binary))
    m.code_section_size = u32(usize(l.reader.end) - usize(l.reader.pos))
    at = l.reader.pos
    count = read_count(l.reader, 0, MAXIMUM_BODIES, Status.LIMIT_FUNCTIONS)
    if count > l.body_count:  # too few are noticed at the module's end
        fail(l.reader, at, Status.FUNCTION_CODE_COUNT, u64(l.body_count), u64(count))
    while l.code_count < count and not failed(l.reader):
        decode_body(l, m, m.imported_functions + l.code_count)
        l.code_count += 1


@native
def decode_body(l: ptr[Loader], m: ptr[Module], index: u32) -> void:
    at = l.reader.pos
    size = read_size(l.reader)
    if size > m.limits.function_size:
        fail(l.reader, at, Status.LIMIT_FUNCTION_SIZE, u64(size), u64(m.limits.function_size))
    if failed(l.reader):
        return
    f = m.functions + index
    f.body = l.reader.pos
    f.body_size = size
    section_end = l.reader.end
    l.reader.end = l.reader.pos + size
    validate_function(l, f)
    l.reader.end = section_end
    l.reader.pos = section_end if failed(l.reader) else f.body + size
