"""Tables that never change are constants of the image."""

import pytest

from tests.compile.test_running import run
from wasmote import Instance, Module, Trap
from wasmote.compile.compiler import compile_parts, link
from wasmote.compile.options import Options
from wasmote.compile.partition import Plan
from wasmote.compile.source import read_source
from wasmote.errors import TrapKind
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

FUNCTIONS = """(type $t (func (param i32) (result i32)))
  (type $same (func (param i32) (result i32)))
  (import "m" "host" (func $host (type $t)))
  (func $one (type $t) (i32.add (local.get 0) (i32.const 1)))
  (func $two (type $same) (i32.add (local.get 0) (i32.const 2)))
  (func $other (param i64) (result i32) (i32.const 0))"""
CALL = """(func (export "call") (param i32 i32) (result i32)
  (call_indirect (type $t) (local.get 1) (local.get 0)))"""
ELEMENTS = "(elem (i32.const 1) $one $two $other $host)"


def plan(text: str, part_size: int | None = None) -> Plan:
    return Plan(read_source(Module(wat2wasm(f"(module {text})"))), Options(level=1), part_size)


@pytest.mark.parametrize("part_size", [None, 1])
def test_calls_find_what_is_there(part_size):
    made = plan(f"{FUNCTIONS} (table 6 funcref) {ELEMENTS} {CALL}", part_size)
    assert made.static_tables == {0: [None, 1, 2, 3, 0, None]}
    image = link(made, compile_parts(made, jobs=1))
    call = Instance(Module(image.encode()), {"m": {"host": lambda x: -x}}).exports.call
    assert [call(i, 40) for i in (1, 2, 4)] == [41, 42, -40]
    for index, kind in (
        (0, TrapKind.UNINITIALIZED_ELEMENT),
        (3, TrapKind.INDIRECT_CALL_TYPE_MISMATCH),
        (5, TrapKind.UNINITIALIZED_ELEMENT),
        (6, TrapKind.UNDEFINED_ELEMENT),
        (-1, TrapKind.UNDEFINED_ELEMENT),
    ):
        with pytest.raises(Trap) as caught:
            call(index, 0)
        assert caught.value.kind is kind


@pytest.mark.parametrize(
    "text",
    [
        '(table (export "t") 6 funcref)',
        "(table 6 funcref) (func (table.set (i32.const 0) (ref.null func)))",
        "(table 6 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))",
        "(table 6 funcref) (func (table.fill (i32.const 0) (ref.null func) (i32.const 1)))",
        "(table 6 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(table 6 funcref) (elem $e func $one)"
        "(func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))",
        '(import "m" "t" (table 6 funcref))',
        "(table 2 funcref)",  # the elements do not fit
    ],
)
def test_tables_that_may_change_are_looked_at(text):
    imports, rest = (text, "") if text.startswith("(import") else ("", text)
    assert plan(f"{imports} {FUNCTIONS} {rest} {ELEMENTS}").static_tables == {}


def test_later_segments_win_and_others_tables_do_not_matter():
    text = f"""{FUNCTIONS} (table $a 6 funcref) (table $b 2 funcref)
      {ELEMENTS} (elem (table $a) (i32.const 2) func $one)
      (func (table.set $b (i32.const 0) (ref.func $two)))"""
    assert plan(text).static_tables == {0: [None, 1, 1, 3, 0, None]}


def test_subtypes_are_called():
    exports = run("""(module
      (type $base (sub (func (result i32)))) (type $more (sub $base (func (result i32))))
      (table 1 funcref) (elem (i32.const 0) $f)
      (func $f (type $more) (i32.const 7))
      (func (export "call") (result i32) (call_indirect (type $base) (i32.const 0))))""").exports
    assert exports.call() == 7


FEW = """(type $t (func (param i32 i64) (result i64 i32)))
  (func $one (type $t) (i64.add (local.get 1) (i64.const 1)) (local.get 0))
  (func $two (type $t) (i64.mul (local.get 1) (i64.const 2)) (i32.sub (local.get 0) (i32.const 1)))
  (func $other (param i32) (result i32) (local.get 0))
  (table 6 funcref) (elem (i32.const 1) $one $two $other $one)
  (func (export "call") (param i32 i32 i64) (result i64 i32)
    (call_indirect (type $t) (local.get 1) (local.get 2) (local.get 0)))"""


@pytest.mark.parametrize("part_size", [None, 1])
def test_few_functions_of_a_type_are_told_apart(part_size):
    made = plan(FEW, part_size)
    key = 0, made.source.type_numbers[0]
    assert made.few[key] == {0: [1, 4], 1: [2]}
    assert {0, 1} <= made.inlined
    image = link(made, compile_parts(made, jobs=1))
    call = Instance(Module(image.encode())).exports.call
    assert [call(i, 40, 1 << 40) for i in (1, 2, 4)] == [
        ((1 << 40) + 1, 40),
        (1 << 41, 39),
        ((1 << 40) + 1, 40),
    ]
    for index, kind in (
        (0, TrapKind.UNINITIALIZED_ELEMENT),
        (3, TrapKind.INDIRECT_CALL_TYPE_MISMATCH),
        (5, TrapKind.UNINITIALIZED_ELEMENT),
        (6, TrapKind.UNDEFINED_ELEMENT),
        (-1, TrapKind.UNDEFINED_ELEMENT),
    ):
        with pytest.raises(Trap) as caught:
            call(index, 0, 0)
        assert caught.value.kind is kind
        assert [frame.function_index for frame in caught.value.frames] == [3]


def test_what_is_called_so_is_in_backtraces():
    exports = run("""(module (table 1 funcref) (elem (i32.const 0) $f) (memory 1)
      (func $f (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "call") (param i32) (result i32)
        (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))""").exports
    assert exports.call(0) == 0
    with pytest.raises(Trap, match="out of bounds memory") as caught:
        exports.call(-1)
    assert [frame.function_index for frame in caught.value.frames] == [0, 1]


@pytest.mark.parametrize("part_size", [None, 1])
def test_functions_are_offered_to_those_that_call_themselves(part_size):
    text = f"""(memory 1) (func $leaf (param i32) (result i32) {"(nop)" * 40}
        (i32.load8_u (local.get 0)))
      (func $middle (param i32) (result i32) {"(nop)" * 40}
        (i32.add (i32.const 1) (call $leaf (local.get 0))))
      (func $sum (export "sum") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (call $middle (local.get 0))
                         (call $sum (i32.sub (local.get 0) (i32.const 1)))))
          (else (call $middle (i32.const -1)))))
      (data (i32.const 0) "\\00\\01\\02\\03\\04")"""
    made = Plan(read_source(Module(wat2wasm(f"(module {text})"))), Options(level=3), part_size)
    assert made.offers([made.source.body(2)]) == {0, 1}
    sum_ = Instance(Module(link(made, compile_parts(made, jobs=1)).encode())).exports.sum
    with pytest.raises(Trap, match="out of bounds memory") as caught:
        sum_(4)
    assert [frame.function_index for frame in caught.value.frames] == [0, 1, 2, 2, 2, 2, 2]
