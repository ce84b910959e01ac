"""Compiled code and threads: atomic instructions, shared memories, waiting and waking."""

import sys
import threading
import time

import pytest

from wasmote import Instance, Memory, MemoryType, Module, Trap, TrapKind
from wasmote.compile import compile_module
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

NOTIFIED, NOT_EQUAL, TIMED_OUT = range(3)


def compiled(text: str, **options) -> Module:
    options.setdefault("level", 3)
    return Module(compile_module(Module(wat2wasm(text)), **options).encode())


def all_of(threads) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("bounds_checks", [False, True])
def test_threads_count_together_in_both_engines(bounds_checks):
    text = """(module (import "m" "m" (memory 1 1 shared))
      (func (export "count") (param i32 i32)
        (loop $l
          (drop (i32.atomic.rmw.add offset=8 (local.get 0) (i32.const 1)))
          (drop (i64.atomic.rmw16.xor_u (i32.const 64) (i64.const 1)))
          (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))))"""
    memory = Memory(MemoryType(1, 1, shared=True))
    native = compiled(text, bounds_checks=bounds_checks)
    makers = [native, native, Module(wat2wasm(text))]
    counters = [Instance(each, {"m": {"m": memory}}).exports.count for each in makers]
    all_of([threading.Thread(target=each, args=(0, 100_001)) for each in counters])
    assert int.from_bytes(memory.read(8, 4), "little") == 3 * 100_001
    assert int.from_bytes(memory.read(64, 2), "little") == 1


@pytest.mark.parametrize("bounds_checks", [False, True])
def test_bad_addresses_trap_also_where_nobody_needs_the_access(bounds_checks):
    exports = Instance(
        compiled(
            """(module (memory 1 1 shared)
              (func (export "or") (param i32)
                (drop (i32.atomic.rmw.or (local.get 0) (i32.const 0))))
              (func (export "load") (param i32) (drop (i64.atomic.load offset=3 (local.get 0))))
              (func (export "swap") (param i32) (result i32)
                (i32.atomic.rmw8.cmpxchg_u (local.get 0) (i32.const 256) (i32.const 7)))
              (func (export "plain") (param i32) (drop (i32.load8_u (local.get 0))))
              (func (export "notify") (param i32) (result i32)
                (memory.atomic.notify (local.get 0) (i32.const 1))))""",
            bounds_checks=bounds_checks,
        )
    ).exports
    for function, argument, kind in (
        (exports["or"], 65536, TrapKind.MEMORY_OUT_OF_BOUNDS),
        (exports["or"], 65538, TrapKind.UNALIGNED_ATOMIC),
        (exports.load, -3, TrapKind.MEMORY_OUT_OF_BOUNDS),
        (exports.load, 0, TrapKind.UNALIGNED_ATOMIC),
        (exports.swap, -1, TrapKind.MEMORY_OUT_OF_BOUNDS),
        (exports.plain, 65536, TrapKind.MEMORY_OUT_OF_BOUNDS),
        (exports.notify, 65536, TrapKind.MEMORY_OUT_OF_BOUNDS),
        (exports.notify, 2, TrapKind.UNALIGNED_ATOMIC),
    ):
        with pytest.raises(Trap) as caught:
            function(argument)
        assert caught.value.kind is kind
    exports["or"](65532)
    exports.load(65525)
    assert [exports.swap(65535), exports.swap(65535)] == [0, 7]


def test_pages_of_one_byte_end_within_an_aligned_access():
    exports = Instance(
        compiled(
            """(module (memory 6 9 shared (pagesize 1))
              (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0)))
              (func (export "grow") (result i32) (memory.grow (i32.const 2))))"""
        )
    ).exports
    assert exports.load(0) == 0
    with pytest.raises(Trap, match="out of bounds"):
        exports.load(4)
    assert exports.grow() == 6
    assert exports.load(4) == 0


