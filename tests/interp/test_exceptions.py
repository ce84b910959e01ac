"""Exceptions inside WebAssembly: where handlers find their values, how far unwinding goes."""

import threading
import time

import pytest

from tests.api.support import exports, module
from wasmote import Instance, Trap, TrapKind, ValidationError, WasmException
from wasmote.errors import Frame

ENGINES = pytest.mark.parametrize("engine", ["fast", "classic"])
FRAMES = 100_000
BIG_STACK = 64 << 20


@ENGINES
def test_handlers_find_locals_and_operands(engine: str) -> None:
    """Of every kind, where they may have been in a register, a constant, or another local."""
    text = """
        (tag $e (param i32 f64 i64))
        (func $throw (param i32) (throw $e (local.get 0) (f64.const 0.5) (i64.const 7)))
        (func (export "f") (param $p i32) (result f64)
          (local $a i32) (local $b f64) (local $c v128)
          (local.set $a (i32.add (local.get $p) (i32.const 1)))
          (local.set $b (f64.convert_i32_s (local.get $a)))
          (local.set $c (i32x4.splat (local.get $a)))
          (f64.const 1000)                               ;; a constant,
          (f64.mul (local.get $b) (local.get $b))        ;; a result in an accumulator,
          (local.get $b)                                 ;; and a local that changes below
          (block $h (result i32 f64 i64)
            (i32.const 5) (i64.const 6)
            (local.set $b (f64.const 99))
            (try_table (param i32 i64) (result i32 f64 i64) (catch $e $h)
              (local.set $a (i32.mul (local.get $a) (i32.const 10)))
              (call $throw (local.get $a))
              (i64.add (i64.const 1)) (drop) (f64.const 0) (i64.const 0)))
          (i64.add (i64.extend_i32_s (local.get $a)))
          (i64.add (i64.extend_i32_s (i32x4.extract_lane 3 (local.get $c))))
          (f64.convert_i64_s) (f64.add)                  ;; the exception's f64
          (local.set $b) (f64.convert_i32_s) (local.get $b) (f64.add)
          (f64.add) (f64.add) (f64.add))
    """
    for p in (0, 3, -8):
        a = p + 1
        value = a * 10 + (0.5 + (7 + a * 10 + a)) + a + a * a + 1000
        assert exports(text, engine=engine).f(p) == value


@ENGINES
def test_the_innermost_fitting_clause_catches(engine: str) -> None:
    text = """
        (tag $a) (tag $b) (tag $c)
        (func $throw (param i32)
          (block $0 (block $1 (block $2 (br_table $0 $1 $2 (local.get 0))) (throw $c)) (throw $b))
          (throw $a))
        (func (export "f") (param i32) (result i32)
          (block $all
            (block $outer_a
              (try_table (catch $a $outer_a) (catch_all $all)
                (block $inner_b
                  (try_table (catch $b $inner_b) (catch $b $all)
                    (try_table)
                    (try_table (call $throw (local.get 0)))))
                (return (i32.const 2)))
              unreachable)
            (return (i32.const 1)))
          (i32.const 3))
    """
    f = exports(text, engine=engine).f
    assert [f(0), f(1), f(2)] == [1, 2, 3]


@ENGINES
def test_clauses_of_a_loop_a_function_and_an_if(engine: str) -> None:
    text = """
        (tag $e (param i32)) (tag $two (param i32 i64))
        (func (export "loop") (param $n i32) (result i32)
          (i32.const 0)
          (loop $again (param i32) (result i32)
            (if (param i32) (result i32) (i32.ge_s (local.get $n) (i32.const 0)) (then
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (try_table (param i32) (result i32) (catch $e $again)
                (i32.add (i32.const 3)) (throw $e)))
            (else))))
        (func (export "function") (param i32) (result i64 i32)
          (i64.const 3)
          (block $h (result i32)
            (try_table (result i32) (catch $e $h) (throw $e (local.get 0))))
          (i32.add (i32.const 1)))
        (func (export "both") (param i32) (result i32 i64)
          (i64.const 9)
          (try_table (catch $two 0) (throw $two (local.get 0) (i64.const 8)))
          (drop) (i32.const 1) (i64.const 2))
        (func (export "returned") (param i32) (result i32)
          (try_table (catch $e 0) (throw $e (local.get 0)))
          (i32.const 0))
        (func (export "if") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (try_table (result i32) (catch $e 0) (throw $e (i32.const 8))))
            (else (i32.const 9))))
    """
    found = exports(text, engine=engine)
    assert found.loop(1000) == 3003
    assert found.function(5) == (3, 6)
    assert found.both(6) == (6, 8)
    assert found.returned(4) == 4
    assert [found["if"](0), found["if"](1)] == [9, 8]


