"""Conversions between number types (spec: Execution, Conversions)."""

import math
from typing import Any

from wasmote.core.status import TrapCode, ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC, Definitions
from wasmote.nativepy import (
    bitcast,
    f32,
    f64,
    i32,
    i64,
    inline,
    trap_if,
    u32,
    u64,
)

_I32, _I64, _F32, _F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
#: The nativepy types behind a name of the text format: unsigned, signed (floats: twice the same).
_UNSIGNED: dict[str, Any] = {"i32": u32, "i64": u64, "f32": f32, "f64": f64}
_SIGNED: dict[str, Any] = {"i32": i32, "i64": i64, "f32": f32, "f64": f64}
_VALUE_TYPES = {"i32": _I32, "i64": _I64, "f32": _F32, "f64": _F64}
_define = Definitions("convert")
_saturating = Definitions("convert", Feature.SATURATING_CONVERSION)


def _below(minimum: int, float_bits: int) -> float:
    """The largest float that truncates to less than `minimum`: 0 or a negative power of 2."""
    if minimum == 0:
        return -1.0
    # Just beyond a power of two, floats are 2 ** (exponent - fraction bits) apart, but not less
    # than 1 matters: what lies between two integers truncates to the inner one.
    fraction_bits = 23 if float_bits == 32 else 52
    exponent = int(math.log2(-minimum))
    return float(minimum - max(1, 1 << max(0, exponent - fraction_bits)))


def _cast(opcode: int, name: str, source: str, result: str, frm: Any, to: Any) -> None:
    """A conversion that nativepy's own conversion of the type `frm` to the type `to` defines."""

    @_define(opcode, name, (_VALUE_TYPES[source],), (_VALUE_TYPES[result],))
    @inline
    def cast(a: frm) -> to:
        return to(a)


def _range(width: int, sign: str) -> tuple[int, int]:
    """The smallest integer, and the one above the largest."""
    return (-(1 << width - 1), 1 << width - 1) if sign == "s" else (0, 1 << width)


@inline
def _is_nan(a):
    return a != a


def _truncate(opcode: int, source: str, result: str, sign: str) -> None:
    frm = _UNSIGNED[source]
    to = (_SIGNED if sign == "s" else _UNSIGNED)[result]
    low, high = _range(int(result[1:]), sign)
    below, above = _below(low, int(source[1:])), float(high)
    name = f"{result}.trunc_{source}_{sign}"

    @_define(opcode, name, (_VALUE_TYPES[source],), (_VALUE_TYPES[result],))
    @inline
    def truncate(a: frm) -> to:
        trap_if(_is_nan(a), TrapCode.INVALID_CONVERSION)
        trap_if(a <= below or a >= above, TrapCode.INTEGER_OVERFLOW)
        return to(a)


def _saturate(code: int, source: str, result: str, sign: str) -> None:
    frm = _UNSIGNED[source]
    to = (_SIGNED if sign == "s" else _UNSIGNED)[result]
    low, high = _range(int(result[1:]), sign)
    below, above, largest = _below(low, int(source[1:])), float(high), high - 1
    name = f"{result}.trunc_sat_{source}_{sign}"

    @_saturating(PREFIX_MISC | code, name, (_VALUE_TYPES[source],), (_VALUE_TYPES[result],))
    @inline
    def saturate(a: frm) -> to:
        if _is_nan(a):
            return 0
        if a <= below:
            return low
        if a >= above:
            return largest
        return to(a)


def _reinterpret(opcode: int, source: str, result: str) -> None:
    frm, to = _UNSIGNED[source], _UNSIGNED[result]
    name = f"{result}.reinterpret_{source}"

    @_define(opcode, name, (_VALUE_TYPES[source],), (_VALUE_TYPES[result],))
    @inline
    def reinterpret(a: frm) -> to:
        return bitcast(to, a)


_cast(0xA7, "i32.wrap_i64", "i64", "i32", u64, u32)
_cast(0xAC, "i64.extend_i32_s", "i32", "i64", i32, i64)
_cast(0xAD, "i64.extend_i32_u", "i32", "i64", u32, u64)
_cast(0xB6, "f32.demote_f64", "f64", "f32", f64, f32)
_cast(0xBB, "f64.promote_f32", "f32", "f64", f32, f64)

for _i, (_source, _sign) in enumerate((f, s) for f in ("f32", "f64") for s in ("s", "u")):
    _truncate(0xA8 + _i, _source, "i32", _sign)
    _truncate(0xAE + _i, _source, "i64", _sign)
    _saturate(0 + _i, _source, "i32", _sign)
    _saturate(4 + _i, _source, "i64", _sign)

for _i, (_source, _sign) in enumerate((n, s) for n in ("i32", "i64") for s in ("s", "u")):
    _integer = (_SIGNED if _sign == "s" else _UNSIGNED)[_source]
    _cast(0xB2 + _i, f"f32.convert_{_source}_{_sign}", _source, "f32", _integer, f32)
    _cast(0xB7 + _i, f"f64.convert_{_source}_{_sign}", _source, "f64", _integer, f64)

_reinterpret(0xBC, "f32", "i32")
_reinterpret(0xBD, "f64", "i64")
_reinterpret(0xBE, "i32", "f32")
_reinterpret(0xBF, "i64", "f64")

INSTRUCTIONS = _define.instructions + _saturating.instructions
