"""Numbers and strings of DWARF sections."""

from collections.abc import Mapping

#: Contents of sections by name, such as `.debug_line`.
Sections = Mapping[str, bytes]


class DwarfError(Exception):
    """Debug information is damaged, or of a kind that is not known; says what."""


class Reader:
    """A position in the bytes of a section; little-endian.

    `wide` says whether offsets have 8 bytes (the 64-bit format), else they have 4.
    """

    __slots__ = ("data", "pos", "wide")

    def __init__(self, data: bytes, pos: int = 0, wide: bool = False) -> None:
        self.data, self.pos, self.wide = data, pos, wide

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        start = self.pos
        self.pos = end = start + size
        if end > len(self.data) or start < 0:
            raise DwarfError(f"a number at {start:#x} is beyond the end")
        return int.from_bytes(self.data[start:end], "little")

    def byte(self) -> int:
        pos = self.pos
        if not 0 <= pos < len(self.data):
            raise DwarfError(f"a byte at {pos:#x} is beyond the end")
        self.pos = pos + 1
        return self.data[pos]

    def offset(self) -> int:
        """An offset in a section."""
        return self.number(8 if self.wide else 4)

    def unsigned(self) -> int:
        """An unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 70:
                raise DwarfError(f"a number at {self.pos:#x} has more than 64 bits")

    def signed(self) -> int:
        """A signed LEB128 number."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if byte & 0x40 else value
            if shift > 70:
                raise DwarfError(f"a number at {self.pos:#x} has more than 64 bits")

    def raw(self, size: int) -> bytes:
        """So many bytes as they are."""
        start = self.pos
        self.pos = start + size
        if self.pos > len(self.data) or size < 0:
            raise DwarfError(f"{size} bytes at {start:#x} are beyond the end")
        return self.data[start : self.pos]

    def string(self) -> str:
        """A string that ends in a zero byte."""
        end = self.data.find(b"\0", self.pos)
        if end < 0:
            raise DwarfError(f"a string at {self.pos:#x} has no end")
        raw = self.data[self.pos : end]
        self.pos = end + 1
        return raw.decode("utf-8", "replace")

    def length(self) -> int:
        """The length at the start of a unit, which says whether offsets are wide; returns the
        position after the unit.
        """
        size = self.number(4)
        self.wide = size == 0xFFFF_FFFF
        if self.wide:
            size = self.number(8)
        if self.pos + size > len(self.data):
            raise DwarfError(f"a unit at {self.pos:#x} is longer than its section")
        return self.pos + size


def string_at(sections: Sections, section: str, offset: int) -> str:
    """A string of a section of strings."""
    return Reader(sections.get(section, b""), offset).string()
