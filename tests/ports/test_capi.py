"""The object model of wasm-c-api: what its examples do."""

import gc
import threading
from typing import Any

import pytest
import wasmtime

from wasmote import DecodeError, LinkError
from wasmote.capi import (
    Config,
    Engine,
    ExternKind,
    Foreign,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    Trap,
    Val,
    ValKind,
    ValType,
)

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64


@pytest.fixture(params=["auto", "fast", "classic"])
def store(request: pytest.FixtureRequest) -> Store:
    return Store(Engine(Config(request.param)))


def binary(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


def instance(store: Store, text: str, *imports: Any) -> Any:
    made, trap = Instance.new(store, Module(store, binary(text)), imports)
    assert made is not None and trap is None
    return made


def call(func: Any, *args: Val) -> Any:
    results: list[Val] = []
    assert func.call(args, results) is None
    return [each.of for each in results]


def test_hello(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    hello = Func(store, FuncType(), lambda args, results: print("Hello World!"))
    text = '(import "" "hello" (func $h)) (func (export "run") (call $h))'
    (run,) = instance(store, text, hello).exports()
    assert run.call() is None
    assert capsys.readouterr().out == "Hello World!\n"


def test_callback(store: Store) -> None:
    def plus(env: object, args: Any, results: list[Val]) -> None:
        assert env == "env"
        results.append(Val.i32(args[0].of + args[1].of))

    func = Func(store, FuncType((I32, I32), (I32,)), plus, env="env")
    text = (
        '(import "" "f" (func $f (param i32 i32) (result i32)))'
        '(func (export "run") (param i32) (result i32)'
        "  (call $f (local.get 0) (i32.const 40)))"
    )
    (run,) = instance(store, text, func).exports()
    assert (run.param_arity, run.result_arity) == (1, 1)
    assert call(run, Val.i32(2)) == [42]


def test_trap(store: Store) -> None:
    fail = Func(store, FuncType((), (I32,)), lambda args, results: Trap(store, "callback abort"))
    text = (
        '(import "" "callback" (func $c (result i32)))'
        '(func (export "callback") (result i32) (call $c))'
        '(func (export "unreachable") (result i32) unreachable)'
    )
    first, second = instance(store, text, fail).exports()
    trap = first.call()
    assert trap.message == "callback abort" and trap.origin() is None
    trap = second.call()
    assert trap.message == "unreachable"
    assert trap.origin().func_index == 2
    assert [each.func_name for each in trap.trace()] == ["unreachable"]


def test_a_start_function_that_traps(store: Store) -> None:
    module = Module(store, binary("(func unreachable) (start 0)"))
    made, trap = Instance.new(store, module)
    assert made is None and trap is not None
    assert trap.message == "unreachable"
    assert trap.origin() is not None


def test_reflect(store: Store) -> None:
    text = (
        '(func (export "func") (param i32 f64) (result i32) i32.const 0)'
        '(global (export "global") f64 (f64.const 0))'
        '(table (export "table") 0 50 funcref) (memory (export "memory") 1)'
    )
    module = Module(store, binary(text))
    exports = instance(store, text).exports()
    assert [each.name for each in module.exports()] == ["func", "global", "table", "memory"]
    assert [each.kind for each in exports] == [
        ExternKind.FUNC,
        ExternKind.GLOBAL,
        ExternKind.TABLE,
        ExternKind.MEMORY,
    ]
    assert [each.type for each in module.exports()] == [each.type for each in exports]


def test_global(store: Store) -> None:
    variable = Global(store, GlobalType(I64, mutable=True), Val.i64(5))
    text = (
        '(import "" "g" (global $g (mut i64)))'
        '(func (export "get") (result i64) global.get $g)'
        '(func (export "set") (param i64) (global.set $g (local.get 0)))'
        '(export "g" (global $g))'
    )
    get, put, exported = instance(store, text, variable).exports()
    assert exported.same(variable)
    assert call(get) == [5]
    variable.set(Val.i64(6))
    assert call(get) == [6]
    call(put, Val.i64(7))
    assert variable.get() == Val.i64(7)


def test_table(store: Store) -> None:
    text = (
        '(table (export "table") 2 10 funcref)'
        '(func (export "call") (param i32 i32) (result i32)'
        "  (call_indirect (param i32) (result i32) (local.get 0) (local.get 1)))"
        '(func $f (export "f") (param i32) (result i32) (local.get 0))'
        "(elem (i32.const 1) func $f)"
    )
    table, run, f = instance(store, text).exports()
    assert isinstance(table, Table)
    neg = Func(
        store, FuncType((I32,), (I32,)), lambda args, results: results.append(Val.i32(-args[0].of))
    )
    assert (table.size, table.get(0), table.get(1)) == (2, None, f)
    assert table.set(0, neg) and table.get(0) is neg
    assert not table.set(2, neg)
    assert call(run, Val.i32(666), Val.i32(0)) == [-666]
    assert table.grow(5) and not table.grow(5)
    assert table.size == 7
    own = Table(store, TableType(ValType.FUNCREF, 3, 3), f)
    assert own.get(2) is f


def test_memory(store: Store) -> None:
    text = (
        '(memory (export "memory") 2 3) (data (i32.const 0x1000) "\\01\\02\\03\\04")'
        '(func (export "load") (param i32) (result i32) (i32.load8_s (local.get 0)))'
    )
    memory, load = instance(store, text).exports()
    assert (memory.size, len(memory.data)) == (2, 0x20000)
    assert call(load, Val.i32(0x1003)) == [4]
    memory.data[0x1003] = 5
    assert call(load, Val.i32(0x1003)) == [5]
    assert load.call([Val.i32(0x20000)]).message == "out of bounds memory access"
    assert memory.grow(1) and not memory.grow(1)
    assert Memory(store, MemoryType(5, 5)).size == 5


def test_references(store: Store) -> None:
    text = (
        '(import "" "f" (func $f (param externref) (result externref)))'
        '(func (export "run") (param externref) (result externref) (call $f (local.get 0)))'
    )
    seen: list[object] = []

    def echo(args: Any, results: list[Val]) -> None:
        seen.append(args[0].of)
        results.append(args[0])

    kind = FuncType((ValType.EXTERNREF,), (ValType.EXTERNREF,))
    (run,) = instance(store, text, Func(store, kind, echo)).exports()
    thing = Foreign(store)
    assert call(run, Val.ref(thing)) == [thing]
    assert call(run, Val.ref(None)) == [None]
    assert seen == [thing, None]


def test_several_results(store: Store) -> None:
    def turn(args: Any, results: list[Val]) -> None:
        results.extend(reversed(args))

    kind = FuncType((I32, I64, F32, F64), (F64, F32, I64, I32))
    text = (
        '(import "" "f" (func $f (param i32 i64 f32 f64) (result f64 f32 i64 i32)))'
        '(func (export "g") (param i32 i64 f32 f64) (result f64 f32 i64 i32)'
        "  (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
    )
    (run,) = instance(store, text, Func(store, kind, turn)).exports()
    found: list[Val] = []
    assert run.call([Val.i32(1), Val.i64(2), Val.f32(3.0), Val.f64(4.0)], found) is None
    assert [each.of for each in found] == [4.0, 3.0, 2, 1]
    assert [each.kind for each in found] == [ValKind.F64, ValKind.F32, ValKind.I64, ValKind.I32]


def test_host_info_is_finalized(store: Store) -> None:
    gone: list[object] = []
    func = Func(store, FuncType(), lambda args, results: None)
    func.set_host_info_with_finalizer("first", gone.append)
    assert func.copy().host_info == "first"
    func.set_host_info_with_finalizer("second", gone.append)
    assert gone == ["first"]
    del func
    gc.collect()
    assert gone == ["first", "second"]


def test_serialize(store: Store) -> None:
    text = '(func (export "f") (result i32) i32.const 7)'
    module = Module(store, binary(text))
    for compiled in (False, True):
        again = Module.deserialize(store, module.serialize(compiled=compiled))
        made, _ = Instance.new(store, again)
        assert made is not None
        assert call(made.exports()[0]) == [7]


def test_modules_are_shared_with_stores_of_other_threads(store: Store) -> None:
    text = (
        '(import "" "f" (func $f (param i32))) (import "" "id" (global $id i32))'
        '(func (export "run") (call $f (global.get $id)))'
    )
    shared = Module(store, binary(text)).share()
    seen: list[object] = []

    def work(number: int) -> None:
        own = Store(store.engine)
        note = Func(own, FuncType((I32,)), lambda args, results: seen.append(args[0].of))
        which = Global(own, GlobalType(I32, mutable=False), Val.i32(number))
        made, _ = Instance.new(own, shared.obtain(own), [note, which])
        assert made is not None
        for _ in range(20):
            made.exports()[0].call()  # type: ignore[attr-defined]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=int) == [n for n in range(5) for _ in range(20)]  # type: ignore[call-overload]


def test_imports_are_in_order(store: Store) -> None:
    text = '(import "" "x" (func)) (import "" "x" (global i32)) (export "x" (global 0))'
    func = Func(store, FuncType(), lambda args, results: None)
    variable = Global(store, GlobalType(I32, mutable=False), Val.i32(3))
    assert instance(store, text, func, variable).exports()[0].get().of == 3
    module = Module(store, binary(text))
    with pytest.raises(LinkError, match="has 2 imports, not 1"):
        Instance.new(store, module, [func])
    with pytest.raises(LinkError, match="incompatible import type"):
        Instance.new(store, module, [variable, func])


def test_what_is_no_module(store: Store) -> None:
    assert not Module.validate(store, b"\0asm")
    assert Module.validate(store, binary(""))
    with pytest.raises(DecodeError):
        Module(store, b"nothing")
