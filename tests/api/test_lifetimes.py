"""Nothing is freed that can still be reached, and nothing leaks."""

import gc
import weakref

from wasmote import FuncType, Instance, Table, TableType, ValType, func

from .support import exports, functions_alive, module, resident_kilobytes


def test_a_function_keeps_its_instance_alive() -> None:
    f = exports(
        '(memory 1) (data (i32.const 0) "A")'
        '(func (export "f") (result i32) i32.const 0 i32.load8_u)'
    ).f
    gc.collect()
    assert f() == 65


def test_a_table_entry_keeps_its_instance_alive() -> None:
    library = exports(
        '(table (export "t") 1 funcref)'
        '(func (export "call") (result i32) i32.const 0 call_indirect (result i32))'
    )
    text = (
        '(import "lib" "t" (table 1 funcref)) (memory 1) (data (i32.const 3) "Z")'
        "(func $f (result i32) i32.const 3 i32.load8_u) (elem (i32.const 0) $f)"
    )
    exports(text, {"lib": library})
    gc.collect()
    assert library.call() == 90


def test_a_function_passed_as_a_reference_keeps_its_instance_alive() -> None:
    keeper = exports(
        '(table (export "t") 1 funcref)'
        '(func (export "keep") (param funcref) i32.const 0 local.get 0 table.set 0)'
        '(func (export "call") (result i32) i32.const 0 call_indirect (result i32))'
    )
    keeper.keep(exports('(func (export "f") (result i32) i32.const 12)').f)
    gc.collect()
    assert keeper.call() == 12
    keeper.keep(func(FuncType((), (ValType.I32,)), lambda: 13))
    gc.collect()
    assert keeper.call() == 13


def test_functions_that_travel_between_instances_stay_alive() -> None:
    keeper = exports(
        "(global $g (mut funcref) (ref.null func)) (table 1 funcref)"
        '(func (export "keep") (param funcref) local.get 0 global.set $g)'
        '(func (export "call") (result i32)'
        "  (table.set 0 (i32.const 0) (global.get $g)) (call_indirect (result i32) (i32.const 0)))"
    )
    text = (
        '(import "k" "keep" (func $keep (param funcref))) (memory 1) (data (i32.const 0) "Q")'
        "(func $f (result i32) i32.const 0 i32.load8_u) (elem declare func $f)"
        '(func (export "go") ref.func $f call $keep)'
    )
    exports(text, {"k": keeper}).go()
    gc.collect()
    assert keeper.call() == 81


def test_an_instance_in_a_cycle_with_its_host_function_is_collected() -> None:
    class Plugin:
        def __init__(self) -> None:
            text = '(import "env" "f" (func)) (func (export "g") (param externref))'
            self.exports = exports(text, {"env": {"f": self.callback}})
            self.exports.g(self)

        def callback(self) -> None: ...

    before = functions_alive()
    plugin = weakref.ref(Plugin())
    gc.collect()
    assert plugin() is None
    assert functions_alive() == before


def test_instances_linked_both_ways_are_collected() -> None:
    before = functions_alive()
    table = Table(TableType(ValType.FUNCREF, 4))
    text = '(import "e" "t" (table 4 funcref)) (func $f) (elem (i32.const 0) $f)'
    for _ in range(3):
        exports(text, {"e": {"t": table}})
    assert functions_alive() > before
    del table
    assert functions_alive() == before


def test_importing_from_a_long_lived_instance_does_not_keep_the_importer() -> None:
    library = exports(
        '(memory (export "m") 1) (func (export "f") (param i32) (result i32) local.get 0)'
    )
    text = (
        '(import "l" "m" (memory 1)) (import "l" "f" (func $f (param i32) (result i32)))'
        '(func (export "g") (result i32) i32.const 3 call $f)'
    )
    assert exports(text, {"l": library}).g() == 3
    before = functions_alive()
    for _ in range(20):
        assert exports(text, {"l": library}).g() == 3
    assert functions_alive() == before


def test_instances_are_freed_without_the_garbage_collector() -> None:
    loaded = module('(memory (export "m") 1) (func (export "f"))')
    before = functions_alive()
    gc.disable()
    try:
        for _ in range(10):
            e = Instance(loaded).exports
            e.f()
            memoryview(e.m)[0] = 1
        del e
        from wasmote.host.cpython.binding import BINDING

        assert BINDING.store.function_count == before
    finally:
        gc.enable()


def test_many_cycles_lose_no_memory() -> None:
    text = (
        '(import "env" "f" (func $f (param i32) (result i32))) (memory (export "m") 1)'
        '(table 10 funcref) (elem (i32.const 0) $g) (global (export "v") (mut i64) (i64.const 1))'
        '(func $g (export "g") (param i32) (result i32) local.get 0 call $f)'
    )

    def cycle() -> None:
        e = exports_of(text)
        assert e.g(4) == 5
        memoryview(e.m)[9] = 1
        e.v.value = 3

    import wasmtime

    import wasmote

    binary = bytes(wasmtime.wat2wasm(f"(module {text})"))

    def exports_of(_: str):
        return Instance(wasmote.Module(binary), {"env": {"f": lambda x: x + 1}}).exports

    for _ in range(500):
        cycle()
    before, functions = resident_kilobytes(), functions_alive()
    for _ in range(10_000):
        cycle()
    assert functions_alive() == functions
    assert resident_kilobytes() - before < 2000


def test_objects_that_are_no_longer_referred_to_are_released() -> None:
    class Thing:
        count = 0

        def __init__(self) -> None:
            Thing.count += 1

        def __del__(self) -> None:
            Thing.count -= 1

    e = exports(
        "(table $t 8 externref) (global $g (mut externref) (ref.null extern))"
        '(func (export "put") (param i32 externref) local.get 0 local.get 1 table.set $t)'
        '(func (export "get") (param i32) (result externref) local.get 0 table.get $t)'
        '(func (export "set") (param externref) local.get 0 global.set $g)'
        '(func (export "read") (result externref) global.get $g)'
    )
    kept, first = Thing(), Thing()
    e.set(kept)
    e.put(7, first)
    for i in range(100_000):
        e.put(i % 7, Thing())
    assert Thing.count < 10_000
    assert e.get(7) is first
    assert e.read() is kept
    assert all(isinstance(e.get(i), Thing) for i in range(8))
    del kept, first, e
    gc.collect()
    assert Thing.count == 0


def test_objects_in_locals_survive_while_others_are_swept() -> None:
    made = []

    def fresh() -> object:
        made.append(None)
        return object()

    text = (
        '(import "env" "fresh" (func $fresh (result externref)))'
        '(func (export "f") (param $mine externref) (param $n i32) (result externref)'
        "  (loop $l (drop (call $fresh))"
        "    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        "  local.get $mine)"
    )
    mine = object()
    assert exports(text, {"env": {"fresh": fresh}}).f(mine, 20_000) is mine
    assert len(made) == 20_000


def test_fresh_host_functions_passed_as_references_are_released() -> None:
    before = functions_alive()
    e = exports('(func (export "f") (param funcref))')
    for _ in range(20_000):
        e.f(func(FuncType(), lambda: None))
    assert functions_alive() - before < 5_000
    del e
    assert functions_alive() == before
