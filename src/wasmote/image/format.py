"""The container of native code: a header, tables of symbols and sections, code that starts on a
page boundary, and sections of data.

All numbers are little-endian.

    offset size
    0      4    magic, 00 'w' 'm' 'i'
    4      4    version of this format
    8      32   target name, padded with zeros
    40     32   SHA-256 of everything from offset 72 on
    72     4    offset of the code in the file (a multiple of 16384: the largest common page)
    76     4    bytes of code, read-only data included
    80     4    number of symbols
    84     4    number of sections
    88          symbols: u32 offset in the code, u16 length, name in UTF-8
                sections: u32 offset in the file, u32 size, u16 length, name in UTF-8
"""

import struct

MAGIC = b"\0wmi"
VERSION = 2
PAGE = 16384
HEADER = struct.Struct("<4sI32s32sIIII")
#: The front of the header, which the hash does not cover.
_SEAL = struct.Struct("<4sI32s32s")


class ImageError(Exception):
    """A file is not an image that this runtime can use; says why."""


class Image:
    """Linked code, where its entry points are, and what else belongs to it, by name."""

    __slots__ = ("target", "symbols", "code", "sections")

    def __init__(
        self,
        target: str,
        symbols: dict[str, int],
        code: bytes,
        sections: dict[str, bytes] | None = None,
    ) -> None:
        self.target, self.symbols, self.code = target, symbols, code
        self.sections = sections or {}

    def encode(self) -> bytes:
        """The file's bytes."""
        names = [(name.encode(), offset) for name, offset in sorted(self.symbols.items())]
        table = b"".join(struct.pack("<IH", offset, len(name)) + name for name, offset in names)
        entries = sum(10 + len(name.encode()) for name in self.sections)
        start = -(-(HEADER.size + len(table) + entries) // PAGE) * PAGE
        end = start + len(self.code)
        for name, data in sorted(self.sections.items()):
            end += -end % 16
            table += struct.pack("<IIH", end, len(data), len(name.encode())) + name.encode()
            end += len(data)
        body = table.ljust(start - HEADER.size, b"\0") + self.code
        for _, data in sorted(self.sections.items()):
            body += b"\0" * (-(HEADER.size + len(body)) % 16) + data
        counts = len(names), len(self.sections)
        body = struct.pack("<IIII", start, len(self.code), *counts) + body
        return _SEAL.pack(MAGIC, VERSION, self.target.encode(), _digest(body)) + body


class Layout:
    """What the front of an image file says; sizes and offsets in bytes.

    `sections` has each section's offset in the file and its size.
    """

    __slots__ = ("target", "symbols", "code_offset", "code_size", "sections")

    def __init__(
        self,
        target: str,
        symbols: dict[str, int],
        code_offset: int,
        code_size: int,
        sections: dict[str, tuple[int, int]],
    ) -> None:
        self.target, self.symbols = target, symbols
        self.code_offset, self.code_size = code_offset, code_size
        self.sections = sections


def _digest(body: bytes | memoryview) -> bytes:
    import hashlib  # takes longer to load than an image

    return hashlib.sha256(body).digest()


def parse(raw: bytes | memoryview, verify: bool = True) -> Layout:
    """Check an image's bytes and read its front; `ImageError` says what is wrong."""
    if len(raw) < HEADER.size or bytes(raw[:4]) != MAGIC:
        raise ImageError("not an image: it does not start with the bytes 00 77 6d 69")
    _, version, name, digest, start, size, count, section_count = HEADER.unpack_from(raw)
    if version != VERSION:
        raise ImageError(f"image format {version}, this runtime reads {VERSION}: compile it again")
    if start % PAGE or start + size > len(raw) or start < HEADER.size:
        raise ImageError("the image is truncated or its header is damaged")
    if verify and _digest(raw[_SEAL.size :]) != digest:
        raise ImageError("the image's hash does not match its contents: it is damaged")
    symbols, position = _symbols(raw, start, size, count)
    sections = _sections(raw, position, start, section_count)
    return Layout(name.rstrip(b"\0").decode("ascii", "replace"), symbols, start, size, sections)


def _symbols(
    raw: bytes | memoryview, end: int, size: int, count: int
) -> tuple[dict[str, int], int]:
    """The symbols, and where their table ends."""
    symbols, position = {}, HEADER.size
    for _ in range(count):
        if position + 6 > end:
            raise ImageError("the image's symbol table is damaged")
        offset, length = struct.unpack_from("<IH", raw, position)
        name = bytes(raw[position + 6 : position + 6 + length])
        position += 6 + length
        if position > end or offset >= size:
            raise ImageError("the image's symbol table is damaged")
        symbols[name.decode("utf-8", "replace")] = offset
    return symbols, position


def _sections(
    raw: bytes | memoryview, position: int, end: int, count: int
) -> dict[str, tuple[int, int]]:
    sections = {}
    for _ in range(count):
        if position + 10 > end:
            raise ImageError("the image's section table is damaged")
        offset, size, length = struct.unpack_from("<IIH", raw, position)
        name = bytes(raw[position + 10 : position + 10 + length])
        position += 10 + length
        if position > end or offset < end or offset + size > len(raw):
            raise ImageError("the image's section table is damaged")
        sections[name.decode("utf-8", "replace")] = offset, size
    return sections
