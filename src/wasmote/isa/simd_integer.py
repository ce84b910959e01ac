"""Vector instructions on lanes of integers (spec: Execution, Vector Instructions)."""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.instruction import PREFIX_SIMD
from wasmote.isa.simd_shapes import (
    I8X16,
    I16X8,
    I32X4,
    I64X2,
    INT_SHAPES,
    V128,
    IntShape,
    VectorDefinitions,
)
from wasmote.nativepy import (
    add_sat,
    all_lanes,
    i32,
    inline,
    lane_bits,
    mask,
    popcnt,
    select,
    shuffle,
    splat,
    sub_sat,
    type_of,
    u32,
    vec,
)

_define = VectorDefinitions()


# -- meanings --------------------------------------------------------------------------------------


@inline
def _eq(a, b):
    return mask(type_of(a), a == b)


@inline
def _ne(a, b):
    return mask(type_of(a), a != b)


@inline
def _lt(a, b):
    return mask(type_of(a), a < b)


@inline
def _gt(a, b):
    return mask(type_of(a), a > b)


@inline
def _le(a, b):
    return mask(type_of(a), a <= b)


@inline
def _ge(a, b):
    return mask(type_of(a), a >= b)


@inline
def _abs(a):
    return select(a < 0, -a, a)


@inline
def _neg(a):
    return -a


@inline
def _popcnt(a):
    return popcnt(a)


@inline
def _all_true(a):
    return u32(all_lanes(a != 0))


@inline
def _bitmask(a):
    return lane_bits(a < 0)


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
def _add_sat(a, b):
    return add_sat(a, b)


@inline
def _sub_sat(a, b):
    return sub_sat(a, b)


@inline
def _min(a, b):
    return select(a < b, a, b)


@inline
def _max(a, b):
    return select(a > b, a, b)


# -- instructions ----------------------------------------------------------------------------------


def _comparisons(shape: IntShape, base: int) -> None:
    operations: list[tuple[str, str, Any]] = [("eq", "u", _eq), ("ne", "u", _ne)]
    for name, meaning in (("lt", _lt), ("gt", _gt), ("le", _le), ("ge", _ge)):
        for sign in "su" if shape is not I64X2 else "s":
            operations.append((f"{name}_{sign}", sign, meaning))
    for code, (name, sign, meaning) in enumerate(operations, base):
        kind, commutative = shape.vectors[sign], sign == "u" and name in ("eq", "ne")
        _define.binary(code, f"{shape.name}.{name}", kind, meaning, commutative)


def _shift(code: int, name: str, shape: IntShape, sign: str, left: bool) -> None:
    """The amount counts modulo the width of a lane."""
    kind, lane = shape.vectors[sign], shape.lanes[sign]

    @_define(PREFIX_SIMD | code, f"{shape.name}.{name}", (V128, ValueType.I32), (V128,))
    @inline
    def shift(a: kind, n: u32) -> kind:
        if left:
            return a << splat(kind, lane(n))
        return a >> splat(kind, lane(n))


def _arithmetic(shape: IntShape) -> None:
    """What every shape has, or all but one."""
    name, base, unsigned, signed = shape.name, shape.base, shape.vectors["u"], shape.vectors["s"]
    _define.unary(base, f"{name}.abs", signed, _abs)
    _define.unary(base + 1, f"{name}.neg", unsigned, _neg)
    _define.test(base + 3, f"{name}.all_true", unsigned, _all_true)
    _define.test(base + 4, f"{name}.bitmask", signed, _bitmask)
    _shift(base + 0x0B, "shl", shape, "u", left=True)
    _shift(base + 0x0C, "shr_s", shape, "s", left=False)
    _shift(base + 0x0D, "shr_u", shape, "u", left=False)
    _define.binary(base + 0x0E, f"{name}.add", unsigned, _add, commutative=True)
    _define.binary(base + 0x11, f"{name}.sub", unsigned, _sub)
    if shape is not I8X16:
        _define.binary(base + 0x15, f"{name}.mul", unsigned, _mul, commutative=True)
    if shape is not I64X2:
        for i, sign in enumerate("su"):
            kind = shape.vectors[sign]
            _define.binary(base + 0x16 + i, f"{name}.min_{sign}", kind, _min, commutative=True)
            _define.binary(base + 0x18 + i, f"{name}.max_{sign}", kind, _max, commutative=True)


