"""Arithmetic on floats for machines without instructions for it, as IEEE 754 defines it: rounded to
the nearest, to even where two are equally near.

Floats are taken apart as bits. A *significand* here has its leading 1 three bits higher than the
format has it: the three bits below are the two after the last place and one that stands for all
others (it is set if any is).
"""

from typing import Any

from wasmote.nativepy import boolean, clz, i32, i64, inline, native, u32, u64


class Format:
    """A format's constants, and the operations on its bits as native functions."""

    def __init__(self, bits: int, fraction: int) -> None:
        T = self.type = u64 if bits == 64 else u32
        EXTRA = 3
        FRACTION = (1 << fraction) - 1
        IMPLICIT = 1 << fraction
        SIGN = 1 << bits - 1
        ABS = SIGN - 1
        LARGEST = (1 << bits - 1 - fraction) - 1  # biased exponent of infinity
        BIAS = LARGEST >> 1
        INFINITY = LARGEST << fraction
        QUIET = IMPLICIT >> 1
        NAN = INFINITY | QUIET
        TOP = fraction + EXTRA  # a significand's leading bit

        @inline
        def shifted(x: T, n: i32):
            """Shift right, `n` at least 1; the last bit stands for those that are lost."""
            if n >= bits:
                return T(x != 0)
            return (x >> T(n)) | T(x << T(bits - n) != 0)

        @native(noinline=True)
        def packed(sign: T, exponent: i32, significand: T) -> T:
            """The float nearest to a number, whose biased exponent may be out of range."""
            if exponent >= LARGEST:
                return sign | INFINITY
            if exponent <= 0:
                significand = shifted(significand, 1 - exponent)
                exponent = 1
            # A leading 1 increments the exponent.
            bits_ = (T(u32(exponent - 1)) << fraction) + (significand >> EXTRA)
            rest = significand & 7
            if rest > 4 or (rest == 4 and bits_ & 1 != 0):
                bits_ += 1
            return sign | bits_

        @inline
        def exponent_of(absolute: T):
            """The biased exponent, as if what is less than normal had the smallest one."""
            found = i32(u32(absolute >> fraction))
            return found if found != 0 else i32(1)

        @inline
        def fraction_of(absolute: T):
            """The fraction with its leading 1, if it has one."""
            found = absolute & FRACTION
            return found | IMPLICIT if absolute > FRACTION else found

        @inline
        def leading(fraction_: T):
            """How far a fraction is from having its leading 1 in place."""
            return i32(u32(clz(fraction_))) - (bits - 1 - fraction)

        @native
        def add(a: T, b: T) -> T:
            x = a & ABS
            y = b & ABS
            if x > INFINITY:
                return a | QUIET
            if y > INFINITY:
                return b | QUIET
            if x == INFINITY:
                return T(NAN) if y == INFINITY and a != b else a
            if y == INFINITY:
                return b
            if y == 0:
                return a & b if x == 0 else a
            if x == 0:
                return b
            sign = a & SIGN if x >= y else b & SIGN
            large = x if x >= y else y
            small = y if x >= y else x
            exponent = exponent_of(large)
            distance = exponent - exponent_of(small)
            significand = fraction_of(large) << EXTRA
            other = fraction_of(small) << EXTRA
            if distance != 0:
                other = shifted(other, distance)
            if (a ^ b) & SIGN == 0:
                significand += other
                if significand >> (TOP + 1) != 0:
                    significand = shifted(significand, i32(1))
                    exponent += 1
                return packed(sign, exponent, significand)
            significand -= other
            if significand == 0:
                return 0
            up = i32(u32(clz(significand))) - (bits - 1 - TOP)
            if up >= exponent:
                up = exponent - 1
            return packed(sign, exponent - up, significand << T(u32(up)))

        @native
        def subtract(a: T, b: T) -> T:
            return add(a, b) if b & ABS > INFINITY else add(a, b ^ SIGN)

        @native
        def multiply(a: T, b: T) -> T:
            x = a & ABS
            y = b & ABS
            sign = (a ^ b) & SIGN
            if x > INFINITY:
                return a | QUIET
            if y > INFINITY:
                return b | QUIET
            if x == INFINITY or y == INFINITY:
                return T(NAN) if x == 0 or y == 0 else sign | INFINITY
            if x == 0 or y == 0:
                return sign
            p = fraction_of(x)
            q = fraction_of(y)
            up = leading(p)
            down = leading(q)
            p = p << T(u32(up))
            q = q << T(u32(down))
            exponent = exponent_of(x) - up + exponent_of(y) - down - BIAS
            significand = product(p << (bits - 1 - fraction), q << (bits - 1 - fraction))
            # Its leading bit is the uppermost, or the next.
            significand = shifted(significand, i32(bits - 2 - TOP))
            if significand >> (TOP + 1) != 0:
                significand = shifted(significand, i32(1))
                exponent += 1
            return packed(sign, exponent, significand)

        if bits == 32:

            @inline
            def product(a: u32, b: u32):
                """The upper half of a product; the last bit stands for the lower half."""
                whole = multiply_wide(a, b)
                return u32(whole >> 32) | u32(u32(whole) != 0)

        else:

            @inline
            def product(a: u64, b: u64):
                """The upper half of a product; the last bit stands for the lower half."""
                a0 = u32(a)
                a1 = u32(a >> 32)
                b0 = u32(b)
                b1 = u32(b >> 32)
                lowest = multiply_wide(a0, b0)
                one = multiply_wide(a0, b1) + (lowest >> 32)
                two = multiply_wide(a1, b0) + u64(u32(one))
                upper = multiply_wide(a1, b1) + (one >> 32) + (two >> 32)
                return upper | u64((u32(two) | u32(lowest)) != 0)

        @native
        def divide(a: T, b: T) -> T:
            x = a & ABS
            y = b & ABS
            sign = (a ^ b) & SIGN
            if x > INFINITY:
                return a | QUIET
            if y > INFINITY:
                return b | QUIET
            if x == INFINITY:
                return T(NAN) if y == INFINITY else sign | INFINITY
            if y == 0:
                return T(NAN) if x == 0 else sign | INFINITY
            if y == INFINITY or x == 0:
                return sign
            rest = fraction_of(x)
            divisor = fraction_of(y)
            up = leading(rest)
            down = leading(divisor)
            rest = rest << T(u32(up))
            divisor = divisor << T(u32(down))
            exponent = exponent_of(x) - up - (exponent_of(y) - down) + BIAS
            if rest < divisor:
                rest = rest << 1
                exponent -= 1
            quotient: T = 0
            for _i in range(i32(0), TOP + 1):
                quotient = quotient << 1
                if rest >= divisor:
                    rest -= divisor
                    quotient |= 1
                rest = rest << 1
            return packed(sign, exponent, quotient | T(rest != 0))

        @native
        def square_root(a: T) -> T:
            x = a & ABS
            if x > INFINITY:
                return a | QUIET
            if x == 0:
                return a
            if a & SIGN != 0:
                return T(NAN)
            if x == INFINITY:
                return a
            rest = fraction_of(x)
            up = leading(rest)
            rest = rest << T(u32(up)) << EXTRA
            exponent = exponent_of(x) - up - BIAS
            if exponent & 1 != 0:
                rest = rest << 1
                exponent -= 1
            root: T = 0
            bit: T = 1 << TOP
            while bit != 0:
                if root + root + bit <= rest:
                    rest -= root + root + bit
                    root |= bit
                rest = rest << 1
                bit = bit >> 1
            return packed(T(0), (exponent >> 1) + BIAS, root | T(rest != 0))

        @native
        def order(a: T, b: T) -> i32:
            """-1, 0 or 1, or 2 if one is not a number."""
            if a & ABS > INFINITY or b & ABS > INFINITY:
                return 2
            if (a | b) & ABS == 0 or a == b:
                return 0
            if a & SIGN != b & SIGN:
                return i32(-1) if a & SIGN != 0 else i32(1)
            less = a > b if a & SIGN != 0 else a < b
            return i32(-1) if less else i32(1)

        @native
        def from_integer(negative: boolean, magnitude: u64) -> T:
            if magnitude == 0:
                return 0
            up = u32(clz(magnitude))
            magnitude = magnitude << u64(up)
            lost: u64 = 63 - TOP
            significand = (magnitude >> lost) | u64(magnitude << (64 - lost) != 0)
            sign = T(SIGN) if negative else T(0)
            return packed(sign, BIAS + 63 - i32(up), T(significand))

        @native
        def to_integer(a: T) -> u64:
            """The magnitude without its fraction; undefined if it has more than 64 bits."""
            x = a & ABS
            exponent = exponent_of(x) - BIAS
            if exponent < 0:
                return 0
            found = u64(fraction_of(x))
            if exponent >= fraction:
                return found << u64(u32(exponent - fraction))
            return found >> u64(u32(fraction - exponent))

        @native
        def rounded(a: T, up: T, even: boolean) -> T:
            """To an integer: toward zero; `up`: away from it if the sign is not that bit; `even`:
            the nearest.
            """
            x = a & ABS
            exponent = i32(u32(x >> fraction)) - BIAS
            sign = a & SIGN
            if exponent >= fraction:
                return a | QUIET if x > INFINITY else a
            one = T(BIAS << fraction)
            away = not even and sign != up
            if exponent < 0:
                if even:
                    return sign | one if x > one - IMPLICIT else sign
                return sign | one if away and x != 0 else sign
            lost = T(FRACTION) >> T(u32(exponent))
            if even:
                a += (lost >> 1) + T(a & (lost + 1) != 0)
            elif away:
                a += lost
            return a & ~lost

        self.sign = SIGN
        self.add, self.subtract, self.multiply, self.divide = add, subtract, multiply, divide
        self.square_root, self.order, self.rounded = square_root, order, rounded
        self.from_integer, self.to_integer = from_integer, to_integer
        self.packed = packed


