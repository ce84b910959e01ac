"""Modules and linking."""

from pathlib import Path

import pytest
import wasmtime

import wasmote
from wasmote import (
    DecodeError,
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Instance,
    LinkError,
    Memory,
    MemoryType,
    ModuleError,
    Table,
    TableType,
    Trap,
    TrapKind,
    ValidationError,
    ValType,
)

from .support import exports, module

TEXT = (
    '(import "env" "f" (func (param i32) (result i64))) (import "env" "t" (table 1 2 funcref))'
    '(import "env" "m" (memory 1)) (import "env" "g" (global (mut f32)))'
    '(func (export "a")) (export "b" (memory 0))'
)


def test_imports_and_exports_are_listed() -> None:
    loaded = module(TEXT)
    assert loaded.imports == (
        ImportType("env", "f", FuncType((ValType.I32,), (ValType.I64,))),
        ImportType("env", "t", TableType(ValType.FUNCREF, 1, 2)),
        ImportType("env", "m", MemoryType(1)),
        ImportType("env", "g", GlobalType(ValType.F32, True)),
    )
    assert loaded.exports == (ExportType("a", FuncType()), ExportType("b", MemoryType(1)))
    assert str(loaded.imports[0].type) == "(i32) -> (i64)"


def test_a_module_from_any_bytes(tmp_path: Path) -> None:
    binary = bytes(wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 9))'))
    path = tmp_path / "nine.wasm"
    path.write_bytes(binary)
    sources = (binary, bytearray(binary), memoryview(binary), path, str(path))
    for source in sources:
        assert Instance(wasmote.Module(source)).exports.f() == 9
    assert wasmote.Module(path).name == "nine"
    assert wasmote.Module(path, name="other").name == "other"
    changing = bytearray(binary)
    loaded = wasmote.Module(changing)
    changing[:] = bytes(len(changing))
    assert Instance(loaded).exports.f() == 9


def test_a_large_file_is_mapped(tmp_path: Path) -> None:
    code = '(memory 40) (func (export "f") (result i32) i32.const 5)'
    data = "x" * (2 << 20)
    path = tmp_path / "large.wasm"
    path.write_bytes(bytes(wasmtime.wat2wasm(f'(module {code} (data (i32.const 0) "{data}"))')))
    loaded = wasmote.Module(path)
    path.unlink()
    assert Instance(loaded).exports.f() == 5


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        wasmote.Module(tmp_path / "missing.wasm")
    with pytest.raises(IsADirectoryError):
        wasmote.Module(tmp_path)
    empty = tmp_path / "empty.wasm"
    empty.touch()
    with pytest.raises(DecodeError, match="unexpected end"):
        wasmote.Module(empty)


def test_bad_modules_are_refused() -> None:
    with pytest.raises(DecodeError, match="magic header"):
        wasmote.Module(b"not a module")
    invalid = bytes(wasmtime.wat2wasm("(module (func (result i32) i64.const 0))"))
    with pytest.raises(ValidationError, match="type mismatch") as caught:
        wasmote.Module(invalid)
    assert isinstance(caught.value, ModuleError)
    assert 0 < (caught.value.offset or 0) < len(invalid)


def test_custom_sections() -> None:
    section = b"\0\x05\3abcx"
    loaded = wasmote.Module(b"\0asm\1\0\0\0" + section + section[:-1] + b"y")
    assert loaded.custom_sections("abc") == [b"x", b"y"]
    assert loaded.custom_sections("none") == []


