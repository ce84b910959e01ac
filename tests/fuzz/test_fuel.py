"""Generated modules spend the same fuel in all engines, and stop at the same instructions."""

import random
from typing import Any

import pytest

import wasmote
from tests.fuzz.generate import own_module
from wasmote import Fuel, FuncType, GlobalType, Instance, MemoryType, Module, TagType, Trap
from wasmote.compile import compile_module
from wasmote.isa import SUPPORTED_FEATURES, Feature

FEATURES = frozenset(each for each in Feature if each.mask & SUPPORTED_FEATURES)
SEEDS = range(0, 200, 25)
MODULES = 25
ENOUGH = 20_000
#: Seconds: a call that takes so long is stopped by its fuel first.
LONG = 60
#: Ends of a call after which the instances need not be alike: frames have different sizes.
UNLIKE = ("STACK_OVERFLOW", "OUT_OF_MEMORY", "DEADLINE")


def value(type_: object) -> Any:
    """Something of a value type."""
    numbers: dict[str, Any] = {"i32": 3, "i64": 3, "f32": 1.5, "f64": 1.5, "v128": bytes(16)}
    return numbers.get(str(type_))


def imported(type_: Any) -> Any:
    if isinstance(type_, FuncType):
        results = tuple(value(each) for each in type_.results)
        answer = None if not results else results[0] if len(results) == 1 else results
        return lambda *arguments: answer
    if isinstance(type_, TagType):
        return wasmote.Tag(type_)
    if isinstance(type_, GlobalType):
        return wasmote.Global(type_, value(type_.content))
    return (wasmote.Memory if isinstance(type_, MemoryType) else wasmote.Table)(type_)


def end_of(function: Any, *arguments: object) -> object:
    """How a call ends, without its results."""
    try:
        with wasmote.timeout(LONG):
            function(*arguments)
    except Trap as trap:
        return trap.kind.name, [(frame.function_index, frame.offset) for frame in trap.frames]
    except (wasmote.WasmException, wasmote.LinkError, TypeError) as error:
        return type(error).__name__
    return "returned"


def observed(module: Module, engine: str, seed: int) -> list[object]:
    """How calls of all exports end, and what they spend."""
    rng, fuel, seen = random.Random(seed), Fuel(ENOUGH), []
    imports: dict[str, dict[str, Any]] = {}
    for each in module.imports:
        imports.setdefault(each.module, {})[each.name] = imported(each.type)
    made: list[Instance] = []
    if engine == "aot":
        module = Module(compile_module(module, level=1, fuel=True).encode())
    seen.append(end_of(lambda: made.append(Instance(module, imports, engine=engine, fuel=fuel))))
    for name in made[0].exports if made else ():
        function: Any = made[0].exports[name]
        if not isinstance(function.type, FuncType):
            continue
        for amount in (ENOUGH, rng.randrange(400)):
            fuel.left = amount
            end = end_of(function, *map(value, function.type.params))
            if end[0] in UNLIKE:
                return [*seen, end[0]]
            seen.append((name, end, fuel.left))
    return seen


@pytest.mark.parametrize("seed", SEEDS)
def test_both_interpreters_spend_the_same(seed: int) -> None:
    for number in range(seed, seed + MODULES):
        try:
            module = Module(own_module(random.Random(number), FEATURES))
        except wasmote.WasmoteError:
            continue
        fast, classic = (observed(module, engine, number) for engine in ("fast", "classic"))
        assert fast == classic, f"seed {number}"


@pytest.mark.parametrize("seed", range(300, 400, 25))
def test_compiled_code_spends_the_same(seed: int) -> None:
    for number in range(seed, seed + 25):
        try:
            module = Module(own_module(random.Random(number), FEATURES))
        except wasmote.WasmoteError:
            continue
        fast, compiled = (observed(module, engine, number) for engine in ("fast", "aot"))
        assert fast == compiled, f"seed {number}"
