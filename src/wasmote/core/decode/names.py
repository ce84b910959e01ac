"""The custom section "name": what a function is called (spec: Appendix, Custom Sections).

Decoded when asked, not when loading: most runs never need a name. The section is not validated; a
malformed one just has fewer names.
"""

from wasmote.core.reader import (
    Reader,
    failed,
    open_reader,
    read_byte,
    read_name,
    read_size,
    read_u32,
)
from wasmote.core.structs import CustomSection, Error, Module, Name
from wasmote.nativepy import boolean, load_le, native, ptr, stack, u32, usize

SECTION_NAME = 0x656D_616E  # "name", little-endian
FUNCTION_NAMES, TAG_NAMES = 1, 11  # ids of subsections
ANY_SIZE = 0xFFFF_FFFF


@native(export="function_name")
def function_name(m: ptr[Module], index: u32, name: ptr[Name]) -> u32:
    """Look up a function's name; 1 if it has one, else 0."""
    return find_name(m, FUNCTION_NAMES, index, name)


@native(export="tag_name")
def tag_name(m: ptr[Module], index: u32, name: ptr[Name]) -> u32:
    """The same for a tag."""
    return find_name(m, TAG_NAMES, index, name)


@native
def find_name(m: ptr[Module], kind: u32, index: u32, name: ptr[Name]) -> u32:
    for i in range(m.custom_count):
        custom = m.customs + i
        if is_name_section(custom.name) and find_in_section(custom, kind, index, name):
            return 1
    return 0


@native
def is_name_section(name: ptr[Name]) -> boolean:
    return name.size == 4 and load_le(u32, name.data) == SECTION_NAME


@native
def find_in_section(custom: ptr[CustomSection], kind: u32, index: u32, name: ptr[Name]) -> boolean:
    error = stack(Error)
    error.status = 0
    r = stack(Reader)
    open_reader(r, custom.data, usize(custom.size), error)
    section_end = r.end
    while r.pos != section_end and not failed(r):
        subsection = read_byte(r)
        size = read_size(r)
        if failed(r):
            return False
        r.end = r.pos + size
        subsection_end = r.end
        if subsection == kind and find_in_map(r, index, name):
            return True
        r.pos = subsection_end
        r.end = section_end
    return False


@native
def find_in_map(r: ptr[Reader], index: u32, name: ptr[Name]) -> boolean:
    """Search a name map: a vector of index and name."""
    count = read_u32(r)
    for _ in range(count):
        found = read_u32(r)
        if not read_name(r, name, ANY_SIZE):
            return False
        if found == index:
            return True
    return False
