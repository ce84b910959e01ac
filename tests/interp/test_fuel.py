"""Fuel: what code costs, the same in all engines, and where it ends."""

from collections.abc import Iterator
from typing import Any

import pytest
import wasmtime

import wasmote
from tests.api import support
from wasmote import Fuel, Instance, Module, Trap, TrapKind

ENGINES = ("fast", "classic", "aot")
PLENTY = 10**12

FIB = """
(func $fib (export "f") (param i32) (result i32)
  (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
    (then (local.get 0))
    (else
      (i32.add
        (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
"""
LOOPS = """
(memory 1) (table $t 20 funcref)
(global $g (mut i64) (i64.const 5))
(func $twice (param i64 f64) (result f64 i64)
  (f64.mul (local.get 1) (f64.const 2)) (i64.add (local.get 0) (local.get 0)))
(func (export "f") (param i32) (result i32) (local $sum i32) (local $n i32)
  (loop $outer
    (local.set $n (i32.const 0))
    (block $out
      (loop $inner
        nop
        (br_if $out (i32.ge_u (local.get $n) (local.get 0)))
        (if (i32.and (local.get $n) (i32.const 1))
          (then (global.set $g (i64.mul (global.get $g) (i64.const 3))))
          (else
            (local.set $sum (i32.add (local.get $sum) (i32.wrap_i64 (global.get $g))))))
        (block $a (block $b (block $c
          (br_table $a $b $c (i32.rem_u (local.get $n) (i32.const 5))))
          (drop (i32.load8_u (local.get $n))))
          (i32.store16 (local.get $n) (local.get $sum)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $inner)))
    (call $twice (i64.const 1) (f64.const 2)) drop drop
    (memory.fill (i32.const 7) (i32.const 3) (local.get 0))
    (memory.copy (i32.const 1) (i32.const 300) (i32.const 100))
    (table.fill $t (i32.const 2) (ref.null func) (i32.const 9))
    (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
    br_if $outer)
  (select (local.get $sum) (i32.const 1) (local.get $sum)))
"""
VECTORS = """
(func (export "f") (param i32) (result i32) (local v128)
  (loop
    (local.set 1 (i32x4.add (local.get 1) (i32x4.splat (local.get 0))))
    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (i32x4.extract_lane 2 (local.get 1)))
"""
PROGRAMS = {"fib": (FIB, 12), "loops": (LOOPS, 20), "vectors": (VECTORS, 50)}


def module_for(engine: str, text: str) -> Module:
    """A module that the engine can count the instructions of."""
    made = support.module(text)
    return support.compiled(made, level=2, fuel=True) if engine == "aot" else made


def metered(text: str, engine: str, amount: int = PLENTY, **options: Any) -> tuple[Any, Fuel]:
    fuel = Fuel(amount)
    return Instance(module_for(engine, text), engine=engine, fuel=fuel, **options).exports.f, fuel


def spent_by_wasmtime(text: str, argument: int) -> int:
    """Without the 1 that it takes for each function that is entered."""
    config = wasmtime.Config()
    config.consume_fuel = True
    store = wasmtime.Store(wasmtime.Engine(config))
    store.set_fuel(PLENTY)
    made = wasmtime.Module(store.engine, wasmtime.wat2wasm(f"(module {text})"))
    wasmtime.Instance(store, made, []).exports(store)["f"](store, argument)
    return PLENTY - store.get_fuel()


def entries(name: str, argument: int) -> int:
    """Functions that a program enters."""
    if name == "fib":
        return 1 if argument < 2 else 1 + entries(name, argument - 1) + entries(name, argument - 2)
    return 1 + argument * (name == "loops")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_costs_what_another_runtime_says(name: str, engine: str) -> None:
    text, argument = PROGRAMS[name]
    f, fuel = metered(text, engine)
    plain = Instance(module_for(engine, text), engine=engine).exports.f
    assert f(argument) == plain(argument)
    assert PLENTY - fuel.left == spent_by_wasmtime(text, argument) - entries(name, argument)
    before = fuel.left
    f(1)  # translated by now
    assert before - fuel.left == spent_by_wasmtime(text, 1) - entries(name, 1)


def ends(text: str, engine: str, argument: int, amounts: range) -> Iterator[object]:
    """Results, or where the traps are, with different amounts of fuel."""
    f, fuel = metered(text, engine)
    for amount in amounts:
        fuel.left = amount
        try:
            yield f(argument)
        except Trap as trap:
            assert trap.kind is TrapKind.OUT_OF_FUEL
            assert str(trap) == "all fuel consumed"
            assert fuel.left == 0
            yield [(frame.function_index, frame.offset) for frame in trap.frames]


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_engines_stop_at_the_same_instruction(name: str) -> None:
    text, argument = PROGRAMS[name]
    amounts = range(0, 3000, 7)
    found = [list(ends(text, engine, argument, amounts)) for engine in ENGINES]
    assert found[0] == found[1] == found[2]
    assert len({str(each) for each in found[0]}) > 1


