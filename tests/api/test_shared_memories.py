"""Shared memories: their types, and waiting and notifying in them."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmote
from wasmote import LinkError, Memory, MemoryType, Trap, TrapKind, ValidationError

from .support import exports, module

SECOND = 10**9
FOREVER = -1
NOTIFIED, NOT_EQUAL, TIMED_OUT = range(3)
WAITING = """
    (func (export "wait32") (param i32 i32 i64) (result i32)
      (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "wait64") (param i32 i64 i64) (result i32)
      (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "notify") (param i32 i32) (result i32)
      (memory.atomic.notify (local.get 0) (local.get 1)))
"""


@pytest.fixture
def waiting(engine: str) -> Any:
    return exports(f'(memory (export "m") 1 2 shared) {WAITING}', engine=engine)


class Waiter(threading.Thread):
    """A thread that calls a function, which blocks; `result` is what it returned or raised."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.function(*self.arguments)
        except wasmote.WasmoteError as error:
            self.result = error

    def ended(self) -> object:
        """Its result, for which it must not take long."""
        self.join(30)
        assert not self.is_alive()
        return self.result


def notify_when_there(notify: Callable[[int, int], int], address: int, count: int) -> int:
    """Notify until `count` threads were woken, as they may not wait yet; returns how many were."""
    woken = 0
    end = time.monotonic() + 30
    while woken < count and time.monotonic() < end:
        woken += notify(address, count - woken)
        time.sleep(0.001)
    return woken


# -- types -----------------------------------------------------------------------------------------


def test_the_type_says_shared() -> None:
    type = MemoryType(1, 3, shared=True)
    assert str(type) == "memory 1 3 shared"
    memory = Memory(type)
    assert memory.type == type != MemoryType(1, 3)
    wanted = module('(import "e" "m" (memory 1 3 shared)) (export "m" (memory 0))')
    assert wanted.imports[0].type == wanted.exports[0].type == type
    e = wasmote.Instance(wanted, {"e": {"m": memory}}).exports
    assert e.m is memory
    memory.grow(2)
    assert memory.type == MemoryType(3, 3, shared=True)


def test_shared_and_unshared_memories_do_not_match() -> None:
    for wanted, given in ((" shared", False), ("", True)):
        text = f'(import "e" "m" (memory 1 2{wanted}))'
        with pytest.raises(LinkError):
            exports(text, {"e": {"m": Memory(MemoryType(1, 2, shared=given))}})


def test_a_shared_memory_needs_a_maximum() -> None:
    with pytest.raises(ValueError, match="a shared memory has a maximum"):
        Memory(MemoryType(1, shared=True))
    with pytest.raises(ValidationError, match="shared memory must have maximum") as caught:
        wasmote.Module(b"\0asm\1\0\0\0\5\3\1\2\1")
    assert caught.value.offset == 11


def test_tables_are_never_shared() -> None:
    with pytest.raises(wasmote.DecodeError, match="malformed limits flags 0x03"):
        wasmote.Module(b"\0asm\1\0\0\0\4\5\1\x70\3\0\1")


@pytest.mark.parametrize("text", ["(memory 1 1 shared)", "(func atomic.fence)"])
def test_an_error_names_the_feature(text: str) -> None:
    module(text)
    with pytest.raises(ValidationError, match="feature threads"):
        module(text, features=wasmote.FEATURES - {"threads"})


def test_alignments_are_the_natural_ones() -> None:
    load = "(memory 1 1) (func (drop (i32.atomic.load align=2 (i32.const 0))))"
    with pytest.raises(ValidationError, match=r"natural: i32.atomic.load has align=2\*\*1"):
        module(load)
    with pytest.raises(ValidationError, match="must not be larger than natural"):
        module(load.replace("align=2", "align=8"))


def test_a_fence_is_followed_by_zero() -> None:
    code = b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\n\7\1\5\0\xfe\3%c\x0b"
    wasmote.Module(code % 0)
    with pytest.raises(wasmote.DecodeError, match="zero byte expected, found 0x07"):
        wasmote.Module(code % 7)


