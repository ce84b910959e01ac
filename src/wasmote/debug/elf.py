"""Writes ELF files of 64 bits: the least that a debugger or a dynamic linker needs."""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
_IDENTITY = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
DYN = 3
PROGBITS, SYMTAB, STRTAB, HASH, DYNAMIC, NOBITS, DYNSYM = 1, 2, 3, 5, 6, 8, 11
WRITE, ALLOC, EXECUTE = 1, 2, 4
FUNCTION, OBJECT, GLOBAL = 2, 1, 0x10


@dataclass(slots=True)
class Section:
    """A section; its place in the file is `offset`, or after the one before. One without data has
    `size` bytes in memory only.
    """

    name: str
    type: int
    data: bytes = b""
    flags: int = 0
    address: int = 0
    size: int = 0
    link: int = 0
    info: int = 0
    entry: int = 0
    offset: int | None = None


class Strings:
    """A table of strings that end in a zero byte; the empty one is at 0."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def add(self, text: str) -> int:
        """The offset of a string that is put there."""
        place = len(self.data)
        self.data += text.encode() + b"\0"
        return place


@dataclass(slots=True)
class Segment:
    """A part of the file that is mapped: kind, permissions, place in the file and in memory."""

    type: int
    flags: int
    offset: int
    size: int


def write(machine: int, sections: list[Section], segments: tuple[Segment, ...] = ()) -> bytes:
    """An ELF file (of type DYN). The section of section names is added."""
    names = Strings()
    numbers = [names.add(section.name) for section in sections]
    last = names.add(".shstrtab")
    sections = [*sections, Section(".shstrtab", STRTAB, bytes(names.data))]
    out = bytearray(_HEADER.size + _PROGRAM.size * len(segments))
    table = [bytes(_SECTION.size)]
    for section, name in zip(sections, [*numbers, last], strict=True):
        start = section.offset if section.offset is not None else len(out) + -len(out) % 16
        out += b"\0" * (start - len(out)) + section.data
        size = section.size or len(section.data)
        table.append(
            _SECTION.pack(
                name, section.type, section.flags, section.address, start, size,
                section.link, section.info, 16, section.entry,
            )
        )  # fmt: skip
    out += b"\0" * (-len(out) % 16)
    programs = _HEADER.size if segments else 0
    header = _HEADER.pack(
        _IDENTITY, DYN, machine, 1, 0, programs, len(out), 0, _HEADER.size,
        _PROGRAM.size, len(segments), _SECTION.size, len(table), len(table) - 1,
    )  # fmt: skip
    out[: _HEADER.size] = header
    for i, each in enumerate(segments):
        _PROGRAM.pack_into(
            out, _HEADER.size + i * _PROGRAM.size, each.type, each.flags, each.offset,
            each.offset, each.offset, each.size, each.size, 4096,
        )  # fmt: skip
    return bytes(out) + b"".join(table)
