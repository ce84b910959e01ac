"""What generated code is made of: value types, constants, and the instructions to choose from."""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fuzz.binary import signed, unsigned
from wasmote.core.status import ValueType
from wasmote.isa import INSTRUCTIONS, Feature, Instruction

I32, I64, F32, F64, V128 = (ValueType[n] for n in ("I32", "I64", "F32", "F64", "V128"))
FUNCREF, EXTERNREF = ValueType.FUNCREF, ValueType.EXTERNREF
#: What the first functions of every module, imported ones, show to the host.
LOGGED = (I32, I64, F32, F64)
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
    values: list[Instruction] = field(default_factory=list)  # from operands to one result
    loads: list[Instruction] = field(default_factory=list)
    stores: list[Instruction] = field(default_factory=list)
    atomics: list[Instruction] = field(default_factory=list)

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
            elif i.semantics is not None and len(i.results) == 1:
                self.values.append(i)

    @property
    def types(self) -> list[ValueType]:
        """Types of locals and operands, the usual ones more often."""
        found = [I32, I32, I32, I64, I64, F32, F64, F64]
        if Feature.REFERENCE_TYPES in self.features:
            found += [FUNCREF, EXTERNREF]
        return found + [V128, V128] * (Feature.SIMD in self.features)


def constant(kind: ValueType, rng: random.Random, functions: Sequence[int] = ()) -> bytes:
    """An instruction that pushes a constant; a funcref is one of `functions`, or null."""
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
        case ValueType.FUNCREF if functions and rng.random() < 0.6:
            return b"\xd2" + unsigned(rng.choice(functions))
    return b"\xd0" + bytes([kind])
