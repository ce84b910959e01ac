"""Modules compiled in parts, by several processes: the same bytes however many there are, and what
happens when one fails.
"""

import os
import subprocess
import sys
import threading

import pytest

from wasmote import CompileError, Instance, Module, Trap
from wasmote.compile import workers
from wasmote.compile.compiler import compile_parts, link
from wasmote.compile.options import Options
from wasmote.compile.partition import Plan
from wasmote.compile.reading import Cursor
from wasmote.compile.scan import ANY, scan
from wasmote.compile.source import read_source
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

#: Functions that call each other, imports and a table, by name and by reference.
TEXT = """(module
  (type $unary (func (param i32) (result i32)))
  (import "m" "host" (func $host (type $unary)))
  (table 4 funcref) (elem (i32.const 0) func $odd $host $trap)
  (memory 1)
  (func $even (export "even") (type $unary)
    (if (result i32) (local.get 0)
      (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
  (func $odd (type $unary)
    (if (result i32) (local.get 0)
      (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
  (func (export "host") (type $unary) (call $host (local.get 0)))
  (func (export "indirect") (type $unary)
    (call_indirect (type $unary) (i32.const 5) (local.get 0)))
  (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "swapped") (param i32 i64) (result i64 i32)
    (call $swap (local.get 0) (local.get 1)))
  (func $trap (type $unary) (i32.load (i32.const -4)))
  (func (export "trap") (type $unary) (call $trap (local.get 0)))
  (func (export "divide") (param f32 i32) (result i32)
    (i32.div_s (i32.trunc_f32_s (local.get 0)) (local.get 1))))"""


def plan(text: str = TEXT, part_size: int = 1) -> Plan:
    """A part for each function, unless `part_size` says how many bytes a part has at least."""
    return Plan(read_source(Module(wat2wasm(text))), Options(level=1), part_size)


@pytest.fixture(scope="module")
def image() -> bytes:
    made = plan()
    assert [len(part.bodies) for part in made.partitions] == [1] * 9 + [0]
    return link(made, compile_parts(made, jobs=1)).encode()


def test_parts_call_each_other(image):
    exports = Instance(Module(image), {"m": {"host": lambda x: x + 1}}).exports
    assert [exports.even(7), exports.even(8), exports.host(41)] == [0, 1, 42]
    assert [exports.indirect(0), exports.indirect(1)] == [1, 6]
    assert exports.swapped(1, 2) == (2, 1)
    assert exports.divide(9.5, 2) == 4
    with pytest.raises(Trap, match="out of bounds memory") as caught:
        exports.trap(0)
    assert [frame.function_name for frame in caught.value.frames] == ["trap", "trap"]
    with pytest.raises(Trap, match="integer divide by zero"):
        exports.divide(1.0, 0)
    with pytest.raises(Trap, match="exhausted"):
        exports.even(1 << 30)


def test_tail_calls_between_parts_need_no_stack():
    text = TEXT.replace("(call $odd", "(return_call $odd").replace(
        "(call $even", "(return_call $even"
    )
    made = plan(text)
    image = link(made, compile_parts(made, jobs=2)).encode()
    exports = Instance(Module(image), {"m": {"host": lambda x: x + 1}}).exports
    assert exports.even(3_000_000) == 1


