"""Eight threads that hammer atomics and `memory.grow` at once: nothing is lost, nothing hangs.

`WASMOTE_THREAD_SECONDS` says for how long, in each engine; 1 by default. The threads have instances
of their own, which share a memory, as those that programs start themselves.
"""

import os
import threading
import time
from typing import Any

import pytest

import wasmote
from wasmote import Memory, MemoryType
from wasmote.wat import wat2wasm

SECONDS = float(os.environ.get("WASMOTE_THREAD_SECONDS", "1"))
THREADS = 8
#: Steps of one call, and pages that all calls together may add.
STEPS, MOST = 3000, 8000

# Each step adds to a counter in five ways: an atomic addition, one by compare and exchange, a plain
# one under a lock that sleeps (a word, 0 to 2) and under one that spins, and one for each page that
# the thread gets of memory.grow, into which it writes. Word 60 counts those who are within a lock.
HAMMER = """(module (import "e" "m" (memory 1 8001 shared))
  (func $lock
    (if (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 32) (i32.const 0) (i32.const 1)))
      (then (return)))
    (loop $again
      (if (i32.eqz (i32.atomic.rmw.xchg (i32.const 32) (i32.const 2))) (then (return)))
      (drop (memory.atomic.wait32 (i32.const 32) (i32.const 2) (i64.const -1)))
      (br $again)))
  (func $unlock
    (if (i32.eq (i32.atomic.rmw.xchg (i32.const 32) (i32.const 0)) (i32.const 2))
      (then (drop (memory.atomic.notify (i32.const 32) (i32.const 1))))))
  (func $within
    (if (i32.atomic.rmw.add (i32.const 60) (i32.const 1)) (then unreachable))
    (i64.store (i32.const 16) (i64.add (i64.load (i32.const 16)) (i64.const 1)))
    (drop (i32.atomic.rmw.sub (i32.const 60) (i32.const 1))))
  (func $grow (local $page i32)
    (local.set $page (memory.grow (i32.const 1)))
    (if (i32.eq (local.get $page) (i32.const -1)) (then (return)))
    (local.set $page (i32.shl (local.get $page) (i32.const 16)))
    ;; a new page is zero, and nobody else's
    (if (i32.atomic.rmw.add (i32.add (local.get $page) (i32.const 65532)) (i32.const 1))
      (then unreachable))
    (drop (i64.atomic.rmw.add (i32.const 24) (i64.const 1))))
  (func (export "hammer") (param $steps i32) (local $old i64) (local $held i64)
    (loop $step
      (drop (i64.atomic.rmw.add (i32.const 0) (i64.const 1)))
      (local.set $old (i64.atomic.load (i32.const 8)))
      (loop $failed
        (local.set $held (i64.atomic.rmw.cmpxchg (i32.const 8) (local.get $old)
          (i64.add (local.get $old) (i64.const 1))))
        (if (i64.ne (local.get $held) (local.get $old))
          (then (local.set $old (local.get $held)) (br $failed))))
      (if (i32.eqz (i32.and (local.get $steps) (i32.const 15)))
        (then (call $lock) (call $within) (call $unlock)))
      (if (i32.eqz (i32.and (local.get $steps) (i32.const 255))) (then (call $grow)))
      (br_if $step
        (local.tee $steps (i32.sub (local.get $steps) (i32.const 1)))))))"""


@pytest.fixture(scope="module")
def modules() -> dict[str, wasmote.Module]:
    """The module for each engine."""
    pytest.importorskip("llvmlite")
    from wasmote.compile import compile_module

    module = wasmote.Module(wat2wasm(HAMMER))
    compiled = wasmote.Module(compile_module(module).encode())
    return {"fast": module, "classic": module, "aot": compiled}


def hammer(module: wasmote.Module, engine: str, memory: Memory) -> int:
    """Let eight threads call the function for some time; how many calls there were."""
    calls = [0] * THREADS
    errors: list[BaseException] = []
    end = time.monotonic() + SECONDS

    def work(number: int) -> None:
        try:
            instance: Any = wasmote.Instance(module, {"e": {"m": memory}}, engine=engine)
            while time.monotonic() < end and not errors:
                instance.exports.hammer(STEPS)
                calls[number] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 + 2 * SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    assert not errors, errors
    return sum(calls)


@pytest.mark.parametrize("engine", ["fast", "classic", "aot"])
def test_threads_hammer_atomics_and_memory_grow(
    modules: dict[str, wasmote.Module], engine: str
) -> None:
    memory = Memory(MemoryType(1, MOST + 1, shared=True))
    calls = hammer(modules[engine], engine, memory)
    counters = [int.from_bytes(memory.read(at, 8), "little") for at in (0, 8, 16, 24)]
    assert calls >= THREADS
    assert counters[:2] == [calls * STEPS] * 2
    assert counters[2] == calls * len(range(16, STEPS + 1, 16))
    grown = min(calls * len(range(256, STEPS + 1, 256)), MOST)
    assert (counters[3], memory.size) == (grown, grown + 1)
    for page in range(1, memory.size):
        assert memory.read((page << 16) + 65532, 4) == b"\1\0\0\0"
