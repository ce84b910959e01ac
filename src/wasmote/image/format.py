"""The container of native code: a header, a symbol table, and code that starts on a page boundary.

All numbers are little-endian.

    offset size
    0      4    magic, 00 'w' 'm' 'i'
    4      4    version of this format
    8      32   target name, padded with zeros
    40     32   SHA-256 of everything that follows the header
    72     4    offset of the code in the file (a multiple of 16384: the largest common page)
    76     4    bytes of code, read-only data included
    80     4    number of symbols
    84     4    reserved, zero
    88          symbols: u32 offset in the code, u16 length, name in UTF-8
"""

import struct

MAGIC = b"\0wmi"
VERSION = 1
PAGE = 16384
HEADER = struct.Struct("<4sI32s32sIIII")


class ImageError(Exception):
    """A file is not an image that this runtime can use; says why."""


class Image:
    """Linked code and where its entry points are."""

    __slots__ = ("target", "symbols", "code")

    def __init__(self, target: str, symbols: dict[str, int], code: bytes) -> None:
        self.target, self.symbols, self.code = target, symbols, code

    def encode(self) -> bytes:
        """The file's bytes."""
        names = [(name.encode(), offset) for name, offset in sorted(self.symbols.items())]
        table = b"".join(struct.pack("<IH", offset, len(name)) + name for name, offset in names)
        start = -(-(HEADER.size + len(table)) // PAGE) * PAGE
        body = table.ljust(start - HEADER.size, b"\0") + self.code
        digest = _digest(body)
        header = HEADER.pack(
            MAGIC, VERSION, self.target.encode(), digest, start, len(self.code), len(names), 0
        )
        return header + body


class Layout:
    """What the front of an image file says; sizes and offsets in bytes."""

    __slots__ = ("target", "symbols", "code_offset", "code_size")

    def __init__(
        self, target: str, symbols: dict[str, int], code_offset: int, code_size: int
    ) -> None:
        self.target, self.symbols = target, symbols
        self.code_offset, self.code_size = code_offset, code_size


def _digest(body: bytes | memoryview) -> bytes:
    import hashlib  # takes longer to load than an image

    return hashlib.sha256(body).digest()


def parse(raw: bytes | memoryview, verify: bool = True) -> Layout:
    """Check an image's bytes and read its front; `ImageError` says what is wrong."""
    if len(raw) < HEADER.size or bytes(raw[:4]) != MAGIC:
        raise ImageError("not an image: it does not start with the bytes 00 77 6d 69")
    _, version, name, digest, start, size, count, _ = HEADER.unpack_from(raw)
    if version != VERSION:
        raise ImageError(f"image format {version}, this runtime reads {VERSION}: compile it again")
    if start % PAGE or start + size > len(raw) or start < HEADER.size:
        raise ImageError("the image is truncated or its header is damaged")
    if verify and _digest(raw[HEADER.size :]) != digest:
        raise ImageError("the image's hash does not match its contents: it is damaged")
    return Layout(
        name.rstrip(b"\0").decode("ascii", "replace"),
        _symbols(raw, start, size, count),
        start,
        size,
    )


def _symbols(raw: bytes | memoryview, end: int, size: int, count: int) -> dict[str, int]:
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
    return symbols
