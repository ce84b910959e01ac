"""Floating-point instructions (spec: Execution, Floating-Point Operations).

One text gives both widths. Where an operand is a NaN, arithmetic gives a quiet NaN; `abs`, `neg`
and `copysign` only touch the sign bit. Rounding is to nearest, ties to even, always.
"""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.instruction import Definitions, Immediate, Instruction
from wasmote.nativepy import (
    bitcast,
    ceil,
    copysign,
    f32,
    f64,
    fabs,
    floor,
    inline,
    nearest,
    sqrt,
    trunc,
    u32,
    u64,
)


def _constants(width: int, value: ValueType) -> list[Instruction]:
    define = Definitions("constant")
    immediate = Immediate.F32 if width == 32 else Immediate.F64
    define.add(
        0x43 if width == 32 else 0x44, f"f{width}.const", (), (value,), immediates=(immediate,)
    )
    return define.instructions


def _comparisons(width: int, value: ValueType, number: Any) -> list[Instruction]:
    base = 0x5B if width == 32 else 0x61
    name = f"f{width}."
    two, truth = (value, value), (ValueType.I32,)
    compare = Definitions("compare")

    @compare(base, name + "eq", two, truth, commutative=True)
    @inline
    def eq(a: number, b: number) -> u32:
        return u32(a == b)

    @compare(base + 1, name + "ne", two, truth, commutative=True)
    @inline
    def ne(a: number, b: number) -> u32:
        return u32(a != b)

    @compare(base + 2, name + "lt", two, truth)
    @inline
    def lt(a: number, b: number) -> u32:
        return u32(a < b)

    @compare(base + 3, name + "gt", two, truth)
    @inline
    def gt(a: number, b: number) -> u32:
        return u32(a > b)

    @compare(base + 4, name + "le", two, truth)
    @inline
    def le(a: number, b: number) -> u32:
        return u32(a <= b)

    @compare(base + 5, name + "ge", two, truth)
    @inline
    def ge(a: number, b: number) -> u32:
        return u32(a >= b)

    return compare.instructions


def _unary(width: int, value: ValueType, number: Any) -> list[Instruction]:
    base = 0x8B if width == 32 else 0x99
    name = f"f{width}."
    one = (value,)
    define = Definitions("numeric")

    @define(base, name + "abs", one, one)
    @inline
    def absolute(a: number) -> number:
        return fabs(a)

    @define(base + 1, name + "neg", one, one)
    @inline
    def neg(a: number) -> number:
        return -a

    @define(base + 2, name + "ceil", one, one)
    @inline
    def round_up(a: number) -> number:
        return ceil(a)

    @define(base + 3, name + "floor", one, one)
    @inline
    def round_down(a: number) -> number:
        return floor(a)

    @define(base + 4, name + "trunc", one, one)
    @inline
    def round_to_zero(a: number) -> number:
        return trunc(a)

    @define(base + 5, name + "nearest", one, one)
    @inline
    def round_to_nearest(a: number) -> number:
        return nearest(a)

    @define(base + 6, name + "sqrt", one, one)
    @inline
    def square_root(a: number) -> number:
        return sqrt(a)

    return define.instructions


def _binary(width: int, value: ValueType, number: Any, bits: Any) -> list[Instruction]:
    base = 0x92 if width == 32 else 0xA0
    name = f"f{width}."
    one, two = (value,), (value, value)
    define = Definitions("numeric")

    @define(base, name + "add", two, one, commutative=True)
    @inline
    def add(a: number, b: number) -> number:
        return a + b

    @define(base + 1, name + "sub", two, one)
    @inline
    def sub(a: number, b: number) -> number:
        return a - b

    @define(base + 2, name + "mul", two, one, commutative=True)
    @inline
    def mul(a: number, b: number) -> number:
        return a * b

    @define(base + 3, name + "div", two, one)
    @inline
    def div(a: number, b: number) -> number:
        return a / b

    @define(base + 4, name + "min", two, one, commutative=True)
    @inline
    def minimum(a: number, b: number) -> number:
        if a < b:
            return a
        if a > b:
            return b
        if a == b:  # equal numbers differ at most in the sign of zero: a minus wins
            return bitcast(number, bitcast(bits, a) | bitcast(bits, b))
        return a + b  # a NaN, made quiet

    @define(base + 5, name + "max", two, one, commutative=True)
    @inline
    def maximum(a: number, b: number) -> number:
        if a > b:
            return a
        if a < b:
            return b
        if a == b:  # a plus wins
            return bitcast(number, bitcast(bits, a) & bitcast(bits, b))
        return a + b

    @define(base + 6, name + "copysign", two, one)
    @inline
    def copy_sign(a: number, b: number) -> number:
        return copysign(a, b)

    return define.instructions


def _floating(width: int, value: ValueType, number: Any, bits: Any) -> list[Instruction]:
    return (
        _constants(width, value)
        + _comparisons(width, value, number)
        + _unary(width, value, number)
        + _binary(width, value, number, bits)
    )


INSTRUCTIONS = _floating(32, ValueType.F32, f32, u32) + _floating(64, ValueType.F64, f64, u64)
