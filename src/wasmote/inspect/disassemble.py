"""Functions as text, in the words of the text format.

A line is an instruction, with its offset in the binary and indented by its nesting. Functions,
globals and locals are shown by name where they have one. Nothing of an instruction is written down
here: names and immediates come from `isa`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from wasmote.floats import float_text
from wasmote.inspect.branch_hints import SECTION as BRANCH_HINT
from wasmote.inspect.code import Decoded, declarations, instructions
from wasmote.inspect.model import Function, ModuleInfo
from wasmote.inspect.reader import Reader
from wasmote.isa import Immediate
from wasmote.types import FuncType, RefType, ValType

_OPENING = ("block", "loop", "if", "else", "try_table", "try", "catch", "catch_all")
_CLOSING = ("else", "end", "catch", "catch_all", "delegate")
#: Deeper nesting is not indented any more.
_DEEPEST = 40


@dataclass(slots=True)
class Line:
    """An instruction: its offset in the binary, how deep it is nested, and its text."""

    offset: int
    depth: int
    text: str


@dataclass(slots=True)
class Scope:
    """Where an instruction is: what names and indices refer to."""

    info: ModuleInfo
    function: int | None = None


def disassemble(info: ModuleInfo, function: Function) -> Iterator[Line]:
    """The instructions of a function's body, without its last `end`. Raises DecodeError."""
    scope = Scope(info, function.index)
    reader = Reader(info.binary, function.offset, function.offset + function.size)
    declarations(reader)
    reader.end -= 1
    depth = 0
    hints = info.branch_hints.get(function.index, {})
    for decoded in instructions(reader):
        name = decoded.instruction.name
        if name in _CLOSING:
            depth = max(depth - 1, 0)
        if decoded.offset in hints:
            hint = f'(@{BRANCH_HINT} "\\0{hints[decoded.offset]:d}")'
            yield Line(decoded.offset, min(depth, _DEEPEST), hint)
        yield Line(decoded.offset, min(depth, _DEEPEST), _text(scope, decoded))
        if name in _OPENING:
            depth += 1


def local_types(info: ModuleInfo, function: Function) -> list[tuple[int, ValType | RefType]]:
    """The declared locals of a function: how many, and of which type."""
    return declarations(Reader(info.binary, function.offset, function.offset + function.size))


def expression(info: ModuleInfo, reader: Reader) -> str:
    """A constant expression in a line."""
    return " ".join(_text(Scope(info), each) for each in instructions(reader))


def _text(scope: Scope, decoded: Decoded) -> str:
    definition = decoded.instruction
    pairs = list(zip(definition.immediates, decoded.immediates, strict=True))
    # Forms of one instruction that only the binary format tells apart have a suffix in `isa`.
    words = [definition.name.partition(" ")[0]]
    # Tables and memories come first in the text, and can be left out if it is the first of them.
    spaces = [value for kind, value in pairs if kind in _SPACES]
    if any(spaces):
        words += map(str, spaces)
    if definition.name.startswith(("ref.test", "ref.cast", "br_on_cast")):
        return " ".join([*words, *_cast(scope, decoded)])
    for kind, value in pairs:
        if kind is Immediate.MEMARG:
            words.append(_memarg(value, definition.access))
        elif kind not in _SPACES:
            words.append(_WRITERS.get(kind, _number)(scope, value))
    return " ".join(word for word in words if word)


def _cast(scope: Scope, decoded: Decoded) -> list[str]:
    """Reference types, which the binary format has as heap types with nullability elsewhere."""
    if len(decoded.immediates) == 1:
        null = "null " if decoded.instruction.name.endswith("null") else ""
        return [f"(ref {null}{_reference(scope, decoded.immediates[0])})"]
    flags, label, *types = decoded.immediates
    nulls = ["null " if flags >> i & 1 else "" for i in range(2)]
    pairs = zip(nulls, types, strict=True)
    return [str(label), *(f"(ref {null}{_reference(scope, each)})" for null, each in pairs)]


