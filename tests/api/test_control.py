"""How calls end that somebody wants to end: timeouts, terminate, interrupt."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmote
from wasmote import Instance, Trap, TrapKind
from wasmote.wasi import Wasi

from .support import module

ENGINES = ("fast", "classic")
SPIN = '(func $spin (export "spin") (loop (br 0)))'
HOST = '(import "env" "h" (func $h)) (func (export "f") (call $h) (unreachable))'
#: Seconds: much longer than anything takes here that works.
LONG = 30.0


def trap_of(function: Callable[..., object], *arguments: object) -> Trap:
    with pytest.raises(Trap) as caught:
        function(*arguments)
    return caught.value


def in_thread(function: Callable[[], object]) -> "tuple[threading.Thread, list[Trap]]":
    """Start a call that is to end in a trap."""
    found: list[Trap] = []
    thread = threading.Thread(target=lambda: found.append(trap_of(function)), daemon=True)
    thread.start()
    return thread, found


# Timeouts


@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_a_loop(engine: str) -> None:
    e = Instance(module(SPIN + '(func (export "one") (result i32) i32.const 1)'), engine=engine)
    begin = time.monotonic()
    with wasmote.timeout(0.1):
        trap = trap_of(e.exports.spin)
    assert 0.1 <= time.monotonic() - begin < LONG
    assert (trap.kind, str(trap)) == (TrapKind.DEADLINE, "deadline exceeded")
    assert trap.frames[0].function_name == "spin"
    assert e.exports.one() == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_a_start_function(engine: str) -> None:
    with wasmote.timeout(0.05):
        trap = trap_of(lambda: Instance(module(SPIN + "(start $spin)"), engine=engine))
    assert trap.kind is TrapKind.DEADLINE


@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_what_a_slow_host_function_returns_to(engine: str) -> None:
    e = Instance(module(HOST), {"env": {"h": lambda: time.sleep(0.1)}}, engine=engine)
    with wasmote.timeout(0.05):
        assert trap_of(e.exports.f).kind is TrapKind.DEADLINE
    assert trap_of(e.exports.f).kind is TrapKind.UNREACHABLE


def test_the_earliest_of_nested_timeouts_counts() -> None:
    spin = Instance(module(SPIN)).exports.spin
    with wasmote.timeout(LONG):
        with wasmote.timeout(0.05), wasmote.timeout(LONG):
            assert trap_of(spin).kind is TrapKind.DEADLINE
        with wasmote.timeout(0):
            assert trap_of(spin).kind is TrapKind.DEADLINE


def test_a_timeout_is_for_its_thread_only() -> None:
    instance = Instance(module(SPIN))
    with wasmote.timeout(0.02):
        thread, found = in_thread(instance.exports.spin)
        time.sleep(0.1)
        assert thread.is_alive()
    instance.interrupt()
    thread.join(LONG)
    assert [trap.kind for trap in found] == [TrapKind.INTERRUPTED]


def test_timeouts_that_make_no_sense() -> None:
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="a timeout is a number of seconds"):
            wasmote.timeout(seconds)
    with wasmote.timeout(float("inf")) as limit, pytest.raises(RuntimeError, match="in use"):
        limit.__enter__()


# Long operations


@pytest.mark.parametrize("engine", ENGINES)
def test_long_fills_and_copies_can_be_stopped(engine: str) -> None:
    """Each of these takes a second or so."""
    text = """(memory 8192)
      (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1fff0000)))
      (func (export "up") (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x1fff0000)))
      (func (export "down") (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x1fff0000)))"""
    e = Instance(module(text), engine=engine).exports
    for function in (e.fill, e.up, e.down):
        with wasmote.timeout(0.001):
            trap = trap_of(function)
        assert trap.kind is TrapKind.DEADLINE
        assert trap.frames[0].function_name == function.name


@pytest.mark.parametrize("engine", ENGINES)
def test_long_copies_overlap_as_they_should(engine: str) -> None:
    """They are done in pieces of 16 MiB."""
    size = 40 << 20
    text = """(memory (export "m") 720) (func (export "copy") (param i32 i32 i32)
      (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "fill") (param i32 i32 i32)
      (memory.fill (local.get 0) (local.get 1) (local.get 2)))"""
    e = Instance(module(text), engine=engine).exports
    memory = memoryview(e.m)
    marks = range(0, size, 999_983)
    for to, source in ((100, 0), (0, 100), (3 << 20, 1 << 20)):
        for i, place in enumerate(marks):
            memory[source + place] = i + 1
        e.copy(to, source, size)
        assert [memory[to + place] for place in marks] == [i + 1 for i in range(len(marks))]
        e.fill(0, 0, size + (4 << 20))
        assert not any(memory[place] for place in range(0, len(memory), 997))
    assert trap_of(e.copy, 0, 1, 720 * 65536).kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert trap_of(e.fill, 1, 1, 720 * 65536).kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert memory[1] == 0


# Terminate and interrupt


@pytest.mark.parametrize("engine", ENGINES)
def test_terminate_ends_what_runs_and_all_that_follows(engine: str) -> None:
    instance = Instance(module(SPIN + '(memory (export "m") 1)'), engine=engine)
    thread, found = in_thread(instance.exports.spin)
    time.sleep(0.05)
    instance.terminate()
    thread.join(LONG)
    found.append(trap_of(instance.exports.spin))
    assert [trap.kind for trap in found] == [TrapKind.TERMINATED] * 2
    assert str(found[0]) == "terminated by user"
    assert found[0].frames[0].function_name == "spin"
    assert len(instance.exports.m) == 65536


@pytest.mark.parametrize("engine", ENGINES)
def test_terminate_ends_calls_of_other_instances_that_are_in_it(engine: str) -> None:
    inner = Instance(module(SPIN), engine=engine)
    text = """(import "inner" "spin" (func $spin)) (func (export "f") (call $spin))
      (func (export "one") (result i32) i32.const 1)"""
    outer = Instance(module(text), {"inner": inner.exports}, engine=engine)
    thread, found = in_thread(outer.exports.f)
    time.sleep(0.05)
    inner.terminate()
    thread.join(LONG)
    assert [trap.kind for trap in found] == [TrapKind.TERMINATED]
    assert outer.exports.one() == 1
    assert trap_of(outer.exports.f).kind is TrapKind.TERMINATED


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("end", "kind"),
    [(Instance.interrupt, TrapKind.INTERRUPTED), (Instance.terminate, TrapKind.TERMINATED)],
)
def test_a_host_function_can_end_its_caller(
    engine: str, end: Callable[[Instance], Any], kind: TrapKind
) -> None:
    instance = Instance(module(HOST), {"env": {"h": lambda: end(instance) and None}}, engine=engine)
    assert trap_of(instance.exports.f).kind is kind


def test_host_functions_that_wait_can_look() -> None:
    def wait() -> None:
        while True:
            wasmote.checkpoint()
            time.sleep(0.001)

    wasmote.checkpoint()  # nothing is under way
    instance = Instance(module(HOST), {"env": {"h": wait}})
    for end, kind in (
        (instance.interrupt, TrapKind.INTERRUPTED),
        (instance.terminate, TrapKind.TERMINATED),
    ):
        thread, found = in_thread(instance.exports.f)
        time.sleep(0.02)
        end()
        thread.join(LONG)
        assert [trap.kind for trap in found] == [kind]
        assert found[0].frames[0].function_name == "f"


def test_a_wasi_program_that_sleeps_can_be_ended() -> None:
    """An hour, in poll_oneoff."""
    text = """(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "sleep")
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 3600000000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"""
    with Wasi() as wasi:
        instance = Instance(module(text), wasi.imports())
        with wasmote.timeout(0.05):
            assert trap_of(instance.exports.sleep).kind is TrapKind.DEADLINE
        thread, found = in_thread(instance.exports.sleep)
        time.sleep(0.02)
        instance.terminate()
        thread.join(LONG)
        assert [trap.kind for trap in found] == [TrapKind.TERMINATED]
