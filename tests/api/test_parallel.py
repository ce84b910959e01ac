"""Many threads at once, without the GIL: in shared memories, modules, instances and tables.

`WASMOTE_THREAD_SECONDS` says how long those tests run that hammer for some time; 1 by default.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmote
from wasmote import Memory, MemoryType, Table, TableType, ValType

from .support import exports, module

ENGINES = ["fast", "classic"]
THREADS = 8
SECONDS = float(os.environ.get("WASMOTE_THREAD_SECONDS", "1"))


def in_threads(*works: Callable[[], object]) -> list[Any]:
    """Run functions at the same time; their results. Raises what the first that failed raised."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(i: int) -> None:
        try:
            barrier.wait()
            results[i] = works[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[i], daemon=True) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 + 2 * SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def instances(text: str, imports: Any = None, count: int = THREADS) -> list[Any]:
    """The exports of so many instances of one module, in both engines."""
    made = module(text)
    return [wasmote.Instance(made, imports, engine=ENGINES[i % 2]).exports for i in range(count)]


IMPORT = '(import "e" "m" (memory 1 1024 shared))'

# Every operation changes a counter of its own by one, whatever else happens: `xchg` and `cmpxchg`
# are tried until they succeed, `and`, `or` and `xor` work on one bit of a mask.
HAMMER = f"""{IMPORT}
    (func $add (param $at i32)
      (drop (i32.atomic.rmw.add (local.get $at) (i32.const 1))))
    (func (export "work") (param $n i32) (param $bit i64) (local $old i64) (local $held i64)
      (loop $again
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (drop (i64.atomic.rmw.sub (i32.const 8) (i64.const 1)))
        (drop (i32.atomic.rmw8.add_u (i32.const 17) (i32.const 1)))
        (drop (i32.atomic.rmw16.sub_u (i32.const 26) (i32.const 1)))
        (drop (i64.atomic.rmw32.add_u (i32.const 36) (i64.const 1)))
        ;; add by compare and exchange
        (local.set $old (i64.atomic.load (i32.const 40)))
        (loop $failed
          (local.set $held (i64.atomic.rmw.cmpxchg (i32.const 40) (local.get $old)
            (i64.add (local.get $old) (i64.const 1))))
          (if (i64.ne (local.get $held) (local.get $old))
            (then (local.set $old (local.get $held)) (br $failed))))
        ;; own bit on and off: nobody else's may get lost
        (if (i64.ne (i64.and (i64.atomic.rmw.or (i32.const 48) (local.get $bit))
              (local.get $bit)) (i64.const 0)) (then unreachable))
        (if (i64.eqz (i64.and (i64.atomic.rmw.xor (i32.const 48) (local.get $bit))
              (local.get $bit))) (then unreachable))
        (if (i64.ne (i64.and (i64.atomic.rmw.and (i32.const 48) (i64.const -1))
              (local.get $bit)) (i64.const 0)) (then unreachable))
        (call $add (i32.const 64))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
"""


def test_no_update_is_lost() -> None:
    memory = Memory(MemoryType(1, 1024, shared=True))
    workers = instances(HAMMER, {"e": {"m": memory}})
    rounds = int(30_000 * SECONDS)
    in_threads(*[lambda w=w, i=i: w.work(rounds, 1 << i * 7) for i, w in enumerate(workers)])
    total = rounds * THREADS
    view = memoryview(memory)
    for offset, size, value in (
        (0, 4, total), (8, 8, -total), (17, 1, total), (26, 2, -total), (36, 4, total),
        (40, 8, total), (48, 8, 0), (64, 4, total),
    ):  # fmt: skip
        found = int.from_bytes(view[offset : offset + size], "little")
        assert found == value % (1 << 8 * size), offset


MUTEX = f"""{IMPORT}
    ;; 0 free, 1 held, 2 held and wanted; at 0. What it guards is at 1024 and no atomic.
    (func $lock (local $state i32)
      (br_if 0 (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1))))
      (loop $again
        (if (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2))
          (then
            (drop (memory.atomic.wait32 (i32.const 0) (i32.const 2) (i64.const -1)))
            (br $again)))))
    (func $unlock
      (if (i32.eq (i32.atomic.rmw.xchg (i32.const 0) (i32.const 0)) (i32.const 2))
        (then (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))))
    (func (export "count") (param $n i32)
      (loop $again
        (call $lock)
        (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
        (call $unlock)
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
"""


