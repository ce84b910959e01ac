"""Integer instructions; one text gives both widths (spec: Execution, Integer Operations)."""

from typing import Any

from wasmote.core.status import TrapCode, ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import Definitions, Immediate, Instruction
from wasmote.nativepy import (
    clz,
    ctz,
    i8,
    i16,
    i32,
    i64,
    inline,
    popcnt,
    rotl,
    rotr,
    sdiv,
    srem,
    trap_if,
    u32,
    u64,
)


def _constants(width: int, value: ValueType) -> list[Instruction]:
    define = Definitions("constant")
    immediate = Immediate.I32 if width == 32 else Immediate.I64
    define.add(
        0x41 if width == 32 else 0x42, f"i{width}.const", (), (value,), immediates=(immediate,)
    )
    return define.instructions


def _comparisons(width: int, value: ValueType, unsigned: Any, signed: Any) -> list[Instruction]:
    base = 0x45 if width == 32 else 0x50
    name = f"i{width}."
    one, two, truth = (value,), (value, value), (ValueType.I32,)
    test = Definitions("test")
    compare = Definitions("compare")

    @test(base, name + "eqz", one, truth)
    @inline
    def eqz(a: unsigned) -> u32:
        return u32(a == 0)

    @compare(base + 1, name + "eq", two, truth, commutative=True)
    @inline
    def eq(a: unsigned, b: unsigned) -> u32:
        return u32(a == b)

    @compare(base + 2, name + "ne", two, truth, commutative=True)
    @inline
    def ne(a: unsigned, b: unsigned) -> u32:
        return u32(a != b)

    @compare(base + 3, name + "lt_s", two, truth)
    @inline
    def lt_s(a: signed, b: signed) -> u32:
        return u32(a < b)

    @compare(base + 4, name + "lt_u", two, truth)
    @inline
    def lt_u(a: unsigned, b: unsigned) -> u32:
        return u32(a < b)

    @compare(base + 5, name + "gt_s", two, truth)
    @inline
    def gt_s(a: signed, b: signed) -> u32:
        return u32(a > b)

    @compare(base + 6, name + "gt_u", two, truth)
    @inline
    def gt_u(a: unsigned, b: unsigned) -> u32:
        return u32(a > b)

    @compare(base + 7, name + "le_s", two, truth)
    @inline
    def le_s(a: signed, b: signed) -> u32:
        return u32(a <= b)

    @compare(base + 8, name + "le_u", two, truth)
    @inline
    def le_u(a: unsigned, b: unsigned) -> u32:
        return u32(a <= b)

    @compare(base + 9, name + "ge_s", two, truth)
    @inline
    def ge_s(a: signed, b: signed) -> u32:
        return u32(a >= b)

    @compare(base + 10, name + "ge_u", two, truth)
    @inline
    def ge_u(a: unsigned, b: unsigned) -> u32:
        return u32(a >= b)

    return test.instructions + compare.instructions


