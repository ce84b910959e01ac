"""What generated code is made of: value types, constants, and the instructions to choose from."""

import random
import struct
from dataclasses import dataclass, field

from tests.fuzz.binary import Kind, Ref, Shape, heap, signed, unsigned
from wasmote.core.status import ValueType
from wasmote.isa import INSTRUCTIONS, Feature, Instruction

I32, I64, F32, F64, V128 = (ValueType[n] for n in ("I32", "I64", "F32", "F64", "V128"))
FUNCREF, EXTERNREF = ValueType.FUNCREF, ValueType.EXTERNREF
ANYREF, EQREF, I31REF = ValueType.ANYREF, ValueType.EQREF, ValueType.I31REF
STRUCTREF, ARRAYREF = ValueType.STRUCTREF, ValueType.ARRAYREF
EXNREF = ValueType.EXNREF
#: What the first functions of every module, imported ones, show to the host.
LOGGED = (I32, I64, F32, F64)
NUMBERS = (*LOGGED, V128)
_INTEGERS = [
    *(0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 255, 256, 65535, 65536),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**52, 2**53 + 1, 0x123456789ABC),
]
_FLOATS = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.0, 1e-40, 1e-310, 1e10, -1e10, 1e30, 1e300),
    *(2147483647.0, 2147483648.0, 4294967296.0, 9.2e18, 1.8446744073709552e19, float("inf")),
]


@dataclass
class Choices:
    """The instructions that bodies may use."""

    features: frozenset[Feature]
    values: list[Instruction] = field(default_factory=list)  # from operands to one or two results
    loads: list[Instruction] = field(default_factory=list)
    stores: list[Instruction] = field(default_factory=list)
    atomics: list[Instruction] = field(default_factory=list)
    #: Reference types that the module has of its own.
    references: list[Kind] = field(default_factory=list)

    def __post_init__(self) -> None:
        for i in INSTRUCTIONS.values():
            if i.feature not in self.features or i.params is None or i.results is None:
                continue
            if i.family == "atomic" or i.name == "memory.atomic.notify":
                self.atomics.append(i)
            elif i.family == "atomic wait":
                continue  # only of shared memories
            elif i.access:
                (self.loads if i.results else self.stores).append(i)
            elif i.semantics is not None and len(i.results) in (1, 2):
                self.values.append(i)

    def has(self, feature: Feature) -> bool:
        return feature in self.features

    @property
    def types(self) -> list[Kind]:
        """Types of locals and operands, the usual ones more often."""
        found: list[Kind] = [I32, I32, I32, I64, I64, F32, F64, F64, *self.references]
        if Feature.REFERENCE_TYPES in self.features:
            found += [FUNCREF, EXTERNREF]
        return found + [V128, V128] * (Feature.SIMD in self.features)


def constant(kind: Kind, rng: random.Random, shape: Shape) -> bytes:
    """An instruction or two that push a constant; a function is one that may be called."""
    match kind:
        case ValueType.I32 | ValueType.I64:
            bits = 32 if kind == I32 else 64
            value = rng.choice(_INTEGERS) * rng.choice((1, 1, -1)) % 2**bits
            opcode = b"\x41" if kind == I32 else b"\x42"
            return opcode + signed(value - (value >> bits - 1 << bits))
        case ValueType.F32 | ValueType.F64:
            value = rng.choice(_FLOATS) * rng.choice((1, -1))
            if kind == F64:
                return b"\x44" + struct.pack("<d", value)
            return b"\x43" + struct.pack("<f", value if abs(value) < 1e38 else float("inf"))
        case ValueType.V128:
            return b"\xfd\x0c" + rng.randbytes(16)
    made = _reference(kind, rng, shape) if rng.random() < 0.6 else None
    return made or b"\xd0" + heap(kind)


def _reference(kind: Kind, rng: random.Random, shape: Shape) -> bytes | None:
    """A constant that is not null; None if there is none."""
    if kind in (ANYREF, EQREF, I31REF):
        return constant(I32, rng, shape) + b"\xfb\x1c"
    functions = shape.callees
    if isinstance(kind, Ref):
        if shape.aggregate(kind) is not None:
            return _default(kind.index, rng, shape)
        functions = [i for i in functions if shape.function_type_index(i) == kind.index]
    elif kind in (STRUCTREF, ARRAYREF):
        wanted = kind == ARRAYREF
        found = [i for i, each in enumerate(shape.aggregates) if each.is_array == wanted]
        return _default(len(shape.types) + rng.choice(found), rng, shape) if found else None
    elif kind != FUNCREF:
        return None
    return b"\xd2" + unsigned(rng.choice(functions)) if functions else None


def _default(index: int, rng: random.Random, shape: Shape) -> bytes:
    if shape.aggregates[index - len(shape.types)].is_array:
        return b"\x41" + signed(rng.randrange(6)) + b"\xfb\x07" + unsigned(index)
    return b"\xfb\x01" + unsigned(index)