def test_a_mutex_made_of_wait_and_notify() -> None:
    memory = Memory(MemoryType(1, 1024, shared=True))
    workers = instances(MUTEX, {"e": {"m": memory}})
    rounds = int(20_000 * SECONDS)
    in_threads(*[lambda w=w: w.count(rounds) for w in workers])
    assert int.from_bytes(memory.read(1024, 8), "little") == rounds * THREADS


BUSY = f"""{IMPORT}
    ;; Both go on until what is at 0 is not 0, at three addresses in turn.
    (func (export "wait") (param $timeout i64) (result i32)
      (local $notified i32) (local $at i32)
      (loop $again
        (local.set $at (i32.rem_u (i32.add (local.get $at) (i32.const 8)) (i32.const 24)))
        (if (i32.eqz
              (if (result i32) (i32.eqz (local.get $at))
                (then (memory.atomic.wait64 offset=64
                  (local.get $at) (i64.const 0) (local.get $timeout)))
                (else (memory.atomic.wait32 offset=64
                  (local.get $at) (i32.const 0) (local.get $timeout)))))
          (then (local.set $notified (i32.add (local.get $notified) (i32.const 1)))))
        (br_if $again (i32.eqz (i32.atomic.load (i32.const 0)))))
      (local.get $notified))
    (func (export "notify") (param $count i32) (result i32) (local $woken i32) (local $at i32)
      (loop $again
        (local.set $at (i32.rem_u (i32.add (local.get $at) (i32.const 8)) (i32.const 24)))
        (local.set $woken (i32.add (local.get $woken)
          (memory.atomic.notify offset=64 (local.get $at) (local.get $count))))
        (br_if $again (i32.eqz (i32.atomic.load (i32.const 0)))))
      (local.get $woken))
"""


def test_as_many_are_notified_as_were_woken() -> None:
    """Also of those whose time is up at that moment."""
    memory = Memory(MemoryType(1, 1024, shared=True))
    workers = instances(BUSY, {"e": {"m": memory}})

    def stop() -> None:
        time.sleep(SECONDS)
        memory.write(0, b"\1")

    timeouts = (1, 1000, 50_000, 50_000, 1_000_000)
    results = in_threads(
        *[lambda w=w, t=t: w.wait(t) for w, t in zip(workers, timeouts, strict=False)],
        *[lambda w=w, n=n: w.notify(n) for w, n in zip(workers[5:], (1, 2, -1), strict=True)],
        stop,
    )
    assert 0 < sum(results[:5]) == sum(results[5:8])


GROW = f"""{IMPORT}
    (func (export "grow") (param $n i32) (result i32)
      (local $old i32) (local $done i32) (local $i i32)
      (loop $again
        (local.set $i (i32.const 500))
        (loop $delay (br_if $delay (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $old (memory.grow (i32.const 1)))
        (if (i32.ne (local.get $old) (i32.const -1))
          (then
            (local.set $done (i32.add (local.get $done) (i32.const 1)))
            ;; the new page is zero and ours
            (if (i32.load (i32.shl (local.get $old) (i32.const 16))) (then unreachable))
            (i32.store offset=65532 (i32.shl (local.get $old) (i32.const 16)) (i32.const 1))))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $done))
    (func (export "look") (param $pages i32) (local $end i32)
      ;; whatever size is read, its last bytes are there, for every kind of access
      (loop $again
        (local.set $end (i32.shl (memory.size) (i32.const 16)))
        (drop (i32.load (i32.sub (local.get $end) (i32.const 4))))
        (drop (v128.load (i32.sub (local.get $end) (i32.const 16))))
        (drop (v128.load64_lane 1 (i32.sub (local.get $end) (i32.const 8)) (v128.const i64x2 0 0)))
        (i64.store (i32.sub (local.get $end) (i32.const 12)) (i64.const 0))
        (drop (i64.atomic.load (i32.sub (local.get $end) (i32.const 8))))
        (memory.copy (i32.const 0) (i32.sub (local.get $end) (i32.const 64)) (i32.const 64))
        (br_if $again (i32.ne (memory.size) (local.get $pages)))))
"""


