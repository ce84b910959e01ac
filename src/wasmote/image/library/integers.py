"""Arithmetic on integers that some machines have no instructions for: 64-bit division and
multiplication on those of 32 bits, any division or multiplication on the smallest.

Nothing here may need what it implements.
"""

from wasmote.nativepy import clz, inline, native, u32, u64

from .floats import multiply_wide


def division(T, bits):
    """Quotient and remainder of numbers of a type, as native functions."""

    @inline
    def shifted_in(a: T, b: T, want_rest):
        """Schoolbook division in base 2, from the first digit that may be 1."""
        quotient: T = 0
        rest = a
        if b == 0:
            return rest if want_rest else quotient
        if a >= b:
            n = u32(clz(b)) - u32(clz(a))
            divisor = b << T(n)
            bit = T(1) << T(n)
            while bit != 0:
                if rest >= divisor:
                    rest -= divisor
                    quotient |= bit
                divisor = divisor >> 1
                bit = bit >> 1
        return rest if want_rest else quotient

    @native(noinline=True)
    def quotient(a: T, b: T) -> T:
        return shifted_in(a, b, False)

    @native(noinline=True)
    def remainder(a: T, b: T) -> T:
        return shifted_in(a, b, True)

    return quotient, remainder


QUOTIENT_32, REMAINDER_32 = division(u32, 32)
QUOTIENT_64, REMAINDER_64 = division(u64, 64)


@native
def product_32(a: u32, b: u32) -> u32:
    """Of shifts and additions."""
    found: u32 = 0
    while b != 0:
        if b & 1 != 0:
            found += a
        a = a << 1
        b = b >> 1
    return found


@native
def product_64(a: u64, b: u64) -> u64:
    upper = u32(a >> 32) * u32(b) + u32(a) * u32(b >> 32)
    return multiply_wide(u32(a), u32(b)) + (u64(upper) << 32)


@inline
def halves(upper: u32, lower: u32):
    return u64(upper) << 32 | u64(lower)


@native
def shift_left(a: u64, n: u32) -> u64:
    lower = u32(a)
    if n >= 32:
        return halves(lower << (n - 32), u32(0))
    if n == 0:
        return a
    return halves(u32(a >> 32) << n | lower >> (32 - n), lower << n)


@native
def shift_right(a: u64, n: u32) -> u64:
    upper = u32(a >> 32)
    if n >= 32:
        return u64(upper >> (n - 32))
    if n == 0:
        return a
    return halves(upper >> n, u32(a) >> n | upper << (32 - n))


@native
def shift_right_signed(a: u64, n: u32) -> u64:
    found = shift_right(a, n)
    if u32(a >> 63) != 0 and n != 0:
        found |= ~shift_right(~u64(0), n)
    return found


@native
def leading_zeros(x: u32) -> u32:
    if x == 0:
        return 32
    n: u32 = 0
    if x >> 16 == 0:
        n += 16
        x = x << 16
    if x >> 24 == 0:
        n += 8
        x = x << 8
    if x >> 28 == 0:
        n += 4
        x = x << 4
    if x >> 30 == 0:
        n += 2
        x = x << 2
    return n + 1 if x >> 31 == 0 else n


@native
def bits_set(x: u32) -> u32:
    x = x - (x >> 1 & 0x5555_5555)
    x = (x & 0x3333_3333) + (x >> 2 & 0x3333_3333)
    x = (x + (x >> 4)) & 0x0F0F_0F0F
    x = x + (x >> 8)
    return (x + (x >> 16)) & 63
