"""Tail calls in compiled code whose arguments do not all fit in registers."""

import random

import pytest

from wasmote import Instance, Module
from wasmote.compile import compile_module
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

KINDS = ("i32", "i64", "f32", "f64")


def compiled(text: str, level: int = 1) -> Module:
    return Module(compile_module(Module(wat2wasm(text)), level=level).encode())


def shuffling(rng: random.Random, params: list[str]) -> str:
    """A function that calls itself once with its arguments in another order, and some new ones,
    and returns them all.
    """
    given = []
    for kind in params:
        others = [i for i, other in enumerate(params) if other == kind]
        new = rng.random() < 0.3
        given.append(f"({kind}.const 7)" if new else f"(local.get {rng.choice(others)})")
    return f"""
      (func (export "f{rng.randrange(1 << 60)}") (param {" ".join(params)})
          (result {" ".join(params)})
        (if (global.get $done) (then
          (global.set $done (i32.const 0))
          (return {" ".join(f"(local.get {i})" for i in range(len(params)))})))
        (global.set $done (i32.const 1))
        (return_call NUMBER {" ".join(given)}))"""


@pytest.mark.parametrize("count", [3, 5, 6, 9, 14])
def test_arguments_arrive_in_order(count):
    rng = random.Random(count)
    functions = [
        shuffling(rng, [rng.choice(KINDS[: rng.choice((1, 2, 4))]) for _ in range(count)]).replace(
            "NUMBER", str(number)
        )
        for number in range(12)
    ]
    text = f"(module (global $done (mut i32) (i32.const 0)) {' '.join(functions)})"
    expected, found = (
        [exports[name](*range(100, 100 + count)) for name in exports]
        for exports in (Instance(Module(wat2wasm(text))).exports, Instance(compiled(text)).exports)
    )
    assert found == expected


@pytest.mark.parametrize("how", ["return_call $f", "return_call_ref $t", "return_call_indirect"])
def test_deep_tail_calls_with_many_arguments_need_no_stack(how):
    """Between functions of one type, some without registers."""
    callee = {"return_call_ref $t": "(ref.func $f)", "return_call_indirect": "(i32.const 0)"}
    how, last = how.replace("indirect", "indirect (type $t)"), callee.get(how, "")
    exports = Instance(
        compiled(
            f"""(module
              (type $t (func (param i32 i64 i64 i32 i64 i32 i64) (result i64 i32)))
              (table funcref (elem $f))
              (func $f (export "f") (type $t)
                (if (i32.eqz (local.get 5)) (then (return (local.get 6) (local.get 0))))
                ({how} (local.get 3) (local.get 1) (local.get 4) (local.get 0) (local.get 2)
                  (i32.sub (local.get 5) (i32.const 1))
                  (i64.add (local.get 6) (local.get 1)) {last})))"""
        )
    ).exports
    assert exports.f(1, 3, 5, 2, 6, 1_000_001, 0) == (3_000_003, 2)


@pytest.mark.parametrize("how", ["return_call", "return_call_ref", "return_call_indirect"])
def test_deep_tail_calls_between_types_need_no_stack(how):
    """One has more arguments than there are registers for, the other one has vectors and floats."""

    def call(name: str) -> str:
        if how == "return_call":
            return f"return_call ${name}"
        if how == "return_call_ref":
            return f"return_call_ref $t{name} (ref.func ${name})"
        return f"return_call_indirect (type $t{name}) (i32.const {'ab'.index(name)})"

    def with_arguments(name: str, *arguments: str) -> str:
        head, *last = call(name).partition(" (ref")
        if how == "return_call_indirect":
            head, *last = call(name).partition(" (i32")
        return f"({head} {' '.join(arguments)}{''.join(last)})"

    doubles = [f"(f64.convert_i64_s (local.get {i}))" for i in range(7)]
    vectors = "(i64x2.splat (local.get 0)) (i64x2.splat (local.get 6))"
    back = [f"(i64.trunc_f64_s (local.get {i}))" for i in range(1, 6)]
    a, b = (
        with_arguments("b", "(local.get 7)", *doubles, vectors),
        with_arguments(
            "a",
            "(i64x2.extract_lane 0 (local.get 8))",
            *back,
            "(i64.add (i64x2.extract_lane 1 (local.get 9)) (i64.const 3))",
            "(i32.sub (local.get 0) (i32.const 1))",
        ),
    )
    text = f"""(module
      (type $ta (func (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64 i64 i64)))
      (type $tb (func (param i32 f64 f64 f64 f64 f64 f64 f64 v128 v128) (result i64 i64 i64)))
      (table funcref (elem $a $b))
      (func $a (export "a") (type $ta)
        (if (i32.eqz (local.get 7)) (then
          (return (local.get 0) (local.get 5) (local.get 6))))
        {a})
      (func $b (type $tb) {b}))"""
    for module in (Module(wat2wasm(text)), compiled(text)):
        given = (10, 11, 12, 13, 14, 15, 0, 200_000)
        # Each turn moves what is converted up by one place.
        assert Instance(module).exports.a(*given) == (10, 10, 600_000)
