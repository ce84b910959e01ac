"""Each instruction's semantics as a native function of its own, in the types of compiled code.

Integers are unsigned, a vector is two halves of 64 bits. A function is exported under `symbol`; its
first parameter stands for the function that traps, see `templates`.
"""

from collections.abc import Callable
from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa import Immediate, Instruction
from wasmote.nativepy import (
    NativeFunction,
    Type,
    bitcast,
    const,
    f32,
    f64,
    fn,
    inline,
    native,
    ptr,
    type_of,
    u8,
    u32,
    u64,
    unreachable,
    vec,
    void,
)
from wasmote.nativepy.types import Float, Int, Vector

HALVES = vec[u64, 2]
TYPES: dict[int, Type] = {
    ValueType.I32: u32,
    ValueType.I64: u64,
    ValueType.F32: f32,
    ValueType.F64: f64,
    ValueType.V128: HALVES,
}
TRAP = fn[[u32], void]


@inline
def taken(kind: const, x):
    """An operand in the type that the semantics takes."""
    if isinstance(kind, Vector):
        return bitcast(kind, x)
    if isinstance(kind, Int):
        return kind(x)
    return x


@inline
def given(x):
    """A result in its type in compiled code."""
    if isinstance(type_of(x), Vector):
        return bitcast(HALVES, x)
    if isinstance(type_of(x), Float):
        return x
    if type_of(x).bits == 64:
        return u64(x)
    return u32(x)


@inline
def leave_one(code: u32, trap: TRAP, a):
    trap(code)
    unreachable()


@inline
def leave_two(code: u32, trap: TRAP, a, b):
    trap(code)
    unreachable()


def _one(meaning: Any, kinds: list[Any], result: Type, lane: Any, **options: Any) -> Any:
    (A,) = kinds
    param = operand_type(A)
    if result is void:
        raise TypeError("an instruction with one operand has a result")
    if lane is not None:

        @native(**options)
        def run(trap: TRAP, a: param) -> result:
            return given(meaning(taken(A, a), lane))

    else:

        @native(on_trap=leave_one, **options)
        def run(trap: TRAP, a: param) -> result:
            return given(meaning(taken(A, a)))

    return run


def _two(meaning: Any, kinds: list[Any], result: Type, lane: Any, **options: Any) -> Any:
    A, B = kinds
    first, second = operand_type(A), operand_type(B)
    if lane is not None and result is void:

        @native(**options)
        def run(trap: TRAP, a: first, b: second) -> void:
            meaning(a, taken(B, b), lane)

    elif lane is not None:

        @native(**options)
        def run(trap: TRAP, a: first, b: second) -> result:
            return given(meaning(taken(A, a), taken(B, b), lane))

    elif result is void:

        @native(**options)
        def run(trap: TRAP, a: first, b: second) -> void:
            meaning(a, taken(B, b))

    else:

        @native(on_trap=leave_two, **options)
        def run(trap: TRAP, a: first, b: second) -> result:
            return given(meaning(taken(A, a), taken(B, b)))

    return run


def _three(meaning: Any, kinds: list[Any], result: Type, lane: Any, **options: Any) -> Any:
    A, B, C = kinds
    first, second, third = operand_type(A), operand_type(B), operand_type(C)

    @native(**options)
    def run(trap: TRAP, a: first, b: second, c: third) -> result:
        return given(meaning(taken(A, a), taken(B, b), taken(C, c)))

    return run


_BY_COUNT: dict[int, Callable[..., Any]] = {1: _one, 2: _two, 3: _three}


def operand_type(kind: Any) -> Any:
    """The type in compiled code of an operand that the semantics takes as `kind`."""
    if isinstance(kind, Vector):
        return HALVES
    if isinstance(kind, Int):
        return u64 if kind.bits == 64 else u32
    return kind


def has_lane(instruction: Instruction) -> bool:
    """Whether the semantics' last operand is a lane number, which compiled code knows."""
    return Immediate.LANE in instruction.immediates


def meaning_of(instruction: Instruction, lane: int | None, symbol: str) -> NativeFunction:
    """The native function of an instruction; `lane` if it has such an immediate."""
    function = instruction.semantics.function
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    kinds = [function.__annotations__[name] for name in names]
    if lane is not None:
        kinds.pop()
    result = TYPES[instruction.results[0]] if instruction.results else void
    make = _BY_COUNT[len(kinds)]
    made: NativeFunction = make(instruction.semantics, kinds, result, lane, export=symbol)
    return made


__all__ = ["has_lane", "meaning_of", "ptr", "u8"]
