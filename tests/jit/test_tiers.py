"""Compiled code takes over from the fast interpreter, and both get along with each other."""

import threading
import time

import pytest

from wasmote import Instance, Module, Trap, jit
from wasmote.api.layouts import ActivationLayout
from wasmote.errors import TrapKind
from wasmote.host.cpython.binding import BINDING
from wasmote.jit.cache import Cache
from wasmote.jit.settings import SETTINGS
from wasmote.wat import wat2wasm

FIB = """(module
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


def module(text: str) -> Module:
    return Module(wat2wasm(text))


def is_compiled(instance: Instance) -> bool:
    """Whether the instance has a context for compiled code."""
    from wasmote.api.layouts import InstanceLayout
    from wasmote.api.lifetime import owner_layout

    return bool(InstanceLayout.from_address(owner_layout(instance._owner).resource).native)


def test_an_instance_runs_before_and_after_its_code_is_there(cache: Cache) -> None:
    m = module(FIB)
    instance = Instance(m, engine="jit")
    assert instance.exports.fib(10) == 55
    assert jit.wait(m, 300)
    assert is_compiled(instance)
    assert instance.exports.fib(20) == 6765
    assert is_compiled(Instance(m, engine="jit"))
    assert not is_compiled(Instance(m, engine="fast"))
    assert [entry.kind for entry in cache.entries()] == [".aot"]


def test_the_second_start_takes_the_code_from_the_cache(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = module(FIB)
    Instance(first, engine="jit")
    assert jit.wait(first, 300)
    monkeypatch.setattr(
        "wasmote.jit.background._thread.start_new_thread", None
    )  # nothing is compiled
    second = Instance(module(FIB), engine="jit")
    assert is_compiled(second)
    assert second.exports.fib(15) == 610


def test_a_call_under_way_goes_on_and_its_calls_are_compiled(cache: Cache) -> None:
    """The host function waits until there is code: what is called next is compiled."""
    m = module("""(module
      (import "" "pause" (func $pause))
      (memory 1)
      (func $inner (param i32 i64 f64) (result f64)
        (i64.store (i32.const 8) (local.get 1))
        (f64.add (f64.convert_i32_s (local.get 0)) (local.get 2)))
      (func $boom (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "outer") (param i32) (result f64) (local i64 f64)
        (local.set 1 (i64.const -3))
        (local.set 2 (call $inner (i32.const 1) (local.get 1) (f64.const 0.5)))
        (call $pause)
        (loop $again
          (local.set 2 (f64.add (local.get 2)
            (call $inner (local.get 0) (i64.const 77) (f64.const 0.25))))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (f64.add (local.get 2) (f64.convert_i64_s (i64.load (i32.const 8)))))
      (func (export "trap") (call $pause) (drop (call $boom (i32.const -1)))))""")
    instance = Instance(m, {"": {"pause": lambda: print(jit.wait(m, 300))}}, engine="jit")
    expected = 1.5 + sum(n + 0.25 for n in range(1, 101)) + 77

    def once() -> float:
        return instance.exports.outer(100)

    assert once() == expected
    assert is_compiled(instance)
    assert once() == expected
    with pytest.raises(Trap) as trap:
        instance.exports.trap()
    assert trap.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert trap.value.frames[-1].function_name == "trap"


def pausing(text: str) -> tuple[Module, Instance]:
    """An instance whose first call of `pause` returns when there is code."""
    m = module(f'(module (import "" "pause" (func $pause)) {text})')
    return m, Instance(m, {"": {"pause": lambda: print(jit.wait(m, 300))}}, engine="jit")


def test_a_backtrace_shows_frames_of_both(cache: Cache) -> None:
    _, instance = pausing("""
      (func $deep (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then unreachable))
        (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (func (export "top") (result i32) (call $pause) (call $deep (i32.const 3)))""")
    with pytest.raises(Trap) as trap:
        instance.exports.top()
    names = [frame.function_name for frame in trap.value.frames]
    assert names[-1] == "top" and names.count("deep") == 4


def test_functions_that_begin_with_a_loop_or_a_call(cache: Cache) -> None:
    """What branches lead to, or changes when it runs, is not what compiled code takes the place
    of.
    """
    _, instance = pausing("""
      (global $n (mut i32) (i32.const 0))
      (func $count (param i32) (result i32)
        (loop $again
          (global.set $n (i32.add (global.get $n) (i32.const 1)))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (global.get $n))
      (func $first (result i32) (call $second))
      (func $second (result i32) (call $count (i32.const 5)))
      (func (export "run") (result i32)
        (drop (call $first)) (call $pause) (drop (call $first)) (call $count (i32.const 7)))
    """)
    assert instance.exports.run() == 17
    assert instance.exports.run() == 34


def test_threads_that_are_in_the_functions_meanwhile(cache: Cache) -> None:
    m = module("""(module
      (func $step (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func (export "run") (param i32) (result i32) (local i32)
        (loop $again
          (local.set 1 (call $step (local.get 1)))
          (br_if $again (i32.lt_u (local.get 1) (local.get 0))))
        (local.get 1)))""")
    instance = Instance(m, engine="fast")
    tiered = Instance(m, engine="jit")
    results: list[int] = []

    def work(run: object) -> None:
        until = time.monotonic() + 30
        while m._tier is not None and m._tier.code is None and time.monotonic() < until:
            results.append(run(20_000))  # type: ignore[operator]
        results.append(run(20_000))  # type: ignore[operator]

    threads = [
        threading.Thread(target=work, args=[each.exports.run]) for each in (instance, tiered) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jit.wait(m, 300)
    assert set(results) == {20_000}


def test_chosen_functions_stay_in_the_interpreter(cache: Cache) -> None:
    m = module("""(module
      (func $even (export "even") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
          (else (call $odd (i32.sub (local.get 0) (i32.const 1))))))
      (func $odd (export "odd") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
          (else (call $even (i32.sub (local.get 0) (i32.const 1)))))))""")
    SETTINGS.chosen = lambda index: index == 1
    SETTINGS.wait = True
    exports = Instance(m, engine="jit").exports
    assert [exports.even(n) for n in range(5)] == [1, 0, 1, 0, 1]
    assert [exports.odd(n) for n in range(5)] == [0, 1, 0, 1, 0]


def test_endless_recursion_ends_in_both(cache: Cache) -> None:
    m, instance = pausing("""
      (func $forever (param i32) (result i32)
        (i32.add (call $forever (local.get 0)) (call $forever (local.get 0))))
      (func (export "run") (result i32) (call $pause) (call $forever (i32.const 0)))
      (func (export "now") (result i32) (call $forever (i32.const 0)))""")
    for function in (instance.exports.now, instance.exports.run, instance.exports.now):
        with pytest.raises(Trap) as trap:
            function()
        assert trap.value.kind is TrapKind.STACK_OVERFLOW
    assert jit.wait(m, 300)


def test_auto_compiles_only_when_enabled(cache: Cache) -> None:
    m = module(FIB)
    Instance(m)
    assert not jit.wait(m, 0)
    jit.enable(delay=0.0, level=1)
    instance = Instance(m)
    assert jit.wait(m, 300)
    assert is_compiled(instance)
    jit.disable()
    assert not is_compiled(Instance(m))


def test_auto_waits_until_the_program_has_done_something(cache: Cache) -> None:
    jit.enable(delay=3600.0, level=1)
    m = module(FIB)
    instance = Instance(m)
    assert not jit.wait(m, 0.3)
    assert instance.exports.fib(10) == 55


@pytest.mark.parametrize("part_size", [0, 1])
def test_code_for_instances_with_fuel_counts(cache: Cache, part_size: int) -> None:
    """It is not the code of other instances, and spends and stops as the interpreter does."""
    SETTINGS.part_size = part_size
    m = module(FIB)
    plain, tiered = Instance(m, engine="jit"), Instance(m, engine="jit", fuel=10_000)
    assert jit.wait(m, 300)
    interpreted = Instance(m, engine="fast", fuel=10_000)
    assert is_compiled(tiered) and is_compiled(plain) and not is_compiled(interpreted)
    assert plain.exports.fib(20) == 6765
    for argument in (10, 11, 30):
        results, left = [], []
        for instance in (tiered, interpreted):
            try:
                results.append(instance.exports.fib(argument))
            except Trap as trap:
                results.append(trap.kind)
            assert instance.fuel is not None
            left.append(instance.fuel.left)
        assert results[0] == results[1] and left[0] == left[1]
    assert results == [TrapKind.OUT_OF_FUEL] * 2
    assert len(cache.entries()) == 2


def in_compiled_code() -> bool:
    """Whether the host was called, however indirectly, by compiled code."""
    activation = ActivationLayout.from_address(BINDING.python.active)
    return bool(activation.exec.native_frame)


def until_compiled(text: str, function: str, *arguments: object) -> tuple[object, list[bool]]:
    """Call a function that runs until `$stop` says so: when it is compiled code that asks.

    Returns its result, and whether it was compiled each time.
    """
    seen: list[bool] = []
    end = time.monotonic() + 300

    def stop() -> int:
        seen.append(in_compiled_code())
        return int(seen[-1] or time.monotonic() > end)

    jit.enable(delay=0.05, level=1)
    m = module(f'(module (import "" "stop" (func $stop (result i32))) {text})')
    instance = Instance(m, {"": {"stop": stop}})
    return instance.exports[function](*arguments), seen


#: Counts in $i, and asks the host after every 100,000.
COUNTING = """
  (loop $outer
    (local.set $k (i32.const 100000))
    (loop $inner
      (local.set $i (i64.add (local.get $i) (local.get $one)))
      (local.set $x (f64.add (local.get $x) (local.get $scale)))
      (br_if $inner (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
    (br_if $outer (i32.eqz (call $stop))))"""
LOCALS = "(local $i i64) (local $x f64) (local $v v128) (local $k i32)"


def test_a_loop_that_is_under_way_goes_on_in_compiled_code(cache: Cache) -> None:
    """The function that is in it is never called again: compiled code takes its frame over."""
    (i, x, lane, total), seen = until_compiled(
        f"""
        (func $work (param $one i64) (param $scale f64) (result i64 f64 i64) {LOCALS}
          (local.set $v (v128.const i64x2 3 4))
          {COUNTING}
          (local.get $i) (local.get $x) (i64x2.extract_lane 1 (local.get $v)))
        (func (export "run") (param i64 f64) (result i64 f64 i64 i32) (local i32)
          (local.set 2 (i32.const 7))
          (call $work (local.get 0) (local.get 1))
          (local.get 2))""",
        "run",
        1,
        0.5,
    )  # type: ignore[misc]
    assert seen[-1] and not seen[0]
    assert (i, x, lane, total) == (100_000 * len(seen), 50_000.0 * len(seen), 4, 7)


def test_so_does_one_of_the_function_that_the_host_called(cache: Cache) -> None:
    result, seen = until_compiled(
        f"""
        (func (export "run") (param $one i64) (param $scale f64) (result i64) {LOCALS}
          {COUNTING}
          (local.get $i))""",
        "run",
        1,
        0.5,
    )
    assert seen[-1] and not seen[0]
    assert result == 100_000 * len(seen)


def test_a_trap_after_compiled_code_took_over_in_a_loop(cache: Cache) -> None:
    with pytest.raises(Trap) as trap:
        until_compiled(
            f"""
            (memory 1)
            (func $work (param $one i64) (param $scale f64) (result i64) {LOCALS}
              {COUNTING}
              (i64.load (i32.const -8)))
            (func (export "run") (param i64 f64) (result i64)
              (call $work (local.get 0) (local.get 1)))""",
            "run",
            1,
            0.5,
        )
    assert trap.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert [frame.function_name for frame in trap.value.frames] == ["work", "run"]
