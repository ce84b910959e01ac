"""Instructions: one reader for each kind of immediate, driven by the definitions in `isa`."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from wasmote.inspect.reader import Reader
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.isa.exceptions import CatchKind
from wasmote.types import RefType, ValType

_PREFIXES = frozenset(opcode >> 16 for opcode in INSTRUCTIONS) - {0}
_EMPTY_BLOCK = -0x40
#: Set in the alignment of a load or store: a memory index follows.
_MEMORY_INDEX_FLAG = 64


@dataclass(slots=True)
class Decoded:
    """An instruction in a function's body or a constant expression.

    An immediate is an integer, a tuple (`LABEL_TABLE`, `MEMARG`, `LANES`, `VALUE_TYPES`,
    `CATCHES`), a type (`REF_TYPE`), or the bits of a float. A block type is None, a value type,
    or the index of a type.
    """

    offset: int
    instruction: Instruction
    immediates: tuple[Any, ...]


def instructions(reader: Reader) -> Iterator[Decoded]:
    """The instructions up to the end of `reader`. Raises DecodeError."""
    while not reader.at_end:
        yield instruction(reader)


def instruction(reader: Reader) -> Decoded:
    """The next instruction. Raises DecodeError."""
    offset = reader.pos
    opcode = reader.byte()
    if opcode in _PREFIXES:
        # A number of more bits must not run over into another prefix.
        opcode = opcode << 16 | min(reader.u32(), 0xFFFF)
    definition = INSTRUCTIONS.get(opcode)
    if definition is None:
        reader.pos = offset
        raise reader.fail(f"illegal opcode {opcode:#x}")
    immediates = tuple(_READERS[each](reader) for each in definition.immediates)
    return Decoded(offset, definition, immediates)


def declarations(reader: Reader) -> list[tuple[int, ValType | RefType]]:
    """Read the locals that a body starts with: how many, and of which type."""
    return [(reader.u32(), reader.value_type()) for _ in range(reader.count())]


def _block_type(reader: Reader) -> ValType | RefType | int | None:
    start = reader.pos
    number = reader.signed(33)
    if number == _EMPTY_BLOCK:
        return None
    if number >= 0:
        return number
    reader.pos = start
    return reader.value_type()


def _labels(reader: Reader) -> tuple[int, ...]:
    return tuple([reader.u32() for _ in range(reader.count() + 1)])


def _memarg(reader: Reader) -> tuple[int, int, int]:
    """log2 of the alignment, offset, memory."""
    alignment = reader.u32()
    memory = reader.u32() if alignment & _MEMORY_INDEX_FLAG else 0
    return alignment & ~_MEMORY_INDEX_FLAG, reader.unsigned(64), memory


_INDICES = (
    Immediate.LABEL,
    Immediate.FUNCTION,
    Immediate.TYPE,
    Immediate.TYPE_INDEX,
    Immediate.FIELD,
    Immediate.COUNT,
    Immediate.CAST,
    Immediate.TABLE,
    Immediate.LOCAL,
    Immediate.GLOBAL,
    Immediate.MEMORY,
    Immediate.DATA,
    Immediate.ELEMENT,
    Immediate.TAG,
)


def _catches(reader: Reader) -> tuple[tuple[int, int | None, int], ...]:
    """Kind, tag if the kind has one, label."""
    return tuple([_catch(reader) for _ in range(reader.count())])


def _catch(reader: Reader) -> tuple[int, int | None, int]:
    kind = reader.byte()
    if kind > CatchKind.CATCH_ALL_REF:
        raise reader.fail(f"malformed catch clause {kind:#04x}")
    return kind, reader.u32() if kind < CatchKind.CATCH_ALL else None, reader.u32()


_READERS: dict[Immediate, Callable[[Reader], Any]] = {
    Immediate.BLOCK_TYPE: _block_type,
    Immediate.LABEL_TABLE: _labels,
    Immediate.CATCHES: _catches,
    Immediate.MEMARG: _memarg,
    Immediate.I32: lambda reader: reader.signed(32),
    Immediate.I64: lambda reader: reader.signed(64),
    Immediate.F32: lambda reader: struct.unpack("<I", reader.bytes(4))[0],
    Immediate.F64: lambda reader: struct.unpack("<Q", reader.bytes(8))[0],
    Immediate.V128: lambda reader: int.from_bytes(reader.bytes(16), "little"),
    Immediate.LANE: Reader.byte,
    Immediate.ZERO: Reader.byte,
    Immediate.LANES: lambda reader: tuple(reader.bytes(16)),
    Immediate.REF_TYPE: Reader.heap_type,
    Immediate.VALUE_TYPES: Reader.value_types,
    **dict.fromkeys(_INDICES, Reader.u32),
}


def skip_expression(reader: Reader) -> Reader:
    """Pass over a constant expression; returns a reader of it, without its `end`."""
    start = reader.pos
    while instruction(reader).instruction.name != "end":
        pass
    return Reader(reader.binary, start, reader.pos - 1)
