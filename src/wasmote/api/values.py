"""Python values of number and vector types as little-endian bytes, and what is said about others.

Calls convert natively; this is for globals, tables, raw bits and error messages.
"""

import operator
import struct

from wasmote.types import RefType, ValType

_INTEGERS: dict[ValType | RefType, int] = {ValType.I32: 32, ValType.I64: 64}
_FLOATS: dict[ValType | RefType, struct.Struct] = {
    ValType.F32: struct.Struct("<f"),
    ValType.F64: struct.Struct("<d"),
}
_SIZES: dict[ValType | RefType, int] = {
    ValType.I32: 4,
    ValType.I64: 8,
    ValType.F32: 4,
    ValType.F64: 8,
    ValType.V128: 16,
}


def size_of(type: ValType | RefType) -> int:
    """Bytes of a value; references are handles."""
    return _SIZES.get(type, 4)


def to_bytes(type: ValType | RefType, value: object) -> bytes:
    """A number or vector as bytes. Raises TypeError or OverflowError."""
    try:
        if type in _INTEGERS:
            number = operator.index(value)  # type: ignore[arg-type]
            bits = _INTEGERS[type]
            if -(1 << bits - 1) <= number < 1 << bits:
                return (number & ((1 << bits) - 1)).to_bytes(bits // 8, "little")
        elif type in _FLOATS:
            number = float(value) if hasattr(value, "__float__") else operator.index(value)  # type: ignore
            return _to_float(type, number)
        elif isinstance(value, bytes) and len(value) == 16:
            return value
    except TypeError:
        pass
    raise complaint(type, value)


def _to_float(type: ValType | RefType, number: float) -> bytes:
    try:
        return _FLOATS[type].pack(number)
    except OverflowError:  # beyond the range of f32, which rounds to infinity
        return _FLOATS[type].pack(float("inf") if number > 0 else float("-inf"))


def from_bytes(type: ValType | RefType, raw: bytes) -> object:
    """The number or vector that `to_bytes` made."""
    if type in _INTEGERS:
        return int.from_bytes(raw, "little", signed=True)
    if type in _FLOATS:
        return _FLOATS[type].unpack(raw)[0]
    return raw


def complaint(type: ValType | RefType, value: object) -> Exception:
    """The exception, to be prefixed with what the value was for, for one that does not fit `type`.

    Raises what the value's own conversion method raises.
    """
    found = value.__class__.__name__
    match type:
        case ValType.I32 | ValType.I64:
            if hasattr(value, "__index__"):
                bits = _INTEGERS[type]
                return OverflowError(
                    f"must be from -2**{bits - 1} to 2**{bits} - 1 for {type}{_shown(value)}"
                )
            return TypeError(f"must be an integer for {type}, not {found}")
        case ValType.F32 | ValType.F64:
            if hasattr(value, "__float__") or hasattr(value, "__index__"):
                float(value)  # type: ignore[arg-type] # raises again
            return TypeError(f"must be a number for {type}, not {found}")
        case ValType.V128:
            if isinstance(value, bytes):
                return TypeError(f"must be 16 bytes for v128, not {len(value)}")
            return TypeError(f"must be 16 bytes for v128, not {found}")
    return TypeError(f"must be a Func or None for {type}, not {found}")


def _shown(value: object) -> str:
    number = operator.index(value)  # type: ignore[arg-type]
    return f", not {number}" if number.bit_length() <= 128 else ""
