"""fd_read, fd_write, clock_time_get and random_get, which native code does without Python."""

import io
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

import wasmote
from wasmote import Instance, Memory, MemoryType, Module, Trap, TrapKind
from wasmote.compile import compile_module
from wasmote.wasi import Wasi, abi
from wasmote.wat import wat2wasm

from .conftest import SIZE, Program

#: `write(fd, n)` writes the 8 bytes at 16 n times, and counts errors; `read(fd, n)` reads 8 bytes.
LOOPS = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\08\\00\\00\\00") (data (i32.const 16) "8 bytes\\n")
  (func (export "write") (param $fd i32) (param $n i32) (result i32) (local $errors i32)
    (loop $again
      (if (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32))
        (then (local.set $errors (i32.add (local.get $errors) (i32.const 1)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $errors))
  (func (export "read") (param $fd i32) (param $n i32) (result i32) (local $bytes i32)
    (loop $again
      (if (i32.eqz (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)))
        (then (local.set $bytes (i32.add (local.get $bytes) (i32.load (i32.const 32))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $bytes))
  (func (export "others") (param $n i32) (result i32) (local $errors i32)
    (loop $again
      (local.set $errors (i32.add (local.get $errors) (i32.add
        (call $clock (i32.const 1) (i64.const 0) (i32.const 64))
        (call $random (i32.const 72) (i32.const 16)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $errors))
  (func (export "forever") (param $fd i32)
    (loop $again
      (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)))
      (br $again))))
"""
ENGINES = ["fast", "classic", "aot"]
LONG = 20


def loops(wasi: Wasi, engine: str = "fast") -> Instance:
    module = Module(wat2wasm(LOOPS))
    if engine == "aot":
        module = Module(compile_module(module).encode())
    return Instance(module, wasi.imports(), engine=engine)


class Calls:
    """Counts the calls of WASI's Python functions."""

    def __init__(self) -> None:
        self.count = 0

    def _see(self, frame: FrameType, event: str, argument: object) -> None:
        names = ("fd_read", "fd_write", "clock_time_get", "random_get")
        self.count += event == "call" and frame.f_code.co_name in names

    def __enter__(self) -> "Calls":
        sys.setprofile(self._see)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(None)


@pytest.mark.parametrize("engine", ENGINES)
def test_python_is_called_only_before_the_first_write(tmp_path: Path, engine: str) -> None:
    with open(tmp_path / "out", "w+b") as file, Wasi(stdout=file, stdin=file) as wasi:
        exports = loops(wasi, engine).exports
        with Calls() as calls:
            assert exports.write(1, 10_000) == 0
            assert exports.others(10_000) == 0
            file.seek(0)
            assert exports.read(0, 10_001) == 80_000
        assert calls.count == 1
    assert (tmp_path / "out").read_bytes() == b"8 bytes\n" * 10_000


def test_the_null_device_is_always_ready() -> None:
    with open(os.devnull, "r+b") as null, Wasi(stdin=null, stdout=null) as wasi:
        exports = loops(wasi).exports
        with Calls() as calls:
            assert exports.write(1, 1000) == exports.read(0, 1000) == 0
        assert calls.count == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_pipes(engine: str) -> None:
    """What is written arrives; a full pipe is waited for."""
    reading, writing = os.pipe()
    received: list[bytes] = []

    def receive() -> None:
        while data := os.read(reading, 100_000):
            received.append(data)
            time.sleep(0.001)

    thread = threading.Thread(target=receive)
    thread.start()
    with Wasi(stdout=writing) as wasi:
        assert loops(wasi, engine).exports.write(1, 100_000) == 0
    os.close(writing)
    thread.join(LONG)
    os.close(reading)
    assert b"".join(received) == b"8 bytes\n" * 100_000


def test_what_python_has_buffered_comes_first(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file, Wasi(stdout=file) as wasi:
        instance = loops(wasi)
        file.write(b"before\n")
        instance.exports.write(1, 2)
    assert (tmp_path / "out").read_bytes() == b"before\n8 bytes\n8 bytes\n"


def test_rights_that_were_given_up(program: Program) -> None:
    fd = program.create("file", b"data")
    rights = program.fdstat(fd)[2]
    program.ok("fd_fdstat_set_rights", fd, rights & ~abi.FD_WRITE, 0)
    assert program.write(fd, b"x") == -abi.ENOTCAPABLE
    program.ok("fd_fdstat_set_rights", fd, rights & ~(abi.FD_WRITE | abi.FD_READ), 0)
    assert program.read(fd) == -abi.ENOTCAPABLE


def test_numbers_that_change_their_meaning(program: Program, root: Path) -> None:
    one, two = program.create("one", b"1"), program.create("two", b"2")
    program.ok("fd_renumber", one, two)
    assert program.write(one, b"x") == -abi.EBADF
    assert program.write(two, b"x") == 1
    program.ok("fd_close", two)
    assert program.write(two, b"x") == -abi.EBADF
    assert (root / "one").read_bytes() == b"1x" and (root / "two").read_bytes() == b"2"


def test_appending_and_files_open_for_one_thing(program: Program, root: Path) -> None:
    program.create("file", b"start")
    fd = program.open("file", 0, abi.FD_WRITE, fdflags=abi.APPEND)
    assert program.write(fd, b"+", b"", b"++") == 3 and program.read(fd) == -abi.ENOTCAPABLE
    fd = program.open("file", 0, abi.FD_READ)
    assert program.read(fd) == b"start+++" and program.write(fd, b"x") == -abi.ENOTCAPABLE


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40])
def test_any_number_of_buffers(program: Program, root: Path, count: int) -> None:
    fd = program.create("file")
    parts = [b"%d," % number for number in range(count)]
    assert program.write(fd, *parts) == len(b"".join(parts))
    assert (root / "file").read_bytes() == b"".join(parts)


def test_large_buffers(program: Program, root: Path) -> None:
    fd = program.create("file")
    for size in (65_535, 65_536, 65_537, 100_000):
        result = program.alloc(4)
        vector = program.iovecs((0, size))
        data = bytes(program.memory[:size])
        program.seek(fd, 0)
        program.ok("fd_write", fd, *vector, result)
        assert program.u32(result) == size and (root / "file").read_bytes() == data


def test_more_descriptors_than_native_code_knows(program: Program, root: Path) -> None:
    fds = [program.create(f"file{number}") for number in range(300)]
    assert fds[-1] > 256
    for fd in fds:
        assert program.write(fd, b"%d" % fd) == len(str(fd))
    for fd in fds:
        assert program.seek(fd, 0) == 0 and program.read(fd) == b"%d" % fd


def test_a_program_leaves_descriptors_to_the_host(program: Program, root: Path) -> None:
    program.create("file")
    fds = []
    while (fd := program.open("file")) >= 0:
        fds.append(fd)
    assert fd == -abi.EMFILE and len(fds) >= 60
    with open(root / "file"):
        assert program.open("file") == -abi.EMFILE
    program.ok("fd_close", fds[7])
    program.ok("fd_close", fds[3])
    assert program.open("file") == fds[3] and program.open("file") == fds[7]
    assert program.open("file") == -abi.EMFILE


def test_clocks_and_random_numbers(program: Program) -> None:
    """Their results reach to the memory's end and no further."""
    program.ok("clock_time_get", 1, 0, SIZE - 8)
    assert abs(program.u64(SIZE - 8) - time.monotonic_ns()) < 10**9
    assert program.call("clock_time_get", 1, 0, SIZE - 7) == abi.EFAULT
    for size in (0, 1, 16, 256, 257, 65_536, 65_537):
        program.memory[:] = bytes(SIZE)
        program.ok("random_get", SIZE - size, size)
        assert not any(program.memory[: SIZE - size])
        assert len(set(program.memory[SIZE - size :])) >= min(size, 200) // 4
        assert program.call("random_get", SIZE - size + 1, size) == abi.EFAULT


def test_pointers_that_mean_a_certain_memory() -> None:
    """With `attach`, those of all callers; a host function that Python calls has a memory then."""
    memory = Memory(MemoryType(1))
    out = io.BytesIO()
    with Wasi(stdout=out) as wasi:
        instance = loops(wasi)
        wasi.attach(memory)  # type: ignore[arg-type]
        assert instance.exports.write(1, 1) == 0 and out.getvalue() == b""
        memory.write(0, bytes([16, 0, 0, 0, 4, 0, 0, 0]) + b"12345678" + b"attached")
        assert instance.exports.write(1, 1) == 0 and out.getvalue() == b"atta"
        instance.exports.others(1)
        assert any(memory.read(64, 8)) and not any(instance.exports.memory.read(64, 8))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loop_of_writes_can_be_ended(tmp_path: Path, engine: str) -> None:
    with open(tmp_path / "out", "wb") as file, Wasi(stdout=file) as wasi:
        instance = loops(wasi, engine)
        with wasmote.timeout(0.05), pytest.raises(Trap) as caught:
            instance.exports.forever(1)
        assert caught.value.kind is TrapKind.DEADLINE


@pytest.mark.parametrize("what", ["reading", "writing"])
def test_waiting_for_a_pipe_can_be_ended(what: str) -> None:
    reading, writing = os.pipe()
    with Wasi(stdin=reading, stdout=writing) as wasi:
        instance = loops(wasi)
        with wasmote.timeout(0.1), pytest.raises(Trap) as caught:
            if what == "reading":
                instance.exports.read(0, 1)
            else:
                instance.exports.write(1, 1_000_000)
        assert caught.value.kind is TrapKind.DEADLINE
    os.close(reading)
    os.close(writing)


def test_waiting_for_a_pipe_that_the_program_has_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with Wasi(dirs={"/": tmp_path}) as wasi:
        program, instance = Program(wasi), loops(wasi)
        reading = program.open("fifo", 0, abi.FD_READ | abi.FD_FDSTAT_SET_FLAGS)
        writing = program.open("fifo", 0, abi.FD_WRITE)
        assert program.write(writing, b"through") == 7 and program.read(reading) == b"through"
        for fd, call in ((reading, instance.exports.read), (writing, instance.exports.write)):
            with wasmote.timeout(0.1), pytest.raises(Trap):
                call(fd, 1_000_000)
        program.ok("fd_fdstat_set_flags", reading, abi.NONBLOCK)
        while program.read(reading, 50_000) != -abi.EAGAIN:
            pass
        assert program.fdstat(reading)[1] == abi.NONBLOCK
        program.ok("fd_fdstat_set_flags", reading, 0)
        assert program.fdstat(reading)[1] == 0
        program.ok("fd_close", writing)
        assert program.read(reading) == b""


def test_much_at_once_through_a_pipe() -> None:
    reading, writing = os.pipe()
    received = bytearray()

    def receive() -> None:
        while data := os.read(reading, 1000):
            received.extend(data)

    thread = threading.Thread(target=receive)
    thread.start()
    with Wasi(stdout=writing) as wasi:
        program = Program(wasi)
        program.memory[20_000:120_000] = bytes(range(250)) * 400
        program.ok("fd_write", 1, *program.iovecs((20_000, 100_000)), 500)
        assert program.u32(500) == 100_000
    os.close(writing)
    thread.join(LONG)
    os.close(reading)
    assert bytes(received) == bytes(range(250)) * 400


@pytest.mark.parametrize("engine", ["fast", "aot"])
def test_closing_while_another_thread_writes(tmp_path: Path, engine: str) -> None:
    """What a thread writes goes to the file that has the number then, never to another one of the
    host's that has got the same descriptor."""
    with Wasi(dirs={"/": tmp_path}) as wasi:
        writer, program = loops(wasi, engine), Program(wasi)
        innocent = [tmp_path / f"innocent{number}" for number in range(50)]
        fd = program.create("target")

        def write() -> None:
            with pytest.raises(Trap):
                writer.exports.forever(fd)

        thread = threading.Thread(target=write)
        thread.start()
        for path in innocent:
            time.sleep(0.001)
            program.ok("fd_close", fd)
            with open(path, "wb") as file:  # takes the lowest descriptor of the host
                file.write(b"mine")
                file.flush()
                time.sleep(0.001)
            assert program.create("target") == fd
        writer.terminate()
        thread.join(LONG)
        assert all(path.read_bytes() == b"mine" for path in innocent)
        assert (tmp_path / "target").stat().st_size % 8 == 0