def test_memories_grow_while_others_use_them() -> None:
    for _ in range(max(1, int(4 * SECONDS))):
        memory = Memory(MemoryType(1, 1024, shared=True))
        workers = instances(GROW, {"e": {"m": memory}})
        grown = in_threads(
            *[lambda w=w: w.grow(200) for w in workers[:4]],
            *[lambda w=w: w.look(801) for w in workers[4:]],
        )[:4]
        assert sum(grown) == 800
        assert memory.size == 801
        memory.grow(1023 - 800)
        with pytest.raises(MemoryError):
            memory.grow(1)


# -- the memory model ------------------------------------------------------------------------------


def litmus(first: str, second: str, count: int) -> list[tuple[int, int]]:
    """Run two pieces of code at once, on x at $x and y at $y = $x + 4, for many places.

    Each leaves a number; the pairs are returned. Before each place a thread waits for the other,
    but not for long, as that may have no processor now.
    """
    size = 64 + count * 16
    pages = 1 + size // 65536
    memory = Memory(MemoryType(pages, pages, shared=True))
    text = '(import "e" "m" (memory 1 1024 shared))'
    for name, code, slot, mine, other in (("a", first, 8, 0, 4), ("b", second, 12, 4, 0)):
        text += f"""(func (export "{name}") (param $n i32)
          (local $x i32) (local $y i32) (local $i i32) (local $spins i32)
          (local.set $x (i32.const 64))
          (loop $again
            (i32.atomic.store (i32.const {mine})
              (local.tee $i (i32.add (local.get $i) (i32.const 1))))
            (local.set $spins (i32.const 1000))
            (loop $wait
              (br_if $wait (i32.and
                (i32.lt_u (i32.atomic.load (i32.const {other})) (local.get $i))
                (i32.ne (i32.const 0)
                  (local.tee $spins (i32.sub (local.get $spins) (i32.const 1)))))))
            (local.set $y (i32.add (local.get $x) (i32.const 4)))
            (i32.store offset={slot} (local.get $x) (block (result i32) {code}))
            (local.set $x (i32.add (local.get $x) (i32.const 16)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"""
    threads = instances(text, {"e": {"m": memory}}, 2)
    in_threads(lambda: threads[0].a(count), lambda: threads[1].b(count))
    numbers = memoryview(memory).cast("I")[16 : 16 + 4 * count]  # type: ignore[arg-type]
    return list(zip(numbers[2::4], numbers[3::4], strict=True))


def test_store_buffering() -> None:
    """Of two threads that store and then look at the other's place, one sees what was stored."""
    pairs = litmus(
        "(i32.atomic.store (local.get $x) (i32.const 1)) (i32.atomic.load (local.get $y))",
        "(i32.atomic.store (local.get $y) (i32.const 1)) (i32.atomic.load (local.get $x))",
        int(30_000 * SECONDS),
    )
    assert (0, 0) not in pairs


def test_store_buffering_with_a_fence() -> None:
    pairs = litmus(
        "(i32.store (local.get $x) (i32.const 1)) atomic.fence (i32.load (local.get $y))",
        "(i32.store (local.get $y) (i32.const 1)) atomic.fence (i32.load (local.get $x))",
        int(30_000 * SECONDS),
    )
    assert (0, 0) not in pairs


def test_message_passing() -> None:
    """Who sees the flag sees what was stored before it, even if that is not atomic."""
    pairs = litmus(
        "(i32.store (local.get $x) (i32.const 7)) (i32.atomic.store (local.get $y) (i32.const 1))"
        " (i32.const 0)",
        "(i32.atomic.load (local.get $y)) (if (result i32) (then (i32.load (local.get $x)))"
        " (else (i32.const 1)))",
        int(30_000 * SECONDS),
    )
    assert {second for _, second in pairs} <= {1, 7}


# -- modules and instances -------------------------------------------------------------------------


