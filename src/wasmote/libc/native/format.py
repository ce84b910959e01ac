"""printf's conversions: a directive such as `%-8.3f`, and one argument, to text (C17, 7.21.6.1)."""

from wasmote.core.bounds import maximum, minimum
from wasmote.libc.native.decimal import Decimal, round_to, to_decimal
from wasmote.libc.native.sink import Sink, pad, put, put_all
from wasmote.nativepy import (
    addr,
    bitcast,
    boolean,
    data,
    f64,
    inline,
    native,
    ptr,
    stack,
    struct,
    u8,
    u32,
    u64,
    void,
)

#: The largest width, and precision of numbers; what asks for more gets this.
WIDEST = 1 << 20
#: `Directive.precision`: none is given.
NO_PRECISION = 0xFFFF_FFFF
#: Flags.
LEFT, PLUS, BLANK, FORM, ZEROS = 1, 2, 4, 8, 16
LOWER = data(b"0123456789abcdefxinfnanpe")
UPPER = data(b"0123456789ABCDEFXINFNANPE")
#: Where in these the words begin.
_X, _INF, _NAN, _P, _E = 16, 17, 20, 23, 24
SPACE, ZERO, MINUS, PLUS_SIGN, POINT = 32, 48, 45, 43, 46


@struct
class Directive:
    """What a directive asks for."""

    flags: u32
    width: u32
    precision: u32
    letter: u8  # of the conversion, in lower case
    upper: boolean  # it was in upper case


@inline
def names(d) -> ptr[u8]:
    return UPPER if d.upper else LOWER


@inline
def has(d, flag):
    return d.flags & flag != 0


# -- what all numbers have -----------------------------------------------------------------------


@native
def sign_of(d: ptr[Directive], negative: boolean) -> u8:
    """The sign that is shown; 0: none."""
    if negative:
        return MINUS
    if has(d, PLUS):
        return PLUS_SIGN
    return SPACE if has(d, BLANK) else u8(0)


@native
def begin(sink: ptr[Sink], d: ptr[Directive], sign: u8, prefixed: boolean, size: u64) -> u32:
    """Blanks, the sign, 0x and zeros, before `size` characters; returns the blanks to come."""
    size += (u64(1) if sign != 0 else u64(0)) + (u64(2) if prefixed else u64(0))
    room = d.width - u32(size) if u64(d.width) > size else u32(0)
    zeros = room if has(d, ZEROS) and not has(d, LEFT) else u32(0)
    if zeros == 0 and not has(d, LEFT):
        pad(sink, SPACE, room)
    if sign != 0:
        put(sink, sign)
    if prefixed:
        put(sink, ZERO)
        put(sink, names(d)[_X])
    pad(sink, ZERO, zeros)
    return room if has(d, LEFT) else u32(0)


# -- text and integers ---------------------------------------------------------------------------


@native
def put_text(sink: ptr[Sink], d: ptr[Directive], start: ptr[u8], size: u64) -> void:
    """Text, with blanks around it."""
    room = d.width - u32(size) if u64(d.width) > size else u32(0)
    if not has(d, LEFT):
        pad(sink, SPACE, room)
    put_all(sink, start, size)
    if has(d, LEFT):
        pad(sink, SPACE, room)


@native
def put_integer(
    sink: ptr[Sink], d: ptr[Directive], value: u64, negative: boolean, prefixed: boolean
) -> void:
    """An integer's absolute value, in the base that the letter says."""
    digits = stack(u8, 24)
    base: u64 = 10
    if d.letter == 120 or d.letter == 112:  # x, p
        base = 16
    elif d.letter == 111:  # o
        base = 8
    at: u32 = 24
    rest = value
    while rest != 0:
        at -= 1
        digits[at] = names(d)[rest % base]
        rest //= base
    count = 24 - at
    least = u32(1)
    if d.precision != NO_PRECISION:
        least = minimum(d.precision, u32(WIDEST))
        d.flags &= ~u32(ZEROS)
    if base == 8 and has(d, FORM):
        least = maximum(least, count + 1)
    zeros = least - count if least > count else u32(0)
    # Only signed conversions show a sign.
    sign = sign_of(d, negative) if d.letter == 100 else u8(0)
    behind = begin(sink, d, sign, prefixed, u64(count + zeros))
    pad(sink, ZERO, zeros)
    put_all(sink, digits + at, u64(count))
    pad(sink, SPACE, behind)


# -- floating-point numbers ----------------------------------------------------------------------


@native
def put_float(sink: ptr[Sink], d: ptr[Directive], value: f64) -> void:
    """A number as %f, %e, %g or %a shows it."""
    raw = bitcast(u64, value)
    sign = sign_of(d, raw >> 63 != 0)
    if (raw >> 52) & 0x7FF == 0x7FF:
        d.flags &= ~u32(ZEROS)
        behind = begin(sink, d, sign, False, 3)
        put_all(sink, names(d) + (u32(_INF) if raw << 12 == 0 else u32(_NAN)), 3)
        pad(sink, SPACE, behind)
        return
    if d.precision != NO_PRECISION:
        d.precision = minimum(d.precision, u32(WIDEST))
    if d.letter == 97:  # a
        put_hexadecimal(sink, d, raw & ~(u64(1) << 63), sign)
        return
    if d.precision == NO_PRECISION:
        d.precision = 6
    number = stack(Decimal)
    to_decimal(value, number)
    match d.letter:
        case 102:  # f
            round_to(number, number.point + d.precision)
            put_fixed(sink, d, number, sign)
        case 101:  # e
            round_to(number, d.precision + 1)
            put_exponential(sink, d, number, sign)
        case _:
            put_shorter(sink, d, number, sign)


