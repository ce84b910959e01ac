"""Whose memory pointers mean, and several instances and threads that share a `Wasi`."""

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from wasmote import Instance, LinkError, Module
from wasmote.compile import compile_module
from wasmote.wasi import Wasi, abi
from wasmote.wat import wat2wasm

#: `write` prints the text at 16, 5 bytes long.
WRITES = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00") (data (i32.const 16) "{text}")
  (func $go (export "write") (result i32)
    (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
  {more})
"""
ENGINES = ["fast", "classic", "aot"]


def writer(text: str, more: str = "") -> Module:
    return Module(wat2wasm(WRITES.replace("{text}", text).replace("{more}", more)))


def make(module: Module, wasi: Wasi, engine: str = "fast") -> Instance:
    if engine == "aot":
        module = Module(compile_module(module).encode())
    return Instance(module, wasi.imports(), engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_start_function_prints(engine: str) -> None:
    out = io.BytesIO()
    with Wasi(stdout=out) as wasi:
        make(writer("first", "(func $start (drop (call $go))) (start $start)"), wasi, engine)
    assert out.getvalue() == b"first"


@pytest.mark.parametrize("engine", ENGINES)
def test_each_instance_means_its_own_memory(engine: str) -> None:
    out = io.BytesIO()
    with Wasi(stdout=out) as wasi:
        one, two = make(writer("one, "), wasi, engine), make(writer("two, "), wasi, engine)
        for instance in (one, two, two, one):
            assert instance.exports.write() == 0
    assert out.getvalue() == b"one, two, two, one, "


def test_a_module_without_memory_has_only_bad_pointers() -> None:
    text = """(module
      (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $sizes (param i32 i32) (result i32)))
      (func (export "go") (result i32) (call $sizes (i32.const 0) (i32.const 4))))"""
    with Wasi() as wasi:
        assert make(Module(wat2wasm(text)), wasi).exports.go() == abi.EFAULT


def test_an_exported_function_is_called_by_nobody() -> None:
    """A host function that comes out of an instance has no caller with a memory."""
    more = '(export "out" (func $write))'
    with Wasi() as wasi:
        assert make(writer("-----", more), wasi).exports.out(1, 0, 1, 32) == abi.EFAULT


def test_memory_grows_during_a_call() -> None:
    """The file that is written to makes the caller's memory grow, and writes to it."""

    class Growing(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            instance.exports.memory.grow(3)
            instance.exports.memory.write(0x30000, b"!")
            return len(data)

    with Wasi(stdout=Growing()) as wasi:  # type: ignore[arg-type]
        instance = make(writer("hello"), wasi)
        assert instance.exports.write() == 0
        assert instance.exports.memory.size == 4
        assert instance.exports.memory.read(32, 4) == b"\5\0\0\0"


def test_an_import_of_another_type_is_refused() -> None:
    text = '(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))))'
    with Wasi() as wasi, pytest.raises(LinkError, match=r"fd_close is a function \(i32\)"):
        make(Module(wat2wasm(text)), wasi)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_the_files(tmp_path: Path, engine: str) -> None:
    """Eight threads write 500 times each to one file; no write is lost or torn."""
    with open(tmp_path / "out", "wb") as file, Wasi(stdout=file) as wasi:
        instances = [make(writer(f"{number}----"), wasi, engine) for number in range(8)]

        def write(instance: Instance) -> None:
            for _ in range(500):
                assert instance.exports.write() == 0

        threads = [threading.Thread(target=write, args=(each,)) for each in instances]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    text = (tmp_path / "out").read_bytes()
    assert len(text) == 8 * 500 * 5
    for number in range(8):
        assert text.count(b"%d----" % number) == 500
