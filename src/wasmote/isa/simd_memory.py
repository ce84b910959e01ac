"""Loads and stores of vectors and of single lanes; see `memory` for what their semantics get.

Those of single lanes also get the vector and the number of the lane.
"""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_SIMD, Definitions, Immediate
from wasmote.isa.simd_shapes import BYTES, I8X16, I16X8, I32X4, I64X2, INT_SHAPES, V128, IntShape
from wasmote.nativepy import (
    i32,
    inline,
    lane,
    load_le,
    ptr,
    splat,
    store_le,
    u8,
    u32,
    vec,
    with_lane,
)

_I32 = ValueType.I32
_MEMARG = (Immediate.MEMARG,)
_MEMARG_LANE = (Immediate.MEMARG, Immediate.LANE)
_load = Definitions("load", Feature.SIMD)
_store = Definitions("store", Feature.SIMD)
_load_lane = Definitions("load lane", Feature.SIMD)
_store_lane = Definitions("store lane", Feature.SIMD)


def _extending(code: int, shape: IntShape, narrow: IntShape, sign: str) -> None:
    """Half a vector, whose lanes are extended to twice the bits."""
    held, kind = vec[narrow.lanes[sign], shape.count], shape.vectors[sign]
    name = f"v128.load{narrow.bits}x{shape.count}_{sign}"

    @_load(PREFIX_SIMD | code, name, (_I32,), (V128,), immediates=_MEMARG, access=8)
    @inline
    def extend(p: ptr[u8]) -> kind:
        return kind(load_le(held, p))


def _splat(code: int, shape: IntShape) -> None:
    kind, held, access = shape.vectors["u"], shape.lanes["u"], shape.bits // 8
    name = f"v128.load{shape.bits}_splat"

    @_load(PREFIX_SIMD | code, name, (_I32,), (V128,), immediates=_MEMARG, access=access)
    @inline
    def fill(p: ptr[u8]) -> kind:
        return splat(kind, load_le(held, p))


def _zero(code: int, shape: IntShape) -> None:
    """One lane; the others are zero."""
    kind, held, access = shape.vectors["u"], shape.lanes["u"], shape.bits // 8
    name = f"v128.load{shape.bits}_zero"

    @_load(PREFIX_SIMD | code, name, (_I32,), (V128,), immediates=_MEMARG, access=access)
    @inline
    def first(p: ptr[u8]) -> kind:
        return with_lane(splat(kind, 0), 0, load_le(held, p))


def _lanes(code: int, shape: IntShape) -> None:
    kind, held, access = shape.vectors["u"], shape.lanes["u"], shape.bits // 8
    options: dict[str, Any] = {"immediates": _MEMARG_LANE, "access": access}
    name = f"v128.load{shape.bits}_lane"

    @_load_lane(PREFIX_SIMD | code, name, (_I32, V128), (V128,), **options)
    @inline
    def replace(p: ptr[u8], a: kind, i: u32) -> kind:
        return with_lane(a, i32(i), load_le(held, p))

    name = f"v128.store{shape.bits}_lane"

    @_store_lane(PREFIX_SIMD | code + 4, name, (_I32, V128), (), **options)
    @inline
    def extract(p: ptr[u8], a: kind, i: u32):
        store_le(p, lane(a, i32(i)))


@_load(PREFIX_SIMD | 0x00, "v128.load", (_I32,), (V128,), immediates=_MEMARG, access=16)
@inline
def load_(p: ptr[u8]) -> BYTES:
    return load_le(BYTES, p)


@_store(PREFIX_SIMD | 0x0B, "v128.store", (_I32, V128), (), immediates=_MEMARG, access=16)
@inline
def store_(p: ptr[u8], x: BYTES):
    store_le(p, x)


for _i, (_shape, _narrow) in enumerate(((I16X8, I8X16), (I32X4, I16X8), (I64X2, I32X4))):
    _extending(0x01 + 2 * _i, _shape, _narrow, "s")
    _extending(0x02 + 2 * _i, _shape, _narrow, "u")
for _i, _shape in enumerate(INT_SHAPES):
    _splat(0x07 + _i, _shape)
    _lanes(0x54 + _i, _shape)
_zero(0x5C, I32X4)
_zero(0x5D, I64X2)

INSTRUCTIONS = (
    _load.instructions + _store.instructions + _load_lane.instructions + _store_lane.instructions
)