@inline
def multiply_wide(a: u32, b: u32):
    """All 64 bits of a product, of four smaller ones: some machines have no other."""
    a0 = a & 0xFFFF
    a1 = a >> 16
    b0 = b & 0xFFFF
    b1 = b >> 16
    lowest = a0 * b0
    middle = a0 * b1 + (lowest >> 16)
    other = a1 * b0 + (middle & 0xFFFF)
    upper = a1 * b1 + (middle >> 16) + (other >> 16)
    return u64(upper) << 32 | u64(other << 16 | lowest & 0xFFFF)


SINGLE, DOUBLE = Format(32, 23), Format(64, 52)
_INFINITY_32, _INFINITY_64 = 0xFF << 23, 0x7FF << 52


@native
def widened(a: u32) -> u64:
    """A single as a double."""
    x = a & 0x7FFF_FFFF
    sign = u64(a >> 31) << 63
    if x >= _INFINITY_32:
        quiet = u64(1 << 51) if x > _INFINITY_32 else u64(0)
        return sign | _INFINITY_64 | quiet | u64(x & 0x7F_FFFF) << 29
    if x >= 1 << 23:
        return sign | (u64(x) << 29) + ((1023 - 127) << 52)
    if x == 0:
        return sign
    up = u32(clz(x)) - 8
    return sign | (u64(u32(1023 - 127) - up) << 52) + (u64(x) << u64(up + 29))


@native
def narrowed(a: u64) -> u32:
    """The single nearest to a double."""
    x = a & 0x7FFF_FFFF_FFFF_FFFF
    sign = u32(a >> 63) << 31
    if x >= _INFINITY_64:
        quiet = u32(1 << 22) if x > _INFINITY_64 else u32(0)
        return sign | _INFINITY_32 | quiet | u32(x >> 29) & 0x7F_FFFF
    exponent = i32(u32(x >> 52)) - (1023 - 127)
    fraction = x & ((1 << 52) - 1) | 1 << 52
    if x < 1 << 52:
        return sign  # far below the smallest single
    significand = u32(fraction >> 26) | u32(u32(fraction) << 6 != 0)
    return SINGLE.packed(sign, exponent, significand)


def format_of(bits: int) -> Any:
    return DOUBLE if bits == 64 else SINGLE


__all__ = ["DOUBLE", "SINGLE", "Format", "format_of", "i64", "narrowed", "widened"]