def chain(length: int) -> str:
    """Functions that call each other, each for the first time in this test."""
    functions = "".join(
        f"(func $f{i} (param i32) (result i32)"
        f"  (i32.add (call $f{i + 1} (local.get 0)) (i32.const 1)))"
        for i in range(length)
    )
    return (
        f"{functions} (func $f{length} (param i32) (result i32) (local.get 0))"
        '(func (export "f") (param i32) (result i32) (call $f0 (local.get 0)))'
        f'(func (export "g") (param i32) (result i32) (return_call $f{length // 2} (local.get 0)))'
    )


@pytest.mark.parametrize("shared", ["module", "instance"])
def test_first_calls_at_the_same_time(shared: str) -> None:
    """Code is made at the first call of a function: in one thread, or all of them."""
    for round in range(20):
        loaded = module(chain(100))
        made = [wasmote.Instance(loaded, engine=engine).exports for engine in ENGINES]
        if shared == "module":
            made = [wasmote.Instance(loaded, engine=ENGINES[i % 2]).exports for i in range(THREADS)]
        results = in_threads(*[lambda e=e: e.f(round) for e in (made * 4)[:THREADS]])
        assert results == [round + 100] * THREADS


def test_instances_come_and_go() -> None:
    loaded = module(f"(memory 1 2) (table 10 funcref) (elem (i32.const 0) $f0) {chain(20)}")

    def work() -> int:
        return sum(wasmote.Instance(loaded).exports.f(i) for i in range(50))

    assert in_threads(*[work] * THREADS) == [50 * 20 + 49 * 25] * THREADS


def test_tables_grow_in_many_threads() -> None:
    table = Table(TableType(ValType.FUNCREF, 1, 100_000))
    text = """(import "e" "t" (table $t 1 100000 funcref)) (elem declare func $f) (func $f)
      (func (export "grow") (param $n i32)
        (loop $again
          (drop (table.grow $t (ref.func $f) (i32.const 3)))
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"""
    workers = instances(text, {"e": {"t": table}})
    in_threads(*[lambda w=w: w.grow(1000) for w in workers])
    assert len(table) == 1 + 3 * 1000 * THREADS
    assert all(table[i] is not None for i in range(1, len(table), 997))


def test_one_instance_in_many_threads() -> None:
    """Globals are what they hold, not sums: nothing else may go wrong."""
    e = exports(
        '(memory 1 100) (global $g (export "g") (mut i64) (i64.const 0))'
        '(func (export "f") (param $n i32)'
        "  (loop $l"
        "    (global.set $g (i64.extend_i32_u (local.get $n)))"
        "    (drop (memory.grow (i32.const 1)))"
        "    (i32.store (i32.shl (local.get $n) (i32.const 2)) (local.get $n))"
        "    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
    )
    in_threads(*[lambda: e.f(16000)] * THREADS)
    assert 1 <= e.g.value <= 16000


def test_a_compiled_program_with_threads(tmp_path: Path) -> None:
    """Instances are made at the same time: their start functions agree on who writes the data."""
    pytest.importorskip("ziglang")
    source, binary = Path(__file__).parent / "programs" / "work.c", tmp_path / "work.wasm"
    options = "-O2 -nostdlib -matomics -mbulk-memory -Wl,--no-entry,--shared-memory,--import-memory"
    options += ",-z,stack-size=65536,--max-memory=1048576,--export=__stack_pointer"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
    command = [*compiler, *options.split(), "-o", str(binary), str(source)]
    subprocess.run(command, check=True)
    loaded, count = wasmote.Module(binary), int(20_000 * SECONDS)
    memory = Memory(MemoryType(2, 16, shared=True))

    def work(engine: str, stack: int) -> tuple[int, Any]:
        e = wasmote.Instance(loaded, {"env": {"memory": memory}}, engine=engine).exports
        e.__stack_pointer.value = stack
        return e.work(count), e

    pages = memory.grow(THREADS)
    results = in_threads(
        *[lambda i=i: work(ENGINES[i % 2], (pages + i + 1) << 16) for i in range(THREADS)]
    )
    assert sum(done for done, _ in results) == count
    steps = [0, 0]
    for n in range(2, count + 1):
        at, taken = n, 0
        while at >= n:
            at, taken = (3 * at + 1 if at & 1 else at // 2), taken + 1
        steps.append(taken + steps[at])
    assert {e.total() for _, e in results} == {sum(steps)}
    assert {e.counted() for _, e in results} == {21 + 2 * count}
