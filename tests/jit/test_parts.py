"""Code that comes in parts, while the module runs: here each function is one."""

import gc
import os
import signal
import threading
import time

import pytest

from wasmote import Instance, Module, Trap, jit
from wasmote.api.layouts import ActivationLayout
from wasmote.compile.meanwhile import Schedule
from wasmote.compile.options import Options
from wasmote.compile.partition import Plan
from wasmote.compile.source import read_source
from wasmote.errors import TrapKind
from wasmote.host.cpython.binding import BINDING
from wasmote.jit.cache import Cache
from wasmote.jit.growing import GrowingCode
from wasmote.jit.settings import SETTINGS
from wasmote.wat import wat2wasm

#: Two functions that call each other, one of which traps in the end; calls through a table.
MUTUAL = """(module
  (import "" "pause" (func $pause))
  (memory 1)
  (table $t funcref (elem $even $odd $pause))
  (type $test (func (param i32) (result i32)))
  (func $even (export "even") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
    (call $odd (i32.sub (local.get 0) (i32.const 1))))
  (func $odd (export "odd") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
    (call $even (i32.sub (local.get 0) (i32.const 1))))
  (func $down (export "down") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.load (i32.const -1)))))
    (call $further (i32.sub (local.get 0) (i32.const 1))))
  (func $further (param i32) (result i32) (i32.add (i32.const 1) (call $down (local.get 0))))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $test) (local.get 0) (local.get 1)))
  (func $wide (export "wide") (param i32 i64 f32 f64 i64 i64 i64 i64 i64) (result i64 f64)
    (call $pause)
    (i64.add (local.get 1) (i64.add (local.get 7) (local.get 8)))
    (f64.add (f64.promote_f32 (local.get 2)) (local.get 3)))
  (func (export "many") (result i64 f64)
    (call $wide (i32.const 1) (i64.const 2) (f32.const 0.5) (f64.const 0.25) (i64.const 5)
      (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9))))"""


@pytest.fixture(autouse=True)
def small_parts() -> None:
    SETTINGS.part_size = 1


def made(chosen: int | None = None) -> tuple[Module, Instance]:
    """A module of which the functions are compiled whose index leaves that rest, or all."""
    if chosen is not None:
        SETTINGS.chosen = lambda index: index % 2 == chosen
    m = Module(wat2wasm(MUTUAL))
    instance = Instance(m, {"": {"pause": lambda: None}}, engine="jit")
    assert jit.wait(m, 300)
    assert isinstance(m._running_code(), GrowingCode)
    return m, instance


@pytest.mark.parametrize("chosen", [None, 0, 1])
def test_functions_find_each_other_whoever_is_compiled(cache: Cache, chosen: int | None) -> None:
    _, instance = made(chosen)
    exports = instance.exports
    assert [exports.even(n) for n in range(4)] == [1, 0, 1, 0]
    assert [exports.indirect(n, 1) for n in range(4)] == [0, 1, 0, 1]
    with pytest.raises(Trap) as trap:
        exports.indirect(1, 2)
    assert trap.value.kind is TrapKind.INDIRECT_CALL_TYPE_MISMATCH
    assert exports.many() == (19, 0.75)


@pytest.mark.parametrize("chosen", [None, 0, 1])
def test_a_backtrace_shows_all_frames(cache: Cache, chosen: int | None) -> None:
    m, instance = made(chosen)
    interpreted = Instance(m, {"": {"pause": lambda: None}}, engine="fast")
    found = []
    for each in (instance, interpreted):
        with pytest.raises(Trap) as trap:
            each.exports.down(3)
        assert trap.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
        found.append([(frame.function_index, frame.offset) for frame in trap.value.frames])
    assert found[0] == found[1] and len(found[0]) == 7


@pytest.mark.parametrize("chosen", [None, 0, 1])
def test_endless_recursion_ends(cache: Cache, chosen: int | None) -> None:
    _, instance = made(chosen)
    for _ in range(2):
        with pytest.raises(Trap) as trap:
            instance.exports.down(-1)
        assert trap.value.kind is TrapKind.STACK_OVERFLOW


def test_the_image_of_all_goes_to_the_cache(cache: Cache) -> None:
    made()
    assert [entry.kind for entry in cache.entries()] == [".aot"]
    second = Module(wat2wasm(MUTUAL))
    exports = Instance(second, {"": {"pause": lambda: None}}, engine="jit").exports
    assert second._running_code() is not None
    assert not isinstance(second._running_code(), GrowingCode)
    assert exports.even(8) == 1


def test_instances_and_threads_share_the_parts(cache: Cache) -> None:
    """Some are made before there is code, some afterwards; all run while it comes."""
    m = Module(wat2wasm(MUTUAL))
    instances = [Instance(m, {"": {"pause": lambda: None}}, engine="jit") for _ in range(3)]
    results: list[tuple[int, int]] = []

    def work(instance: Instance) -> None:
        for n in range(2000):
            results.append((instance.exports.even(n % 50), n % 2))

    threads = [threading.Thread(target=work, args=[each]) for each in instances]
    for thread in threads:
        thread.start()
    assert jit.wait(m, 300)
    late = Instance(m, {"": {"pause": lambda: None}}, engine="jit")
    work(late)
    for thread in threads:
        thread.join()
    assert len(results) == 8000 and all(even != odd for even, odd in results)


