"""Several memories, 64-bit memories and tables, custom page sizes, and features by name."""

import pytest

import wasmote
from wasmote import (
    LinkError,
    Memory,
    MemoryType,
    Table,
    TableType,
    Trap,
    TrapKind,
    ValidationError,
    ValType,
)

from .support import exports, module

pytestmark = pytest.mark.usefixtures("engine")

#: Loads and stores of every width, of the second memory, at an offset.
ACCESSES = [
    ("i32.load8_s", "i32", "i32.store8", -7),
    ("i32.load16_u", "i32", "i32.store16", 40_000),
    ("i32.load", "i32", "i32.store", -(2**31)),
    ("i64.load32_s", "i64", "i64.store32", -5),
    ("i64.load", "i64", "i64.store", 2**62),
    ("f32.load", "f32", "f32.store", 0.5),
    ("f64.load", "f64", "f64.store", -1e300),
]


@pytest.mark.parametrize("index", ["i32", "i64"])
@pytest.mark.parametrize(("load", "type", "store", "value"), ACCESSES)
def test_the_second_memory(load: str, type: str, store: str, value: float, index: str) -> None:
    e = exports(
        f'(memory 1) (memory (export "m") {index} 1)'
        f'(func (export "set") (param {index} {type})'
        f"  ({store} 1 offset=3 (local.get 0) (local.get 1)))"
        f'(func (export "get") (param {index}) (result {type})'
        f"  ({load} 1 offset=3 (local.get 0)))"
        '(func (export "first") (result i64) (i64.load (i32.const 103)))'
    )
    e.set(100, value)
    assert e.get(100) == value
    assert e.first() == 0
    assert any(e.m.read(103, 8))
    size = {"8": 1, "6": 2, "2": 4, "4": 8}[store[-1] if store[-1].isdigit() else type[-1]]
    last = 65536 - 3 - size
    e.set(last, value)
    for outside in (last + 1, -1, -size, -(2**31)):
        for function, arguments in ((e.get, ()), (e.set, (value,))):
            with pytest.raises(Trap) as caught:
                function(outside, *arguments)
            assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS


def test_addresses_of_64_bits_do_not_wrap() -> None:
    huge = 2**64 - 8
    e = exports(
        "(memory i64 1)"
        f'(func (export "far") (param i64) (result i64) (i64.load offset={huge} (local.get 0)))'
        '(func (export "none") (param i64) (result i32) (i32.load8_u (local.get 0)))'
    )
    for address in (0, 8, 16, -1, 2**63 - 1):
        with pytest.raises(Trap, match="out of bounds"):
            e.far(address)
    with pytest.raises(Trap, match="out of bounds"):
        e.none(2**32)  # not cut to 32 bits
    assert e.none(65535) == 0


def test_an_access_to_an_empty_memory_traps() -> None:
    e = exports('(memory i64 0) (func (export "f") (result i64) (i64.load (i64.const -8)))')
    with pytest.raises(Trap, match="out of bounds"):
        e.f()


def test_vectors_and_lanes_of_other_memories() -> None:
    e = exports(
        '(memory 1) (memory (export "m") i64 1)'
        '(func (export "f") (param i64)'
        "  (v128.store 1 offset=16 (local.get 0)"
        "    (v128.load8_lane 1 offset=1 2 (local.get 0)"
        "      (v128.load32_splat 1 (local.get 0))))"
        "  (v128.store16_lane 1 offset=40 1 (local.get 0)"
        "    (v128.load 1 offset=16 (local.get 0))))"
    )
    e.m.write(8, b"abcd")
    e.f(8)
    assert e.m.read(24, 16) == b"abbd" + b"abcd" * 3
    assert e.m.read(48, 2) == b"bd"
    with pytest.raises(Trap, match="out of bounds"):
        e.f(65536 - 32)


def test_sizes_and_growth_are_of_the_index_type() -> None:
    e = exports(
        "(memory 1 2) (memory i64 3 5)"
        '(func (export "sizes") (result i32 i64) (memory.size 0) (memory.size 1))'
        '(func (export "grow") (param i32 i64) (result i32 i64)'
        "  (memory.grow 0 (local.get 0)) (memory.grow 1 (local.get 1)))"
    )
    assert e.sizes() == (1, 3)
    assert e.grow(1, 2) == (1, 3)
    assert e.grow(1, 2**32) == (-1, -1)  # 2**32 is not 0 pages
    assert e.sizes() == (2, 5)


def test_bytes_move_between_memories_of_both_kinds() -> None:
    e = exports(
        '(memory (export "a") 1) (memory (export "b") i64 1) (data $d "hello")'
        '(func (export "up") (param i64 i32 i32)'
        "  (memory.copy 1 0 (local.get 0) (local.get 1) (local.get 2)))"
        '(func (export "init") (param i64)'
        "  (memory.init 1 $d (local.get 0) (i32.const 1) (i32.const 4)))"
        '(func (export "fill") (param i64 i64)'
        "  (memory.fill 1 (local.get 0) (i32.const 0x2E) (local.get 1)))"
    )
    e.a.write(10, b"world")
    e.up(3, 10, 5)
    e.init(20)
    e.fill(30, 2)
    assert e.b.read(3, 5) == b"world"
    assert e.b.read(20, 12) == b"ello\0\0\0\0\0\0.."
    for call in (lambda: e.up(65532, 10, 5), lambda: e.init(2**32), lambda: e.fill(-1, 2)):
        with pytest.raises(Trap, match="out of bounds"):
            call()


