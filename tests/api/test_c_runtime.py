"""C libraries that call functions of WAMR's runtime."""

import ctypes
import struct
from pathlib import Path
from typing import Any

import pytest

from wasmote import Instance, Module, NativeLibrary, Trap, TrapKind
from wasmote.compile import compile_module
from wasmote.host.c_symbols import TABLE, shared_library
from wasmote.image.elf import AARCH64, X86_64

from .support import module
from .test_c_libraries import compiled

pytest.importorskip("ziglang")
SOURCE = Path(__file__).parent / "programs" / "runtime.c"
TEXT = """
(import "env" "first" (func $first (param i32) (result i32)))
(import "env" "ranges" (func $ranges (result i32)))
(import "env" "copy" (func $copy (param i32) (result i32)))
(import "env" "fail" (func $fail (param i32)))
(import "env" "counted" (func $counted (result i32)))
(import "env" "back" (func $back (param i64) (result i64)))
(import "env" "indirect" (func $indirect (param i32) (result i32)))
(import "env" "own" (func $own (result i32)))
(memory (export "memory") 1) (data (i32.const 16) "hello\\00") (data (i32.const 65535) "x")
(table 3 funcref) (elem (i32.const 1) $more $wrong)
(func $more (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
(func $wrong (param i64))
(func (export "twice") (param i64) (result i64)
  (if (i64.eqz (local.get 0)) (then unreachable))
  (i64.mul (local.get 0) (i64.const 2)))
(func (export "first") (param i32) (result i32) (call $first (local.get 0)))
(func (export "ranges") (result i32) (call $ranges))
(func (export "copy") (result i32) (call $copy (i32.const 16)))
(func (export "fail") (call $fail (i32.const 16)))
(func (export "counted") (result i32) (call $counted))
(func (export "back") (param i64) (result i64) (call $back (local.get 0)))
(func (export "indirect") (param i32) (result i32) (call $indirect (local.get 0)))
(func (export "own") (result i32) (call $own))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> NativeLibrary:
    return NativeLibrary(compiled(SOURCE, tmp_path_factory.mktemp("c") / "runtime.so"))


@pytest.fixture(params=["fast", "classic", "aot"])
def exports(request: pytest.FixtureRequest, library: NativeLibrary) -> Any:
    code = module(TEXT)
    if request.param == "aot":
        code = Module(compile_module(code).encode())
    return Instance(code, library.imports(), engine=request.param, heap_size=4096).exports


def test_addresses_are_checked(exports: Any) -> None:
    assert exports.first(16) == int.from_bytes(b"hell", "little")
    grown = len(exports.memory)
    assert exports.first(grown - 4) == 0
    for place in (grown - 3, -1):
        with pytest.raises(Trap, match="out of bounds memory access"):
            exports.first(place)


def test_what_is_outside_of_memory(library: NativeLibrary) -> None:
    made: Any = Instance(module(TEXT), library.imports())
    assert made.exports.ranges() == 0


def test_memory_is_allocated(exports: Any) -> None:
    place = exports.copy()
    assert place >= 65536 and exports.memory.read(place, 6) == b"hello\0"
    assert exports.own() == 9


def test_memory_is_allocated_by_the_module(library: NativeLibrary) -> None:
    text = """(import "env" "copy" (func $copy (param i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 16) "own\\00")
      (global $next (mut i32) (i32.const 1000)) (global (export "freed") (mut i32) (i32.const 0))
      (func (export "malloc") (param i32) (result i32)
        (global.set $next (i32.add (global.get $next) (i32.const 24))) (global.get $next))
      (func (export "free") (param i32) (global.set 1 (local.get 0)))
      (func (export "go") (result i32) (call $copy (i32.const 16)))"""
    exports: Any = Instance(module(text), library.imports()).exports
    assert (exports.go(), exports.freed.value) == (1048, 1024)
    assert exports.memory.read(1048, 4) == b"own\0"


def test_an_exception_that_is_set_is_raised(exports: Any) -> None:
    for _ in range(2):
        with pytest.raises(Trap) as trap:
            exports.fail()
        assert (trap.value.kind, trap.value.message) == (TrapKind.HOST, "hello")
        assert [frame.function_name for frame in trap.value.frames] == ["fail"]
    assert exports.own() == 9  # it is not there any more


def test_user_data_and_attachments(exports: Any) -> None:
    assert [exports.counted() for _ in range(3)] == [1000, 1001, 1002]


def test_calls_back(exports: Any) -> None:
    assert exports.back(1 << 40) == 1 << 41
    with pytest.raises(Trap, match="unreachable") as trap:
        exports.back(0)
    assert [frame.function_name for frame in trap.value.frames] == ["twice", "back"]
    assert exports.indirect(1) == 23
    assert [exports.indirect(place) for place in (0, 2, 3, -1)] == [-1] * 4


@pytest.mark.parametrize("machine", [X86_64, AARCH64])
def test_the_library_of_symbols(machine: int) -> None:
    names = [f"function_{i}" for i in range(300)]
    raw = shared_library(names, machine)
    assert raw[:4] == b"\x7fELF" and struct.unpack_from("<H", raw, 18) == (machine,)
    for name in (*names, TABLE):
        assert raw.count(name.encode() + b"\0") == 1


def test_symbols_lead_to_their_functions(tmp_path: Path) -> None:
    from wasmote.nativepy.targets import host_target

    names = [f"function_{i}" for i in range(200)]
    path = tmp_path / "symbols.so"
    path.write_bytes(shared_library(names, host_target().machine))
    library = ctypes.CDLL(str(path))
    made = [ctypes.CFUNCTYPE(ctypes.c_int)(lambda i=i: 7 * i) for i in range(200)]
    table = (ctypes.c_uint64 * 200).in_dll(library, TABLE)
    for i, function in enumerate(made):
        table[i] = ctypes.cast(function, ctypes.c_void_p).value or 0
    assert [getattr(library, name)() for name in names] == [7 * i for i in range(200)]
