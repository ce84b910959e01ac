"""Compiled modules run: calls in and out, traps and their backtraces, interruption, references."""

import threading
import time

import pytest

from wasmote import (
    FuncType,
    Instance,
    Memory,
    MemoryType,
    Module,
    Trap,
    ValType,
    func,
)
from wasmote.compile import compile_module
from wasmote.errors import TrapKind
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")


def compiled(text: str, **options) -> Module:
    options.setdefault("level", 1)
    return Module(compile_module(Module(wat2wasm(text)), **options).encode())


def run(text: str, imports=None, **options) -> Instance:
    return Instance(compiled(text, **options), imports)


def test_numbers_go_in_and_come_out():
    exports = run("""(module
      (func (export "all") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3))
      (func (export "swap") (param i64 i32) (result i32 i64) (local.get 1) (local.get 0))
      (func (export "vector") (param v128) (result v128)
        (i8x16.shuffle 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 (local.get 0) (local.get 0))))
    """).exports
    assert exports.all(-1, 1 << 40, 0.5, -2.25) == (-1, 1 << 40, 0.5, -2.25)
    assert exports.swap(1 << 40, 7) == (7, 1 << 40)
    assert exports.vector(bytes(range(16))) == bytes(range(15, -1, -1))


@pytest.mark.parametrize("bounds_checks", [False, True])
def test_a_fault_or_a_check_becomes_a_trap(bounds_checks):
    instance = run(
        """(module (memory 1 2)
          (func (export "load") (param i32) (result i32) (i32.load offset=4 (local.get 0)))
          (func (export "far") (param i32) (result i64)
            (i64.load offset=0xffffffff (local.get 0)))
          (func (export "store") (param i32) (i64.store (local.get 0) (i64.const -1)))
          (func (export "grow") (result i32) (memory.grow (i32.const 1))))""",
        bounds_checks=bounds_checks,
    )
    exports = instance.exports
    assert exports.load(65528) == 0
    for call in (
        lambda: exports.load(65529),
        lambda: exports.load(-1),
        lambda: exports.far(-1),
        lambda: exports.store(65529),
    ):
        with pytest.raises(Trap) as caught:
            call()
        assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
        assert [frame.function_name for frame in caught.value.frames][-1] in (
            "load",
            "far",
            "store",
        )
    assert exports.grow() == 1
    assert exports.load(65529) == 0


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_checks_end_where_the_memory_does(pages):
    """Offsets within what the memory has at least, and beyond it, before and after it grows."""
    text = "".join(
        f"""(func (export "load{bits} {offset}") (param i32) (result i64)
          (i64.load{bits} offset={offset} (local.get 0)))"""
        for bits in ("", "8_u")
        for offset in (0, 1, 65527, 65528, 65535, 65536, 131064, 1 << 31, (1 << 32) - 1)
    )
    exports = run(
        f"""(module (memory {pages}) {text}
          (func (export "grow") (result i32) (memory.grow (i32.const 1))))""",
        bounds_checks=True,
        level=2,
    ).exports
    for size in (pages << 16, pages + 1 << 16):
        for name in exports:
            if name == "grow":
                continue
            offset, access = int(name.split()[1]), 1 if "8_u" in name else 8
            last = size - offset - access
            for address in (0, 1, last - 1, last, last + 1, size, (1 << 31) - 1, 1 << 31, -1):
                address &= (1 << 32) - 1
                signed = address - (1 << 32 if address >> 31 else 0)
                if address + offset + access <= size:
                    assert exports[name](signed) == 0
                else:
                    with pytest.raises(Trap, match="out of bounds memory"):
                        exports[name](signed)
        exports.grow()


def test_divisions_that_llvm_makes_need_no_library():
    """Of 128 bits: it may count how often loops run that way."""
    from wasmote.compile.options import Options
    from wasmote.compile.pipeline import optimised

    division = "%c = udiv i128 %a, %b\n  %d = srem i128 %c, %b\n  ret i128 %d"
    text = f"define i128 @f(i128 %a, i128 %b) {{\n  {division}\n}}\n"
    module, machine = optimised(f'target triple = "x86_64-linux-gnu"\n{text}', Options())
    assert b"ti3" not in machine.emit_object(module)


