"""Memories, tables and globals as Python objects."""

import gc

import pytest

from wasmote import (
    FuncType,
    Global,
    GlobalType,
    Memory,
    MemoryType,
    Table,
    TableType,
    ValType,
    func,
)

from .support import exports

MEMORY = (
    '(memory (export "memory") 1 4)'
    '(func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)'
    '(func (export "grow") (param i32) (result i32) local.get 0 memory.grow)'
    '(data (i32.const 8) "hello")'
)


def test_a_memory_is_a_writable_buffer() -> None:
    e = exports(MEMORY)
    view = memoryview(e.memory)
    assert len(e.memory) == len(view) == 65536
    assert bytes(view[8:13]) == b"hello"
    view[0] = 200
    assert e.load(0) == 200
    assert not view.readonly


def test_views_across_growth() -> None:
    e = exports(MEMORY)
    old = memoryview(e.memory)
    assert e.memory.grow(1) == 1
    new = memoryview(e.memory)
    assert (len(old), len(new), e.memory.size) == (65536, 131072, 2)
    old[5] = 17
    assert new[5] == 17 == e.load(5)
    assert e.grow(1) == 2
    assert len(e.memory) == 3 * 65536
    assert e.memory.type == MemoryType(3, 4)
    with pytest.raises(MemoryError, match="by 2"):
        e.memory.grow(2)
    with pytest.raises(ValueError, match="-1"):
        e.memory.grow(-1)


def test_a_view_keeps_the_memory_alive() -> None:
    view = memoryview(exports(MEMORY).memory)
    gc.collect()
    assert bytes(view[8:13]) == b"hello"


def test_numpy_sees_the_memory() -> None:
    numpy = pytest.importorskip("numpy")
    e = exports(MEMORY)
    array = numpy.frombuffer(e.memory, dtype="<u4")
    array[100] = 0x04030201
    assert [e.load(400 + i) for i in range(4)] == [1, 2, 3, 4]
    e.memory.grow(1)
    array[100] = 9
    assert e.load(400) == 9


def test_read_and_write_check_their_bounds() -> None:
    memory = exports(MEMORY).memory
    memory.write(65533, b"abc")
    assert memory.read(65533, 3) == b"abc"
    assert memory.read(65536, 0) == b""
    for offset, size in ((65534, 3), (-1, 1), (0, 65537), (2**64, 0), (0, -1)):
        with pytest.raises(IndexError, match="outside a memory of 65536 bytes"):
            memory.read(offset, size)
    with pytest.raises(IndexError):
        memory.write(65535, b"ab")
    with pytest.raises(IndexError):
        memory.write(-1, b"")


def test_a_memory_from_the_host() -> None:
    memory = Memory(MemoryType(1, 2))
    text = '(import "env" "m" (memory 1 2)) (export "again" (memory 0)) (data (i32.const 0) "x")'
    e = exports(text, {"env": {"m": memory}})
    assert memory.read(0, 1) == b"x"
    assert e.again is memory
    for bad in (MemoryType(2, 1), MemoryType(-1), MemoryType(65537), MemoryType(0, 70000)):
        with pytest.raises(ValueError, match="sizes are"):
            Memory(bad)
    assert len(Memory(MemoryType(0))) == 0
    assert bytes(Memory(MemoryType(0))) == b""


def test_a_memory_that_was_not_made_properly_is_harmless() -> None:
    empty = object.__new__(Memory)
    assert len(empty) == 0
    with pytest.raises((SystemError, BufferError)):
        memoryview(empty)
    with pytest.raises(TypeError, match="Memory"):
        _ = empty.size
    with pytest.raises(TypeError, match="Memory"):
        empty.grow(1)


TABLE = (
    '(table (export "table") 4 6 funcref) (elem (i32.const 1) $one $two)'
    '(func $one (export "one") (result i32) i32.const 1)'
    "(func $two (result i32) i32.const 2)"
    '(func (export "call") (param i32) (result i32) local.get 0 call_indirect (result i32))'
)


def test_a_table_reads_and_writes_like_a_list() -> None:
    e = exports(TABLE)
    table = e.table
    assert len(table) == 4
    assert [None if f is None else f() for f in table] == [None, 1, 2, None]
    assert table[1] is e.one
    table[0] = table[2]
    assert e.call(0) == 2
    table[3] = func(FuncType((), (ValType.I32,)), lambda: 33)
    assert e.call(3) == 33
    table[1] = None
    assert table[1] is None
    assert table[-2].name == "two"
    for index in (4, -5, 2**40):
        with pytest.raises(IndexError, match="outside a table of 4 elements"):
            table[index]
    with pytest.raises(TypeError, match="must be a Func or None for funcref, not int"):
        table[0] = 5


