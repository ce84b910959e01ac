"""Vector instructions on lanes of floating-point numbers, and conversions of lanes.

NaNs are treated as in the instructions on single numbers; see `floating`.
"""

from typing import Any

from wasmote.isa.simd_shapes import (
    F32X4,
    F64X2,
    FloatShape,
    VectorDefinitions,
)
from wasmote.nativepy import (
    bitcast,
    ceil,
    f32,
    f64,
    fabs,
    float_to_int_sat,
    floor,
    i32,
    inline,
    mask,
    nearest,
    select,
    shuffle,
    splat,
    sqrt,
    trunc,
    type_of,
    u32,
    vec,
)

_define = VectorDefinitions()


@inline
def _ceil(a):
    return ceil(a)


@inline
def _floor(a):
    return floor(a)


@inline
def _trunc(a):
    return trunc(a)


@inline
def _nearest(a):
    return nearest(a)


@inline
def _abs(a):
    return fabs(a)


@inline
def _neg(a):
    return -a


@inline
def _sqrt(a):
    return sqrt(a)


@inline
def _add(a, b):
    return a + b


@inline
def _sub(a, b):
    return a - b


@inline
def _mul(a, b):
    return a * b


@inline
def _div(a, b):
    return a / b


@inline
def _pmin(a, b):
    return select(b < a, b, a)


@inline
def _pmax(a, b):
    return select(a < b, b, a)


def _comparisons(shape: FloatShape, base: int) -> None:
    pattern = shape.pattern

    @inline
    def eq(a, b):
        return mask(pattern, a == b)

    @inline
    def ne(a, b):
        return mask(pattern, a != b)

    @inline
    def lt(a, b):
        return mask(pattern, a < b)

    @inline
    def gt(a, b):
        return mask(pattern, a > b)

    @inline
    def le(a, b):
        return mask(pattern, a <= b)

    @inline
    def ge(a, b):
        return mask(pattern, a >= b)

    for i, (name, meaning) in enumerate(
        (("eq", eq), ("ne", ne), ("lt", lt), ("gt", gt), ("le", le), ("ge", ge))
    ):
        _define.binary(base + i, f"{shape.name}.{name}", shape.vector, meaning, i < 2)


def minimum_and_maximum(shape: FloatShape) -> tuple[Any, Any]:
    """`min` and `max`: a NaN wins, and a minus wins (`min`) or loses (`max`) among zeros."""
    kind, pattern = shape.vector, shape.pattern

    @inline
    def minimum(a, b):
        signed_zero = bitcast(kind, bitcast(pattern, a) | bitcast(pattern, b))
        number = select(a < b, a, select(a > b, b, signed_zero))
        return select(_ordered(a, b), number, a + b)  # the sum with a NaN is quiet

    @inline
    def maximum(a, b):
        signed_zero = bitcast(kind, bitcast(pattern, a) & bitcast(pattern, b))
        number = select(a > b, a, select(a < b, b, signed_zero))
        return select(_ordered(a, b), number, a + b)

    return minimum, maximum


@inline
def _ordered(a, b):
    """Where neither is a NaN."""
    return (a == a) & (b == b)


def _arithmetic(shape: FloatShape, base: int, rounding: tuple[int, int, int, int]) -> None:
    """`rounding`: the sub-opcodes of ceil, floor, trunc and nearest."""
    name, kind = shape.name, shape.vector
    minimum, maximum = minimum_and_maximum(shape)
    for code, operation, meaning in zip(
        rounding,
        ("ceil", "floor", "trunc", "nearest"),
        (_ceil, _floor, _trunc, _nearest),
        strict=True,
    ):
        _define.unary(code, f"{name}.{operation}", kind, meaning)
    _define.unary(base, f"{name}.abs", kind, _abs)
    _define.unary(base + 1, f"{name}.neg", kind, _neg)
    _define.unary(base + 3, f"{name}.sqrt", kind, _sqrt)
    _define.binary(base + 4, f"{name}.add", kind, _add, commutative=True)
    _define.binary(base + 5, f"{name}.sub", kind, _sub)
    _define.binary(base + 6, f"{name}.mul", kind, _mul, commutative=True)
    _define.binary(base + 7, f"{name}.div", kind, _div)
    _define.binary(base + 8, f"{name}.min", kind, minimum, commutative=True)
    _define.binary(base + 9, f"{name}.max", kind, maximum, commutative=True)
    _define.binary(base + 10, f"{name}.pmin", kind, _pmin)
    _define.binary(base + 11, f"{name}.pmax", kind, _pmax)


# -- conversions -----------------------------------------------------------------------------------

_PAIR, _QUAD = vec[f64, 2], vec[f32, 4]


@inline
def _with_zeros(a):
    """Two lanes of 32 bits, then two zeros."""
    return shuffle(a, splat(type_of(a), 0), (0, 1, 2, 3))


@inline
def _demote(a):
    return _with_zeros(vec[f32, 2](a))


@inline
def _promote(a):
    return _PAIR(shuffle(a, a, (0, 1)))


def _integers(sign: str, position: int) -> None:
    lane = i32 if sign == "s" else u32
    pair, quad = vec[lane, 2], vec[lane, 4]

    @inline
    def truncate(a):
        return float_to_int_sat(quad, a)

    @inline
    def truncate_pair(a):
        return _with_zeros(float_to_int_sat(pair, a))

    @inline
    def convert(a):
        return _QUAD(a)

    @inline
    def convert_pair(a):
        return _PAIR(shuffle(a, a, (0, 1)))

    _define.unary(0xF8 + position, f"i32x4.trunc_sat_f32x4_{sign}", _QUAD, truncate)
    _define.unary(0xFA + position, f"f32x4.convert_i32x4_{sign}", quad, convert)
    _define.unary(0xFC + position, f"i32x4.trunc_sat_f64x2_{sign}_zero", _PAIR, truncate_pair)
    _define.unary(0xFE + position, f"f64x2.convert_low_i32x4_{sign}", quad, convert_pair)


_comparisons(F32X4, 0x41)
_comparisons(F64X2, 0x47)
_arithmetic(F32X4, 0xE0, (0x67, 0x68, 0x69, 0x6A))
_arithmetic(F64X2, 0xEC, (0x74, 0x75, 0x7A, 0x94))
_define.unary(0x5E, "f32x4.demote_f64x2_zero", _PAIR, _demote)
_define.unary(0x5F, "f64x2.promote_low_f32x4", _QUAD, _promote)
_integers("s", 0)
_integers("u", 1)

INSTRUCTIONS = _define.instructions
