"""What a definition of an instruction consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature

#: Opcodes behind a prefix byte are written `PREFIX | sub-opcode`.
PREFIX_GC = 0xFB << 16
PREFIX_MISC = 0xFC << 16
PREFIX_SIMD = 0xFD << 16
PREFIX_ATOMIC = 0xFE << 16


class Immediate(Enum):
    """What follows an opcode in the binary format (spec: Binary Format, Instructions)."""

    BLOCK_TYPE = auto()  # s33: empty, a value type or a type index
    LABEL = auto()  # u32
    LABEL_TABLE = auto()  # vector of u32, then the default label
    FUNCTION = auto()  # u32
    TYPE = auto()  # u32
    TYPE_INDEX = auto()  # u32: a type that is its index in the text format too
    FIELD = auto()  # u32: of a structure
    CAST = auto()  # u32: bit 0 and 1: the two types that follow are nullable
    COUNT = auto()  # u32: how many operands
    TABLE = auto()  # u32
    LOCAL = auto()  # u32
    GLOBAL = auto()  # u32
    MEMORY = auto()  # u32
    DATA = auto()  # u32: data segment
    ELEMENT = auto()  # u32: element segment
    TAG = auto()  # u32
    CATCHES = auto()  # vector of clauses: a `CatchKind`, a tag if that has one, a label
    MEMARG = auto()  # u32 log2 of the alignment (+ 64: u32 memory), u64 offset
    I32 = auto()  # s32
    I64 = auto()  # s64
    F32 = auto()  # 4 bytes, little-endian
    F64 = auto()  # 8 bytes, little-endian
    V128 = auto()  # 16 bytes
    LANE = auto()  # 1 byte
    LANES = auto()  # 16 lane numbers
    REF_TYPE = auto()  # s33: the heap type of a nullable reference, abstract or a type index
    VALUE_TYPES = auto()  # vector of value types
    ZERO = auto()  # 1 byte that must be zero


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    `opcode` is the byte, or `prefix << 16 | sub-opcode`. `params` and `results` are None where the
    types depend on the context. `semantics` is an inline nativepy function from operands to result:
    integers arrive as unsigned or signed as its parameters say; a load gets the checked address
    (`ptr[u8]`), a store the address and the value; one with two results writes them to an array
    (`ptr[u64]`) that comes first; it leaves through `trap_if`. It is None where an
    engine defines the meaning. `access` is the number of bytes that a load or store touches, which
    is also its natural alignment; 0 for everything else.
    """

    opcode: int
    name: str
    family: str
    immediates: tuple[Immediate, ...] = ()
    params: tuple[ValueType, ...] | None = None
    results: tuple[ValueType, ...] | None = None
    semantics: Any = None
    access: int = 0
    commutative: bool = False
    feature: Feature = Feature.MVP

    @property
    def prefix(self) -> int:
        """The prefix byte, 0 for a one-byte opcode."""
        return self.opcode >> 16

    @property
    def code(self) -> int:
        """The opcode without its prefix."""
        return self.opcode & 0xFFFF

    def __str__(self) -> str:
        return self.name


class Definitions:
    """Collects a family's instructions; used as the decorator of their semantics.

    define = Definitions("numeric")

    @define(0x6A, "i32.add", (I32, I32), (I32,), commutative=True)
    @inline
    def add(a: u32, b: u32) -> u32:
        return a + b
    """

    def __init__(self, family: str, feature: Feature = Feature.MVP) -> None:
        self.family = family
        self.feature = feature
        self.instructions: list[Instruction] = []

    def add(
        self,
        opcode: int,
        name: str,
        params: tuple[ValueType, ...] | None = None,
        results: tuple[ValueType, ...] | None = None,
        **options: Any,
    ) -> None:
        """An instruction without semantics of its own."""
        options.setdefault("family", self.family)
        options.setdefault("feature", self.feature)
        made = Instruction(opcode, name, params=params, results=results, **options)
        self.instructions.append(made)

    def __call__(
        self,
        opcode: int,
        name: str,
        params: tuple[ValueType, ...],
        results: tuple[ValueType, ...],
        **options: Any,
    ) -> Callable[[Any], Any]:
        """Decorator: the function below is the instruction's semantics."""

        def define(semantics: Any) -> Any:
            self.add(opcode, name, params, results, semantics=semantics, **options)
            return semantics

        return define
