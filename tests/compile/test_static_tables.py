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