@native
def put_shorter(sink: ptr[Sink], d: ptr[Directive], number: ptr[Decimal], sign: u8) -> void:
    """%g: as many digits as the precision says, in the form that is shorter."""
    precision = d.precision if d.precision != 0 else u32(1)
    round_to(number, precision)
    exponent = exponent_of(number)
    shown = precision if has(d, FORM) else maximum(number.count, u32(1))
    if exponent + 4 < precision + 4:  # -4 <= exponent < precision
        digits = exponent + 1  # before the point, modulo 2**32
        d.precision = precision - digits
        if not has(d, FORM):
            d.precision = shown - digits if digits >> 31 != 0 or shown > digits else u32(0)
        put_fixed(sink, d, number, sign)
    else:
        d.precision = shown - 1
        put_exponential(sink, d, number, sign)


@inline
def exponent_of(number) -> u32:
    """That of the first digit, modulo 2**32."""
    return number.point - 1 if number.count != 0 else u32(0)


@native
def put_digits(sink: ptr[Sink], number: ptr[Decimal], first: u32, count: u32) -> void:
    """Some of the digits; `first`, a signed number, may be before the first or after the last."""
    if first >> 31 != 0:
        before = minimum(u32(0) - first, count)
        pad(sink, ZERO, before)
        first = 0
        count -= before
    known = number.count - first if number.count > first else u32(0)
    known = minimum(known, count)
    put_all(sink, addr(number.digits) + first, u64(known))
    pad(sink, ZERO, count - known)


@native
def put_fixed(sink: ptr[Sink], d: ptr[Directive], number: ptr[Decimal], sign: u8) -> void:
    """ddd.ddd"""
    is_whole = number.count != 0 and number.point >> 31 == 0 and number.point != 0
    before = number.point if is_whole else u32(1)
    point = d.precision != 0 or has(d, FORM)
    size = u64(before) + u64(d.precision) + (u64(1) if point else u64(0))
    behind = begin(sink, d, sign, False, size)
    if is_whole:
        put_digits(sink, number, u32(0), before)
    else:
        put(sink, ZERO)
    if point:
        put(sink, POINT)
    put_digits(sink, number, number.point, d.precision)
    pad(sink, SPACE, behind)


@native
def put_exponential(sink: ptr[Sink], d: ptr[Directive], number: ptr[Decimal], sign: u8) -> void:
    """d.ddde+dd"""
    exponent = exponent_of(number)
    point = d.precision != 0 or has(d, FORM)
    wide = exponent + 99 > 198  # below -99 or above 99
    size = u64(5) + u64(d.precision) + (u64(1) if point else u64(0)) + (u64(1) if wide else u64(0))
    behind = begin(sink, d, sign, False, size)
    put_digits(sink, number, u32(0), u32(1))
    if point:
        put(sink, POINT)
    put_digits(sink, number, u32(1), d.precision)
    put(sink, names(d)[_E])
    put_exponent(sink, exponent, u32(2))
    pad(sink, SPACE, behind)


@native
def put_exponent(sink: ptr[Sink], exponent: u32, least: u32) -> void:
    """A sign and decimal digits, so many at least."""
    negative = exponent >> 31 != 0
    put(sink, MINUS if negative else u8(PLUS_SIGN))
    rest = u32(0) - exponent if negative else exponent
    digits = stack(u8, 8)
    at: u32 = 8
    while rest != 0 or 8 - at < least:
        at -= 1
        digits[at] = u8(ZERO + rest % 10)
        rest //= 10
    put_all(sink, digits + at, u64(8 - at))


@native
def put_hexadecimal(sink: ptr[Sink], d: ptr[Directive], raw: u64, sign: u8) -> void:
    """0x1.hhhp+d, of the bits of a number without its sign."""
    mantissa = raw & ((u64(1) << 52) - 1)
    exponent = u32(raw >> 52)
    if exponent != 0:
        mantissa |= u64(1) << 52
    elif mantissa != 0:
        exponent = 1
    else:
        exponent = 1023
    exponent -= 1023
    if d.precision < 13:
        lost = u64(52 - 4 * d.precision)
        half = u64(1) << (lost - 1)
        rest = mantissa & (half * 2 - 1)
        mantissa = mantissa >> lost
        if rest > half or (rest == half and mantissa & 1 != 0):
            mantissa += 1
        mantissa = mantissa << lost
    digits = stack(u8, 16)
    for i in range(u32(0), 14):
        digits[i] = names(d)[(mantissa >> u64(52 - 4 * i)) & 15]
    count: u32 = 14
    while d.precision == NO_PRECISION and count > 1 and digits[count - 1] == ZERO:
        count -= 1
    if d.precision == NO_PRECISION:
        d.precision = count - 1
    shown = minimum(d.precision, u32(13))
    point = d.precision != 0 or has(d, FORM)
    size = u64(4) + u64(d.precision) + (u64(1) if point else u64(0)) + exponent_digits(exponent)
    behind = begin(sink, d, sign, True, size)
    put(sink, digits[0])
    if point:
        put(sink, POINT)
    put_all(sink, digits + 1, u64(shown))
    pad(sink, ZERO, d.precision - shown)
    put(sink, names(d)[_P])
    put_exponent(sink, exponent, u32(1))
    pad(sink, SPACE, behind)


@native
def exponent_digits(exponent: u32) -> u64:
    """Digits of an exponent, less the one that there always is."""
    size = u32(0) - exponent if exponent >> 31 != 0 else exponent
    return u64(0) if size < 10 else u64(1) if size < 100 else u64(2) if size < 1000 else u64(3)