def test_a_module_that_goes_takes_its_code_along(cache: Cache) -> None:
    m, instance = made()
    code = m._running_code()
    assert code is not None
    address = code.image.address
    del m, instance, code
    gc.collect()
    end = time.monotonic() + 60  # it is looked at for a moment more
    while is_mapped(address) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_mapped(address)


def is_mapped(address: int) -> bool:
    with open("/proc/self/maps") as file:
        return any(line.startswith(f"{address:x}-") for line in file)


def test_a_module_that_goes_while_it_is_being_compiled(cache: Cache) -> None:
    m = Module(wat2wasm(MUTUAL))
    instance = Instance(m, {"": {"pause": lambda: None}}, engine="jit")
    assert instance.exports.even(2) == 1
    del m, instance
    gc.collect()
    made()  # by the same thread, afterwards


def test_compiled_code_in_parts_can_be_interrupted(cache: Cache) -> None:
    m = Module(
        wat2wasm("""(module
          (func $more (param i64) (result i64) (i64.mul (local.get 0) (i64.const 3)))
          (func (export "spin") (local i64)
            (loop $again (local.set 0 (call $more (local.get 0))) (br $again))))""")
    )
    instance = Instance(m, engine="jit")
    assert jit.wait(m, 300)
    timer = threading.Timer(0.2, instance.interrupt)
    timer.start()
    with pytest.raises(Trap) as trap:
        instance.exports.spin()
    assert trap.value.kind is TrapKind.INTERRUPTED


def test_a_child_uses_the_parts_that_there_are(cache: Cache) -> None:
    _, instance = made()
    number = os.fork()
    if number == 0:
        os._exit(instance.exports.even(6) + 1)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 2


def test_a_child_compiles_what_had_no_code_yet(cache: Cache) -> None:
    m = Module(wat2wasm(MUTUAL))
    instance = Instance(m, {"": {"pause": lambda: None}}, engine="jit")
    number = os.fork()
    if number == 0:
        signal.alarm(300)
        os._exit(0 if jit.wait(m, 280) and instance.exports.even(6) == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    assert jit.wait(m, 300)


def test_what_is_wished_for_most_is_next() -> None:
    plan = Plan(read_source(Module(wat2wasm(MUTUAL))), Options(enterable=True), 1)
    schedule = Schedule(plan)
    first = schedule.next()
    assert first is not None and first.glue
    schedule.wish([(4, 1.0), (2, 5.0), (0, 99.0), (1000, 9.0)])  # 0 is imported
    assert next_functions(schedule) + next_functions(schedule) == [2, 4]
    schedule.wish([(3, 0.5)], [(3, 77)])
    part = schedule.next()
    assert part is not None and part.loops == ((3, 77),)
    assert next_functions(schedule) == [3]
    assert sum(1 for _ in iter(schedule.next, None)) == len(plan.partitions) - 4


def next_functions(schedule: Schedule) -> list[int]:
    part = schedule.next()
    return [body.index for body in part.bodies] if part else []


@pytest.mark.parametrize("fuel", [None, 1 << 40])
def test_a_loop_that_nothing_leaves_goes_on_in_compiled_code(
    cache: Cache, fuel: int | None
) -> None:
    """All functions are compiled, but this one is never called again: then its loop is."""
    seen: list[bool] = []
    end = time.monotonic() + 60

    def stop() -> int:
        activation = ActivationLayout.from_address(BINDING.python.active)
        seen.append(bool(activation.exec.native_frame))
        return int(seen[-1] or time.monotonic() > end)

    m = Module(
        wat2wasm("""(module (import "" "stop" (func $stop (result i32)))
          (func $small (param i64) (result i64) (i64.add (local.get 0) (i64.const 3)))
          (func (export "run") (result i64) (local $i i64) (local $k i32)
            (loop $outer
              (local.set $k (i32.const 50000))
              (loop $inner
                (local.set $i (call $small (local.get $i)))
                (br_if $inner (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
              (br_if $outer (i32.eqz (call $stop))))
            (local.get $i))
          (func (export "other") (result i32) (i32.const 1)))""")
    )
    instance = Instance(m, {"": {"stop": stop}}, engine="jit", fuel=fuel)
    assert instance.exports.run() == 150_000 * len(seen)
    assert seen[-1] and not seen[0]
    if fuel is not None:
        interpreted = Instance(m, {"": {"stop": seen.pop}}, engine="fast", fuel=fuel)
        seen[:] = [True] + [False] * (len(seen) - 1)
        interpreted.exports.run()
        assert instance.fuel and interpreted.fuel and instance.fuel.left == interpreted.fuel.left


def test_one_thread_for_all_modules(cache: Cache) -> None:
    before = threads()
    modules = [
        Module(wat2wasm(f'(module (func (export "f") (result i32) (i32.const {n})))'))
        for n in range(6)
    ]
    jit.enable(delay=3600.0, level=1)
    instances = [Instance(m) for m in modules]
    time.sleep(0.1)
    assert threads() <= before + 1
    assert [each.exports.f() for each in instances] == [0, 1, 2, 3, 4, 5]


def threads() -> int:
    """How many threads this process has."""
    return len(os.listdir("/proc/self/task"))