def test_the_backtrace_names_functions_of_all_engines():
    inner = Instance(
        Module(wat2wasm('(module (func $f (export "f") (unreachable)))')), engine="classic"
    )
    outer = run(
        """(module (import "m" "f" (func $f))
          (func $middle (call $f) (call $f))
          (func (export "start") (call $middle) (call $middle)))""",
        {"m": inner.exports},
        level=0,
    )
    with pytest.raises(Trap, match="unreachable") as caught:
        outer.exports.start()
    assert [frame.function_name for frame in caught.value.frames] == ["f", "middle", "start"]


def test_host_functions_and_their_exceptions():
    class Stop(Exception):
        pass

    def host(a, b):
        if a < 0:
            raise Stop(a)
        return a + b, 0.5

    kind = FuncType((ValType.I64, ValType.I32), (ValType.I64, ValType.F32))
    exports = run(
        """(module (import "m" "host" (func $host (param i64 i32) (result i64 f32)))
          (func (export "call") (param i64) (result f32 i64) (local i64 f32)
            (call $host (local.get 0) (i32.const 2)) (local.set 2) (local.set 1)
            (local.get 2) (local.get 1)))""",
        {"m": {"host": func(kind, host)}},
    ).exports
    assert exports.call(40) == (0.5, 42)
    with pytest.raises(Stop):
        exports.call(-1)
    assert exports.call(40) == (0.5, 42)


def test_endless_recursion_ends_in_a_trap_also_in_a_thread_with_a_small_stack():
    exports = run(
        """(module (func $f (export "f") (param i32) (result i32)
          (i32.add (i32.const 1) (call $f (local.get 0)))))"""
    ).exports
    kinds = []

    def call():
        with pytest.raises(Trap) as caught:
            exports.f(1)
        kinds.append(caught.value.kind)

    call()
    former = threading.stack_size(512 << 10)
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(former)
    assert kinds == [TrapKind.STACK_OVERFLOW] * 2


@pytest.mark.parametrize(
    "body",
    [
        "(loop $l (br $l))",
        "(loop $l (br_if $l (i32.const 1)) (call $f))",
        "(return_call $f)",
    ],
)
def test_endless_code_can_be_interrupted(body):
    instance = run(f'(module (func $f (export "f") {body}))', level=2)
    caught = []

    def call():
        try:
            instance.exports.f()
        except Trap as trap:
            caught.append(trap.kind)

    thread = threading.Thread(target=call)
    thread.start()
    end = time.monotonic() + 20
    while not instance.interrupt() and time.monotonic() < end:
        time.sleep(0.001)
    thread.join(20)
    assert caught == [TrapKind.INTERRUPTED]


def test_tail_calls_need_no_stack():
    exports = run("""(module
      (type $t (func (param i64 i64) (result i64)))
      (table funcref (elem $even $odd))
      (func $even (export "even") (type $t)
        (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
        (return_call $odd (i64.sub (local.get 0) (i64.const 1)) (i64.const 0)))
      (func $odd (type $t)
        (if (i64.eqz (local.get 0)) (then (return (i64.const 0))))
        (return_call_indirect (type $t)
          (i64.sub (local.get 0) (i64.const 1)) (i64.const 0) (i32.const 0))))
    """).exports
    assert exports.even(1_000_001, 0) == 0
    assert exports.even(1_000_000, 0) == 1


def test_calls_through_a_table_reach_every_engine():
    triple = """(module (func (export "f") (param i32) (result i32)
      (i32.mul (local.get 0) (i32.const 3))))"""
    other = Instance(Module(wat2wasm(triple)))
    exports = run(
        """(module
          (type $t (func (param i32) (result i32)))
          (import "m" "f" (func $f (type $t)))
          (table 5 funcref)
          (elem (i32.const 0) $f $own $wrong)
          (func $own (type $t) (i32.add (local.get 0) (i32.const 1)))
          (func $wrong)
          (func (export "call") (param i32) (result i32)
            (call_indirect (type $t) (i32.const 7) (local.get 0))))""",
        {"m": other.exports},
    ).exports
    assert [exports.call(0), exports.call(1), exports.call(1)] == [21, 8, 8]
    for index, kind in (
        (2, TrapKind.INDIRECT_CALL_TYPE_MISMATCH),
        (3, TrapKind.UNINITIALIZED_ELEMENT),
        (5, TrapKind.UNDEFINED_ELEMENT),
    ):
        with pytest.raises(Trap) as caught:
            exports.call(index)
        assert caught.value.kind is kind


