"""Threads, interruption and the GIL."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import wasmote
from wasmote import Trap, TrapKind

from .support import exports, module

SPIN = (
    '(func (export "spin") (param $n i64) (result i64) (local $i i64)'
    "  (loop $l (local.set $i (i64.add (local.get $i) (i64.const 1)))"
    "    (br_if $l (i64.lt_u (local.get $i) (local.get $n))))"
    "  local.get $i)"
)
FOREVER = 2**63


def test_another_thread_runs_while_webassembly_does() -> None:
    spin = exports(SPIN).spin
    ticks = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.3:
        spin(30_000_000)
    stop.set()
    thread.join()
    assert len(ticks) > 30


def test_two_threads_run_without_the_gil_at_the_same_time() -> None:
    # Each waits for the other's store, so neither gets on while the other cannot run.
    e = exports(
        '(memory 1) (func (export "play") (param $mine i32) (param $other i32) (param $rounds i32)'
        "  (loop $round"
        "    (loop $wait (br_if $wait (i32.ne (i32.load (i32.const 0)) (local.get $mine))))"
        "    (i32.store (i32.const 0) (local.get $other))"
        "    (br_if $round"
        "      (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))"
    )
    threads = [
        threading.Thread(target=e.play, args=[mine, 1 - mine, 20], daemon=True) for mine in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_many_threads_call_host_functions() -> None:
    totals: list[int] = []
    text = (
        '(import "env" "f" (func $f (param i32) (result i32)))'
        '(func (export "g") (param $n i32) (result i32) (local $s i32)'
        "  (loop $l (local.set $s (i32.add (local.get $s) (call $f (local.get $n))))"
        "    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        "  local.get $s)"
    )
    e = exports(text, {"env": {"f": lambda x: x}})
    threads = [threading.Thread(target=lambda: totals.append(e.g(5000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [5000 * 5001 // 2] * 8


def test_interrupt_stops_a_call_in_another_thread() -> None:
    instance = wasmote.Instance(module(SPIN))
    other = wasmote.Instance(instance.module)
    caught: list[Trap] = []

    def run() -> None:
        try:
            instance.exports.spin(FOREVER)
        except Trap as trap:
            caught.append(trap)

    assert instance.interrupt() == 0
    thread = threading.Thread(target=run)
    thread.start()
    begin = time.perf_counter()
    while instance.interrupt() == 0 and time.perf_counter() - begin < 10:
        other.exports.spin(10)
    thread.join(10)
    assert not thread.is_alive()
    assert caught[0].kind is TrapKind.INTERRUPTED
    assert str(caught[0]) == "interrupted"
    assert instance.exports.spin(10) == 10


def test_a_signal_handler_runs_during_a_call() -> None:
    class AlarmError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise AlarmError

    old = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(AlarmError):
            exports(SPIN).spin(FOREVER)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_a_signal_handler_may_call_webassembly() -> None:
    e = exports(SPIN)
    results: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda *_: results.append(e.spin(3)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)
        begin = time.perf_counter()
        while len(results) < 3 and time.perf_counter() - begin < 10:
            assert e.spin(20_000_000) == 20_000_000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert results[:3] == [3, 3, 3]


def test_control_c_stops_a_program_within_a_tenth_of_a_second() -> None:
    program = textwrap.dedent(
        f"""
        import time
        import wasmtime, wasmote
        module = wasmote.Module(bytes(wasmtime.wat2wasm('(module {SPIN})')))
        spin = wasmote.Instance(module).exports.spin
        spin(10)
        print("ready", flush=True)
        try:
            spin({FOREVER})
        except KeyboardInterrupt:
            print(time.monotonic())
        """
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert 0 <= float(output) - sent < 0.1


def test_the_gil_is_held_again_after_a_trap_without_it() -> None:
    e = exports(
        '(func (export "f") (local $i i32)'
        "  (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        "    (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))"
        "  unreachable)"
    )
    for _ in range(3):
        with pytest.raises(Trap, match="unreachable"):
            e.f()


def test_the_process_may_end_while_daemon_threads_run() -> None:
    program = textwrap.dedent(
        f"""
        import threading, time
        import wasmtime, wasmote
        text = '(module (import "e" "f" (func $f)) (func (export "loop") (loop $l call $f br $l))'
        module = wasmote.Module(bytes(wasmtime.wat2wasm(text + '{SPIN})')))
        e = wasmote.Instance(module, {{"e": {{"f": lambda: None}}}}).exports
        threading.Thread(target=e.loop, daemon=True).start()
        threading.Thread(target=e.spin, args=[{FOREVER}], daemon=True).start()
        time.sleep(0.2)
        """
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_references_are_swept_while_threads_pass_them() -> None:
    e = exports(
        "(table $t 64 externref)"
        '(func (export "put") (param i32 externref) local.get 0 local.get 1 table.set $t)'
        '(func (export "get") (param i32) (result externref) local.get 0 table.get $t)'
        '(func (export "move") (param $from i32) (param $to i32) (result externref)'
        "  (table.set $t (local.get $to) (table.get $t (local.get $from)))"
        "  (table.set $t (local.get $from) (ref.null extern))"
        "  (table.get $t (local.get $to)))"
    )
    wrong: list[object] = []

    def work(slot: int) -> None:
        for i in range(5000):
            thing = (slot, i)
            e.put(slot, thing)
            if e.get(slot) is not thing or e.move(slot, slot + 1) is not thing:
                wrong.append(thing)

    threads = [threading.Thread(target=work, args=[2 * i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
