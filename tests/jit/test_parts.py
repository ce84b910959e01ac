"""Code that comes in parts, while the module runs: here each function is one."""

import gc
import os
import signal
import threading
import time

import pytest

from wasmote import Instance, Module, Trap, jit
from wasmote.compile.meanwhile import Wishes
from wasmote.compile.options import Options
from wasmote.compile.partition import Plan
from wasmote.compile.source import read_source
from wasmote.errors import TrapKind
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
    assert jit.wait(m, 60)
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
    assert jit.wait(m, 60)
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
    with open("/proc/self/maps") as file:
        assert not any(line.startswith(f"{address:x}-") for line in file)


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
    assert jit.wait(m, 60)
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
        signal.alarm(60)
        os._exit(0 if jit.wait(m, 50) and instance.exports.even(6) == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    assert jit.wait(m, 60)


def test_what_is_wished_for_most_is_next() -> None:
    plan = Plan(read_source(Module(wat2wasm(MUTUAL))), Options(enterable=True), 1)
    wishes, todo = Wishes(plan), list(plan.partitions)
    assert wishes.next(todo).glue
    wishes.add([(4, 1.0), (2, 5.0), (0, 99.0), (1000, 9.0)])  # 0 is imported
    first, second = wishes.next(todo), wishes.next(todo)
    assert [body.index for body in (*first.bodies, *second.bodies)] == [2, 4]
    for _ in range(20):
        wishes.add([(3, 0.5)])
    assert [body.index for body in wishes.next(todo).bodies] == [3]


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