_SPACES = (Immediate.TABLE, Immediate.MEMORY)


def _memarg(value: tuple[int, int, int], access: int) -> str:
    alignment, offset, memory = value
    words = [str(memory)] if memory else []
    if offset:
        words.append(f"offset={offset}")
    if 1 << min(alignment, 64) != access:
        words.append(f"align={1 << min(alignment, 64)}")
    return " ".join(words)


def _number(scope: Scope, value: int) -> str:
    return str(value)


def _nothing(scope: Scope, value: int) -> str:
    return ""


def _function(scope: Scope, value: int) -> str:
    return _name(scope.info.function_title(value))


def _local(scope: Scope, value: int) -> str:
    names = {} if scope.function is None else scope.info.names.locals.get(scope.function, {})
    return _named(names, value)


def _global(scope: Scope, value: int) -> str:
    return _named(scope.info.names.globals, value)


def _tag(scope: Scope, value: int) -> str:
    return _named(scope.info.names.tags, value)


_CATCHES = ("catch", "catch_ref", "catch_all", "catch_all_ref")


def _catches(scope: Scope, value: tuple[tuple[int, int | None, int], ...]) -> str:
    clauses = [
        f"({_CATCHES[kind]} {'' if tag is None else f'{_tag(scope, tag)} '}{label})"
        for kind, tag, label in value
    ]
    return " ".join(clauses)


def _named(names: dict[int, str], value: int) -> str:
    return _name(names[value]) if value in names else str(value)


def _name(name: str) -> str:
    """A name as the text format has it; characters that it does not allow become `_`."""
    plain = "".join(c if "!" <= c <= "~" and c not in '"(),;[]{}' else "_" for c in name)
    return plain if plain.startswith("$") else f"${plain}"


def _block_type(scope: Scope, value: ValType | int | None) -> str:
    if value is None:
        return ""
    return f"(result {value})" if not isinstance(value, int) else _signature(scope, value)


def _signature(scope: Scope, index: int) -> str:
    types = scope.info.types
    found = types[index].type if index < len(types) else None
    if not isinstance(found, FuncType):
        return f"(type {index})"
    words = [("param", found.params), ("result", found.results)]
    return " ".join(f"({word} {' '.join(map(str, each))})" for word, each in words if each)


def _types(scope: Scope, value: tuple[ValType, ...]) -> str:
    return f"(result {_list(scope, value)})"


def _list(scope: Scope, value: tuple[object, ...]) -> str:
    return " ".join(map(str, value))


def _reference(scope: Scope, value: ValType) -> str:
    heap = getattr(value, "heap", None)
    return str(value).removesuffix("ref") if heap is None else str(heap)


def _f32(scope: Scope, bits: int) -> str:
    return float_text(ValType.F32, bits)


def _f64(scope: Scope, bits: int) -> str:
    return float_text(ValType.F64, bits)


def _v128(scope: Scope, bits: int) -> str:
    return "i32x4 " + " ".join(f"{bits >> shift & 0xFFFF_FFFF:#010x}" for shift in (0, 32, 64, 96))


_WRITERS: dict[Immediate, Callable[[Scope, Any], str]] = {
    Immediate.BLOCK_TYPE: _block_type,
    Immediate.LABEL_TABLE: _list,
    Immediate.FUNCTION: _function,
    Immediate.TYPE: _signature,
    Immediate.LOCAL: _local,
    Immediate.GLOBAL: _global,
    Immediate.TAG: _tag,
    Immediate.CATCHES: _catches,
    Immediate.F32: _f32,
    Immediate.F64: _f64,
    Immediate.V128: _v128,
    Immediate.LANES: _list,
    Immediate.REF_TYPE: _reference,
    Immediate.VALUE_TYPES: _types,
    Immediate.ZERO: _nothing,
}
