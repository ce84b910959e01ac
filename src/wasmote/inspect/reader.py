"""Reads the elements of the binary format (spec: Binary Format, Values)."""

from wasmote.errors import DecodeError
from wasmote.types import (
    PAGE_SIZE,
    GlobalType,
    MemoryType,
    RefType,
    TableType,
    ValType,
    value_type,
)

# Bits of the limits of tables and memories.
_HAS_MAXIMUM = 0x01
_SHARED = 0x02
_INDEX_64 = 0x04
_PAGE_SIZE = 0x08
_REF_NULL, _REF = 0x63, 0x64


class Reader:
    """A position in `binary`, and the `end` that reading stops at; reads may raise DecodeError."""

    __slots__ = ("binary", "end", "pos")

    def __init__(self, binary: bytes, pos: int = 0, end: int | None = None) -> None:
        self.binary = binary
        self.pos = pos
        self.end = len(binary) if end is None else end

    def fail(self, message: str) -> DecodeError:
        """An error for the current position."""
        return DecodeError(message, self.pos)

    @property
    def at_end(self) -> bool:
        """Whether everything is read."""
        return self.pos >= self.end

    def part(self, size: int) -> "Reader":
        """A reader of the next `size` bytes, which this one skips."""
        start = self.pos
        self.skip(size)
        return Reader(self.binary, start, self.pos)

    def skip(self, size: int) -> None:
        """Leave out bytes."""
        if size > self.end - self.pos:
            raise self.fail(f"unexpected end: {size} bytes announced, {self.end - self.pos} left")
        self.pos += size

    def bytes(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.pos
        self.skip(size)
        return self.binary[start : self.pos]

    def byte(self) -> int:
        """The next byte."""
        self.skip(1)
        return self.binary[self.pos - 1]

    def peek(self) -> int:
        """The next byte, which stays the next one."""
        self.skip(1)
        self.pos -= 1
        return self.binary[self.pos]

    def u32(self) -> int:
        """An unsigned LEB128 integer of at most 32 bits."""
        return self._leb(32)

    def unsigned(self, bits: int) -> int:
        """An unsigned LEB128 integer of at most so many bits."""
        return self._leb(bits)

    def signed(self, bits: int) -> int:
        """A signed LEB128 integer of at most so many bits."""
        start = self.pos
        value = self._leb(bits)
        width = min(7 * (self.pos - start), 64)
        sign = 1 << (width - 1)
        return (value ^ sign) - sign

    def _leb(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value & ((1 << 64) - 1)
            if shift >= bits:
                raise self.fail("integer representation too long")

    def count(self) -> int:
        """The length of a vector; each element takes a byte at least."""
        count = self.u32()
        if count > self.end - self.pos:
            raise self.fail(
                f"length out of bounds: {count} elements, {self.end - self.pos} bytes left"
            )
        return count

    def name(self) -> str:
        """A UTF-8 string with its length before it."""
        data = self.bytes(self.u32())
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.fail("malformed UTF-8 encoding") from None

    def value_type(self) -> ValType | RefType:
        """A value type."""
        byte = self.byte()
        if byte in (_REF_NULL, _REF):
            return self.heap_type(byte == _REF_NULL)
        try:
            return value_type(byte)
        except KeyError:
            raise self.fail(f"malformed value type {byte:#04x}") from None

    def heap_type(self, nullable: bool = True) -> ValType | RefType:
        """The reference type for the heap type that follows."""
        number = self.signed(33)
        if number >= 0:
            return RefType(number, nullable, "func")
        try:
            found = value_type(number & 0x7F)
        except KeyError:
            raise self.fail(f"malformed heap type {number & 0x7F:#04x}") from None
        if not found.is_reference:
            raise self.fail(f"malformed heap type {number & 0x7F:#04x}")
        return found if nullable else RefType(str(found).removesuffix("ref"), False)

    def value_types(self) -> tuple[ValType | RefType, ...]:
        """A vector of value types."""
        return tuple([self.value_type() for _ in range(self.count())])

    def limits(self, flags: int) -> tuple[int, int | None, bool]:
        """Minimum, maximum if there is one, and whether indices have 64 bits."""
        if flags & ~(_HAS_MAXIMUM | _INDEX_64):
            raise self.fail(f"malformed limits flags {flags:#04x}")
        minimum = self.unsigned(64)
        maximum = self.unsigned(64) if flags & _HAS_MAXIMUM else None
        return minimum, maximum, bool(flags & _INDEX_64)

    def table_type(self) -> TableType:
        """A table type."""
        return TableType(self.value_type(), *self.limits(self.byte()))

    def memory_type(self) -> MemoryType:
        """A memory type."""
        flags = self.byte()
        limits = self.limits(flags & ~(_PAGE_SIZE | _SHARED))
        page_size = 1 << min(self.u32(), 64) if flags & _PAGE_SIZE else PAGE_SIZE
        return MemoryType(*limits, page_size, bool(flags & _SHARED))

    def global_type(self) -> GlobalType:
        """A global type."""
        return GlobalType(self.value_type(), bool(self.byte()))
