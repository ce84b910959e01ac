"""Floats as text, from their bits."""

import struct

from wasmote.types import RefType, ValType

#: By type: `struct` formats of the float and its bits, bits of the fraction, and how many decimal
#: digits always survive, and always identify, a number.
_FORMATS: dict[ValType | RefType, tuple[str, str, int, int, int]] = {
    ValType.F32: ("<f", "<I", 23, 7, 9),
    ValType.F64: ("<d", "<Q", 52, 15, 17),
}


def float_text(kind: ValType | RefType, bits: int, digits: int | None = None) -> str:
    """A float as C's `%g` prints it, with so many digits.

    Without `digits` there are as many as it takes to read the same bits back, and a NaN shows its
    payload unless that is the usual one: `nan:0x200000`.
    """
    as_float, as_bits, fraction, fewest, most = _FORMATS[kind]
    value = struct.unpack(as_float, struct.pack(as_bits, bits))[0]
    if value != value:
        return _nan_text(bits, fraction, 8 * struct.calcsize(as_bits) - 1, digits is None)
    if digits is not None:
        return f"{value:.{digits}g}"
    texts = (f"{value:.{count}g}" for count in range(fewest, most))
    return next((text for text in texts if _bits(as_float, text) == bits), f"{value:.{most}g}")


def _bits(as_float: str, text: str) -> int | None:
    try:
        return int.from_bytes(struct.pack(as_float, float(text)), "little")
    except OverflowError:  # rounded up, above the largest f32
        return None


def _nan_text(bits: int, fraction: int, sign_bit: int, show_payload: bool) -> str:
    payload = bits & ((1 << fraction) - 1)
    usual = payload == 1 << (fraction - 1)
    sign = "-" if bits >> sign_bit else ""
    return f"{sign}nan:{payload:#x}" if show_payload and not usual else f"{sign}nan"