WAITING = """(module (memory (export "m") 1 2 shared)
  (func (export "wait32") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait64") (param i32 i64 i64) (result i32)
    (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "notify") (param i32 i32) (result i32)
    (memory.atomic.notify (local.get 0) (local.get 1)))
  (func (export "store") (param i32) (i32.atomic.store (i32.const 0) (local.get 0)))
  (func (export "spin") (result i32) (local i32)
    (loop $l (br_if $l (i32.eqz (i32.load (i32.const 0)))))
    (i32.load (i32.const 0))))"""


def test_waiting_and_waking():
    instance = Instance(compiled(WAITING))
    exports = instance.exports
    assert exports.wait32(0, 1, -1) == NOT_EQUAL
    assert exports.wait64(0, 1 << 40, -1) == NOT_EQUAL
    assert exports.wait32(0, 0, 1000) == TIMED_OUT
    assert exports.wait64(0, 0, 1000) == TIMED_OUT
    results = []
    threads = [
        threading.Thread(daemon=True, target=lambda f=f, a=a: results.append(f(*a)))
        for f, a in ((exports.wait32, (8, 0, -1)), (exports.wait64, (0, 0, -1)))
    ]
    for thread in threads:
        thread.start()
    woken, end = 0, time.monotonic() + 30
    while woken < 2 and time.monotonic() < end:
        woken += exports.notify(8, 2 - woken)
        time.sleep(0.001)
    for thread in threads:
        thread.join(30)
    assert results == [NOTIFIED, NOTIFIED]


def test_who_waits_can_be_interrupted_and_its_backtrace_is_whole():
    instance = Instance(compiled(WAITING))
    ended = []

    def wait():
        with pytest.raises(Trap) as caught:
            instance.exports.wait32(0, 0, -1)
        ended.append((caught.value.kind, [f.function_name for f in caught.value.frames]))

    thread = threading.Thread(target=wait)
    thread.start()
    while not instance.interrupt():
        time.sleep(0.001)
    thread.join(30)
    assert ended == [(TrapKind.INTERRUPTED, ["wait32"])]


@pytest.mark.parametrize("bounds_checks", [False, True])
def test_plain_loads_see_what_other_threads_store(bounds_checks):
    """A loop that waits for a change without atomic instructions is not one without end."""
    exports = Instance(compiled(WAITING, bounds_checks=bounds_checks)).exports
    seen = []
    thread = threading.Thread(target=lambda: seen.append(exports.spin()))
    thread.start()
    time.sleep(0.02)
    exports.store(42)
    thread.join(30)
    assert seen == [42]


def test_only_shared_memories_can_be_waited_in():
    text = WAITING.replace("1 2 shared", "1 2")
    exports = Instance(compiled(text)).exports
    with pytest.raises(Trap, match="expected shared memory"):
        exports.wait32(0, 0, 0)
    assert exports.notify(0, 1) == 0


@pytest.mark.parametrize("bounds_checks", [False, True])
def test_memories_grow_while_others_run(bounds_checks):
    """Every access within the size that a thread has seen succeeds."""
    exports = Instance(
        compiled(
            """(module (memory 1 200 shared)
              (func (export "grow") (result i32) (memory.grow (i32.const 1)))
              (func (export "last") (result i32) (local i32)
                (local.set 0 (i32.mul (memory.size) (i32.const 65536)))
                (i32.store (i32.sub (local.get 0) (i32.const 4)) (local.get 0))
                (i32.eq (local.get 0) (i32.load (i32.sub (local.get 0) (i32.const 4))))))""",
            bounds_checks=bounds_checks,
        )
    ).exports
    good = []
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        all_of(
            [
                threading.Thread(target=lambda: [exports.grow() for _ in range(199)]),
                threading.Thread(target=lambda: good.extend(exports.last() for _ in range(500))),
            ]
        )
    finally:
        sys.setswitchinterval(former)
    assert good == [1] * 500
