"""Sections of debug information as one piece of data, compressed; images keep them so.

Of each section: the length of its name (1 byte), the name, the size of its contents as compressed
by zlib (4 bytes, little-endian), these contents.
"""

import struct
import zlib

from wasmote.dwarf.reader import Sections

#: The sections that say which source line an address comes from; the others describe data.
NAMES = (
    ".debug_info",
    ".debug_abbrev",
    ".debug_line",
    ".debug_str",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_addr",
    ".debug_str_offsets",
)


def pack(sections: Sections) -> bytes:
    """Empty if there are none."""
    out = b""
    for name, data in sorted(sections.items()):
        compressed = zlib.compress(data)
        out += struct.pack("B", len(name)) + name.encode()
        out += struct.pack("<I", len(compressed)) + compressed
    return out


def unpack(data: bytes) -> dict[str, bytes]:
    """Raises ValueError for data that are damaged."""
    sections, position = {}, 0
    try:
        while position < len(data):
            start = position + 1 + data[position]
            name = data[position + 1 : start].decode()
            (size,) = struct.unpack_from("<I", data, start)
            position = start + 4 + size
            sections[name] = zlib.decompress(data[start + 4 : position])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"the debug information is damaged: {error}") from None
    return sections
