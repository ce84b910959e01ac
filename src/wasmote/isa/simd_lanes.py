"""Vector instructions that make vectors and take them apart, and those on all 128 bits at once.

A lane number arrives as the last operand of the semantics, the 16 of a shuffle as a vector.
"""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.instruction import PREFIX_SIMD, Immediate
from wasmote.isa.simd_shapes import (
    BYTES,
    F32X4,
    F64X2,
    I8X16,
    I16X8,
    I32X4,
    I64X2,
    V128,
    VectorDefinitions,
)
from wasmote.nativepy import all_lanes, i32, inline, lane, splat, swizzle, u32, u64, vec, with_lane

_define = VectorDefinitions()
_HALVES = vec[u64, 2]
_LANE = (Immediate.LANE,)


# -- lanes -----------------------------------------------------------------------------------------


def _extract(code: int, name: str, kind: Any, value: ValueType, wide: Any) -> None:
    """`wide` is the type that the lane is extended to."""

    @_define(PREFIX_SIMD | code, f"{name}", (V128,), (value,), immediates=_LANE)
    @inline
    def extract(a: kind, i: u32) -> wide:
        return wide(lane(a, i32(i)))


def _replace(code: int, name: str, kind: Any, value: ValueType, wide: Any) -> None:
    narrow = kind.element

    @_define(PREFIX_SIMD | code, f"{name}.replace_lane", (V128, value), (V128,), immediates=_LANE)
    @inline
    def replace(a: kind, x: wide, i: u32) -> kind:
        return with_lane(a, i32(i), narrow(x))


def _splat(code: int, name: str, kind: Any, value: ValueType, wide: Any) -> None:
    narrow = kind.element

    @_define(PREFIX_SIMD | code, f"{name}.splat", (value,), (V128,))
    @inline
    def splat_(x: wide) -> kind:
        return splat(kind, narrow(x))


for _i, (_name, _kind, _value, _wide) in enumerate(
    (
        ("i8x16", I8X16.vectors["u"], ValueType.I32, u32),
        ("i16x8", I16X8.vectors["u"], ValueType.I32, u32),
        ("i32x4", I32X4.vectors["u"], ValueType.I32, u32),
        ("i64x2", I64X2.vectors["u"], ValueType.I64, u64),
        ("f32x4", F32X4.vector, ValueType.F32, F32X4.lane),
        ("f64x2", F64X2.vector, ValueType.F64, F64X2.lane),
    )
):
    _splat(0x0F + _i, _name, _kind, _value, _wide)
    if _i >= 2:
        _extract(0x1B + 2 * (_i - 2), f"{_name}.extract_lane", _kind, _value, _wide)
        _replace(0x1C + 2 * (_i - 2), _name, _kind, _value, _wide)
    else:
        _replace(0x17 + 3 * _i, _name, _kind, _value, _wide)
for _i, _shape in enumerate((I8X16, I16X8)):
    for _j, (_sign, _wide) in enumerate((("s", i32), ("u", u32))):
        _name = f"{_shape.name}.extract_lane_{_sign}"
        _extract(0x15 + 3 * _i + _j, _name, _shape.vectors[_sign], ValueType.I32, _wide)


# -- bytes -----------------------------------------------------------------------------------------


@_define(PREFIX_SIMD | 0x0D, "i8x16.shuffle", (V128, V128), (V128,), immediates=(Immediate.LANES,))
@inline
def shuffle_(a: BYTES, b: BYTES, lanes: BYTES) -> BYTES:
    # Numbers of the other vector's lanes are out of range for each, and so give 0.
    return swizzle(a, lanes) | swizzle(b, lanes ^ 16)


@inline
def swizzle_(a, b):
    return swizzle(a, b)


# -- bits ------------------------------------------------------------------------------------------


@inline
def _not(a):
    return ~a


@inline
def _and(a, b):
    return a & b


@inline
def _andnot(a, b):
    return a & ~b


@inline
def _or(a, b):
    return a | b


@inline
def _xor(a, b):
    return a ^ b


@inline
def bitselect(a, b, c):
    """Bits of `a` where `c` has ones, of `b` where it has zeros."""
    return (a & c) | (b & ~c)


@inline
def _any_true(a):
    return u32(not all_lanes(a == 0))


_define.add(PREFIX_SIMD | 0x0C, "v128.const", (), (V128,), immediates=(Immediate.V128,))
_define.binary(0x0E, "i8x16.swizzle", BYTES, swizzle_)
_define.unary(0x4D, "v128.not", _HALVES, _not)
_define.binary(0x4E, "v128.and", _HALVES, _and, commutative=True)
_define.binary(0x4F, "v128.andnot", _HALVES, _andnot)
_define.binary(0x50, "v128.or", _HALVES, _or, commutative=True)
_define.binary(0x51, "v128.xor", _HALVES, _xor, commutative=True)
_define.ternary(0x52, "v128.bitselect", _HALVES, bitselect)
_define.test(0x53, "v128.any_true", BYTES, _any_true)

INSTRUCTIONS = _define.instructions