# -- traps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", ["i32", "i64"])
def test_hostile_addresses(engine: str, index: str) -> None:
    e = exports(
        f"""(memory 1) (memory {index} 1 1 shared)
        (func (export "add") (param {index}) (result i32)
          (i32.atomic.rmw.add 1 offset=8 (local.get 0) (i32.const 1)))
        (func (export "store") (param {index})
          (i64.atomic.store 1 (local.get 0) (i64.const 1)))
        (func (export "far") (param {index}) (result i32)
          (i32.atomic.rmw8.xchg_u 1 offset=0xfffffff8 (local.get 0) (i32.const 1)))
        (func (export "notify") (param {index}) (result i32)
          (memory.atomic.notify 1 (local.get 0) (i32.const 1)))
        (func (export "wait") (param {index}) (result i32)
          (memory.atomic.wait64 1 (local.get 0) (i64.const 0) (i64.const 0)))""",
        engine=engine,
    )
    assert [e.add(65524), e.add(65524)] == [0, 1]
    unaligned, outside = TrapKind.UNALIGNED_ATOMIC, TrapKind.MEMORY_OUT_OF_BOUNDS
    for function, address, kind in [
        (e.add, 65522, unaligned),
        (e.add, 65528, outside),
        (e.add, -4, outside),  # with the offset it wraps, if it has 64 bits
        (e.store, 4, unaligned),
        (e.store, 65536, outside),
        (e.store, -8, outside),
        (e.far, 8, outside),
        (e.notify, 2, unaligned),
        (e.notify, 65536, outside),
        (e.wait, 4, unaligned),
        (e.wait, 65536, outside),
        (e.wait, -8, outside),
    ]:
        with pytest.raises(Trap) as caught:
            function(address)
        assert caught.value.kind is kind, (function.name, address)
        assert len(caught.value.frames) == 1


def test_a_memory_that_ends_within_a_word(engine: str) -> None:
    """Its pages are single bytes."""
    text = """(memory 21 21 (pagesize 1))
        (func (export "load") (param i32) (result i64) (i64.atomic.load (local.get 0)))
        (func (export "add") (param i32) (result i32)
          (i32.atomic.rmw.add (local.get 0) (i32.const 1)))
        (func (export "notify") (param i32) (result i32)
          (memory.atomic.notify (local.get 0) (i32.const 1)))"""
    e = exports(text, engine=engine)
    assert (e.load(8), e.add(16), e.notify(16)) == (0, 0, 0)
    for function, address in ((e.load, 16), (e.add, 20), (e.notify, 20), (e.load, -8)):
        with pytest.raises(Trap) as caught:
            function(address)
        assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS


def test_unshared_memories(engine: str) -> None:
    e = exports(f"(memory 1 2) {WAITING}", engine=engine)
    assert e.notify(0, 1) == 0
    for wait in (e.wait32, e.wait64):
        with pytest.raises(Trap, match="expected shared memory") as caught:
            wait(0, 0, 0)
        assert caught.value.kind is TrapKind.UNSHARED_MEMORY


# -- waiting ---------------------------------------------------------------------------------------


def test_what_is_there_must_be_expected(waiting: Any) -> None:
    waiting.m.write(16, bytes.fromhex("0100000002000000"))
    assert waiting.wait32(16, 2, FOREVER) == NOT_EQUAL
    assert waiting.wait64(8, 1, FOREVER) == NOT_EQUAL
    assert waiting.wait64(8, 0x2_0000_0001, 0) == TIMED_OUT


def test_a_timeout_in_nanoseconds(waiting: Any) -> None:
    for nanoseconds in (0, 1, 3_000_000, 60_000_000):
        begin = time.monotonic_ns()
        assert waiting.wait32(0, 0, nanoseconds) == TIMED_OUT
        assert nanoseconds <= time.monotonic_ns() - begin < nanoseconds + 5 * SECOND


@pytest.mark.parametrize("timeout", [-1, -(2**63), 2**63 - 1])
def test_no_timeout(waiting: Any, timeout: int) -> None:
    waiter = Waiter(waiting.wait64, 8, 0, timeout)
    assert notify_when_there(waiting.notify, 16, 1) == 1
    assert waiter.ended() == NOTIFIED


def test_notify_wakes_so_many(waiting: Any) -> None:
    waiters = [Waiter(waiting.wait32, 32, 0, 60 * SECOND) for _ in range(5)]
    waiters.append(Waiter(waiting.wait64, 24, 0, 60 * SECOND))
    elsewhere = Waiter(waiting.wait32, 36, 0, FOREVER)
    assert waiting.notify(32, 0) == 0
    assert notify_when_there(waiting.notify, 32, 2) == 2
    end = time.monotonic() + 30
    while sum(not each.is_alive() for each in waiters) < 2 and time.monotonic() < end:
        time.sleep(0.001)
    assert sum(not each.is_alive() for each in waiters) == 2
    assert notify_when_there(waiting.notify, 32, 3) == 3
    assert notify_when_there(lambda at, _: waiting.notify(at, -1), 32, 1) == 1  # all there are
    assert [each.ended() for each in waiters] == [NOTIFIED] * 6
    assert waiting.notify(32, -1) == 0
    assert elsewhere.is_alive()
    assert notify_when_there(waiting.notify, 36, 1) == 1
    assert elsewhere.ended() == NOTIFIED


def test_first_come_first_served(waiting: Any) -> None:
    waiters = []
    for _ in range(4):  # each in the list before the next: notifying none tells nothing
        waiters.append(Waiter(waiting.wait32, 0, 0, FOREVER))
        time.sleep(0.05)
    for waiter in waiters:
        assert waiting.notify(0, 1) == 1
        assert waiter.ended() == NOTIFIED


