"""Compiled code without polls of its own: signals let the host look in."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.compile.test_running import compiled, run
from wasmote import Instance, Module, Trap, timeout
from wasmote.compile import compile_module
from wasmote.errors import TrapKind
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

ENDLESS = '(module (func (export "f") (loop $l (br $l))))'
FIB = """(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                   (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


@pytest.mark.parametrize("polls", ["signals", "counting"])
@pytest.mark.parametrize("text", [ENDLESS, FIB])
def test_other_threads_go_on_and_a_timeout_ends_the_call(polls, text):
    exports = run(text, level=2, polls=polls).exports
    done = []

    def work():
        for _ in range(1000):
            time.sleep(0)
        done.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    with pytest.raises(Trap) as caught, timeout(1.0):
        exports.f() if "f" in exports else exports.fib(60)
    ended = time.monotonic()
    assert caught.value.kind is TrapKind.DEADLINE
    thread.join()
    assert done[0] < ended


def test_a_timeout_is_met_within_milliseconds():
    exports = run(ENDLESS, level=2).exports
    late = []
    for _ in range(10):
        start = time.monotonic()
        with pytest.raises(Trap), timeout(0.03):
            exports.f()
        late.append(time.monotonic() - start - 0.03)
    assert min(late) < 0.02


def test_ctrl_c_ends_a_program():
    program = (
        "import sys; from wasmote import Instance, Module\n"
        "f = Instance(Module(sys.stdin.buffer.read())).exports.f\n"
        "print('ready', flush=True)\nf()"
    )
    image = compile_module(Module(wat2wasm(ENDLESS)), level=2).encode()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(image)
    process.stdin.close()
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.stderr.read()
    assert process.wait() != 0
    assert time.monotonic() - start < 5
    process.stdout.close()
    process.stderr.close()


def test_signal_handlers_run_meanwhile_and_may_call_compiled_code():
    fib, endless = run(FIB, level=2).exports.fib, run(ENDLESS, level=2)
    seen = []

    class Stop(Exception):
        pass

    def handler(number, frame):
        seen.append(fib(20))
        if len(seen) == 3:
            raise Stop

    former = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(Stop):
            endless.exports.f()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert seen == [6765] * 3


def test_interrupted_code_goes_on_as_if_nothing_had_happened():
    """A poll comes anywhere in a function, at its very ends too; no register may change."""
    mixed = """(module (memory 1)
      (func $mix (param i32 i64 f64 v128) (result f64)
        (if (result f64) (i32.eqz (local.get 0)) (then (local.get 2))
          (else (f64.add
            (f64x2.extract_lane 0 (f64x2.add (local.get 3) (f64x2.splat (local.get 2))))
            (call $mix (i32.sub (local.get 0) (i32.const 1))
              (i64.add (local.get 1) (i64.const 3))
              (f64.add (local.get 2) (f64.convert_i64_s (local.get 1)))
              (f64x2.add (local.get 3) (f64x2.splat (f64.const 0.5))))))))
      (func (export "f") (param i32) (result f64) (local f64)
        (loop $l
          (local.set 1 (f64.add (local.get 1)
            (call $mix (i32.const 20) (i64.const 1) (f64.const 0.25) (v128.const i64x2 0 0))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"""
    f = run(mixed, level=2).exports.f
    once = f(1)
    stop = threading.Event()
    own = threading.get_ident()

    def pester():
        while not stop.is_set():
            signal.pthread_kill(own, signal.SIGURG)
            time.sleep(0)

    threads = [threading.Thread(target=pester) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert f(20_000) == pytest.approx(once * 20_000)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_backtraces_of_interrupted_code_are_whole():
    """Wherever it is interrupted: `fib` is all that is ever there."""
    instance = run(FIB, level=1)
    for _ in range(50):
        with pytest.raises(Trap) as caught, timeout(0.004):
            instance.exports.fib(60)
        names = {frame.function_name for frame in caught.value.frames}
        assert names == {"fib"} and 2 < len(caught.value.frames) <= 60


def test_former_handlers_of_the_signal_get_what_is_theirs():
    """Ticks are not; the program's own handler was there first."""
    seen = []
    former = signal.signal(signal.SIGURG, lambda *_: seen.append(1))
    try:
        exports = run(FIB, level=2).exports
        assert exports.fib(25) == 75025
        seen.clear()  # ticks from before
        os.kill(os.getpid(), signal.SIGURG)
        end = time.monotonic() + 10
        while not seen and time.monotonic() < end:
            time.sleep(0.01)
        assert seen == [1]
        exports.fib(32)
        assert seen == [1]
    finally:
        signal.signal(signal.SIGURG, former)
        run(FIB, level=0)  # takes the signal back


def test_timers_stop_when_compiled_code_does_not_run():
    exports = run(FIB, level=2).exports
    exports.fib(30)
    end = time.process_time() + 1
    while time.process_time() < end:
        pass
    assert armed() == 0
    with pytest.raises(Trap), timeout(0.1):
        exports.fib(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_can_be_interrupted_too():
    exports = run(FIB, level=2).exports
    exports.fib(30)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with timeout(0.1):
                exports.fib(60)
        except Trap:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_under_a_host_function_too():
    def fork():
        return os.fork()

    exports = run(
        """(module (import "m" "fork" (func $fork (result i32)))
          (func (export "f") (result i32) (local i32)
            (local.set 0 (call $fork))
            (if (i32.eqz (local.get 0)) (then (loop $l (br $l))))
            (local.get 0)))""",
        {"m": {"fork": fork}},
        level=2,
    ).exports
    parent = os.getpid()
    with_end = timeout(0.3)
    try:
        with with_end:
            child = exports.f()
    except Trap:
        if os.getpid() != parent:
            os._exit(0)
        raise
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_threads_end_without_leaving_timers():
    exports = run(FIB, level=2).exports
    threads = [threading.Thread(target=exports.fib, args=(22,)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic() + 20  # a thread that was joined may still be on its way out
    while timers().count("notify:") > 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert timers().count("notify:") <= 1


def test_functions_with_references_count_and_are_not_expanded_where_others_poll():
    """`$keep` may be small enough to be expanded; what it holds must be seen when it is polled."""

    class Thing:
        pass

    text = """(module (import "m" "churn" (func $churn))
      (global $g (mut i32) (i32.const 0))
      (func $keep (param externref i32) (result externref)
        (loop $l (call $churn) (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (local.get 0))
      (func (export "keep") (param externref i32) (result externref)
        (call $keep (local.get 0) (local.get 1)))
      (func (export "plain") (param i32) (result i32)
        (drop (call $keep (ref.null extern) (local.get 0))) (local.get 0))
      (func (export "take") (param externref)))"""
    exports = None

    def churn():
        for _ in range(100):
            exports.take(Thing())

    exports = Instance(compiled(text, level=3), {"m": {"churn": churn}}).exports
    thing = Thing()
    assert exports.keep(thing, 50) is thing
    assert exports.plain(3) == 3


def timers() -> str:
    with open(f"/proc/{os.getpid()}/timers") as file:
        return file.read()


def armed() -> int:
    """How many threads of this process have a timer that runs, as far as compiled code knows."""
    import ctypes

    from wasmote.api.compiled import code_signals
    from wasmote.host.ticks import Thread
    from wasmote.nativepy import mirror

    ctypes.pythonapi.pthread_getspecific.restype = ctypes.c_void_p
    own = ctypes.pythonapi.pthread_getspecific(ctypes.c_uint(code_signals().ticks.key))
    return int(mirror(Thread).from_address(own).watch.armed)