@pytest.mark.parametrize(("jobs", "seed"), [(1, "1"), (2, "2"), (5, "3")])
def test_the_bytes_do_not_depend_on_jobs_or_hashes(image, jobs, seed):
    code = (
        "import sys; from wasmote import Module\n"
        "from wasmote.compile.compiler import Options, compile_parts, link\n"
        "from wasmote.compile.partition import Plan\n"
        "from wasmote.compile.source import read_source\n"
        "plan = Plan(read_source(Module(sys.stdin.buffer.read())), Options(level=1), 1)\n"
        f"sys.stdout.buffer.write(link(plan, compile_parts(plan, {jobs})).encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=wat2wasm(TEXT), capture_output=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )  # fmt: skip
    assert done.stdout == image


def test_processes_beside_other_threads_are_new_ones_and_make_the_same_bytes(image, monkeypatch):
    """A copy of this process would have what other threads have locked."""
    started = []
    monkeypatch.setattr(
        workers, "_started", lambda *a, f=workers._started: started.append(a) or f(*a)
    )
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        made = plan()
        assert link(made, compile_parts(made, jobs=2)).encode() == image
    finally:
        done.set()
        other.join()
    assert len(started) == 2


def test_small_modules_are_one_part():
    assert plan(part_size=64 << 10).whole
    made = plan(part_size=40)
    assert [part.glue for part in made.partitions][-1]
    assert sum(len(part.bodies) for part in made.partitions) == 9
    assert all(part.size >= 40 for part in made.partitions[:-2])


def test_progress_is_told_of_each_part():
    made, told = plan(), []
    compile_parts(made, 2, lambda part, seconds: told.append((part.number, seconds >= 0)))
    assert sorted(told) == [(part.number, True) for part in made.partitions]


def test_a_process_that_ends_is_an_error_that_names_the_functions(monkeypatch):
    """Also one that is killed, for want of memory for instance; nothing is left behind."""
    started = []

    class Doomed(workers.Worker):
        def begin(self, partition):
            started.append(self.process)
            self.process.kill()
            self.process.wait()
            super().begin(partition)

    monkeypatch.setattr(workers, "Worker", Doomed)
    with pytest.raises(CompileError, match=r"failed on .*functions.*SIGKILL"):
        compile_parts(plan(), jobs=2)
    assert all(process.poll() is not None for process in started)


def test_interruption_ends_the_processes(monkeypatch):
    made, processes = plan(), []

    class Noted(workers.Worker):
        def begin(self, partition):
            processes.append(self.process)
            super().begin(partition)

    def interrupted(part, seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "Worker", Noted)
    with pytest.raises(KeyboardInterrupt):
        compile_parts(made, 2, interrupted)
    assert len(set(processes)) == 2
    assert all(process.poll() is not None for process in processes)


def test_calls_are_found_as_when_each_instruction_is_read():
    source = read_source(Module(wat2wasm(TEXT)))
    for index, calls in scan(source).items():
        body = next(body for body in source.bodies if body.index == index)
        cursor = Cursor(source.binary, body.start)
        for _ in range(cursor.unsigned()):
            cursor.unsigned()
            cursor.value_type()
        functions: set[int] = set()
        while cursor.pos < body.end:
            opcode = cursor.opcode()
            start = cursor.pos
            cursor.skip_immediates(opcode)
            if opcode == 0x10:
                functions.add(Cursor(source.binary, start).unsigned())
            elif opcode == 0x11:
                functions.add(ANY)
        assert calls.functions == functions


LOOPS = """(module (memory 1)
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "sum") (param $n i32) (result i32) (local $s i32)
    (loop $again
      (local.set $s (call $add (local.get $s) (i32.load8_u (local.get $n))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))
    (local.get $s))
  (func (export "fill") (param $n i32)
    (loop $again
      (i32.store8 (local.get $n) (i32.const 2))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n))))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else
      (call $add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


def test_large_functions_are_not_worth_all_passes():
    padding = "(drop (i32.const 1000000))" * 500  # bytes before the loop, and in it
    text = LOOPS.replace("(loop $again\n      (i32.store8", f"(loop $again {padding}(i32.store8")
    text = text.replace("(call $add (call $fib", f"{padding} (call $add (call $fib")
    made = Plan(read_source(Module(wat2wasm(text))), Options(level=2))
    assert not any(part.full for part in made.partitions if part.bodies)


@pytest.mark.parametrize(("level", "full"), [(0, [0, 1, 2, 3]), (1, []), (2, [2, 3]), (3, [2, 3])])
def test_all_passes_are_for_tight_loops_and_recursion(level, full):
    source = read_source(Module(wat2wasm(LOOPS)))
    made = Plan(source, Options(level=level))
    assert [body.index for part in made.partitions if part.full for body in part.bodies] == full
    assert made.inlined == ({0, 1} if level else set())  # 1 is short, too
    exports = Instance(Module(link(made, compile_parts(made)).encode())).exports
    exports.fill(100)
    assert exports.sum(100) == 200
    assert exports.fib(10) == 55


def test_small_functions_are_expanded_in_other_parts():
    made = Plan(read_source(Module(wat2wasm(LOOPS))), Options(level=3), 1)
    image = link(made, compile_parts(made, 2))
    assert Instance(Module(image.encode())).exports.fib(10) == 55
