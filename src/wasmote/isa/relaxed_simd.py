"""Relaxed vector instructions, as the deterministic profile of the specification has them.

So a module computes the same on every machine. Most have the very meaning of a strict instruction
(spec: Appendix, Profiles; Execution, Relaxed Operations).
"""

from wasmote.isa import simd_floating, simd_integer, simd_lanes
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_SIMD
from wasmote.isa.simd_integer import pairwise
from wasmote.isa.simd_shapes import (
    FLOAT_SHAPES,
    I8X16,
    I16X8,
    I32X4,
    INT_SHAPES,
    VectorDefinitions,
)
from wasmote.nativepy import bitcast, inline

_define = VectorDefinitions(Feature.RELAXED_SIMD)
_STRICT = {
    i.name: i for family in (simd_integer, simd_floating, simd_lanes) for i in family.INSTRUCTIONS
}


def _as(code: int, name: str, strict: str) -> None:
    """A relaxed instruction that does what a strict one does."""
    model = _STRICT[strict]
    _define.add(
        PREFIX_SIMD | code,
        name,
        model.params,
        model.results,
        semantics=model.semantics,
        commutative=model.commutative,
    )


@inline
def _madd(a, b, c):
    return a * b + c  # rounded twice


@inline
def _nmadd(a, b, c):
    return (-a) * b + c


_BYTE_PAIRS = I16X8.vectors["s"]


@inline
def _dot(a, b):
    """Products of signed bytes, added by two; the sum of two wraps."""
    first, second = bitcast(_BYTE_PAIRS, a), bitcast(_BYTE_PAIRS, b)
    low = ((first << 8) >> 8) * ((second << 8) >> 8)
    return low + (first >> 8) * (second >> 8)


_add_pairs = pairwise(I32X4, "s")


@inline
def _dot_add(a, b, c):
    return _add_pairs(bitcast(I32X4.vectors["s"], _dot(a, b))) + bitcast(I32X4.vectors["s"], c)


_as(0x100, "i8x16.relaxed_swizzle", "i8x16.swizzle")
for _i, _sign in enumerate("su"):
    _as(0x101 + _i, f"i32x4.relaxed_trunc_f32x4_{_sign}", f"i32x4.trunc_sat_f32x4_{_sign}")
    _strict = f"i32x4.trunc_sat_f64x2_{_sign}_zero"
    _as(0x103 + _i, f"i32x4.relaxed_trunc_f64x2_{_sign}_zero", _strict)
for _i, _shape in enumerate(FLOAT_SHAPES):
    _define.ternary(0x105 + 2 * _i, f"{_shape.name}.relaxed_madd", _shape.vector, _madd)
    _define.ternary(0x106 + 2 * _i, f"{_shape.name}.relaxed_nmadd", _shape.vector, _nmadd)
    _as(0x10D + 2 * _i, f"{_shape.name}.relaxed_min", f"{_shape.name}.min")
    _as(0x10E + 2 * _i, f"{_shape.name}.relaxed_max", f"{_shape.name}.max")
for _i, _lanes in enumerate(INT_SHAPES):
    _as(0x109 + _i, f"{_lanes.name}.relaxed_laneselect", "v128.bitselect")
_as(0x111, "i16x8.relaxed_q15mulr_s", "i16x8.q15mulr_sat_s")
_define.binary(0x112, "i16x8.relaxed_dot_i8x16_i7x16_s", I8X16.vectors["s"], _dot)
_define.ternary(0x113, "i32x4.relaxed_dot_i8x16_i7x16_add_s", I8X16.vectors["s"], _dot_add)

INSTRUCTIONS = _define.instructions
