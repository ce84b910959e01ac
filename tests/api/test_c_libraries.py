"""Native functions in C, from shared libraries."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wasmote import Instance, LinkError, Module, NativeLibrary, Trap
from wasmote.compile import compile_module

from .support import module

pytest.importorskip("ziglang")
SOURCE = Path(__file__).parent / "programs" / "natives.c"


def compiled(source: Path, made: Path) -> Path:
    """A shared library for this machine."""
    compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", "-w"]
    subprocess.run([*compiler, "-o", str(made), str(source)], check=True)
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> NativeLibrary:
    return NativeLibrary(compiled(SOURCE, tmp_path_factory.mktemp("c") / "natives.so"))


IMPORTS = """
(import "env" "add" (func $add (param i32 i32) (result i32)))
(import "env" "wide" (func $wide (param i64 i32) (result i64)))
(import "env" "half" (func $half (param f32) (result f32)))
(import "env" "mix" (func $mix (param i32 f32 i64 f64) (result f64)))
(import "env" "sum" (func $sum (param i32 i32) (result i32)))
(import "env" "length" (func $length (param i32) (result i32)))
(import "env" "fill" (func $fill (param i32)))
(import "env" "starts" (func $starts (result i32)))
(memory (export "memory") 1) (data (i32.const 16) "hello\\00") (data (i32.const 65534) "xy")
(func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
(func (export "wide") (param i64 i32) (result i64) (call $wide (local.get 0) (local.get 1)))
(func (export "half") (param f32) (result f32) (call $half (local.get 0)))
(func (export "mix") (param i32 f32 i64 f64) (result f64)
  (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
(func (export "sum") (param i32 i32) (result i32) (call $sum (local.get 0) (local.get 1)))
(func (export "length") (param i32) (result i32) (call $length (local.get 0)))
(func (export "fill") (param i32) (call $fill (local.get 0)))
(func (export "starts") (result i32) (call $starts))
"""


@pytest.fixture(params=["fast", "classic", "aot"])
def exports(request: pytest.FixtureRequest, library: NativeLibrary) -> Any:
    code = module(IMPORTS)
    if request.param == "aot":
        code = Module(compile_module(code).encode())
    return Instance(code, library.imports(), engine=request.param).exports


def test_arguments_and_results_of_all_kinds(exports: Any) -> None:
    assert exports.add(2**31 - 1, 1) == -(2**31)
    assert exports.wide(2**62, -3) == 2**62 + 3
    assert exports.half(5) == 2.5
    assert exports.mix(-1, 0.5, 2**40, 0.25) == 2**40 - 0.25
    assert exports.starts() == 1


def test_pointers_are_addresses_within_memory(exports: Any) -> None:
    assert exports.sum(16, 5) == sum(b"hello")
    assert exports.sum(65536, 0) == 0
    assert exports.length(17) == 4
    exports.fill(65535)
    assert exports.memory.read(65535, 1) == b"*"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sum", (65535, 2)),
        ("sum", (65537, 0)),
        ("sum", (0, -1)),
        ("sum", (-1, 1)),
        ("length", (65536,)),
        ("length", (65534,)),
        ("length", (-1,)),
        ("fill", (65536,)),
        ("fill", (-(2**31),)),
    ],
)
def test_pointers_out_of_memory_trap(exports: Any, name: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(Trap, match="out of bounds memory access") as caught:
        exports[name](*arguments)
    assert caught.value.frames[0].function_name == name


def test_arguments_beyond_the_registers(library: NativeLibrary) -> None:
    kinds = "i32 " * 7 + "i64 " + "f64 " * 9 + "f32 i32"
    text = (
        f'(import "env" "many" (func $many (param {kinds}) (result i64)))'
        f'(func (export "many") (param {kinds}) (result i64)'
        f"  (call $many {' '.join(f'(local.get {i})' for i in range(19))}))"
    )
    numbers = list(range(1, 8)), [2**40], [float(n) for n in range(8)], [3.0, 4.0], [5]
    given = [n for part in numbers for n in part]
    expected = sum((i + 1) * n for i, n in enumerate(given[:8])) + 28 + 300 + 4000 + 50000
    assert Instance(module(text), library.imports()).exports.many(*given) == expected


def test_a_function_python_calls_directly_has_no_memory(library: NativeLibrary) -> None:
    reexported = Instance(
        module(
            '(import "env" "fill" (func $f (param i32))) (export "f" (func $f))'
            '(import "env" "add" (func $g (param i32 i32) (result i32))) (export "g" (func $g))'
        ),
        library.imports(),
    ).exports
    assert reexported.g(2, 3) == 5
    with pytest.raises(Trap, match="out of bounds memory access"):
        reexported.f(0)


def test_imports_must_fit(library: NativeLibrary) -> None:
    with pytest.raises(LinkError, match=r"env\.add has the signature \(ii\)i, but the module"):
        Instance(module('(import "env" "add" (func (param i32)))'), library.imports())
    with pytest.raises(LinkError, match=r"which cannot be of type .* 8 arguments on the native"):
        params = "i64 " * 14
        Instance(module(f'(import "env" "starts" (func (param {params})))'), library.imports())


def test_what_is_no_library(tmp_path: Path) -> None:
    source = tmp_path / "empty.c"
    source.write_text("int nothing;")
    made = compiled(source, tmp_path / "empty.so")
    with pytest.raises(LinkError, match="it does not export get_native_lib"):
        NativeLibrary(made)
    with pytest.raises(OSError, match="cannot open shared object file"):
        NativeLibrary(tmp_path / "missing.so")


def test_a_library_with_wrong_letters(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text(SOURCE.read_text().replace('"(Ii)I"', '"(Iz)I"'))
    with pytest.raises(LinkError, match=r"wrong.so: function 'wide': signature .*no letter 'z'"):
        NativeLibrary(compiled(source, tmp_path / "wrong.so"))


def test_a_library_that_cannot_start(tmp_path: Path) -> None:
    source = tmp_path / "failing.c"
    source.write_text(SOURCE.read_text().replace("started++ ? 1 : 0", "1"))
    with pytest.raises(LinkError, match="init_native_lib failed"):
        NativeLibrary(compiled(source, tmp_path / "failing.so"))
