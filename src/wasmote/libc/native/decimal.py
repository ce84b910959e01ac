"""Floating-point numbers as decimal digits, all of them: a double has at most 1,077 that count.

The integer part is a large number in 32-bit words that is divided by 10**9 again and again, the
fraction one that is multiplied by it. Rounding then is a matter of the digits.
"""

from wasmote.nativepy import (
    array,
    bitcast,
    boolean,
    f64,
    fill,
    inline,
    load,
    native,
    ptr,
    stack,
    struct,
    u8,
    u32,
    u64,
    void,
)

#: Digits of a limb, and what it counts to.
LIMB, BILLION = 9, 1_000_000_000
#: Words of the largest integer (2**1024), and of the smallest fraction (2**-1074).
INTEGER_WORDS, FRACTION_WORDS = 33, 34
#: 35 limbs of an integer, 120 of a fraction.
MOST_DIGITS = (35 + 120) * LIMB
ZERO, FIVE, NINE = 48, 53, 57


@struct
class Decimal:
    """0.d1 d2 d3 … times 10**point; d1 is not zero. The number zero has no digits."""

    count: u32
    point: u32  # modulo 2**32: it may be negative
    digits: array[u8, MOST_DIGITS]  # ASCII


@native
def add_limb(d: ptr[Decimal], limb: u32) -> void:
    """Nine more digits."""
    for i in range(u32(0), LIMB):
        d.digits[d.count + LIMB - 1 - i] = u8(ZERO + limb % 10)
        limb //= 10
    d.count += LIMB


@native
def add_integer(d: ptr[Decimal], mantissa: u64, shift: u32) -> void:
    """The digits of mantissa * 2**shift, whose mantissa has 53 bits at most."""
    words = stack(u32, INTEGER_WORDS + 3)
    fill(words, 0, (INTEGER_WORDS + 3) * 4)
    put_shifted(words, shift // 32, mantissa, shift % 32)
    count = shift // 32 + 3
    limbs = stack(u32, 36)
    made: u32 = 0
    while count != 0:
        remainder = u64(0)
        i = count
        while i != 0:
            i -= 1
            value = remainder << 32 | u64(words[i])
            words[i] = u32(value // BILLION)
            remainder = value % BILLION
        limbs[made] = u32(remainder)
        made += 1
        while count != 0 and words[count - 1] == 0:
            count -= 1
    while made != 0:
        made -= 1
        add_limb(d, limbs[made])


@inline
def put_shifted(words, at, value, shift):
    """Store value << shift in three words."""
    low = value << u64(shift)
    words[at] = u32(low)
    words[at + 1] = u32(low >> 32)
    words[at + 2] = u32(value >> u64(64 - shift)) if shift != 0 else u32(0)


@native
def add_fraction(d: ptr[Decimal], fraction: u64, bits: u32) -> void:
    """The digits of fraction / 2**bits, which is below 1."""
    count = (bits + 31) // 32
    words = stack(u32, FRACTION_WORDS + 3)
    fill(words, 0, (FRACTION_WORDS + 3) * 4)
    put_shifted(words, u32(0), fraction, count * 32 - bits)
    first: u32 = 0
    while True:
        while first < count and words[first] == 0:
            first += 1
        if first == count:
            return
        carry = u64(0)
        for i in range(first, count):
            carry += u64(words[i]) * BILLION
            words[i] = u32(carry)
            carry >>= 32
        add_limb(d, u32(carry))


@native
def to_decimal(value: f64, d: ptr[Decimal]) -> void:
    """The digits of a finite number's absolute value."""
    raw = bitcast(u64, value)
    mantissa = raw & ((u64(1) << 52) - 1)
    exponent = u32(raw >> 52) & 0x7FF
    if exponent != 0:
        mantissa |= u64(1) << 52
    else:
        exponent = 1
    d.count = 0
    if exponent >= 1075:
        add_integer(d, mantissa, exponent - 1075)
        d.point = d.count
    else:
        bits = 1075 - exponent
        integer = mantissa >> u64(bits) if bits < 64 else u64(0)
        add_integer(d, integer, u32(0))
        d.point = d.count
        rest = mantissa & ((u64(1) << u64(bits)) - 1) if bits < 64 else mantissa
        add_fraction(d, rest, bits)
    strip(d)


@native
def strip(d: ptr[Decimal]) -> void:
    """Remove zeros at both ends."""
    while d.count != 0 and d.digits[d.count - 1] == ZERO:
        d.count -= 1
    zeros: u32 = 0
    while zeros < d.count and d.digits[zeros] == ZERO:
        zeros += 1
    d.count -= zeros
    d.point -= zeros
    for i in range(d.count):
        d.digits[i] = d.digits[i + zeros]


@native
def round_to(d: ptr[Decimal], places: u32) -> void:
    """Round to so many digits, a signed number; a tie goes to the even one."""
    if places >> 31 != 0:
        d.count = 0
        return
    if places >= d.count:
        return
    up = rounds_up(d, places)
    d.count = places
    if not up:
        strip(d)
        return
    i = places
    while i != 0:
        i -= 1
        if d.digits[i] != NINE:
            d.digits[i] += 1
            strip(d)
            return
        d.count = i
    d.digits[0] = ZERO + 1
    d.count = 1
    d.point += 1


@native
def rounds_up(d: ptr[Decimal], places: u32) -> boolean:
    if d.digits[places] != FIVE or places + 1 != d.count:
        return d.digits[places] >= FIVE
    return places != 0 and d.digits[places - 1] & 1 != 0


@native
def quad_to_double(p: ptr[u8]) -> f64:
    """A long double, which has 128 bits, as the nearest double."""
    low = load(u64, p)
    high = load(u64, p + 8)
    sign = high >> 63 << 63
    exponent = u32(high >> 48) & 0x7FFF
    mantissa = high & ((u64(1) << 48) - 1)
    if exponent == 0x7FFF:
        nan = u64(1) << 51 if mantissa | low != 0 else u64(0)
        return bitcast(f64, sign | u64(0x7FF) << 52 | nan)
    # 16383 and 1023 are the biases; 62 bits of the mantissa, the last one for all that is lost.
    if exponent < 16383 - 1100:
        return bitcast(f64, sign)
    if exponent > 16383 + 1023:
        return bitcast(f64, sign | u64(0x7FF) << 52)
    wide = u64(1) << 62 | mantissa << 14 | low >> 50
    if low << 14 != 0:
        wide |= 1
    # Rounding to a double's bits happens in two steps that the exponent decides.
    drop: u32 = 10
    power = exponent - (16383 - 1023)
    if power >> 31 != 0 or power == 0:
        drop += 1 - power
        power = 0
    if drop > 63:
        return bitcast(f64, sign)
    kept = wide >> u64(drop)
    half = u64(1) << u64(drop - 1)
    rest = wide & (half * 2 - 1)
    if rest > half or (rest == half and kept & 1 != 0):
        kept += 1
    if power != 0:
        kept += u64(power - 1) << 52
    return bitcast(f64, sign | kept)