def test_missing_imports_say_what_is_there() -> None:
    loaded = module('(import "env" "log" (func (param i32)))')
    for given, message in (
        (None, r"unknown import: env\.log, a function \(i32\) -> \(\), is missing; .*module 'env'"),
        ({}, "there are no imports for module 'env'"),
        ({"wasi": {}}, "only for wasi"),
        ({"env": {}}, "module 'env' has nothing"),
        ({"env": {"print": print, "exit": exit}}, "module 'env' has exit, print"),
        ({"env": {f"f{i}": print for i in range(30)}}, "and 20 more"),
        ({"env": 3}, r"imports\['env'\] must be a mapping"),
    ):
        with pytest.raises(LinkError, match=message):
            Instance(loaded, given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("(func)", 3, "is of type int, but the module needs a function"),
        ("(func)", Memory(MemoryType(1)), "is memory 1, but the module needs a function"),
        ("(memory 2)", Memory(MemoryType(1)), "is memory 1, but the module needs a memory 2"),
        ("(memory 1 2)", Memory(MemoryType(1)), "needs a memory 1 2"),
        ("(memory 1)", b"bytes", "is of type bytes"),
        ("(table 1 funcref)", Table(TableType(ValType.EXTERNREF, 1)), "is table 1 externref"),
        ("(global (mut i32))", 3, "is of type int, but the module needs a global mut i32"),
        ("(global i32)", "3", "must be an integer for i32, not str"),
        ("(global f64)", wasmote.Global(GlobalType(ValType.F32)), "is global f32"),
    ],
)
def test_values_of_another_type(text: str, value: object, message: str) -> None:
    loaded = module(f'(import "env" "x" {text})')
    with pytest.raises(LinkError, match="incompatible import type: .*" + message):
        Instance(loaded, {"env": {"x": value}})


def test_exports_of_one_instance_are_imports_of_another() -> None:
    library = exports(
        '(memory (export "memory") 1) (global (export "g") i32 (i32.const 4))'
        '(table (export "table") 2 funcref)'
        '(func (export "poke") (param i32 i32) local.get 0 local.get 1 i32.store8)'
    )
    text = (
        '(import "lib" "memory" (memory 1)) (import "lib" "g" (global i32))'
        '(import "lib" "table" (table 2 funcref))'
        '(import "lib" "poke" (func $poke (param i32 i32)))'
        '(func $f (export "f") (result i32) (call $poke (global.get 0) (i32.const 77))'
        " (i32.load8_u (global.get 0))) (elem (i32.const 1) func $f)"
        '(export "poke" (func $poke))'
    )
    user = exports(text, {"lib": library})
    assert user.f() == 77
    assert library.table[1] is user.f
    assert user.poke is library.poke
    assert library.memory.read(4, 1) == b"M"


def test_the_start_function_runs() -> None:
    seen: list[int] = []
    text = '(import "env" "f" (func $f (param i32))) (func $s i32.const 3 call $f) (start $s)'
    exports(text, {"env": {"f": seen.append}})
    assert seen == [3]
    with pytest.raises(Trap) as caught:
        exports("(func $s unreachable) (start $s)")
    assert caught.value.kind is TrapKind.UNREACHABLE


def test_segments_that_do_not_fit_trap() -> None:
    with pytest.raises(Trap, match="out of bounds memory access"):
        exports('(memory 1) (data (i32.const 65535) "ab")')
    with pytest.raises(Trap, match="out of bounds table access"):
        exports("(table 1 funcref) (func $f) (elem (i32.const 1) $f)")


def test_what_a_failed_instance_wrote_to_a_shared_table_stays_usable() -> None:
    table = Table(TableType(ValType.FUNCREF, 2))
    text = (
        '(import "env" "t" (table 2 funcref)) (func $f (result i32) i32.const 6)'
        '(elem (i32.const 0) $f) (memory 1) (data (i32.const 65536) "x")'
    )
    with pytest.raises(Trap):
        exports(text, {"env": {"t": table}})
    entry = table[0]
    assert isinstance(entry, wasmote.Func)
    assert entry() == 6


def test_a_memory_larger_than_the_limit_is_refused() -> None:
    loaded = module("(memory 100)", limits=wasmote.Limits(memory_pages=10))
    with pytest.raises(MemoryError, match="memory 0"):
        Instance(loaded)