@ENGINES
def test_unwinding_through_many_frames(engine: str) -> None:
    text = """
        (tag $e (param i64))
        (func $down (param $n i32) (param $junk f64) (result i32)
          (if (i32.eqz (local.get $n)) (then (throw $e (i64.const 77))))
          (i32.add (call $down (i32.sub (local.get $n) (i32.const 1)) (f64.const 1)) (i32.const 1)))
        (func (export "f") (param i32) (result i64)
          (block $h (result i64)
            (try_table (catch $e $h) (drop (call $down (local.get 0) (f64.const 0))))
            (i64.const 0)))
        (func (export "out") (param i32) (drop (call $down (local.get 0) (f64.const 0))))
    """
    found = exports(text, engine=engine, stack_size=BIG_STACK)
    for _ in range(3):  # the stack is as it was
        assert found.f(FRAMES) == 77
    with pytest.raises(WasmException) as caught:
        found.out(FRAMES)
    assert caught.value.values == (77,)
    assert len(caught.value.frames) == 32


@ENGINES
def test_a_tail_call_leaves_the_block(engine: str) -> None:
    text = """
        (tag $e)
        (func $throw (throw $e))
        (func $f (try_table (catch_all 0) (return_call $throw)))
        (func (export "f") (result i32)
          (block $h (try_table (catch_all $h) (call $f)) (return (i32.const 0)))
          (i32.const 1))
    """
    assert exports(text, engine=engine).f() == 1


@ENGINES
@pytest.mark.parametrize("other", ["fast", "classic"])
def test_what_a_tail_called_function_throws_is_the_callers(engine: str, other: str) -> None:
    """Of another instance and of the host."""
    thrower = exports(
        '(tag $e (export "e") (param i32))'
        '(func (export "throw") (param i32) (throw $e (local.get 0)))',
        engine=other,
    )

    def throw(number: int) -> None:
        raise WasmException(thrower.e, number)

    text = """
        (import "m" "e" (tag $e (param i32)))
        (import "m" "throw" (func $other (param i32))) (import "h" "f" (func $host (param i32)))
        (memory 1)
        (func $to_other (param i32) (try_table (catch_all 0) (return_call $other (local.get 0))))
        (func $to_host (param i32) (try_table (catch_all 0) (return_call $host (local.get 0))))
        (func (export "f") (param i32) (result i32)
          (i32.store (i32.const 8) (i32.const 100))
          (block $h (result i32)
            (try_table (catch $e $h)
              (if (i32.and (local.get 0) (i32.const 1))
                (then (call $to_other (local.get 0))) (else (call $to_host (local.get 0)))))
            (return (i32.const -1)))
          (i32.add (i32.load (i32.const 8))))
    """
    made = exports(text, {"m": thrower, "h": {"f": throw}}, engine=engine)
    assert [made.f(number) for number in (5, 6)] == [105, 106]


@ENGINES
@pytest.mark.parametrize("other", ["fast", "classic"])
def test_between_instances(engine: str, other: str) -> None:
    """Of the same and of different engines, by a tag that both have, and by one only one has."""
    thrower = exports(
        """
        (tag $e (export "e") (param i32)) (tag $own)
        (func (export "throw") (param i32) (throw $e (local.get 0)))
        (func (export "own") (throw $own))
        """,
        engine=other,
    )
    text = """
        (import "m" "e" (tag $e (param i32))) (tag $alike (param i32))
        (import "m" "throw" (func $throw (param i32))) (import "m" "own" (func $own))
        (func $between (param i32) (call $throw (local.get 0)) unreachable)
        (func (export "f") (param i32) (result i32)
          (block $wrong (result i32)
            (block $h (result i32)
              (try_table (result i32) (catch $alike $wrong) (catch $e $h)
                (call $between (local.get 0)) (i32.const 0)))
            (return (i32.add (i32.const 1))))
          unreachable)
        (func (export "all") (result i32)
          (block $h (try_table (catch_all $h) (call $own)) (return (i32.const 0)))
          (i32.const 1))
        (func (export "again") (param i32)
          (throw_ref (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $between (local.get 0)))
            unreachable)))
    """
    caller = exports(text, {"m": thrower}, engine=engine)
    assert caller.f(41) == 42
    assert caller.all() == 1
    with pytest.raises(WasmException) as caught:
        caller.again(5)
    assert caught.value.tag == thrower.e
    assert caught.value.values == (5,)


