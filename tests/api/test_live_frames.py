"""Frames of running code with the values of their locals and operands."""

import pytest

import wasmote
from wasmote import Instance, LiveFrame

from .support import module

ENGINES = ("fast", "classic")
TEXT = """
(import "env" "look" (func $look (param i32) (result i32)))
(table 2 funcref)
(elem (i32.const 0) $f)
(func $f (export "f") (param $a i32) (param $b f64) (result i32)
  (local $c i64) (local $v v128) (local $t f32)
  (local.set $c (i64.const -5))
  (local.set $v (i32x4.splat (i32.const 0x01020304)))
  (local.set $t (f32.const 0.5))
  (i32.const 77)
  (local.get $b)
  (call $look (local.get $a))
  (local.set $a)
  drop
  drop
  (local.get $a))
(func (export "outer") (param $x i64) (result i32)
  (i64.mul (local.get $x) (i64.const 3))
  (call $f (i32.const 9) (f64.const 2.25))
  (local.set $x (i64.extend_i32_s))
  drop
  (i32.wrap_i64 (local.get $x)))
(func (export "references") (param externref) (result i32)
  (local funcref i31ref externref)
  (local.set 1 (ref.func $f))
  (local.set 2 (ref.i31 (i32.const -3)))
  (call $look (i32.const 1)))
"""


def looked_at(engine: str, name: str, *arguments: object, **options: object) -> list[LiveFrame]:
    """The frames that the host function sees."""
    seen: list[LiveFrame] = []

    def look(number: int) -> int:
        seen.extend(instance.frames())
        return number + 1

    instance = Instance(
        module(TEXT),
        {"env": {"look": look}},
        engine=engine,
        **options,  # type: ignore[arg-type]
    )
    instance.exports[name](*arguments)  # type: ignore[operator]
    assert instance.frames() == ()
    return seen


@pytest.mark.parametrize("fuel", [None, 1000])
@pytest.mark.parametrize("engine", ENGINES)
def test_values_of_all_frames(engine: str, fuel: int | None) -> None:
    inner, outer = looked_at(engine, "outer", 14, fuel=fuel)
    assert (inner.function_name, outer.function_name) == ("f", "outer")
    vector = bytes([4, 3, 2, 1]) * 4
    assert inner.locals == (9, 2.25, -5, vector, 0.5)
    assert inner.operands == (77, 2.25)
    assert outer.locals == (14,)
    assert outer.operands == (42,)


@pytest.mark.parametrize("engine", ENGINES)
def test_references(engine: str) -> None:
    thing = object()
    (frame,) = looked_at(engine, "references", thing)
    extern, function, number, null = frame.locals
    assert extern is thing and null is None
    assert isinstance(function, wasmote.Func) and str(function.type) == "(i32, f64) -> (i32)"
    assert number == wasmote.I31(-3)
    assert frame.operands == ()


def test_the_engines_agree_and_frames_are_where_call_stacks_say() -> None:
    fast, classic = (looked_at(engine, "outer", 5) for engine in ENGINES)
    assert fast == classic
    assert [frame.offset for frame in fast] == [frame.offset for frame in classic]
    assert str(fast[0]).endswith(" - f")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_innermost_64_frames(engine: str) -> None:
    text = """(import "env" "look" (func $look))
      (func $down (export "down") (param i32)
        (if (local.get 0)
          (then (call $down (i32.sub (local.get 0) (i32.const 1))))
          (else (call $look))))"""
    seen: list[LiveFrame] = []
    instance = Instance(
        module(text), {"env": {"look": lambda: seen.extend(instance.frames())}}, engine=engine
    )
    instance.exports.down(500)
    assert [frame.locals for frame in seen] == [(i,) for i in range(64)]