def test_one_memory_under_two_names() -> None:
    memory = Memory(MemoryType(1))
    e = exports(
        '(import "" "m" (memory $a 1)) (import "" "m" (memory $b 1))'
        '(func (export "f") (result i32)'
        "  (drop (memory.grow $b (i32.const 1)))"
        "  (i32.store $b (i32.const 65536) (i32.const 9)) (i32.load $a (i32.const 65536)))",
        {"": {"m": memory}},
    )
    assert e.f() == 9


def test_tables_with_indices_of_64_bits() -> None:
    e = exports(
        '(table $t (export "t") i64 2 4 funcref) (elem (table $t) (i64.const 1) func $seven)'
        "(type $f (func (result i32))) (func $seven (type $f) (i32.const 7))"
        '(func (export "call") (param i64) (result i32)'
        "  (call_indirect $t (type $f) (local.get 0)))"
        '(func (export "tail") (param i64) (result i32)'
        "  (return_call_indirect $t (type $f) (local.get 0)))"
        '(func (export "copy") (param i64 i64)'
        "  (table.set $t (local.get 0) (table.get $t (local.get 1))))"
        '(func (export "grow") (param i64) (result i64)'
        "  (table.grow $t (ref.func $seven) (local.get 0)))"
        '(func (export "size") (result i64) (table.size $t))'
    )
    assert e.call(1) == e.tail(1) == 7
    e.copy(0, 1)
    assert e.call(0) == 7
    assert e.grow(2**32) == -1
    assert e.grow(2) == 2
    assert e.size() == len(e.t) == 4
    assert e.t.type == TableType(ValType.FUNCREF, 4, 4, is64=True)
    for index in (4, 2**32, 2**32 + 1, 2**33 - 1, -1):
        for function in (e.call, e.tail):
            with pytest.raises(Trap, match="undefined element"):
                function(index)
        with pytest.raises(Trap, match="out of bounds table access"):
            e.copy(index, 0)


def test_pages_of_one_byte() -> None:
    e = exports(
        '(memory (export "m") 3 70000 (pagesize 1))'
        '(func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))'
        '(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))'
    )
    assert e.m.type == MemoryType(3, 70_000, page_size=1)
    assert (e.m.size, len(e.m)) == (3, 3)
    with pytest.raises(Trap, match="out of bounds"):
        e.load(3)
    assert e.grow(69_997) == 3
    assert e.load(69_999) == 0
    assert e.grow(1) == -1
    with pytest.raises(Trap, match="out of bounds"):
        e.load(70_000)


def test_the_types_of_imports_must_agree() -> None:
    small = Memory(MemoryType(5, page_size=1))
    wide = Memory(MemoryType(1, is64=True))
    table = Table(TableType(ValType.FUNCREF, 1, is64=True))
    wanted = {
        "(memory 1 (pagesize 1))": small,
        "(memory i64 1)": wide,
        "(table i64 1 funcref)": table,
    }
    for text, fitting in wanted.items():
        for given in (small, wide, table):
            source = f'(import "" "x" {text})'
            if given is fitting:
                exports(source, {"": {"x": given}})
                continue
            with pytest.raises(LinkError, match="incompatible import type"):
                exports(source, {"": {"x": given}})
    assert str(small.type) == "memory 5 (pagesize 1)"
    assert str(table.type) == "table i64 1 funcref"
    with pytest.raises(ValueError, match="pages have 1 or 65536 bytes"):
        Memory(MemoryType(1, page_size=4096))


def test_wide_arithmetic_keeps_operands_apart() -> None:
    # Locals as operands and results into the same locals, with values below on the stack.
    e = exports(
        '(func (export "f") (param i64 i64) (result i64 i64 i64)'
        "  (local.get 0)"
        "  (i64.mul_wide_u (local.get 0) (local.get 1)) (local.set 1) (local.set 0)"
        "  (i64.add128 (local.get 0) (local.get 1) (i64.const -1) (i64.const 0)))"
    )
    a, b = 2**63 + 12345, 2**62 + 678
    first, low, high = (number % 2**64 for number in e.f(a, b))
    assert first == a
    assert (high << 64) + low == a * b + 2**64 - 1


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("(func $f return_call $f)", "tail-calls"),
        ("(memory 1) (memory 1)", "multi-memory"),
        ("(memory i64 1)", "memory64"),
        ("(table i64 1 funcref)", "memory64"),
        ("(memory 1 (pagesize 1))", "custom-page-sizes"),
        ("(func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 2)))", "wide-arithmetic"),
        ("(func (param v128))", "simd"),
        ("(func (param i32) (drop (i32.extend8_s (local.get 0))))", "sign-extension"),
        ("(func (drop (i32.trunc_sat_f32_s (f32.const 1))))", "saturating-float-to-int"),
        ("(func (result i32 i32) i32.const 1 i32.const 2)", "multi-value"),
        (
            "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
            "bulk-memory",
        ),
        ("(func (param externref))", "reference-types"),
        ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "extended-const"),
        (
            "(func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))",
            "relaxed-simd",
        ),
        ("(type $t (func)) (func (param (ref $t)))", "function-references"),
        ("(type (struct))", "gc"),
    ],
)
def test_a_feature_can_be_turned_off(text: str, feature: str) -> None:
    module(text)
    with pytest.raises(ValidationError, match=f"unsupported feature {feature}"):
        module(text, features=wasmote.FEATURES - {feature})


def test_a_feature_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no feature 'warp-drive'; there are bulk-memory,"):
        module("", features=["warp-drive"])