def _small(shape: IntShape, wider: IntShape) -> None:
    """What only lanes of 8 and 16 bits have."""
    name, base = shape.name, shape.base
    for i, sign in enumerate("su"):
        kind = shape.vectors[sign]
        code = base + 0x0F + i
        _define.binary(code, f"{name}.add_sat_{sign}", kind, _add_sat, commutative=True)
        _define.binary(code + 3, f"{name}.sub_sat_{sign}", kind, _sub_sat)
        _narrow(base + 5 + i, shape, wider, sign)
    unsigned = shape.vectors["u"]
    wide = vec[wider.lanes["u"], shape.count]

    @inline
    def average(a, b):
        return unsigned((wide(a) + wide(b) + 1) >> 1)

    _define.binary(base + 0x1B, f"{name}.avgr_u", unsigned, average, commutative=True)


def _narrow(code: int, shape: IntShape, wider: IntShape, sign: str) -> None:
    """The lanes of two vectors, each the nearest that half the bits can hold."""
    kind = shape.vectors[sign]
    low, high = (-(1 << shape.bits - 1), (1 << shape.bits - 1) - 1)
    if sign == "u":
        low, high = 0, (1 << shape.bits) - 1
    lanes = tuple(range(shape.count))

    @inline
    def narrow(a, b):
        both = shuffle(a, b, lanes)
        both = select(both < low, splat(type_of(both), low), both)
        both = select(both > high, splat(type_of(both), high), both)
        return kind(both)

    name = f"{shape.name}.narrow_{wider.name}_{sign}"
    _define.binary(code, name, wider.vectors["s"], narrow)


def _widening(shape: IntShape, narrow: IntShape) -> None:
    """Lanes of twice the bits: made from the lower or the upper half, or from neighbours."""
    for i, sign in enumerate("su"):
        kind, wide = narrow.vectors[sign], shape.vectors[sign]
        for j, half in enumerate(("low", "high")):
            _extend(shape, narrow, kind, wide, half, sign, 2 * i + j)
    if shape is not I64X2:
        for i, sign in enumerate("su"):
            add = pairwise(shape, sign)
            code = 0x7C + 2 * (shape is I32X4) + i
            name = f"{shape.name}.extadd_pairwise_{narrow.name}_{sign}"
            _define.unary(code, name, shape.vectors[sign], add)


def _extend(
    shape: IntShape, narrow: IntShape, kind: Any, wide: Any, half: str, sign: str, position: int
) -> None:
    first = shape.count if half == "high" else 0
    lanes = tuple(range(first, first + shape.count))

    @inline
    def extend(a):
        return wide(shuffle(a, a, lanes))

    @inline
    def multiply(a, b):
        return extend(a) * extend(b)

    name = f"{half}_{narrow.name}_{sign}"
    _define.unary(shape.base + 7 + position, f"{shape.name}.extend_{name}", kind, extend)
    code = shape.base + 0x1C + position
    _define.binary(code, f"{shape.name}.extmul_{name}", kind, multiply, commutative=True)


def pairwise(shape: IntShape, sign: str) -> Any:
    """Adds the two lanes of half the bits in each lane: they are shifted to full width, no more."""
    half = shape.bits // 2

    @inline
    def add(a):
        return ((a << half) >> half) + (a >> half)

    return add


_WIDE_PRODUCTS = vec[i32, 8]


@inline
def _q15mulr_sat(a, b):
    """Fixed point: the only product that does not fit is -1 * -1."""
    product = ((_WIDE_PRODUCTS(a) * _WIDE_PRODUCTS(b) >> 14) + 1) >> 1
    rounded = I16X8.vectors["s"](product)
    return rounded ^ mask(I16X8.vectors["s"], rounded == -0x8000)


@inline
def _dot(a, b):
    products = _WIDE_PRODUCTS(a) * _WIDE_PRODUCTS(b)
    return shuffle(products, products, (0, 2, 4, 6)) + shuffle(products, products, (1, 3, 5, 7))


for _shape, _base in ((I8X16, 0x23), (I16X8, 0x2D), (I32X4, 0x37), (I64X2, 0xD6)):
    _comparisons(_shape, _base)
for _shape in INT_SHAPES:
    _arithmetic(_shape)
_small(I8X16, I16X8)
_small(I16X8, I32X4)
_define.unary(0x62, "i8x16.popcnt", I8X16.vectors["u"], _popcnt)
_widening(I16X8, I8X16)
_widening(I32X4, I16X8)
_widening(I64X2, I32X4)
_define.binary(0x82, "i16x8.q15mulr_sat_s", I16X8.vectors["s"], _q15mulr_sat, commutative=True)
_define.binary(0xBA, "i32x4.dot_i16x8_s", I16X8.vectors["s"], _dot, commutative=True)

INSTRUCTIONS = _define.instructions