def _arithmetic(width: int, value: ValueType, unsigned: Any, signed: Any) -> list[Instruction]:
    base = 0x67 if width == 32 else 0x79
    name = f"i{width}."
    one, two = (value,), (value, value)
    minimum = -(1 << (width - 1))
    define = Definitions("numeric")

    @define(base, name + "clz", one, one)
    @inline
    def count_leading_zeros(a: unsigned) -> unsigned:
        return clz(a)

    @define(base + 1, name + "ctz", one, one)
    @inline
    def count_trailing_zeros(a: unsigned) -> unsigned:
        return ctz(a)

    @define(base + 2, name + "popcnt", one, one)
    @inline
    def count_ones(a: unsigned) -> unsigned:
        return popcnt(a)

    @define(base + 3, name + "add", two, one, commutative=True)
    @inline
    def add(a: unsigned, b: unsigned) -> unsigned:
        return a + b

    @define(base + 4, name + "sub", two, one)
    @inline
    def sub(a: unsigned, b: unsigned) -> unsigned:
        return a - b

    @define(base + 5, name + "mul", two, one, commutative=True)
    @inline
    def mul(a: unsigned, b: unsigned) -> unsigned:
        return a * b

    @define(base + 6, name + "div_s", two, one)
    @inline
    def div_s(a: signed, b: signed) -> signed:
        trap_if(b == 0, TrapCode.DIVIDE_BY_ZERO)
        trap_if(a == minimum and b == -1, TrapCode.INTEGER_OVERFLOW)
        return sdiv(a, b)

    @define(base + 7, name + "div_u", two, one)
    @inline
    def div_u(a: unsigned, b: unsigned) -> unsigned:
        trap_if(b == 0, TrapCode.DIVIDE_BY_ZERO)
        return a // b

    @define(base + 8, name + "rem_s", two, one)
    @inline
    def rem_s(a: signed, b: signed) -> signed:
        trap_if(b == 0, TrapCode.DIVIDE_BY_ZERO)
        # The smallest number over -1 has a quotient that does not fit; machines fault on it.
        return srem(a, b) if b != -1 else 0

    @define(base + 9, name + "rem_u", two, one)
    @inline
    def rem_u(a: unsigned, b: unsigned) -> unsigned:
        trap_if(b == 0, TrapCode.DIVIDE_BY_ZERO)
        return a % b

    @define(base + 10, name + "and", two, one, commutative=True)
    @inline
    def bitwise_and(a: unsigned, b: unsigned) -> unsigned:
        return a & b

    @define(base + 11, name + "or", two, one, commutative=True)
    @inline
    def bitwise_or(a: unsigned, b: unsigned) -> unsigned:
        return a | b

    @define(base + 12, name + "xor", two, one, commutative=True)
    @inline
    def bitwise_xor(a: unsigned, b: unsigned) -> unsigned:
        return a ^ b

    @define(base + 13, name + "shl", two, one)
    @inline
    def shl(a: unsigned, b: unsigned) -> unsigned:
        return a << b

    @define(base + 14, name + "shr_s", two, one)
    @inline
    def shr_s(a: signed, b: signed) -> signed:
        return a >> b

    @define(base + 15, name + "shr_u", two, one)
    @inline
    def shr_u(a: unsigned, b: unsigned) -> unsigned:
        return a >> b

    @define(base + 16, name + "rotl", two, one)
    @inline
    def rotate_left(a: unsigned, b: unsigned) -> unsigned:
        return rotl(a, b)

    @define(base + 17, name + "rotr", two, one)
    @inline
    def rotate_right(a: unsigned, b: unsigned) -> unsigned:
        return rotr(a, b)

    return define.instructions


def _sign_extensions(width: int, value: ValueType, signed: Any) -> list[Instruction]:
    base = 0xC0 if width == 32 else 0xC2
    name = f"i{width}.extend"
    one = (value,)
    define = Definitions("numeric", Feature.SIGN_EXTENSION)

    @define(base, name + "8_s", one, one)
    @inline
    def extend8(a: signed) -> signed:
        return signed(i8(a))

    @define(base + 1, name + "16_s", one, one)
    @inline
    def extend16(a: signed) -> signed:
        return signed(i16(a))

    if width == 64:

        @define(base + 2, name + "32_s", one, one)
        @inline
        def extend32(a: signed) -> signed:
            return signed(i32(a))

    return define.instructions


def _integer(width: int, value: ValueType, unsigned: Any, signed: Any) -> list[Instruction]:
    return (
        _constants(width, value)
        + _comparisons(width, value, unsigned, signed)
        + _arithmetic(width, value, unsigned, signed)
        + _sign_extensions(width, value, signed)
    )


INSTRUCTIONS = _integer(32, ValueType.I32, u32, i32) + _integer(64, ValueType.I64, u64, i64)
