"""Tail calls: any number of them in the same stack, wherever they lead."""

import threading
import time

import pytest

import wasmote
from wasmote import Trap, TrapKind

from .support import exports, module

pytestmark = pytest.mark.usefixtures("engine")

#: More than any stack could take as ordinary calls.
MANY = 300_000
SMALL_STACK = 64 * 1024

COUNTDOWN = """
    (func $down (export "down") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 44))))
      (return_call $down (i32.sub (local.get 0) (i32.const 1))))
"""


def test_a_loop_of_tail_calls_needs_no_stack() -> None:
    assert exports(COUNTDOWN, stack_size=SMALL_STACK).down(MANY) == 44


def test_functions_of_different_frames_replace_each_other() -> None:
    text = """
        (table funcref (elem $wide))
        (type $wide (func (param i64 f64 i32 i32) (result f64)))
        (func $narrow (export "narrow") (param i32) (result f64)
          (return_call $wide (i64.const 1) (f64.const 0.5) (local.get 0) (i32.const 7)))
        (func $wide (type $wide) (local i64)
          (if (i64.ne (local.get 4) (i64.const 0)) (then unreachable))
          (local.set 4 (i64.const -1))
          (if (i32.le_u (local.get 2) (i32.const 1)) (then (return (local.get 1))))
          (if (i32.and (local.get 2) (i32.const 1))
            (then (return_call $narrow (i32.sub (local.get 2) (i32.const 1)))))
          (return_call_indirect (type $wide)
            (local.get 0) (f64.add (local.get 1) (f64.const 1))
            (i32.sub (local.get 2) (i32.const 1)) (local.get 3) (i32.const 0)))
    """
    assert exports(text, stack_size=SMALL_STACK).narrow(MANY) == 1.5


def test_instances_tail_call_each_other_forever() -> None:
    ping = """
        (table (export "t") 1 funcref) (type $f (func (param i32) (result i64)))
        (func (export "ping") (type $f)
          (if (i32.eqz (local.get 0)) (then (return (i64.const -5))))
          (return_call_indirect (type $f)
            (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
        (func (export "call") (type $f) (i64.add (call 0 (local.get 0)) (i64.const 1)))
    """
    pong = """
        (import "a" "ping" (func $ping (param i32) (result i64)))
        (func (export "pong") (param i32) (result i64)
          (if (i32.eqz (local.get 0)) (then (return (i64.const -6))))
          (return_call $ping (i32.sub (local.get 0) (i32.const 1))))
    """
    a = exports(ping, stack_size=SMALL_STACK)
    b = exports(pong, {"a": a}, stack_size=SMALL_STACK)
    a.t[0] = b.pong
    assert a.ping(MANY) == -5
    assert b.pong(MANY) == -6
    assert a.call(MANY) == -4  # from within an instance, too
    assert a.call(MANY + 1) == -5


@pytest.mark.parametrize(
    ("type", "value"),
    [("i32", -3), ("i64", 2**40), ("f32", 0.5), ("f64", 1e300), ("externref", "text")],
)
def test_a_host_functions_result_is_the_callers(type: str, value: object) -> None:
    text = f"""
        (import "env" "f" (func $f (param i32) (result {type})))
        (func $tail (export "tail") (param i32) (result {type}) (return_call $f (local.get 0)))
        (func (export "call") (param i32) (result {type}) (call $tail (local.get 0)))
        (func (export "twice") (param i32) (result {type} {type})
          (call $tail (local.get 0)) (call $tail (local.get 0)))
    """
    made = exports(text, {"env": {"f": lambda number: value if number == 9 else None}})
    assert made.tail(9) == made.call(9) == value
    assert made.twice(9) == (value, value)


def test_a_host_function_may_raise_and_return_much() -> None:
    text = """
        (import "env" "f" (func $f (result i32 i64 f64)))
        (func $tail (export "tail") (result i32 i64 f64) (return_call $f))
        (func (export "call") (result i32 i64 f64) (call $tail))
    """
    made = exports(text, {"env": {"f": lambda: (1, 2, 3.0)}})
    assert made.tail() == made.call() == (1, 2, 3.0)

    def fail() -> None:
        raise KeyError("gone")

    failing = exports(text, {"env": {"f": fail}})
    for function in (failing.tail, failing.call):
        with pytest.raises(KeyError, match="gone"):
            function()


def test_memory_is_still_there_after_a_tail_call_outside() -> None:
    text = """
        (import "env" "f" (func $f))
        (memory (export "memory") 1)
        (func $tail (return_call $f))
        (func (export "read") (result i32) (call $tail) (i32.load (i32.const 65536)))
    """

    def grow() -> None:
        made.memory.grow(1)

    made = exports(text, {"env": {"f": grow}})
    assert made.read() == 0


def test_a_backtrace_has_the_frames_that_are_left() -> None:
    text = """
        (func $outer (export "outer") (result i32) (i32.add (call $gone) (i32.const 1)))
        (func $gone (result i32) (return_call $last (i32.const 1) (i32.const 2)))
        (func $last (param i32 i32) (result i32) unreachable)
    """
    with pytest.raises(Trap) as caught:
        exports(text).outer()
    assert caught.value.kind is TrapKind.UNREACHABLE
    assert [frame.function_index for frame in caught.value.frames] == [2, 0]


def test_the_backtrace_of_a_tail_called_host_function() -> None:
    text = """
        (import "env" "f" (func $f))
        (func $gone (export "gone") (return_call $f))
        (func (export "outer") (call $gone))
    """
    made = wasmote.Instance(module(text), missing="trap").exports
    for function, frames in ((made.gone, []), (made.outer, [2])):
        with pytest.raises(Trap) as caught:
            function()
        assert caught.value.kind is TrapKind.UNLINKED_IMPORT
        assert [frame.function_index for frame in caught.value.frames] == frames


def test_a_frame_that_does_not_fit_is_a_stack_overflow() -> None:
    parameters = "i64 " * 1000
    text = f"""
        (func (export "small") (return_call $large {"(i64.const 1)" * 1000}))
        (func $large (param {parameters}) (local {parameters})
          (return_call $huge {"(local.get 0)" * 1000}))
        (func $huge (param {parameters}) (local {parameters * 20}))
    """
    with pytest.raises(Trap) as caught:
        exports(text, stack_size=SMALL_STACK).small()
    assert caught.value.kind is TrapKind.STACK_OVERFLOW


def test_a_tail_call_must_return_what_the_function_does() -> None:
    with pytest.raises(wasmote.ValidationError, match="type mismatch: return_call"):
        module("(func $f (result i32) (return_call $g)) (func $g (result i64) unreachable)")


def test_instances_that_call_each_other_forever_can_be_interrupted() -> None:
    text = """
        (table (export "t") 1 funcref) (type $f (func))
        (func (export "f") (type $f) (return_call_indirect (type $f) (i32.const 0)))
    """
    first, second = (wasmote.Instance(module(text)) for _ in range(2))
    first.exports.t[0] = second.exports.f
    second.exports.t[0] = first.exports.f
    caught: list[Trap] = []

    def run() -> None:
        try:
            first.exports.f()
        except Trap as trap:
            caught.append(trap)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    begin = time.perf_counter()
    while not caught and time.perf_counter() - begin < 20:
        first.interrupt()
        time.sleep(0.01)
    assert caught[0].kind is TrapKind.INTERRUPTED
