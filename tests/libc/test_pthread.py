"""WAMR's pthread library: programs in C, in each engine, and what ends them."""

import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import wasmote
from wasmote.libc.pthread import Pthreads
from wasmote.wasi import Exit
from wasmote.wat import wat2wasm

ENGINES = ["fast", "classic", "aot"]
SOURCE = Path(__file__).parent / "programs" / "threads.c"
LINKER = "--no-entry,--shared-memory,--max-memory=2097152,-z,stack-size=65536,--import-symbols"


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The compiled test program."""
    pytest.importorskip("ziglang")
    output = tmp_path_factory.mktemp("pthread") / "threads.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-s"]
    command += ["-nostdlib", "-fno-builtin", "-w", "-matomics", "-mbulk-memory"]
    command += [f"-Wl,{LINKER},--export=main,--export=memory", "-o", str(output), str(SOURCE)]
    subprocess.run(command, check=True)
    return output.read_bytes()


@pytest.fixture(scope="session")
def modules(binary: bytes) -> dict[str, wasmote.Module]:
    """The module for each engine."""
    from wasmote.compile import compile_module

    module = wasmote.Module(binary)
    compiled = wasmote.Module(compile_module(module).encode())
    return {"fast": module, "classic": module, "aot": compiled}


class Program:
    """An instance with threads; `run` is its main with one argument."""

    def __init__(self, module: wasmote.Module, engine: str, most: int = 4) -> None:
        self.stdout = io.BytesIO()
        libc, self.threads = wasmote.Libc(self.stdout), Pthreads(most)
        imports: Any = {"env": {**libc.imports()["env"], **self.threads.imports()["env"]}}

        def make(**options: Any) -> wasmote.Instance:
            return wasmote.Instance(module, imports, engine=engine, **options)

        self.instance = make(heap_size=8192)
        self.threads.attach(self.instance, lambda: make(sharing=self.instance))

    def run(self, part: str) -> bytes:
        memory: Any = self.instance.exports.memory
        place = self.instance.malloc(64)
        memory.write(place + 8, part.encode() + b"\0")
        memory.write(place + 4, (place + 8).to_bytes(4, "little"))
        self.threads.run(self.instance.exports.main, 2, place)
        return self.stdout.getvalue()


EXPECTED = {
    "counting": b"counted 20000, joined 100, destroyed 0\njoined again: 71\n",
    "producing": b"consumed 2000, timed out 73\n",
    "keeping": b"key: 0, right: 3, own: 99, destroyed: 6, deleted: 0 28\n",
    "signalling": (b"missing -1, same 1, value 0, try -1, unlink 0 -1, close 0 -1\n"),
    "cancelling": b"cancelled: -1 -1, itself: 16, nobody: 71\nthe other thread goes on\n",
    "exit": b"the other thread goes on\n",
    "limit": b"made 4, then 6\n",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", EXPECTED)
def test_programs(modules: dict[str, wasmote.Module], engine: str, part: str) -> None:
    program = Program(modules[engine], engine)
    assert program.run(part) == EXPECTED[part]
    assert len(program.threads) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trap_in_a_thread_ends_all(modules: dict[str, wasmote.Module], engine: str) -> None:
    program = Program(modules[engine], engine)
    before = time.monotonic()
    with pytest.raises(wasmote.Trap, match="unreachable"):
        program.run("trap")
    assert len(program.threads) == 0 and program.stdout.getvalue() == b""
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("engine", ENGINES)
def test_exit_in_a_thread_ends_all(modules: dict[str, wasmote.Module], engine: str) -> None:
    program = Program(modules[engine], engine)
    with pytest.raises(Exit) as ended:
        program.run("leave")
    assert ended.value.code == 42 and len(program.threads) == 0


def test_a_join_that_never_ends_can_be_stopped(modules: dict[str, wasmote.Module]) -> None:
    text = """(module
      (import "env" "pthread_create" (func $create (param i32 i32 i32 i32) (result i32)))
      (import "env" "pthread_join" (func $join (param i32 i32) (result i32)))
      (memory (export "memory") 1 1 shared) (table 1 funcref) (elem (i32.const 0) $spin)
      (func $spin (param i32) (result i32) (loop (br 0)) (unreachable))
      (func (export "main") (param i32 i32)
        (drop (call $create (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0)))
        (drop (call $join (i32.load (i32.const 8)) (i32.const 0)))))"""
    program = Program(wasmote.Module(wat2wasm(text)), "fast")
    with pytest.raises(wasmote.Trap) as trap, wasmote.timeout(0.3):
        program.threads.run(program.instance.exports.main, 0, 0)
    assert trap.value.kind is wasmote.TrapKind.DEADLINE
    assert len(program.threads) == 0


def test_what_is_no_function_for_a_thread() -> None:
    text = """(module
      (import "env" "pthread_create" (func $create (param i32 i32 i32 i32) (result i32)))
      (import "env" "pthread_detach" (func $detach (param i32) (result i32)))
      (export "detach" (func $detach))
      (memory (export "memory") 1 1 shared) (table 3 funcref) (elem (i32.const 1) $wrong $right)
      (func $wrong) (func $right (param i32) (result i32) (local.get 0))
      (func (export "create") (param i32) (result i32)
        (call $create (i32.const 8) (i32.const 0) (local.get 0) (i32.const 0))))"""
    program = Program(wasmote.Module(wat2wasm(text)), "fast", most=10_000)
    create: Any = program.instance.exports.create
    assert [create(place) for place in (0, 1, 3, -1)] == [28] * 4
    for _ in range(50):  # threads that nobody joins, but for the last
        assert create(2) == 0
        name = int.from_bytes(program.instance.exports.memory.read(8, 4), "little")  # type: ignore
        assert program.instance.exports.detach(name) == 0  # type: ignore[operator]
        assert program.instance.exports.detach(name) in (28, 71)  # type: ignore[operator]
    program.threads.close()
    assert len(program.threads) == 0 and not program.threads._all


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_instances_share_memories_of_their_own(engine: str) -> None:
    text = """(module (memory (export "memory") 1 4) (data (i32.const 0) "\\05")
      (global (export "g") (mut i32) (i32.const 7))
      (func (export "add") (param i32) (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get 0)))
        (global.set 0 (i32.load (i32.const 0))) (global.get 0)))"""
    module = wasmote.Module(wat2wasm(text))
    first: Any = wasmote.Instance(module, engine=engine)
    assert first.exports.add(1) == 6
    second: Any = wasmote.Instance(module, engine=engine, sharing=first)
    assert (second.exports.add(10), first.exports.g.value, second.exports.g.value) == (16, 6, 16)
    memory = second.exports.memory
    first.exports.memory.grow(1)
    del first
    assert memory.size == 2 and second.exports.add(1) == 17
    with pytest.raises(ValueError, match="is of another module"):
        wasmote.Instance(wasmote.Module(wat2wasm("(module)")), sharing=second)
