"""Loads a module: walks its sections, in the one order that the format allows."""

from enum import IntEnum

from wasmote.core.arena import arena_free
from wasmote.core.decode.code import decode_code_section
from wasmote.core.decode.defined import decode_type_section
from wasmote.core.decode.definitions import (
    decode_function_section,
    decode_global_section,
    decode_memory_section,
    decode_start_section,
    decode_table_section,
    decode_tag_section,
)
from wasmote.core.decode.exports import decode_export_section
from wasmote.core.decode.imports import check_limit, decode_import_section
from wasmote.core.decode.segments import (
    decode_data_count_section,
    decode_data_section,
    decode_element_section,
)
from wasmote.core.loader import Loader, append_room, loader_close, loader_open
from wasmote.core.reader import (
    fail,
    failed,
    read_byte,
    read_name,
    read_size,
    remaining,
)
from wasmote.core.status import Status
from wasmote.core.structs import NONE, CustomSection, Module
from wasmote.isa.features import built_features
from wasmote.nativepy import (
    boolean,
    constants,
    load_le,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    u64,
    void,
)


class Section(IntEnum):
    """The sections' ids."""

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12
    TAG = 13


_ORDER = (
    Section.TYPE,
    Section.IMPORT,
    Section.FUNCTION,
    Section.TABLE,
    Section.MEMORY,
    Section.TAG,
    Section.GLOBAL,
    Section.EXPORT,
    Section.START,
    Section.ELEMENT,
    Section.DATA_COUNT,
    Section.CODE,
    Section.DATA,
)
#: Place of each section id in the order of sections, from 1; custom sections may be anywhere.
RANKS = constants(u8, [0, *(1 + _ORDER.index(i) for i in sorted(_ORDER))])
MAGIC = 0x6D73_6100  # "\0asm", little-endian
VERSION = 1
MAXIMUM_SIZE = 0xFFFF_FFFF
MAXIMUM_CUSTOM_SECTIONS = 100_000


@native(export="module_load")
def module_load(m: ptr[Module]) -> u32:
    """Decode and validate a module.

    The embedder made `m`: zeroed, but for platform, limits, features, binary and binary_size. The
    binary stays in use and must not change. Returns 0 or the `Status`, which is also in `m.error`;
    after a failure the module is good for `module_free` only.
    """
    m.start = NONE
    m.features = m.features & built_features()  # others were left out of this image
    if u64(m.binary_size) > MAXIMUM_SIZE:
        m.error.status = Status.LIMIT_BINARY_SIZE
        m.error.detail = u64(m.binary_size)
        m.error.detail2 = MAXIMUM_SIZE
        return m.error.status
    loader = stack(Loader)
    if loader_open(loader, m) and decode_preamble(loader):
        while loader.reader.pos != loader.reader.end and not failed(loader.reader):
            decode_section(loader)
        check_counts(loader)
    loader_close(loader)
    return m.error.status


@native(export="module_free")
def module_free(m: ptr[Module]) -> void:
    """Free what a module holds, but not the module itself."""
    if m.twin is not None:
        free_code(m.twin)
        m.platform.release(ptr[u8](m.twin))
        m.twin = None
    free_code(m)


@native
def free_code(m: ptr[Module]) -> void:
    """Free the arena and the fast interpreter's code."""
    arena_free(m)
    m.platform.release(m.translated)
    m.translated = None
    if m.code is not None:
        m.platform.unreserve(m.platform, ptr[u8](m.code), m.code_reserved)
        m.code = None


@native
def decode_preamble(loader: ptr[Loader]) -> boolean:
    """Magic and version (spec: Binary Format, Modules)."""
    start = loader.reader.pos
    if remaining(loader.reader) < 4:
        return fail(loader.reader, loader.reader.end, Status.UNEXPECTED_END, 0, 0)
    if load_le(u32, start) != MAGIC:
        return fail(loader.reader, start, Status.MAGIC, 0, 0)
    if remaining(loader.reader) < 8:
        return fail(loader.reader, loader.reader.end, Status.UNEXPECTED_END, 0, 0)
    version = load_le(u32, start + 4)
    if version != VERSION:
        return fail(loader.reader, start + 4, Status.VERSION, u64(version), 0)
    loader.reader.pos = start + 8
    return True


@native
def decode_section(loader: ptr[Loader]) -> void:
    at = loader.reader.pos
    section = read_byte(loader.reader)
    if section > Section.TAG:
        fail(loader.reader, at, Status.SECTION_ID, u64(section), 0)
        return
    size = read_size(loader.reader)
    if section != Section.CUSTOM:
        rank = u32(RANKS[section])
        if rank <= loader.rank and not failed(loader.reader):
            fail(loader.reader, at, Status.SECTION_ORDER, u64(section), 0)
        loader.rank = rank
    if failed(loader.reader):
        return
    binary_end = loader.reader.end
    end = loader.reader.pos + size
    loader.reader.end = end
    loader.reader.end_status = Status.UNEXPECTED_END_OF_SECTION
    decode_contents(loader, section)
    if loader.reader.pos != end and not failed(loader.reader):
        fail(loader.reader, loader.reader.pos, Status.SECTION_SIZE, u64(section), 0)
    loader.reader.end = binary_end
    loader.reader.end_status = Status.UNEXPECTED_END
    if failed(loader.reader):
        loader.reader.pos = binary_end


@native
def decode_contents(loader: ptr[Loader], section: u32) -> void:
    match section:
        case Section.CUSTOM:
            decode_custom_section(loader)
        case Section.TYPE:
            decode_type_section(loader)
        case Section.IMPORT:
            decode_import_section(loader)
        case Section.FUNCTION:
            decode_function_section(loader)
        case Section.TABLE:
            decode_table_section(loader)
        case Section.MEMORY:
            decode_memory_section(loader)
        case Section.GLOBAL:
            decode_global_section(loader)
        case Section.EXPORT:
            decode_export_section(loader)
        case Section.START:
            decode_start_section(loader)
        case Section.ELEMENT:
            decode_element_section(loader)
        case Section.CODE:
            decode_code_section(loader)
        case Section.DATA:
            decode_data_section(loader)
        case Section.DATA_COUNT:
            decode_data_count_section(loader)
        case _:
            decode_tag_section(loader)


@native
def decode_custom_section(loader: ptr[Loader]) -> void:
    m = loader.module
    check_limit(loader, m.custom_count, MAXIMUM_CUSTOM_SECTIONS, Status.LIMIT_CUSTOM_SECTIONS)
    if failed(loader.reader):
        return
    made = append_room(loader, ptr[u8](m.customs), m.custom_count, sizeof(CustomSection))
    m.customs = ptr[CustomSection](made)
    if made is None:
        return
    custom = m.customs + m.custom_count
    if not read_name(loader.reader, custom.name, MAXIMUM_SIZE):
        return
    custom.data = loader.reader.pos
    custom.size = u32(remaining(loader.reader))
    loader.reader.pos = loader.reader.end
    m.custom_count += 1


@native
def check_counts(loader: ptr[Loader]) -> void:
    """What two sections say of the same thing."""
    if failed(loader.reader):
        return
    if loader.code_count != loader.body_count:
        fail(
            loader.reader,
            loader.reader.end,
            Status.FUNCTION_CODE_COUNT,
            u64(loader.body_count),
            u64(loader.code_count),
        )
    if loader.data_count != NONE and loader.data_count != loader.module.data_count:
        fail(
            loader.reader,
            loader.reader.end,
            Status.DATA_COUNT,
            u64(loader.data_count),
            u64(loader.module.data_count),
        )
