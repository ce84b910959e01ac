"""Wide arithmetic: integers of 128 bits as pairs of i64, the low half first.

With two results each: the semantics writes them to `results`.
"""

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC, Definitions
from wasmote.nativepy import i64, inline, ptr, u64

_PAIR = (ValueType.I64, ValueType.I64)
_wide = Definitions("wide", Feature.WIDE_ARITHMETIC)
_LOW_HALF = 0xFFFF_FFFF


@_wide(PREFIX_MISC | 19, "i64.add128", _PAIR + _PAIR, _PAIR)
@inline
def add(results: ptr[u64], a_low: u64, a_high: u64, b_low: u64, b_high: u64):
    low = a_low + b_low
    results[0] = low
    results[1] = a_high + b_high + u64(low < a_low)


@_wide(PREFIX_MISC | 20, "i64.sub128", _PAIR + _PAIR, _PAIR)
@inline
def sub(results: ptr[u64], a_low: u64, a_high: u64, b_low: u64, b_high: u64):
    results[0] = a_low - b_low
    results[1] = a_high - b_high - u64(a_low < b_low)


@inline
def multiply(results: ptr[u64], a: u64, b: u64):
    """Unsigned, from products of 32-bit halves: not every target multiplies more at once."""
    a_low, a_high, b_low, b_high = a & _LOW_HALF, a >> 32, b & _LOW_HALF, b >> 32
    low, outer, inner = a_low * b_low, a_low * b_high, a_high * b_low
    middle = (low >> 32) + (outer & _LOW_HALF) + (inner & _LOW_HALF)
    results[0] = (low & _LOW_HALF) | (middle << 32)
    results[1] = a_high * b_high + (outer >> 32) + (inner >> 32) + (middle >> 32)


@_wide(PREFIX_MISC | 21, "i64.mul_wide_s", _PAIR, _PAIR)
@inline
def mul_s(results: ptr[u64], a: u64, b: u64):
    multiply(results, a, b)
    # Taken as unsigned, a negative factor is 2**64 too large.
    if i64(a) < 0:
        results[1] = results[1] - b
    if i64(b) < 0:
        results[1] = results[1] - a


@_wide(PREFIX_MISC | 22, "i64.mul_wide_u", _PAIR, _PAIR)
@inline
def mul_u(results: ptr[u64], a: u64, b: u64):
    multiply(results, a, b)


INSTRUCTIONS = _wide.instructions
