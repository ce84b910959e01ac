"""Structures, arrays and casts in both engines: where values lie, and what a collection sees."""

from typing import Any

import pytest

from tests.api.support import exports
from wasmote import Trap, TrapKind, heap

ENGINES = ("fast", "classic")
pytestmark = pytest.mark.parametrize("engine", ENGINES)

NODES = """
    (type $node (struct (field $value i64) (field $next (ref null $node))))
    (type $nodes (array (mut (ref null $node))))
    (func $node (param i64) (result (ref $node))
      (struct.new $node (local.get 0) (ref.null $node)))
    ;; makes garbage, about 5 MB of it, and the node of a number
    (func $late (param i64) (result (ref $node)) (local i32)
      (loop $more
        (drop (struct.new $node (i64.const -1) (ref.null $node)))
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get 1) (i32.const 100_000))))
      (call $node (local.get 0)))
"""


def test_fields_of_every_type_keep_apart(engine: str) -> None:
    fields = {
        "a": ("i8", "i32", -100, 0x79), "b": ("i64", "i64", -(2**40), 2**61),
        "c": ("f32", "f32", 0.5, -2.0), "d": ("i16", "i32", -30_000, 0x7FF0),
        "e": ("f64", "f64", 1e300, -3.25), "f": ("i32", "i32", 2**31 - 1, -9),
        "g": ("i31ref", "i32", 77, 99),
    }  # fmt: skip
    declared = " ".join(f"(field ${n} (mut {kind}))" for n, (kind, *_) in fields.items())
    text = f"(type $s (struct {declared} (field $v (mut v128)))) (global $s (mut (ref null $s))"
    text += " (ref.null $s))"
    values = " ".join(
        f"(ref.i31 (local.get {i}))" if kind == "i31ref" else f"(local.get {i})"
        for i, (kind, *_) in enumerate(fields.values())
    )
    params = " ".join(wide for _, wide, *_ in fields.values())
    text += f"""(func (export "new") (param {params})
        (global.set $s (struct.new $s {values} (v128.const i64x2 5 6))))
        (func (export "half") (result i64)
          (struct.set $s $v (global.get $s) (i64x2.add (struct.get $s $v (global.get $s))
            (v128.const i64x2 10 20)))
          (i64x2.extract_lane 1 (struct.get $s $v (global.get $s))))"""
    for name, (kind, wide, *_) in fields.items():
        get = f"(struct.get{'_s' * (kind in ('i8', 'i16'))} $s ${name} (global.get $s))"
        text += f"""(func (export "get_{name}") (result {wide})
            {f"(i31.get_s {get})" if kind == "i31ref" else get})
            (func (export "set_{name}") (param {wide}) (struct.set $s ${name} (global.get $s)
              {"(ref.i31 (local.get 0))" if kind == "i31ref" else "(local.get 0)"}))"""
    e = exports(text, engine=engine)
    expected = {name: first for name, (_, _, first, _) in fields.items()}
    e.new(*expected.values())
    for name, (*_, second) in fields.items():
        assert {n: getattr(e, f"get_{n}")() for n in fields} == expected
        getattr(e, f"set_{name}")(second)
        expected[name] = second
    assert {n: getattr(e, f"get_{n}")() for n in fields} == expected
    assert e.half() == 26


@pytest.mark.parametrize(
    ("kind", "wide", "value"),
    [("i8", "i32", 200), ("i16", "i32", 60_000), ("i32", "i32", -5), ("i64", "i64", 2**50),
     ("f32", "f32", 1.5), ("f64", "f64", -1e200)],
)  # fmt: skip
def test_elements_of_every_type(engine: str, kind: str, wide: str, value: float) -> None:
    get = "array.get_u" if kind in ("i8", "i16") else "array.get"
    e: Any = exports(
        f"""(type $a (array (mut {kind})))
        (func (export "f") (param {wide} i32) (result {wide} {wide} {wide} i32)
          (local $a (ref null $a)) (local $b (ref null $a))
          (local.set $a (array.new $a (local.get 0) (i32.const 5)))
          (local.set $b (array.new_default $a (i32.const 9)))
          (array.set $a (local.get $b) (i32.const 8) (local.get 0))
          (array.copy $a $a (local.get $b) (i32.const 1) (local.get $a) (i32.const 2)
            (i32.const 3))
          (array.fill $a (local.get $a) (i32.const 0) ({wide}.const 0) (i32.const 5))
          ({get} $a (local.get $b) (local.get 1))
          ({get} $a (local.get $b) (i32.const 8))
          ({get} $a (local.get $a) (i32.const 4))
          (array.len (local.get $b)))""",
        engine=engine,
    )
    for index, element in enumerate([0, value, value, value, 0, 0, 0, 0, value]):
        assert e.f(value, index) == (element, value, 0, 9)
    with pytest.raises(Trap) as caught:
        e.f(value, 9)
    assert caught.value.kind is TrapKind.ARRAY_OUT_OF_BOUNDS