@pytest.mark.parametrize("engine", ENGINES)
def test_the_exact_amount_suffices_and_one_less_does_not(engine: str) -> None:
    f, fuel = metered(FIB, engine)
    f(10)
    cost = PLENTY - fuel.left
    fuel.left = cost
    assert f(10) == 55
    assert fuel.left == 0
    fuel.left = cost - 1
    with pytest.raises(Trap, match="all fuel consumed"):
        f(10)
    fuel.add(cost)
    assert f(10) == 55  # refuelled


@pytest.mark.parametrize("engine", ENGINES)
def test_places_cost_nothing(engine: str) -> None:
    f, fuel = metered('(func (export "f") (loop (block nop)) (block (br 0) unreachable))', engine)
    f()
    assert PLENTY - fuel.left == 1  # br


@pytest.mark.parametrize("engine", ENGINES)
def test_ranges_cost_their_size(engine: str) -> None:
    text = """(memory 1) (func (export "f") (param i32)
      (memory.fill (i32.const 0) (i32.const 0) (local.get 0)))"""
    f, fuel = metered(text, engine, 1000)
    f(500)
    assert fuel.left == 1000 - 4 - 500
    with pytest.raises(Trap) as caught:
        f(493)
    assert caught.value.kind is TrapKind.OUT_OF_FUEL
    fuel.left = 10
    with pytest.raises(Trap, match="all fuel consumed"):
        f(-1)  # more than there can be


@pytest.mark.parametrize("engine", ENGINES)
def test_a_start_function_spends_fuel(engine: str) -> None:
    text = "(func $f (loop (br 0))) (start $f)"
    with pytest.raises(Trap, match="all fuel consumed"):
        Instance(module_for(engine, text), engine=engine, fuel=10_000)


@pytest.mark.parametrize("engine", ENGINES)
def test_instances_can_share_fuel_and_others_need_none(engine: str) -> None:
    fuel = Fuel(1000)
    made = module_for(engine, FIB)
    first, second = (Instance(made, engine=engine, fuel=fuel) for _ in range(2))
    free = Instance(made, engine=engine)
    assert first.fuel is second.fuel is fuel and free.fuel is None
    first.exports.f(5)
    left = fuel.left
    second.exports.f(5)
    assert 1000 - left == left - fuel.left > 0
    free.exports.f(20)
    assert 1000 - left == left - fuel.left


def test_calls_between_instances_of_both_engines() -> None:
    """Each spends its own; a trap goes through, and tells of the frames of both."""
    inner = Instance(support.module(FIB), engine="classic", fuel=PLENTY)
    text = """(import "inner" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0)))"""
    outer = Instance(support.module(text), {"inner": inner.exports}, engine="fast", fuel=1000)
    assert inner.fuel is not None and outer.fuel is not None
    assert outer.exports.f(10) == 55
    assert outer.fuel.left == 1000 - 2
    inner.fuel.left = 100
    with pytest.raises(Trap, match="all fuel consumed") as caught:
        outer.exports.f(10)
    assert outer.fuel.left == 1000 - 4
    assert caught.value.frames[-1].function_name == "f"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trap_between_leaves_the_count_in_order(engine: str) -> None:
    """A host function catches the trap of an inner call, and the outer call goes on."""
    text = """(import "env" "h" (func $h (param i32)))
      (func (export "trap") (drop (i32.div_u (i32.const 1) (i32.const 0))) (drop (i32.const 1)))
      (func (export "f") (param i32)
        (drop (i32.const 1)) (call $h (local.get 0))
        (drop (i32.add (i32.const 1) (i32.const 2))))"""

    def h(n: int) -> None:
        if n:
            with pytest.raises(Trap, match="divide"):
                instance.exports.trap()

    instance = Instance(module_for(engine, text), {"env": {"h": h}}, engine=engine, fuel=PLENTY)
    fuel = instance.fuel
    assert fuel is not None
    instance.exports.f(0)
    assert PLENTY - fuel.left == 6
    fuel.left = PLENTY
    instance.exports.f(1)
    assert PLENTY - fuel.left == 6 + 4  # all of the run that trapped


def test_amounts() -> None:
    with pytest.raises(ValueError, match=r"fuel is a number from 0 to 2\*\*63 - 1, not -1"):
        Fuel(-1)
    with pytest.raises(ValueError, match="not 9223372036854775808"):
        Fuel(2**63)
    fuel = Fuel(2**63 - 1)
    fuel.add(2**63 - 1)
    assert fuel.left == 2**63 - 1
    fuel.left = 7
    assert repr(fuel) == "Fuel(7)"


def test_fuel_lives_as_long_as_what_spends_it() -> None:
    f = Instance(support.module(FIB), fuel=Fuel(500)).exports.f
    assert f(5) == 5
    with pytest.raises(Trap, match="all fuel consumed"):
        f(20)
    assert isinstance(wasmote.Fuel(1), Fuel)
