"""Instances of modules that were decoded, not built by hand: both sides mean the same fields."""

import ctypes
from functools import cache

import pytest

from wasmote.core.decode.module import module_free, module_load
from wasmote.core.limits import Limits
from wasmote.core.status import TrapCode
from wasmote.image.testing import Library
from wasmote.isa import DEFAULT_FEATURES

from .support import (
    I64,
    FuncInst,
    Global,
    Memory,
    Module,
    Table,
    World,
    address,
    core,
    elements,
    pointers,
    raw_bytes,
)

wat2wasm = pytest.importorskip("wasmote.wat").wat2wasm
pytest.importorskip("wasmtime")

TEXT = """
(module
  (type $t (func))
  (import "m" "f" (func $imported (type $t)))
  (import "m" "g" (global $g i64))
  (table $a 12 funcref) (table $b 6 funcref)
  (memory 1 3)
  (func $f1) (func $f2 (param i32)) (func $f3 (result f64) (f64.const 0))
  (elem (i32.const 1) $f1 $f2)
  (elem func $f1)
  (elem (table $b) (i32.const 1) func $f3)
  (elem declare func $f1)
  (elem (i32.const 4) funcref (ref.func $f2) (ref.null func) (ref.func $imported))
  (elem funcref (ref.func $f1))
  (elem (table $b) (i32.const 3) funcref (ref.func $f1))
  (elem declare funcref (ref.func $f2))
  (data (i32.const 70) "abc")
  (data "passive")
  (global $h (mut i64) (i64.add (global.get $g) (i64.const -2)))
  (global f64 (f64.const -0.5))
  (global funcref (ref.func $f3))
  (export "memory" (memory 0))
  (export "f" (func $imported)))
"""


@cache
def loader() -> Library:
    return Library(module_load, module_free)


class Loaded:
    """A module from its text."""

    def __init__(self, world: World, text: str) -> None:
        binary = wat2wasm(text)
        self.world, self.limits = world, Limits().native()
        self.binary = ctypes.create_string_buffer(binary, len(binary))
        self.module = Module(
            platform=world.platform.address,
            limits=ctypes.addressof(self.limits),
            features=DEFAULT_FEATURES,
            binary=ctypes.addressof(self.binary),
            binary_size=len(binary),
        )
        assert loader().module_load(address(self.module)) == 0
        assert core().store_add_types(address(world.store), address(self.module)) == 0

    def free(self) -> None:
        self.world.unload(self.module)
        loader().module_free(address(self.module))


def function_indices(world: World, table: Table) -> list[int | None]:
    entries = pointers(world.store.functions, world.store.function_capacity)
    return [FuncInst.from_address(entries[h]).index if h else None for h in elements(table)]


def test_every_kind_of_segment_and_initial_value(world: World) -> None:
    loaded = Loaded(world, TEXT)
    given = Global(content=I64)
    given.value[0] = 1
    made = world.instantiate(loaded.module, None, address(given))
    assert made.code == 0
    instance = made.instance
    a, b = (Table.from_address(at) for at in pointers(instance.tables, 2))
    assert function_indices(world, a) == [None, 1, 2, None, 2, None, 0, *[None] * 5]
    assert function_indices(world, b) == [None, 3, None, 1, None, None]
    assert list(ctypes.string_at(instance.dropped_elements, 8)) == [1, 0, 1, 1, 1, 0, 1, 1]
    assert list(ctypes.string_at(instance.dropped_data, 2)) == [1, 0]
    memory = Memory.from_address(core().instance_export(made.at, 0))
    assert (memory.pages, memory.maximum) == (1, 3)
    assert raw_bytes(memory, 69, 5) == b"\0abc\0"
    imported = FuncInst.from_address(core().instance_export(made.at, 1))
    assert (imported.instance, imported.index) == (None, 0)
    variables = [Global.from_address(at) for at in pointers(instance.globals, 4)]
    assert list(variables[1].value)[:2] == [0xFFFFFFFF, 0xFFFFFFFF]
    assert (variables[1].mutable, variables[2].mutable) == (1, 0)
    assert list(variables[2].value)[:2] == [0, 0xBFE00000]
    handle = variables[3].value[0]
    entries = pointers(world.store.functions, handle + 1)
    assert FuncInst.from_address(entries[handle]).index == 3
    core().instance_destroy(made.at)
    loaded.free()


def test_modules_link_to_each_other(world: World) -> None:
    exporter = Loaded(
        world,
        """(module (func (export "f") (param i32) (result i64) (i64.const 1))
             (table (export "t") 4 8 funcref) (memory (export "m") 2 5)
             (global (export "g") (mut f32) (f32.const 1)))""",
    )
    a = world.instantiate(exporter.module)
    assert a.code == 0
    exports = [core().instance_export(a.at, i) for i in range(4)]
    imports = """(module (import "a" "f" (func (param {param}) (result i64)))
        (import "a" "t" (table {table} funcref)) (import "a" "m" (memory {memory}))
        (import "a" "g" (global {content})) (elem (i32.const 3) 0))"""
    good = {"param": "i32", "table": "4 8", "memory": "1 5", "content": "(mut f32)"}
    bad = {"param": "i64", "table": "5 8", "memory": "1 4", "content": "f32"}
    for position, wrong in enumerate([*bad, None]):
        text = imports.format(**{k: bad[k] if k == wrong else v for k, v in good.items()})
        importer = Loaded(world, text)
        b = world.instantiate(importer.module, *exports)
        if wrong:
            assert (b.code, b.error.detail) == (TrapCode.UNLINKED_IMPORT, position)
            assert b.at is None
        else:
            assert b.code == 0
            table = Table.from_address(exports[1])
            assert elements(table) == [0, 0, 0, FuncInst.from_address(exports[0]).handle]
            core().instance_destroy(b.at)
        importer.free()
    core().instance_destroy(a.at)
    exporter.free()


def test_segments_out_of_bounds(world: World) -> None:
    for text, code, segment in (
        (
            '(memory 1) (data (i32.const 0) "x") (data (i32.const 65535) "xy")',
            TrapCode.MEMORY_OUT_OF_BOUNDS,
            1,
        ),
        (
            "(table 2 funcref) (func) (elem (i32.const 2) 0) (memory 1)",
            TrapCode.TABLE_OUT_OF_BOUNDS,
            0,
        ),
    ):
        loaded = Loaded(world, f"(module {text})")
        made = world.instantiate(loaded.module)
        assert (made.code, made.error.detail) == (code, segment)
        core().instance_destroy(made.at)
        loaded.free()