def test_a_collection_sees_operands(engine: str) -> None:
    """Those of the instruction that allocates, and those that wait below a call."""
    e = exports(
        NODES
        + """
        (func $sum (param (ref $nodes)) (result i64) (local i32 i64)
          (loop $more
            (local.set 2 (i64.add (local.get 2)
              (struct.get $node $value (array.get $nodes (local.get 0) (local.get 1)))))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get 1) (array.len (local.get 0)))))
          (local.get 2))
        (func (export "fixed") (result i64)
          (call $sum (array.new_fixed $nodes 4 (call $node (i64.const 1)) (call $late (i64.const 2))
            (call $late (i64.const 4)) (call $late (i64.const 8)))))
        (func (export "chain") (result i64)
          (struct.get $node $value (struct.get $node $next
            (struct.new $node (i64.const 3) (call $late (i64.const 16))))))
        (func (export "many") (result i64)
          (call $sum (array.new $nodes (call $late (i64.const 5)) (i32.const 1000))))""",
        engine=engine,
    )
    before = heap.collections
    assert [(e.fixed(), e.chain(), e.many()) for _ in range(5)] == [(15, 16, 5000)] * 5
    assert heap.collections > before


def test_a_collection_sees_the_frames_of_a_recursion(engine: str) -> None:
    e = exports(
        NODES
        + """
        (func $deep (export "deep") (param $n i64) (param $above (ref null $node)) (result i64)
          (local $own (ref null $node))
          (local.set $own (struct.new $node (local.get $n) (local.get $above)))
          (i64.add
            (if (result i64) (i64.eqz (local.get $n))
              (then (struct.get $node $value (call $late (i64.const 1000))))
              (else (call $deep (i64.sub (local.get $n) (i64.const 1)) (local.get $own))))
            (struct.get $node $value (local.get $own))))""",
        engine=engine,
    )
    for _ in range(10):
        assert e.deep(2000, None) == 2000 * 2001 // 2 + 1000


def test_branches_on_casts_drop_what_they_must(engine: str) -> None:
    text = """
        (type $a (struct (field i32))) (type $b (struct (field i64)))
        (func $which (param anyref) (result i32)
          (block $i31 (result i64 (ref i31))
            (block $a (result i64 (ref $a))
              f64.const 1
              i64.const 7
              local.get 0
              br_on_cast $a anyref (ref $a)
              br_on_cast $i31 anyref (ref i31)
              drop drop drop i32.const -1 return)
            drop i32.wrap_i64 return)
          i31.get_s return)
        (func (export "a") (result i32) (call $which (struct.new $a (i32.const 30))))
        (func (export "b") (result i32) (call $which (struct.new $b (i64.const 30))))
        (func (export "null") (result i32) (call $which (ref.null any)))
        (func (export "i31") (result i32) (call $which (ref.i31 (i32.const -4))))
        (func $is_a (param anyref) (result i32)
          (block $other (result anyref)
            (br_on_cast_fail $other anyref (ref null $a) (local.get 0))
            drop i32.const 1 return)
          drop i32.const 0)
        (func (export "tests") (result i32 i32 i32)
          (call $is_a (struct.new $a (i32.const 1))) (call $is_a (ref.null any))
          (call $is_a (struct.new $b (i64.const 1))))"""
    e = exports(text, engine=engine)
    assert (e.a(), e.b(), e.null(), e.i31()) == (7, -1, -1, -4)
    assert e.tests() == (1, 1, 0)