@ENGINES
def test_many_instances_deep(engine: str) -> None:
    """An exception leaves one entry after the other."""
    found: dict[str, object] = {}
    bottom = exports(
        '(tag $e (export "e")) (func (export "f") (param i32) (throw $e))', engine=engine
    )
    found["f"] = bottom.f
    for _ in range(200):
        made = exports(
            '(import "m" "f" (func $f (param i32)))'
            '(func (export "f") (param i32) (call $f (i32.add (local.get 0) (i32.const 1))))',
            {"m": {"f": found["f"]}},
            engine=engine,
        )
        found["f"] = made.f
    top = exports(
        """
        (import "m" "f" (func $f (param i32))) (import "m" "e" (tag $e))
        (func (export "f") (result i32)
          (block $h (try_table (catch $e $h) (call $f (i32.const 0))) unreachable)
          (i32.const 6))
        """,
        {"m": {"f": found["f"], "e": bottom.e}},
        engine=engine,
    )
    assert [top.f() for _ in range(3)] == [6, 6, 6]


@ENGINES
def test_traps_are_not_caught(engine: str) -> None:
    text = """
        (func $deep (call $deep) (call $deep))
        (func (export "deep") (try_table (catch_all 0) (call $deep)))
        (func (export "zero") (param i32)
          (try_table (catch_all 0) (drop (i32.div_s (i32.const 1) (local.get 0)))))
        (func (export "null") (try_table (catch_all 0) (throw_ref (ref.null exn))))
        (func (export "legacy") try unreachable catch_all end)
    """
    found = exports(text, engine=engine)
    for call, kind in (
        (found.deep, TrapKind.STACK_OVERFLOW),
        (lambda: found.zero(0), TrapKind.DIVIDE_BY_ZERO),
        (found.null, TrapKind.NULL_EXCEPTION_REFERENCE),
        (found.legacy, TrapKind.UNREACHABLE),
    ):
        with pytest.raises(Trap) as trap:
            call()
        assert trap.value.kind is kind


@ENGINES
@pytest.mark.parametrize("body", [
    "(loop $l (block $h (try_table (catch_all $h) (throw $e))) (br_if $l (i32.const 1)))",
    "(loop $l (try_table (catch $e $l) (throw $e)))",
    """(local exnref) (local.set 0 (block $h (result exnref)
         (try_table (result exnref) (catch_all_ref $h) (throw $e))))
       (loop $l (try_table (catch_all $l) (throw_ref (local.get 0))))""",
])  # fmt: skip
def test_endless_throwing_can_be_interrupted(engine: str, body: str) -> None:
    instance = Instance(
        module(f'(tag $e) (func (export "f") {body})', features=_FEATURES), engine=engine
    )
    timer = threading.Timer(0.05, instance.interrupt)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Trap) as trap:
        instance.exports.f()
    assert trap.value.kind is TrapKind.INTERRUPTED
    assert time.monotonic() - start < 10
    timer.join()


_FEATURES = ["exception-handling", "reference-types", "function-references"]


@ENGINES
def test_the_backtrace_names_the_place(engine: str) -> None:
    text = """
        (tag $e (export "oops") (param i32 f32))
        (func $inner (param i32)
          nop
          (try_table (catch_all 0) (nop))
          (throw $e (local.get 0) (f32.const 1.5)))
        (func $outer (export "outer") (call $inner (i32.const 3)))
    """
    made = module(text)
    instance = Instance(made, engine=engine)
    with pytest.raises(WasmException) as caught:
        instance.exports.outer()
    assert str(caught.value) == "oops(3, 1.5)"
    assert caught.value.message == "uncaught exception oops(3, 1.5)"
    binary = bytes(made._binary)
    assert [each.function_name for each in caught.value.frames] == ["inner", "outer"]
    opcodes = [binary[each.offset] for each in caught.value.frames]
    assert opcodes == [0x08, 0x10]
    assert isinstance(caught.value.frames[0], Frame)
    assert caught.value.backtrace().startswith("#00: 0x")