def test_references_live_while_compiled_code_holds_them():
    class Thing:
        pass

    exports = None

    def churn():
        for _ in range(5000):  # more than a group keeps before it lets go of what nobody holds
            exports.take(Thing())

    exports = run(
        """(module (import "m" "churn" (func $churn))
          (func (export "take") (param externref))
          (func (export "keep") (param externref) (result externref)
            (call $churn) (local.get 0)))""",
        {"m": {"churn": churn}},
    ).exports
    thing = Thing()
    assert exports.keep(thing) is thing


def test_tail_calls_between_functions_with_many_and_few_parameters():
    exports = run("""(module
      (func $few (param i32) (result i32) (local.get 0))
      (func $many (param i32 i32 i32 i32 i32 i64 f64 i64) (result i32)
        (return_call $few (i32.sub (local.get 0) (local.get 4))))
      (func (export "down") (param i32) (result i32)
        (return_call $many (local.get 0) (i32.const 1) (i32.const 2) (i32.const 3)
          (i32.const 4) (i64.const 5) (f64.const 6) (i64.const 7)))
      (func (export "again") (param i32 i32 i32 i32 i32 i64 f64 i64) (result i32)
        (return_call $few (call $many (local.get 0) (local.get 1) (local.get 2) (local.get 3)
          (local.get 4) (local.get 5) (local.get 6) (local.get 7)))))""").exports
    for _ in range(100):
        assert exports.down(10) == 6
        assert exports.again(10, 1, 2, 3, 4, 5, 6, 7) == 6


def test_a_load_traps_though_nobody_needs_its_value():
    exports = run(
        """(module (memory 1)
          (func (export "dropped") (param i32) (drop (i32.load (local.get 0))))
          (func (export "zero") (param i32) (result i32)
            (i32.and (i32.load (local.get 0)) (i32.const 0)))
          (func (export "first") (param i32 i32) (result i32) (local i32)
            (local.set 2 (i32.load (local.get 0)))
            (i32.add (i32.div_u (i32.const 1) (local.get 1)) (local.get 2))))""",
        level=3,
    ).exports
    calls = (exports.dropped, (65533,)), (exports.zero, (65533,)), (exports.first, (65533, 0))
    for function, arguments in calls:
        with pytest.raises(Trap) as caught:
            function(*arguments)
        assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert exports.zero(0) == 0


def test_references_and_loops_and_values_dropped_twice():
    exports = run(
        """(module (import "m" "f" (func $f (result externref))) (memory 1)
          (func (export "last") (param i32) (result externref) (local externref)
            (local.get 0)
            (loop $again (param i32)
              (local.set 1 (call $f))
              (local.set 0 (i32.sub (i32.const 1)))
              (br_if $again (local.get 0) (local.get 0)) (drop))
            (local.get 1))
          (func (export "twice") (param i32) (local i32)
            (local.set 1 (i32.load (local.get 0)))
            (drop (local.get 1)) (drop (local.get 1))))""",
        {"m": {"f": func(FuncType((), (ValType.EXTERNREF,)), iter("abcdef").__next__)}},
    ).exports
    assert exports.last(4) == "d"
    exports.twice(0)
    with pytest.raises(Trap):
        exports.twice(-1)


def test_globals_and_memories_are_shared_with_the_host():
    memory = Memory(MemoryType(1, 2))
    instance = run(
        """(module (import "m" "memory" (memory 1 2))
          (global $g (export "g") (mut i64) (i64.const 5)) (global $c i32 (i32.const 8))
          (func (export "bump") (result i64)
            (i32.store (global.get $c) (i32.const 77))
            (global.set $g (i64.add (global.get $g) (i64.const 1))) (global.get $g)))""",
        {"m": {"memory": memory}},
    )
    instance.exports.g.value = 1 << 40
    assert instance.exports.bump() == (1 << 40) + 1
    assert instance.exports.g.value == (1 << 40) + 1
    assert memory.read(8, 4) == b"M\0\0\0"


def test_a_nan_stays_what_webassembly_says_where_llvm_would_simplify():
    exports = run(
        """(module
          (func (export "times_one") (param f64) (result f64)
            (f64.mul (local.get 0) (f64.const 1)))
          (func (export "back") (param f32) (result f32)
            (f32.demote_f64 (f64.promote_f32 (local.get 0)))))""",
        level=3,
    ).exports
    quiet = 1 << 51
    (bits,) = exports.times_one.call_bits(0x7FF0_0000_0000_0001)
    assert bits & quiet
    (bits,) = exports.back.call_bits(0x7F80_0001)
    assert bits & 1 << 22
