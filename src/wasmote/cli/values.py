"""Arguments and results of `--function` and the REPL, in the notation of `iwasm`.

A result is its value, a colon and its type: `0x3:i32`, `1.5:f32`, `extern:ref.null`. Values travel
as bit patterns (`Func.call_bits`), so the payload of a NaN survives.

`iwasm` silently cuts integers that do not fit, and prints floats with 7 digits. With `exact`, as
`wasmote run` wants it, the former are refused, and the latter have as many digits as it takes to
read the same number back.
"""

import re

from wasmote.cli.report import CallError
from wasmote.floats import float_text
from wasmote.types import FuncType, RefType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote import Func, Instance

_INTEGER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_WIDTHS: dict[ValType | RefType, int] = {
    ValType.I32: 32,
    ValType.I64: 64,
    ValType.F32: 32,
    ValType.F64: 64,
}
#: What `iwasm` prints of a float of either type.
_IWASM_DIGITS = 7
#: `iwasm` reads every integer as a C `unsigned long`.
_ULONG_MAX = 0xFFFF_FFFF_FFFF_FFFF


def read_arguments(
    name: str, kind: FuncType, words: list[str], instance: "Instance", *, exact: bool
) -> list[object]:
    """The bit patterns of a call's arguments. Raises CallError."""
    if len(words) != len(kind.params):
        message = f"{name} {kind} takes {len(kind.params)} arguments, not {len(words)}"
        raise CallError(message, "invalid input argument count")
    arguments: list[object] = []
    for index, (each, word) in enumerate(zip(kind.params, words, strict=True)):
        try:
            arguments.append(_read(each, word, instance, exact))
        except ValueError as error:
            message = f"{name}: argument {index + 1} of type {each}: {error}"
            raise CallError(message, f"invalid input argument {index}: {word}") from None
    return arguments


def _read(kind: ValType | RefType, word: str, instance: "Instance", exact: bool) -> object:
    if kind in (ValType.F32, ValType.F64):
        return _read_float(kind, word, exact)
    if kind is ValType.V128:
        low, _, high = word.partition("\\")
        return _read_integer(low, 64, exact) | _read_integer(high, 64, exact) << 64
    if not kind.is_reference:
        return _read_integer(word, _WIDTHS[kind], exact)
    if word.lower() == "null":
        return None
    number = _read_integer(word, 32, exact)
    return number if kind is ValType.EXTERNREF else _function_at(instance, number)


def _read_integer(word: str, width: int, exact: bool) -> int:
    """The bits of an integer, as C's `strtoul` reads it: 12, -12, 0x12, 012 (octal)."""
    match = _INTEGER.match(word)
    if match is None or word[match.end() :][:1] not in ("", "_"):
        raise ValueError(f"{word!r} is not a whole number")
    digits = match[2]
    if match.end() != len(word) and exact:
        raise ValueError(f"{word!r} is not a whole number; write it without underscores")
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is out of range")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    value = int(digits, base)
    if exact:
        value = -value if match[1] == "-" else value
        if not -(1 << (width - 1)) <= value < 1 << width:
            raise ValueError(f"{word} is out of range")
        return value % (1 << width)
    value = min(value, _ULONG_MAX)
    return (-value if match[1] == "-" and value != _ULONG_MAX else value) % (1 << width)


_MAX_DIGITS = 4000  # Python refuses to convert more than 4300


def _read_float(kind: ValType | RefType, word: str, exact: bool) -> int:
    """The bits of a float: decimal, hexadecimal, inf, nan, nan:0x200000 (the payload)."""
    from wasmote.script.literals import FLOATS, float_bits
    from wasmote.script.sexpr import MalformedError

    form = FLOATS[str(kind)]
    sign, magnitude = re.fullmatch(r"\s*([+-]?)(.*)", word, re.DOTALL).groups()  # type: ignore
    plain = magnitude.lower().replace("infinity", "inf")
    if plain.startswith("."):
        plain = f"0{plain}"
    try:
        return float_bits(("-" if sign == "-" else "") + plain, form)
    except MalformedError as error:
        if not exact and "number out of range" in str(error):  # as C's strtof: infinity
            return form.infinity | (form.sign if sign == "-" else 0)
        raise ValueError(f"{word!r} is not a number: {error}") from None


def _function_at(instance: "Instance", index: int) -> "Func":
    for name in instance.exports:
        export = instance.exports[name]
        if isinstance(export.type, FuncType) and _index(export) == index:
            return export
    raise ValueError(f"function {index} is not exported; only null and exported ones can be given")


def _index(function: "Func") -> int:
    """A function's index in its module."""
    from wasmote.api.layouts import FuncInstLayout

    return int(FuncInstLayout.from_address(function._address).index)


def show_results(
    types: tuple[ValType | RefType, ...], values: "tuple[Any, ...]", *, exact: bool
) -> str:
    """All results of a call in a line; empty if there are none."""
    pairs = zip(types, values, strict=True)
    return ",".join(_show(kind, value, exact) for kind, value in pairs)


def _show(kind: ValType | RefType, value: "Any", exact: bool) -> str:
    match kind:
        case ValType.I32 | ValType.I64:
            return f"{value:#x}:{kind}"
        case ValType.F32 | ValType.F64:
            return f"{float_text(kind, value, None if exact else _IWASM_DIGITS)}:{kind}"
        case ValType.V128:
            return f"<{value & _ULONG_MAX:#018x} {value >> 64:#018x}>:{kind}"
        case ValType.FUNCREF:
            return "func:ref.null" if value is None else f"{_index(value)}:ref.func"
    if value is None:
        return "extern:ref.null"
    return f"{value:#x}:ref.extern" if isinstance(value, int) else "ref.extern"


def results_as_json(types: tuple[ValType | RefType, ...], values: "tuple[Any, ...]") -> "list[Any]":
    """Results for `--json`: type and value; integers signed, NaN and infinities as text."""
    pairs = zip(types, values, strict=True)
    return [{"type": str(kind), "value": _json_value(kind, value)} for kind, value in pairs]


def _json_value(kind: ValType | RefType, value: "Any") -> object:
    match kind:
        case ValType.I32 | ValType.I64:
            half = 1 << (_WIDTHS[kind] - 1)
            return (value ^ half) - half
        case ValType.F32 | ValType.F64:
            text = float_text(kind, value)
            return text if "n" in text else float(text)
        case ValType.V128:
            return f"{value:#034x}"
    if value is None:
        return None
    return _index(value) if kind is ValType.FUNCREF else value