def test_a_table_grows_up_to_its_maximum() -> None:
    e = exports(TABLE)
    assert e.table.grow(1) == 4
    assert e.table.grow(1, e.one) == 5
    assert e.table[5] is e.one
    assert e.table.type == TableType(ValType.FUNCREF, 6, 6)
    with pytest.raises(MemoryError, match="cannot grow a table of 6 elements by 1"):
        e.table.grow(1)


def test_tables_of_objects() -> None:
    table = Table(TableType(ValType.EXTERNREF, 3), "init")
    assert list(table) == ["init"] * 3
    table[1] = table
    assert table[1] is table
    table[1] = None
    text = (
        '(import "env" "t" (table 1 externref))'
        '(func (export "get") (param i32) (result externref) local.get 0 table.get 0)'
    )
    e = exports(text, {"env": {"t": table}})
    assert e.get(0) == "init"
    assert e.get(1) is None
    for bad in (
        TableType(ValType.I32, 1),
        TableType(ValType.FUNCREF, 2, 1),
        TableType(ValType.FUNCREF, -1),
    ):
        with pytest.raises(ValueError, match="table"):
            Table(bad)


def test_globals_read_and_write() -> None:
    e = exports(
        '(global (export "g") (mut i32) (i32.const -5))'
        '(global (export "c") f64 (f64.const 0.5))'
        '(func (export "get") (result i32) global.get 0)'
        '(func (export "set") (param i32) local.get 0 global.set 0)'
    )
    assert e.g.value == -5
    assert e.g.bits == 2**32 - 5
    e.g.value = 7
    assert e.get() == 7
    e.set(8)
    assert e.g.value == 8
    assert e.g.type == GlobalType(ValType.I32, True)
    assert e.c.value == 0.5
    with pytest.raises(AttributeError, match="immutable"):
        e.c.value = 1.0
    with pytest.raises(TypeError, match="must be an integer for i32, not str"):
        e.g.value = "x"
    with pytest.raises(OverflowError, match="i32"):
        e.g.value = 2**32
    assert e.g.value == 8


@pytest.mark.parametrize(
    ("type", "value", "bits"),
    [
        (ValType.I32, -1, 2**32 - 1),
        (ValType.I64, -(2**63), 2**63),
        (ValType.F32, 1.5, 0x3FC00000),
        (ValType.F64, -0.0, 1 << 63),
        (ValType.V128, bytes(range(16)), int.from_bytes(bytes(range(16)), "little")),
    ],
)
def test_globals_of_each_type(type: ValType, value: object, bits: int) -> None:
    made = Global(GlobalType(type, True), value)
    assert made.value == value
    assert made.bits == bits


def test_globals_of_references() -> None:
    thing = object()
    made = Global(GlobalType(ValType.EXTERNREF, True), thing)
    assert made.value is thing
    made.value = None
    assert made.value is None
    host = func(FuncType(), lambda: None)
    assert Global(GlobalType(ValType.FUNCREF), host).value is host
    with pytest.raises(TypeError, match="must be a Func or None"):
        Global(GlobalType(ValType.FUNCREF), 1)


def test_numbers_are_given_for_immutable_globals() -> None:
    text = '(import "env" "g" (global i64)) (func (export "get") (result i64) global.get 0)'
    assert exports(text, {"env": {"g": 2**40}}).get() == 2**40
    assert exports(text, {"env": {"g": Global(GlobalType(ValType.I64), 3)}}).get() == 3


def test_objects_in_immutable_globals_are_seen_by_the_importer() -> None:
    thing = object()
    text = (
        '(import "e" "g" (global externref)) (func (export "get") (result externref) global.get 0)'
    )
    constant = Global(GlobalType(ValType.EXTERNREF), thing)
    e = exports(text, {"e": {"g": constant}})
    assert e.get() is thing
    again = exports(text, {"e": {"g": thing}})
    assert again.get() is thing
    library = exports(
        '(import "e" "g" (global externref)) (export "g" (global 0))', {"e": {"g": thing}}
    )
    assert exports(text, {"e": library}).get() is thing
