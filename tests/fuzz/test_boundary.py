"""What the boundary pass makes of modules: it must show what happens inside, and feed it."""

from typing import Any

import pytest
import wasmtime

from tests.fuzz.boundary import plain
from tests.fuzz.engines import Wasmote, Wasmtime
from tests.fuzz.generate import supported
from tests.fuzz.observe import Event

FEATURES = supported()


def run(text: str) -> list[Event]:
    """What is seen of a module of the text format, in the fast interpreter; wasmtime agrees."""
    binaries = plain(bytes(wasmtime.wat2wasm(text)))
    assert binaries is not None
    expected = Wasmtime(FEATURES).observe(binaries, 1)
    found = Wasmote("fast").observe(binaries, expected.calls)
    assert (expected.refusal, found.refusal) == ("", "")
    assert found.events == expected.events
    return found.events


def results(text: str) -> list[Any]:
    return [event[1:] for event in run(text) if event[0] == "results"]


def test_vectors_and_references_become_numbers() -> None:
    (vector,), (pair,), (i31,) = results("""(module
        (type $pair (struct (field i32) (field i64)))
        (func (export "v") (result v128) v128.const i64x2 2 5)
        (func (export "p") (result (ref $pair)) i32.const 3 i64.const 4 struct.new $pair)
        (func (export "i") (result i31ref) i32.const -9 ref.i31))""")[:3]
    assert vector == ("i64", 2 * 31 + 5)
    assert pair == ("i64", (1 * 31 + 3) * 31 + 4)  # it passes the one test, then its fields
    assert i31 == ("i64", 2**64 - 9)


@pytest.mark.parametrize("changed", ["1 2 3", "1 2 4", "1 9 3"])
def test_a_difference_deep_inside_is_seen(changed: str) -> None:
    def text(numbers: str) -> str:
        a, b, c = numbers.split()
        return f"""(module
            (type $bytes (array i8)) (type $node (struct (field (ref $bytes)) (field anyref)))
            (global (ref $node) (struct.new $node
                (array.new_fixed $bytes 2 (i32.const {a}) (i32.const {b}))
                (struct.new $node (array.new_default $bytes (i32.const 1))
                    (ref.i31 (i32.const {c}))))))"""

    assert (results(text("1 2 3")) == results(text(changed))) == (changed == "1 2 3")


def test_imports_of_all_kinds_are_provided_and_shown() -> None:
    events = run("""(module
        (type $s (struct (field (mut i32))))
        (import "a" "f" (func $f (param v128 (ref null $s) i32) (result f64 (ref $s))))
        (import "a" "g" (global $g (ref $s)))
        (import "a" "t" (table $t 3 arrayref))
        (import "a" "m" (memory 1 2))
        (func (export "go") (result f64 i32)
            v128.const i64x2 1 0 global.get $g i32.const 77 call $f struct.get $s 0))""")
    shown = [event for event in events if event[0] == "host"]
    assert [event[1] for event in shown[:3]] == ["log-i64", "log-i64", "log-i32"]
    assert shown[0][2] == ("i64", 31) and shown[2][2] == ("i32", 77)