def test_memories_of_their_own(engine: str) -> None:
    first, second = (exports(f"(memory 1 1 shared) {WAITING}", engine=engine) for _ in range(2))
    waiter = Waiter(first.wait32, 0, 0, FOREVER)
    time.sleep(0.05)
    assert second.notify(0, -1) == 0
    assert notify_when_there(first.notify, 0, 1) == 1
    assert waiter.ended() == NOTIFIED


def test_memory_that_grew_while_waiting_is_there_afterwards(engine: str) -> None:
    e = exports(
        f"""(memory (export "m") 1 3 shared) {WAITING}
        (func (export "f") (result i32)
          (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
          (i32.load (i32.const 131068)))""",
        engine=engine,
    )
    waiter = Waiter(e.f)
    time.sleep(0.05)
    e.m.grow(1)
    e.m.write(131068, b"\7")
    assert notify_when_there(e.notify, 0, 1) == 1
    assert waiter.ended() == 7


def test_garbage_is_collected_while_threads_wait(engine: str) -> None:
    """What a waiting thread refers to stays, in a local and on the operand stack."""
    e = exports(
        f"""(type $box (struct (field i32))) (type $bytes (array (mut i8)))
        (memory 1 1 shared) {WAITING}
        (func (export "hold") (param $n i32) (result i32) (local $box (ref null $box))
          (local.set $box (struct.new $box (local.get $n)))
          (struct.new $box (i32.const 1000))
          (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
          (i32.add (struct.get $box 0) (struct.get $box 0 (local.get $box))))
        (func (export "churn") (param $n i32)
          (loop $again
            (drop (struct.new $box (i32.const -1)))
            (drop (array.new_default $bytes (i32.const 5000)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))""",
        engine=engine,
    )
    waiters = [Waiter(e.hold, i) for i in range(4)]
    time.sleep(0.05)
    before = wasmote.heap.collections
    for _ in range(5):
        e.churn(2000)
        assert wasmote.heap.collect()
    assert wasmote.heap.collections > before + 5
    assert notify_when_there(e.notify, 0, 4) == 4
    assert [each.ended() for each in waiters] == [1000, 1001, 1002, 1003]


# -- being stopped ---------------------------------------------------------------------------------


def test_interrupt_stops_a_waiting_thread(engine: str) -> None:
    instance = wasmote.Instance(module(f"(memory 1 1 shared) {WAITING}"), engine=engine)
    e = instance.exports
    waiters = [Waiter(e.wait32, 0, 0, timeout) for timeout in (FOREVER, 60 * SECOND)]
    while instance.interrupt() < 2:
        time.sleep(0.001)
    for waiter in waiters:
        trap = waiter.ended()
        assert isinstance(trap, Trap)
        assert trap.kind is TrapKind.INTERRUPTED
        assert trap.frames[0].function_name == "wait32"
    assert e.notify(0, -1) == 0  # they are off the list
    assert e.wait32(0, 0, 0) == TIMED_OUT


def test_a_timeout_ends_a_wait(waiting: Any) -> None:
    with pytest.raises(Trap) as caught, wasmote.timeout(0.05):
        waiting.wait32(0, 0, FOREVER)
    assert caught.value.kind is TrapKind.DEADLINE
    assert waiting.notify(0, -1) == 0


def test_terminate_ends_a_wait(engine: str) -> None:
    instance = wasmote.Instance(module(f"(memory 1 1 shared) {WAITING}"), engine=engine)
    waiter = Waiter(instance.exports.wait64, 0, 0, FOREVER)
    time.sleep(0.05)
    instance.terminate()
    trap = waiter.ended()
    assert isinstance(trap, Trap)
    assert trap.kind is TrapKind.TERMINATED


def test_a_signal_handler_that_raises_ends_a_wait(waiting: Any) -> None:
    class AlarmError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise AlarmError

    old = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(AlarmError):
            waiting.wait32(0, 0, FOREVER)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert waiting.notify(0, -1) == 0


def run_program(text: str, *, interrupt: bool) -> tuple[int, str]:
    """Run a program that waits once it has printed a line, and ends then: its code and output."""
    program = f"MODULE = '(module (memory 1 1 shared) {' '.join(WAITING.split())})'\n"
    program += textwrap.dedent(
        """
        import signal, threading, time
        import wasmtime, wasmote
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, in the background
        e = wasmote.Instance(wasmote.Module(bytes(wasmtime.wat2wasm(MODULE)))).exports
        """
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program + textwrap.dedent(text)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        if interrupt:
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        return process.returncode, output


def test_control_c_ends_a_wait() -> None:
    assert run_program(
        """
        print("ready", flush=True)
        try:
            e.wait32(0, 0, -1)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        interrupt=True,
    ) == (0, "interrupted\n")


def test_the_process_may_end_while_daemon_threads_wait() -> None:
    assert run_program(
        """
        threading.Thread(target=e.wait32, args=[0, 0, -1], daemon=True).start()
        time.sleep(0.1)
        print("ready", flush=True)
        """,
        interrupt=False,
    ) == (0, "")
