"""Reads the ELF object files that LLVM writes, of either class and byte order: sections, symbols
and relocations.
"""

import struct
from dataclasses import dataclass

from .format import ImageError

SYMTAB, RELA, REL = 2, 4, 9
#: Flags of sections.
WRITABLE, LOADED = 1, 2
GLOBAL = 1
#: e_machine.
I386, MIPS, ARM, X86_64, XTENSA, AARCH64, RISCV = 3, 8, 40, 62, 94, 183, 243


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
        if raw[:4] != b"\x7fELF" or raw[4] not in (1, 2) or raw[5] not in (1, 2):
            raise ImageError("not an ELF object")
        self.wide = raw[4] == 2
        self.order = "<" if raw[5] == 1 else ">"
        view = memoryview(raw)
        word = "Q" if self.wide else "I"
        self.machine = struct.unpack_from(f"{self.order}H", raw, 18)[0]
        (start,) = struct.unpack_from(self.order + word, raw, 40 if self.wide else 32)
        size, count, names = struct.unpack_from(f"{self.order}HHH", raw, 58 if self.wide else 46)
        header = struct.Struct(f"{self.order}II{word * 4}II{word * 2}")
        headers = [header.unpack_from(raw, start + i * size) for i in range(count)]
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
        entries = struct.iter_unpack(
            f"{self.order}{'IBBHQQ' if self.wide else 'IIIBBH'}", table.data
        )
        found = []
        for entry in entries:
            if self.wide:
                name, info, _, section, value, size = entry
            else:
                name, value, size, info, _, section = entry
            found.append(Symbol(_text(strings, name), section, value, size, info >> 4 == GLOBAL))
        return found

    def relocations(self, section: Section) -> list[tuple[int, int, int, int | None]]:
        """Offset, kind, number of the symbol and addend of each in a section of them.

        Without an addend (None) it is what the place holds.
        """
        shift, mask, word = (32, 0xFFFF_FFFF, "Q") if self.wide else (8, 0xFF, "I")
        if section.type == REL:
            pairs = struct.iter_unpack(self.order + word * 2, section.data)
            return [(offset, info & mask, info >> shift, None) for offset, info in pairs]
        triples = struct.iter_unpack(self.order + word * 2 + word.lower(), section.data)
        return [(offset, info & mask, info >> shift, addend) for offset, info, addend in triples]


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
