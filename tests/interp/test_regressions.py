"""Modules that an interpreter once got wrong, each as small as it could be made."""

import pytest

import wasmote
from tests.api.support import exports


def call(text: str, *arguments: object) -> object:
    """Instantiate a module and call its export `f`."""
    return exports(text).f(*arguments)


def test_large_constant_on_the_left_of_a_value_in_its_slot() -> None:
    """Operands were exchanged, then the constant, no immediate, overwrote the other one."""
    text = """
        (func $seven (result i64) i64.const 7)
        (func (export "f") (result i64) i64.const 0x123456789ab call $seven i64.add)
    """
    assert call(text) == 0x123456789AB + 7


def test_calls_between_instances_nest_deeply_and_end_in_a_trap_with_a_backtrace() -> None:
    """The limit was that of calls through Python, and its trap had no frames."""
    first = exports("""
        (table (export "t") 1 funcref)
        (type $f (func (param i32) (result i32)))
        (func (export "f") (param i32) (result i32)
          (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
    """)
    second = exports(
        """
        (import "first" "t" (table 1 funcref))
        (import "first" "f" (func $f (param i32) (result i32)))
        (elem (i32.const 0) func $g)
        (func $g (export "g") (param i32) (result i32)
          (if (result i32) (i32.eqz (local.get 0))
            (then (i32.const 42))
            (else (call $f (local.get 0)))))
        """,
        {"first": first},
    )
    assert second.g(900) == 42
    with pytest.raises(wasmote.Trap, match="call stack exhausted") as caught:
        second.g(1_000_000)
    assert len(caught.value.frames) > 10


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_backtrace_names_the_start_of_calls(engine: str) -> None:
    """The classic interpreter reported the last byte of a call that is longer than two."""
    call = b"\x10\x80\x00"  # with the index 0 in two bytes
    bodies = b"\x03\x00\x00\x0b" + b"\x06\x00\x01" + call + b"\x0b"
    binary = (
        b"\0asm\1\0\0\0\x01\x04\x01\x60\x00\x00\x03\x03\x02\x00\x00\x07\x05\x01\x01f\x00\x01"
        b"\x0a\x0c\x02" + bodies
    )
    with pytest.raises(wasmote.Trap) as caught:
        wasmote.Instance(wasmote.Module(binary), engine=engine).exports.f()
    offsets = [frame.offset for frame in caught.value.frames]
    assert offsets == [binary.index(b"\x00\x00\x0b") + 1, binary.index(call)]


@pytest.mark.parametrize("engine", ["fast", "classic"])
@pytest.mark.parametrize("shared", ["", "shared"])
@pytest.mark.parametrize(
    "access",
    [
        "(i64.atomic.load (i32.const 8))",
        "(i32.atomic.rmw16.add_u (i32.const 10) (i32.const 1))",
        "(i64.atomic.rmw.cmpxchg (i32.const 8) (i64.const 0) (i64.const 1))",
        "(memory.atomic.notify (i32.const 8) (i32.const 1))",
    ],
)
def test_aligned_atomic_accesses_beyond_a_memory_of_small_pages(
    engine: str, shared: str, access: str
) -> None:
    """Only where they start was checked, as if memories ended at a multiple of eight."""
    text = f'(memory 11 20 {shared} (pagesize 1)) (func (export "f") {access} drop)'
    with pytest.raises(wasmote.Trap, match="out of bounds memory access"):
        exports(text, engine=engine).f()