# -- the legacy form -------------------------------------------------------------------------------


@ENGINES
def test_legacy_clauses_nest(engine: str) -> None:
    text = """
        (tag $e (param i32)) (tag $f (param i64 i32))
        (func $throw (param i32)
          (if (local.get 0) (then (throw $e (local.get 0))))
          (throw $f (i64.const 1) (i32.const 2)))
        (func (export "f") (param i32) (result i32) (local $x i32)
          i32.const 100000
          try (result i32)
            local.get 0
            call $throw
            i32.const 0
          catch $e
            i32.const 10
            i32.mul
            try (param i32) (result i32)
              i32.const 0
              call $throw
              drop
              i32.const -1
            catch $f
              local.set $x
              drop
              i32.const 3
              try (param i32) (result i32)
                drop
                rethrow 2
              catch $e
                local.get $x
                i32.add
                i32.const 7
                i32.mul
              end
            end
          catch_all
            i32.const -2
          end
          i32.add)
    """
    f = exports(text, engine=engine).f
    assert f(5) == 100_000 + (5 + 2) * 7
    assert f(0) == 100_000 - 2


@ENGINES
def test_legacy_and_new_forms_mix(engine: str) -> None:
    text = """
        (tag $e (param i32))
        (func (export "f") (param i32) (result i32)
          try (result i32)
            (throw_ref (block $h (result exnref)
              (try_table (result exnref) (catch_all_ref $h) (throw $e (local.get 0)))))
          catch $e
            (block $h (param i32) (result i32)
              (drop)
              (try_table (result i32) (catch $e $h)
                try (result i32) rethrow 3 delegate 0))
            i32.const 1
            i32.add
          end)
    """
    assert exports(text, engine=engine).f(41) == 42


@ENGINES
def test_delegate_passes_over_what_is_between(engine: str) -> None:
    text = """
        (tag $e)
        (func (export "f") (param i32) (result i32)
          try $outer (result i32)
            try $skipped (result i32)
              try (result i32)
                try (result i32)
                  (if (local.get 0) (then (throw $e)))
                  i32.const 1
                delegate $outer
              catch_all
                i32.const 2
              end
            catch_all
              i32.const 3
            end
          catch_all
            i32.const 4
          end)
        (func (export "out") (result i32)
          try (result i32)
            try (result i32) (throw $e) delegate 1
          catch_all
            i32.const 1
          end)
    """
    found = exports(text, engine=engine)
    assert [found.f(0), found.f(1)] == [1, 4]
    with pytest.raises(WasmException):
        found.out()


@pytest.mark.parametrize(("body", "message"), [
    ("(throw 1)", "unknown tag 1"),
    ("(try_table (catch 7 0))", "unknown tag 7"),
    ("(try_table (catch 0 9) (nop))", "unknown label 9"),
    ("(try_table (catch 0 0))", "type mismatch: try_table has type lists of different lengths"),
    ("(throw 0)", "type mismatch: throw expected i32, found nothing"),
    ("(throw_ref (ref.null extern))", "type mismatch: throw_ref expected exnref"),
    ("try catch 0 end", "type mismatch: end leaves a surplus i32"),
    ("try rethrow 0 end", "invalid rethrow label 0"),
    ("try catch_all try rethrow 0 catch_all end end", "invalid rethrow label 0"),
    ("try catch_all drop end", "type mismatch: drop"),
    ("try nop delegate 7", "unknown label 7"),
])  # fmt: skip
def test_invalid_modules(body: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        module(f"(tag (param i32)) (func {body})")
    assert refused.value.message.startswith(message)


@ENGINES
def test_very_many_clauses(engine: str) -> None:
    """More than tables have room for is a trap, not a crash."""
    text = '(tag $e) (func (export "f") (block $h (try_table %s (throw $e))))'
    clauses = "(catch $e $h) " * 1000
    exports(text % clauses, engine=engine).f()
    blocks = '(tag $e) (func (export "f") %s (throw $e) %s)'
    depth = 20_000
    found = exports(blocks % ("(try_table (catch_all 0) " * depth, ")" * depth), engine=engine)
    found.f()
