"""The container of native code: a header, tables of symbols and sections, code, and sections of
data.

All numbers are little-endian.

    offset size
    0      4    magic, 00 'w' 'm' 'i'
    4      4    version of this format
    8      32   target name, padded with zeros
    40     32   SHA-256 of the image without these 32 bytes
    72     4    bytes of the image; only a signature may follow (`signature`)
    76     4    offset of the code in the file (a multiple of 64; on AArch64 of 4096)
    80     4    bytes of code, read-only data included
    84     4    number of symbols
    88     4    number of sections
    92          symbols: u32 offset in the code, u16 length, name in UTF-8
                sections: u32 offset in the file, u32 size, u16 length, name in UTF-8
"""

import struct

from .signature import content_size

MAGIC = b"\0wmi"
VERSION = 4
#: The largest alignment that anything in the code may have.
ALIGNMENT = 64
#: Pages of AArch64, whose code finds data by the page and the place in it.
_PAGE = 4096
HEADER = struct.Struct("<4sI32s32sIIIII")
#: Where the hash is, which it cannot cover itself.
HASH = slice(40, 72)
#: The largest image: what offsets of 32 bits reach.
_LARGEST = (1 << 32) - 1
#: Bytes that Python's own SHA-256 takes less time for than loading OpenSSL's does.
_SMALL = 1 << 19


TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any


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
        """The file's bytes. Raises ImageError for more than 4 GiB."""
        symbols = [(name.encode(), offset) for name, offset in sorted(self.symbols.items())]
        sections = [(name.encode(), data) for name, data in sorted(self.sections.items())]
        table = b"".join(struct.pack("<IH", offset, len(name)) + name for name, offset in symbols)
        front = HEADER.size + len(table) + sum(10 + len(name) for name, _ in sections)
        start = -(-front // alignment(self.target)) * alignment(self.target)
        parts = [self.code]
        end = start + len(self.code)
        for name, data in sections:
            padding = -end % 16
            table += struct.pack("<IIH", end + padding, len(data), len(name)) + name
            parts += [b"\0" * padding, data]
            end += padding + len(data)
        if end > _LARGEST:
            raise ImageError(f"the image would have {end} bytes, more than 4 GiB")
        counts = end, start, len(self.code), len(symbols), len(sections)
        header = HEADER.pack(MAGIC, VERSION, self.target.encode(), b"", *counts)
        raw = bytearray().join([(header + table).ljust(start, b"\0"), *parts])
        raw[HASH] = digest(raw)
        return bytes(raw)


class Layout:
    """What the front of an image file says; sizes and offsets in bytes.

    `size` is that of the image, without a signature; `digest` the hash that it should have.
    `sections` has each section's offset in the file and its size, and the tables of both end at
    `tables_end`.
    """

    __slots__ = (
        "code_offset",
        "code_size",
        "digest",
        "sections",
        "size",
        "symbols",
        "tables_end",
        "target",
    )

    def __init__(self, target: str, digest: bytes, size: int, code: tuple[int, int]) -> None:
        self.target, self.digest, self.size = target, digest, size
        self.code_offset, self.code_size = code
        self.symbols: dict[str, int] = {}
        self.sections: dict[str, tuple[int, int]] = {}
        self.tables_end = HEADER.size


def alignment(target: str) -> int:
    """What the offset of a target's code is a multiple of, in a file and in memory."""
    return _PAGE if target.startswith("aarch64") else ALIGNMENT


def digest(raw: bytes | bytearray | memoryview) -> bytes:
    """The hash of an image: of all its bytes but those of the hash itself."""
    view = memoryview(raw)
    hasher = _hasher(len(view))
    hasher.update(view[: HASH.start])
    hasher.update(view[HASH.stop :])
    found: bytes = hasher.digest()
    return found


def _hasher(size: int) -> "Any":
    from importlib import import_module

    names = ("_sha2", "_sha256", "hashlib") if size < _SMALL else ("hashlib",)
    for name in names:
        try:
            return import_module(name).sha256()
        except ImportError:  # it is called so in other versions of Python
            continue
    raise ImageError("this Python has no SHA-256")


def parse(raw: bytes | memoryview, verify: bool = True) -> Layout:
    """Check an image's bytes and read its front; `ImageError` says what is wrong.

    A signature behind the image is passed over, not checked. Without `verify` the hash is not,
    either, so only the front is looked at.
    """
    if len(raw) < HEADER.size or bytes(raw[:4]) != MAGIC:
        raise ImageError("not an image: it does not start with the bytes 00 77 6d 69")
    _, version, name, found, size, start, code_size, count, sections = HEADER.unpack_from(raw)
    if version != VERSION:
        raise ImageError(f"image format {version}, this runtime reads {VERSION}: compile it again")
    if len(raw) < size:
        raise ImageError(f"the image is truncated: it has {len(raw)} bytes of {size}")
    target = name.rstrip(b"\0").decode("ascii", "replace")
    misplaced = start % alignment(target) or start < HEADER.size
    if misplaced or size < start or code_size > size - start:
        raise ImageError("the image's header is damaged")
    if len(raw) != size and content_size(raw) != size:
        raise ImageError("there is something behind the image that is no signature")
    if verify and digest(memoryview(raw)[:size]) != found:
        raise ImageError("the image's hash does not match its contents: it is damaged")
    layout = Layout(target, found, size, (start, code_size))
    layout.symbols, position = _symbols(raw, start, code_size, count)
    _read_sections(raw, position, layout, sections)
    return layout


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


def _read_sections(raw: bytes | memoryview, position: int, layout: Layout, count: int) -> None:
    front, code_end = layout.code_offset, layout.code_offset + layout.code_size
    for _ in range(count):
        if position + 10 > front:
            raise ImageError("the image's section table is damaged")
        offset, size, length = struct.unpack_from("<IIH", raw, position)
        name = bytes(raw[position + 10 : position + 10 + length])
        position += 10 + length
        if position > front or offset < code_end or offset + size > layout.size:
            raise ImageError("the image's section table is damaged")
        layout.sections[name.decode("utf-8", "replace")] = offset, size
    layout.tables_end = position
