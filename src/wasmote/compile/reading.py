"""Reads a validated function body: numbers, types, and what dead code is made of."""

import struct
from collections.abc import Sequence

from wasmote.compile.types import FUNCTION_REFERENCE, REFERENCE, Defined, ir_type
from wasmote.core.value_types import Form
from wasmote.isa import INSTRUCTIONS, Immediate
from wasmote.isa.exceptions import CatchKind

#: Prefix bytes of opcodes.
PREFIXES = frozenset(opcode >> 16 for opcode in INSTRUCTIONS) - {0}
_BYTES = {
    Immediate.F32: 4,
    Immediate.F64: 8,
    Immediate.V128: 16,
    Immediate.LANE: 1,
    Immediate.LANES: 16,
}
_NEGATIVE = 0x40
_REFERENCES = (0x63, 0x64)


class Cursor:
    """A position in the code of a function."""

    __slots__ = ("code", "defined", "pos")

    def __init__(self, code: bytes, pos: int, defined: Sequence[Defined] = ()) -> None:
        self.code, self.pos, self.defined = code, pos, defined

    def unsigned(self) -> int:
        """An unsigned LEB128 number."""
        byte = self.code[self.pos]
        self.pos += 1
        if byte < 0x80:
            return byte
        value, shift = byte & 0x7F, 7
        while True:
            byte = self.code[self.pos]
            self.pos += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self) -> int:
        """A signed LEB128 number."""
        byte = self.code[self.pos]
        self.pos += 1
        value, shift = byte & 0x7F, 7
        while byte >= 0x80:
            byte = self.code[self.pos]
            self.pos += 1
            value |= (byte & 0x7F) << shift
            shift += 7
        return value - (1 << shift) if byte & _NEGATIVE else value

    def raw(self, size: int) -> bytes:
        """So many bytes as they are."""
        self.pos += size
        return self.code[self.pos - size : self.pos]

    def value_type(self) -> str:
        """A value type, as LLVM's."""
        byte = self.code[self.pos]
        self.pos += 1
        return self.heap_type() if byte in _REFERENCES else ir_type(byte)

    def heap_type(self) -> str:
        """The type of references to a heap type."""
        number = self.signed()
        if number < 0:
            return ir_type(number & 0x7F)
        form = self.defined[number].form
        return FUNCTION_REFERENCE if form == Form.FUNCTION else REFERENCE

    def opcode(self) -> int:
        """An opcode, prefix included."""
        byte = self.code[self.pos]
        self.pos += 1
        return byte << 16 | self.unsigned() if byte in PREFIXES else byte

    def memarg(self) -> tuple[int, int]:
        """Memory and offset of an access."""
        memory = self.unsigned() if self.unsigned() & 64 else 0
        return memory, self.unsigned()

    def catches(self) -> list[tuple[int, int, int]]:
        """The clauses of a try_table: kind, index of the tag, if there is one, and label."""
        clauses = []
        for _ in range(self.unsigned()):
            kind = self.unsigned()
            tag = self.unsigned() if kind < CatchKind.CATCH_ALL else -1
            clauses.append((kind, tag, self.unsigned()))
        return clauses

    def skip_immediates(self, opcode: int) -> None:
        """Pass over what follows an opcode."""
        for immediate in INSTRUCTIONS[opcode].immediates:
            match immediate:
                case Immediate.BLOCK_TYPE:
                    if self.code[self.pos] in _REFERENCES:
                        self.pos += 1
                    self.signed()
                case Immediate.LABEL_TABLE:
                    for _ in range(self.unsigned() + 1):
                        self.unsigned()
                case Immediate.VALUE_TYPES:
                    for _ in range(self.unsigned()):
                        self.value_type()
                case Immediate.CATCHES:
                    self.catches()
                case Immediate.MEMARG:
                    self.memarg()
                case _ if immediate in _BYTES:
                    self.pos += _BYTES[immediate]
                case _:
                    self.signed()


def float_text(raw: bytes) -> str | None:
    """LLVM's spelling of a float given as its bytes; None for a NaN, whose bits it may change."""
    value = struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
    if value != value:
        return None
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
