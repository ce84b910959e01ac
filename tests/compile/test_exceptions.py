"""Exceptions in compiled code; what all engines have in common is in `tests/api`."""

import threading
import time

import pytest

from wasmote import Instance, Module, Trap, TrapKind, WasmException, heap
from wasmote.compile import Options, compile_module
from wasmote.compile.compiler import compile_parts, link
from wasmote.compile.partition import Plan
from wasmote.compile.source import read_source
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")


def compiled(text: str, **options) -> Module:
    options.setdefault("level", 3)
    return Module(compile_module(Module(wat2wasm(text)), **options).encode())


def run(text: str, imports=None, **options):
    return Instance(compiled(text, **options), imports).exports


DEEP = """(module (tag $e (export "e") (param i64 f32))
  (func $throw (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (throw $e (i64.const 7) (f32.const 0.5))))
    (i32.add (call $throw (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $middle (param i32) (result i32) (nop) (call $throw (local.get 0)))
  (func (export "caught") (param i32) (result i64 f32)
    (block $h (result i64 f32)
      (try_table (catch $e $h) (drop (call $middle (local.get 0))))
      (unreachable))
    (return))
  (func (export "uncaught") (param i32) (result i32) (call $middle (local.get 0))))"""


@pytest.mark.parametrize("level", [0, 3])
def test_the_backtrace_of_what_nobody_catches_is_that_of_an_interpreter(level):
    found = []
    for instance in (Instance(Module(wat2wasm(DEEP))), Instance(compiled(DEEP, level=level))):
        exports = instance.exports
        assert exports.caught(5) == (7, 0.5)
        with pytest.raises(WasmException) as caught:
            exports.uncaught(2)
        assert caught.value.tag == exports.e
        assert caught.value.values == (7, 0.5)
        found.append([(frame.function_name, frame.offset) for frame in caught.value.frames])
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_modules_that_catch_nothing_are_left_as_by_a_trap():
    text = """(module (tag $e (export "e") (param i32))
      (func $throw (param i32) (throw $e (local.get 0)))
      (func (export "f") (param i32) (call $throw (local.get 0))))"""
    exports = run(text, level=0)
    with pytest.raises(WasmException) as caught:
        exports.f(3)
    assert caught.value.values == (3,)
    assert [frame.function_name for frame in caught.value.frames] == ["throw", "f"]
    plan = Plan(read_source(Module(wat2wasm(text))), Options())
    assert not plan.catches


def test_parts_of_a_module_pass_exceptions_on():
    module = Module(wat2wasm(DEEP))
    plan = Plan(read_source(module), Options(level=1), part_size=1)
    assert len(plan.partitions) > 3
    exports = Instance(Module(link(plan, compile_parts(plan, jobs=1)).encode())).exports
    assert exports.caught(5) == (7, 0.5)


@pytest.mark.parametrize("form", ["standard", "legacy"])
def test_traps_and_exhausted_stacks_are_not_caught(form):
    body = (
        "(block $h (try_table (catch_all $h) (call $f)))"
        if form == "standard"
        else "try (call $f) catch_all end"
    )
    exports = run(
        f"""(module (func $endless (export "endless") (result i32)
            (i32.add (call $endless) (i32.const 1)))
          (func $f (if (i32.eqz (call $endless)) (then (unreachable))))
          (func (export "run") {body}))"""
    )
    with pytest.raises(Trap) as caught:
        exports.run()
    assert caught.value.kind is TrapKind.STACK_OVERFLOW


def test_exceptions_pass_engines_in_both_directions():
    inner = """(module (import "m" "f" (func $f (param i32))) (tag $e (export "e") (param i32))
      (func (export "f") (param i32) (call $f (local.get 0)) (throw $e (local.get 0))))"""
    outer = """(module (import "m" "e" (tag $e (param i32))) (import "m" "f" (func $f (param i32)))
      (table funcref (elem $f))
      (func (export "f") (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $e $h)
            (call_indirect (param i32) (local.get 0) (i32.const 0)))
          (i32.const -1))))"""
    for first, second in (
        (Module(wat2wasm(inner)), compiled(outer)),
        (compiled(inner), Module(wat2wasm(outer))),
        (compiled(inner), compiled(outer)),
    ):
        called = []
        thrower = Instance(first, {"m": {"f": called.append}})
        assert Instance(second, {"m": thrower.exports}).exports.f(9) == 9
        assert called == [9]


def test_tail_calls_leave_the_block_that_catches():
    exports = run(
        """(module (tag $e)
          (func $throw (throw $e))
          (func $f (block $h (try_table (catch_all $h) (return_call $throw))))
          (func (export "run") (result i32)
            (block $h (try_table (catch_all $h) (call $f)) (return (i32.const 0)))
            (i32.const 1)))"""
    )
    assert exports.run() == 1


def test_caught_exceptions_and_their_payloads_survive_collections():
    """Exceptions that only a frame or another exception refers to, while others become garbage."""
    exports = run(
        """(module (tag $number (param i32)) (tag $outer (param exnref externref))
          (func $make (param i32) (result exnref) (local exnref)
            (block $h (result i32 exnref)
              (try_table (catch_ref $number $h) (throw $number (local.get 0)))
              (unreachable))
            (return (block (param i32 exnref) (result exnref) (local.set 1) (drop) (local.get 1))))
          (func $churn (export "churn") (param i32)
            (loop $again
              (block $h (try_table (catch_all $h) (throw $number (i32.const 0))))
              (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
          (func (export "f") (param i32 externref) (result i32 externref)
            (local $kept exnref)
            (local.set $kept (call $make (local.get 0)))
            (block $h (result exnref externref)
              (try_table (catch $outer $h)
                (call $churn (i32.const 300000))
                (throw $outer (local.get $kept) (local.get 1)))
              (unreachable))
            (block $rest (param exnref externref) (result i32 externref)
              (local.set 1) (local.set $kept)
              (call $churn (i32.const 300000))
              (block $h (result i32)
                (try_table (catch $number $h) (throw_ref (local.get $kept)))
                (unreachable))
              (local.get 1))))"""
    )
    thing = object()
    before = heap.collections
    assert exports.f(77, thing) == (77, thing)
    assert heap.collections > before


def test_rethrowing_null_is_a_trap():
    exports = run(
        """(module (func (export "f") (param exnref)
          (block $h (try_table (catch_all $h) (throw_ref (local.get 0))))))"""
    )
    with pytest.raises(Trap, match="null exception reference"):
        exports.f(None)


def test_loops_that_throw_can_be_interrupted():
    instance = Instance(
        compiled(
            """(module (tag $e) (func (export "f")
              (loop $again (try_table (catch_all $again) (throw $e)))))"""
        )
    )
    kinds = []

    def call():
        with pytest.raises(Trap) as caught:
            instance.exports.f()
        kinds.append(caught.value.kind)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    time.sleep(0.02)
    instance.interrupt()
    thread.join(30)
    assert kinds == [TrapKind.INTERRUPTED]
