"""Number literals of the text format as bit patterns (spec: Text Format, Values).

Python's own conversions do not fit: they refuse what is legal here (`0x1.8`, `nan:0x2a`), and an
f32 rounded by way of a double comes out wrong now and then.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from wasmote.script.sexpr import MalformedError


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """An IEEE 754 binary format, by the widths of its fields in bits."""

    exponent: int
    significand: int

    @property
    def infinity(self) -> int:
        """The bits of +infinity; a NaN is anything above it."""
        return ((1 << self.exponent) - 1) << self.significand

    @property
    def canonical_nan(self) -> int:
        """The bits of the positive NaN whose payload is its most significant bit."""
        return self.infinity | 1 << (self.significand - 1)

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.exponent + self.significand)


FLOATS = {"f32": FloatFormat(8, 23), "f64": FloatFormat(11, 52)}

#: Widths in bits, of the lanes of a vector as well.
INTEGERS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64}

_INTEGER = re.compile(r"[+-]?(?:0x[0-9a-f]+|[0-9]+)")
_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]*))?(?:e([+-]?[0-9]+))?")
_HEXADECIMAL = re.compile(r"0x([0-9a-f]+)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]+))?")
_NAN = re.compile(r"nan:0x([0-9a-f]+)")
#: No double needs a larger exponent; keeps the exact arithmetic below small.
_MAX_EXPONENT = 5000
#: In characters; Python itself refuses to convert more decimal digits.
_MAX_LENGTH = 4000


def integer_bits(text: str, width: int) -> int:
    """The two's complement bits of an integer literal. Raises `MalformedError`."""
    plain = _without_underscores(text).lower()
    if not _INTEGER.fullmatch(plain):
        raise MalformedError(f"not an integer: {text}")
    value = int(plain, 16) if "x" in plain else int(plain)
    if not -(1 << (width - 1)) <= value < 1 << width:
        raise MalformedError(f"integer out of range: {text}")
    return value % (1 << width)


@lru_cache(maxsize=4096)
def float_bits(text: str, form: FloatFormat) -> int:
    """The bits of a float literal, rounded to nearest, ties to even. Raises `MalformedError`."""
    plain = _without_underscores(text).lower()
    sign = form.sign if plain.startswith("-") else 0
    magnitude = plain[1:] if plain.startswith(("+", "-")) else plain
    if magnitude == "inf":
        return sign | form.infinity
    if magnitude == "nan":
        return sign | form.canonical_nan
    if match := _NAN.fullmatch(magnitude):
        payload = int(match[1], 16)
        if not 0 < payload < 1 << form.significand:
            raise MalformedError(f"NaN payload out of range: {text}")
        return sign | form.infinity | payload
    return sign | _round(_exact(magnitude, text), form, text)


def _without_underscores(text: str) -> str:
    """Underscores may separate digits, and nothing else."""
    if len(text) > _MAX_LENGTH:
        raise MalformedError(f"number of {len(text)} characters")
    plain = re.sub(r"(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])", "", text)
    if "_" in plain:
        raise MalformedError(f"misplaced underscore: {text}")
    return plain


def _exact(magnitude: str, text: str) -> Fraction:
    """The exact value of an unsigned finite literal."""
    if match := _HEXADECIMAL.fullmatch(magnitude):
        base, digit_base, exponent_base = 16, 16, 2
    elif match := _DECIMAL.fullmatch(magnitude):
        base, digit_base, exponent_base = 10, 10, 10
    else:
        raise MalformedError(f"not a number: {text}")
    whole, fraction, exponent = match[1], match[2] or "", int(match[3] or "0")
    if abs(exponent) > _MAX_EXPONENT:
        raise MalformedError(f"exponent out of range: {text}")
    digits = Fraction(int(whole + fraction, base), digit_base ** len(fraction))
    return digits * Fraction(exponent_base) ** exponent


def _round(value: Fraction, form: FloatFormat, text: str) -> int:
    """The bits of the float nearest to `value`, which is not negative."""
    if value == 0:
        return 0
    smallest = 2 - (1 << (form.exponent - 1))  # exponent of normal numbers; subnormals share it
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > value:
        exponent -= 1
    exponent = max(exponent, smallest)
    significand = round(value / Fraction(2) ** (exponent - form.significand))
    # The significand's leading one, where there is one, counts as one step of the exponent, and
    # so does a carry out of rounding.
    bits = ((exponent - smallest) << form.significand) + significand
    if bits >= form.infinity:
        raise MalformedError(f"number out of range: {text}")
    return bits


def float_text(bits: int, form: FloatFormat) -> str:
    """A float literal for messages; reading it back gives the same bits."""
    sign = "-" if bits & form.sign else ""
    magnitude = bits & (form.sign - 1)
    if magnitude == form.infinity:
        return f"{sign}inf"
    if magnitude > form.infinity:
        return f"{sign}nan:{magnitude - form.infinity:#x}"
    exponent, fraction = divmod(magnitude, 1 << form.significand)
    leading = 1 if exponent else 0
    scale = max(exponent, 1) + 1 - (1 << (form.exponent - 1)) - form.significand
    return f"{sign}{float(((leading << form.significand) | fraction) * Fraction(2) ** scale)!r}"
