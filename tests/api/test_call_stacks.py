"""Call stacks of running code, and backtraces that leave frames out."""

import threading
import time

import pytest

from wasmote import Instance, Trap

from .support import module

ENGINES = ("fast", "classic")
TEXT = """
(import "env" "h" (func $h (param i32)))
(func $down (export "down") (param i32)
  (if (local.get 0)
    (then (call $down (i32.sub (local.get 0) (i32.const 1))))
    (else (call $h (i32.const 7)))))
(func $endless (export "endless") (call $endless) unreachable)
(func $spin (loop (br 0)))
(func (export "run") (call $spin))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_host_functions_can_look_at_their_callers(engine: str) -> None:
    seen = []

    def h(number: int) -> None:
        seen.append(instance.call_stack())
        assert [str(each) for each in instance.call_stacks()] == [
            "\n".join(f"#{i:02}: {frame}" for i, frame in enumerate(seen[0]))
        ]

    instance = Instance(module(TEXT), {"env": {"h": h}}, engine=engine)
    instance.exports.down(3)
    (frames,) = seen
    assert [frame.function_name for frame in frames] == ["down"] * 4
    assert len({frame.offset for frame in frames[1:]}) == 1
    assert frames[0].offset > frames[1].offset
    assert instance.call_stack() == ()
    assert instance.call_stacks() == []


def test_both_interpreters_name_the_same_instructions() -> None:
    seen = []
    for engine in ENGINES:
        imports = {"env": {"h": lambda number: seen.append(instance.call_stack())}}
        instance = Instance(module(TEXT), imports, engine=engine)
        instance.exports.down(2)
    assert seen[0] == seen[1]


def test_nested_calls_through_python_are_all_there() -> None:
    seen = []

    def h(number: int) -> None:
        if not seen:
            seen.append(())
            inner.exports.down(1)
            seen.append(outer.call_stack())
        else:
            seen.append(inner.call_stack())

    outer, inner = (Instance(module(TEXT), {"env": {"h": h}}) for _ in range(2))
    outer.exports.down(2)
    assert [len(each) for each in seen] == [0, 2, 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_calls_that_run_in_other_threads(engine: str) -> None:
    instance = Instance(module(TEXT), {"env": {"h": lambda number: None}}, engine=engine)

    def run() -> None:
        with pytest.raises(Trap, match="interrupted"):
            instance.exports.run()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    stacks = instance.call_stacks()
    instance.interrupt()
    for thread in threads:
        thread.join(30)
    names = [[frame.function_name for frame in stack.frames] for stack in stacks]
    assert names == [["$spin", "run"]] * 2 or names == [["spin", "run"]] * 2
    assert {stack.thread for stack in stacks} == {thread.ident for thread in threads}


def test_asking_again_and_again_does_no_harm() -> None:
    """Calls end and begin while they are asked."""
    text = """(func $f (export "f") (param i32)
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"""
    instance = Instance(module(text))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            instance.exports.f(100_000)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    found = [stack for _ in range(100) for stack in instance.call_stacks()]
    stop.set()
    for thread in threads:
        thread.join(30)
    assert found
    assert {frame.function_name for stack in found for frame in stack.frames} == {"f"}


@pytest.mark.parametrize("engine", ENGINES)
def test_backtraces_say_how_many_frames_they_leave_out(engine: str) -> None:
    instance = Instance(module(TEXT), {"env": {"h": lambda number: None}}, engine=engine)
    with pytest.raises(Trap, match="call stack exhausted") as caught:
        instance.exports.endless()
    trap = caught.value
    assert len(trap.frames) == 32
    assert trap.omitted > 1000
    assert trap.backtrace().splitlines()[-1] == f"... {trap.omitted} more"
    with pytest.raises(Trap) as caught:
        Instance(module('(func (export "f") unreachable)'), engine=engine).exports.f()
    assert (len(caught.value.frames), caught.value.omitted) == (1, 0)
