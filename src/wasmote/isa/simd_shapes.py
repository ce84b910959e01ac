"""What the vector instructions share: the lane shapes, and how one is defined from its meaning.

A v128 is 16 bytes; each instruction sees them as the vector type that its semantics names, lane 0
at the lowest address. Meanings are inline functions without types, so that one text serves every
shape.
"""

from dataclasses import dataclass
from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_SIMD, Definitions
from wasmote.nativepy import (
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    inline,
    u8,
    u16,
    u32,
    u64,
    vec,
)

V128 = ValueType.V128
#: All 16 bytes, for what does not care for lanes.
BYTES = vec[u8, 16]


@dataclass(frozen=True)
class IntShape:
    """Lanes of integers. `vectors` and `lanes` are the types by sign, "s" or "u"."""

    name: str
    bits: int
    vectors: dict[str, Any]
    lanes: dict[str, Any]
    #: Sub-opcode of `abs`; the others follow in the same order in every shape.
    base: int

    @property
    def count(self) -> int:
        """How many lanes there are."""
        return 128 // self.bits


@dataclass(frozen=True)
class FloatShape:
    """Lanes of floating-point numbers, and the vector of their bits."""

    name: str
    bits: int
    vector: Any
    pattern: Any
    lane: Any


def _int_shape(name: str, signed: Any, unsigned: Any, base: int) -> IntShape:
    bits = signed.bits
    vectors = {"s": vec[signed, 128 // bits], "u": vec[unsigned, 128 // bits]}
    return IntShape(name, bits, vectors, {"s": signed, "u": unsigned}, base)


I8X16 = _int_shape("i8x16", i8, u8, 0x60)
I16X8 = _int_shape("i16x8", i16, u16, 0x80)
I32X4 = _int_shape("i32x4", i32, u32, 0xA0)
I64X2 = _int_shape("i64x2", i64, u64, 0xC0)
INT_SHAPES = (I8X16, I16X8, I32X4, I64X2)
F32X4 = FloatShape("f32x4", 32, vec[f32, 4], vec[u32, 4], f32)
F64X2 = FloatShape("f64x2", 64, vec[f64, 2], vec[u64, 2], f64)
FLOAT_SHAPES = (F32X4, F64X2)


class VectorDefinitions(Definitions):
    """Collects vector instructions; each method defines one whose meaning is a generic function."""

    def __init__(self, feature: Feature = Feature.SIMD) -> None:
        super().__init__("vector", feature)

    def unary(self, code: int, name: str, kind: Any, meaning: Any) -> None:
        """[v128] -> [v128]; `meaning` gets a vector of type `kind` and may return any."""

        @self(PREFIX_SIMD | code, name, (V128,), (V128,))
        @inline
        def one(a: kind):
            return meaning(a)

    def binary(
        self, code: int, name: str, kind: Any, meaning: Any, commutative: bool = False
    ) -> None:
        """[v128 v128] -> [v128]"""

        @self(PREFIX_SIMD | code, name, (V128, V128), (V128,), commutative=commutative)
        @inline
        def two(a: kind, b: kind):
            return meaning(a, b)

    def ternary(self, code: int, name: str, kind: Any, meaning: Any) -> None:
        """[v128 v128 v128] -> [v128]"""

        @self(PREFIX_SIMD | code, name, (V128, V128, V128), (V128,))
        @inline
        def three(a: kind, b: kind, c: kind):
            return meaning(a, b, c)

    def test(self, code: int, name: str, kind: Any, meaning: Any) -> None:
        """[v128] -> [i32]"""

        @self(PREFIX_SIMD | code, name, (V128,), (ValueType.I32,))
        @inline
        def about(a: kind) -> u32:
            return meaning(a)
