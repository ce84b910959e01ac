"""Reads the 64-bit ELF object files that LLVM writes: sections, symbols and relocations."""

import struct
from dataclasses import dataclass

from .format import ImageError

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
SYMTAB, RELA = 2, 4
#: Flags of sections.
WRITABLE, LOADED = 1, 2
GLOBAL = 1


@dataclass(slots=True)
class Section:
    """A section; `data` is empty for one that takes no room in the file."""

    name: str
    type: int
    flags: int
    size: int
    align: int
    link: int
    info: int
    data: memoryview


@dataclass(slots=True)
class Symbol:
    """A symbol: `section` is an index (0: undefined), `value` an offset in it."""

    name: str
    section: int
    value: int
    size: int
    is_global: bool


class Object:
    """An object file. Raises ImageError for what is none."""

    def __init__(self, raw: bytes) -> None:
        if raw[:6] != b"\x7fELF\x02\x01":
            raise ImageError("not a little-endian 64-bit ELF object")
        view = memoryview(raw)
        (start,) = struct.unpack_from("<Q", raw, 40)
        size, count, names = struct.unpack_from("<HHH", raw, 58)
        headers = [_SECTION.unpack_from(raw, start + i * size) for i in range(count)]
        strings = _part(view, headers[names])
        self.sections = [
            Section(_text(strings, h[0]), h[1], h[2], h[5], h[8], h[6], h[7], _part(view, h))
            for h in headers
        ]
        self.symbols = self._symbols()

    def _symbols(self) -> list[Symbol]:
        table = next((s for s in self.sections if s.type == SYMTAB), None)
        if table is None:
            return []
        strings = self.sections[table.link].data
        return [
            Symbol(_text(strings, name), section, value, size, info >> 4 == GLOBAL)
            for name, info, _, section, value, size in _SYMBOL.iter_unpack(table.data)
        ]

    def relocations(self, section: Section) -> list[tuple[int, int, int, int]]:
        """Offset, kind, number of the symbol and addend of each in a section of them."""
        return [
            (offset, info & 0xFFFF_FFFF, info >> 32, addend)
            for offset, info, addend in _RELOCATION.iter_unpack(section.data)
        ]


def _part(view: memoryview, header: tuple[int, ...]) -> memoryview:
    """A section's contents; NOBITS has none."""
    return view[0:0] if header[1] == 8 else view[header[4] : header[4] + header[5]]


def _text(strings: memoryview, offset: int) -> str:
    raw = bytes(strings[offset : offset + 256])
    end = raw.find(b"\0")
    while end < 0:
        raw = bytes(strings[offset : offset + 2 * len(raw)])
        end = raw.find(b"\0")
    return raw[:end].decode()
