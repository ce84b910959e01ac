"""Virtual file systems as embedders set them up and look at them."""

import errno
import io
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from wasmote import Instance, Module
from wasmote.wasi import (
    Directory,
    File,
    HostDir,
    MemoryDir,
    OverlayDir,
    ReadOnlyDir,
    Status,
    Symlink,
    Wasi,
    WasiError,
    abi,
)
from wasmote.wat import wat2wasm

from .conftest import Program

WRITING = abi.FD_WRITE | abi.FD_READ | abi.FD_SEEK | abi.FD_TELL


def program_in(directory: object, **more: object) -> Program:
    return Program(Wasi(dirs={"/": directory, **more}))  # type: ignore[arg-type]


def contents(program: Program, path: str, fd: int = 3) -> bytes | int:
    file = program.open(path, fd=fd)
    return file if file < 0 else program.read(file, 1000)


def write(program: Program, path: str, data: bytes) -> None:
    file = program.open(path, abi.OFLAGS_CREAT, WRITING)
    assert program.write(file, data) == len(data)
    program.ok("fd_close", file)


def names(program: Program, path: str = ".") -> list[str]:
    fd = program.open(path, abi.OFLAGS_DIRECTORY, abi.FD_READDIR)
    buffer, used = program.alloc(4000), program.alloc(4)
    program.ok("fd_readdir", fd, buffer, 4000, 0, used)
    data, found = program.get(buffer, program.u32(used)), []
    while data:
        length = abi.DIRENT.unpack_from(data)[2]
        found.append(data[24 : 24 + length].decode())
        data = data[24 + length :]
    return sorted(found)


def test_memory_directory_as_a_mapping() -> None:
    tree = MemoryDir(
        {
            "a": b"bytes",
            "ä": "text",
            "deep/er/file": b"x",
            "sub": {"b": b"", "link": Symlink("../a")},
        }
    )
    assert tree["a"] == b"bytes" and tree["ä"] == b"text"
    assert tree["deep/er/file"] == b"x" and tree["sub/link"] == Symlink("../a")
    assert sorted(tree) == ["a", "deep", "sub", "ä"] and len(tree) == 4
    assert "deep/er" in tree and "deep/x" not in tree and "a/x" not in tree
    assert dict(tree["sub"]) == {"b": b"", "link": Symlink("../a")}  # type: ignore[call-overload]
    del tree["a"]
    assert "a" not in tree
    for bad in ("", "/", "..", "a/../b", ".", "x\0"):
        with pytest.raises(ValueError, match="cannot be the name"):
            tree[bad] = b""
    for value in (5, None, io.StringIO("text")):
        with pytest.raises(TypeError):
            tree["x"] = value


def test_a_program_in_memory() -> None:
    tree = MemoryDir({"in": b"input", "dir": {}})
    program = program_in(tree)
    assert contents(program, "in") == b"input"
    write(program, "dir/out", b"output")
    program.ok("path_symlink", *program.put("dir/out"), 3, *program.put("link"))
    assert contents(program, "link") == b"output"
    assert tree["dir/out"] == b"output" and tree["link"] == Symlink("dir/out")
    assert names(program) == [".", "..", "dir", "in", "link"]
    tree["later"] = b"from outside"
    assert contents(program, "later") == b"from outside"
    found = program.path_stat("in")
    assert isinstance(found, tuple)
    assert found[2:5] == (abi.REGULAR_FILE, 1, 5) and found[6] > 10**18


def test_the_sandbox_holds_for_directories_in_memory() -> None:
    inside = MemoryDir({"up": Symlink(".."), "abs": Symlink("/file"), "x": b""})
    tree = MemoryDir({"file": b"secret", "inside": inside})
    program = program_in(tree["inside"])
    for path in ("..", "../file", "up/file", "/file", "abs", "x/../../file", "./../file"):
        assert program.open(path) in (-abi.EPERM, -abi.ENOTDIR), path


def test_python_files_in_a_directory(tmp_path: Path) -> None:
    buffer, pipe = io.BytesIO(b"0123456789"), os.pipe()
    with open(tmp_path / "log", "wb") as log, open(pipe[1], "wb", 0) as pipe_end:
        program = program_in(MemoryDir({"buffer": buffer, "log": log, "pipe": pipe_end}))
        fd = program.open("buffer", 0, WRITING)
        assert program.read(fd, 4) == b"0123" and program.write(fd, b"xy") == 2
        assert program.seek(fd, 0, 2) == 10
        assert buffer.getvalue() == b"0123xy6789"
        assert contents(program, "buffer") == b"0123xy6789", "its own position"
        write(program, "log", b"logged")
        assert (tmp_path / "log").read_bytes() == b"logged"
        assert program.open("log", 0, abi.FD_READ) > 0
        fd = program.open("pipe", 0, abi.FD_WRITE)
        assert program.write(fd, b"through") == 7 and os.read(pipe[0], 10) == b"through"
        assert program.seek(fd, 0) in (-abi.ESPIPE, -abi.ENOTCAPABLE)
        os.close(pipe[0])
    readable = MemoryDir({"r": io.BufferedReader(io.BytesIO(b"only reading"))})
    program = program_in(readable)
    assert program.open("r", 0, WRITING) == -abi.EACCES
    assert contents(program, "r") == b"only reading"


def test_truncating_a_python_file_by_opening_it() -> None:
    buffer = io.BytesIO(b"0123456789")
    program = program_in(MemoryDir({"buffer": buffer}))
    fd = program.open("buffer", abi.OFLAGS_TRUNC, abi.FILE_RIGHTS)
    assert buffer.getvalue() == b""
    program.ok("fd_filestat_set_size", fd, 5)
    assert buffer.getvalue() == b"\0" * 5


def test_mounts(tmp_path: Path) -> None:
    """Another file system inside a directory in memory."""
    (tmp_path / "file").write_bytes(b"on the host")
    tree = MemoryDir({"a": b"in memory", "host": HostDir(tmp_path), "ro": ReadOnlyDir(tmp_path)})
    program = program_in(tree)
    assert contents(program, "host/file") == b"on the host"
    write(program, "host/new", b"new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert program.open("host/../ro/new", 0, WRITING) == -abi.EROFS
    assert program.open("host/../../x") == -abi.EPERM
    for old, new, expected in (
        ("a", "host/a", abi.EXDEV),
        ("host/new", "b", abi.EXDEV),
        ("host/new", "ro/b", abi.EXDEV),
        ("ro/new", "ro/b", abi.EROFS),
        ("host", "other", abi.EBUSY),
        ("host/new", "host/renamed", 0),
    ):
        paths = (3, *program.put(old), 3, *program.put(new))
        assert program.call("path_rename", *paths) == expected, (old, new)
    assert program.call("path_remove_directory", 3, *program.put("host")) == abi.EBUSY


def test_renaming_across_preopened_directories(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    tree = MemoryDir({"m": b"memory"})
    dirs = {"/1": tmp_path / "one", "/2": tmp_path / "two", "/m": tree, "/o": OverlayDir(tree)}
    program = Program(Wasi(dirs=dirs))
    (tmp_path / "one" / "file").write_bytes(b"data")

    def rename(fd: int, old: str, to: int, new: str) -> int:
        return program.call("path_rename", fd, *program.put(old), to, *program.put(new))

    assert rename(3, "file", 4, "moved") == 0
    assert (tmp_path / "two" / "moved").read_bytes() == b"data"
    assert rename(4, "moved", 5, "x") == abi.EXDEV
    assert rename(5, "m", 4, "x") == abi.EXDEV
    assert rename(5, "m", 6, "x") == abi.EXDEV
    assert rename(6, "m", 5, "x") == abi.EXDEV
    assert rename(6, "m", 6, "x") == 0
    assert tree["m"] == b"memory"
    link = (4, 0, *program.put("moved"), 5, *program.put("hard"))
    assert program.call("path_link", *link) == abi.EXDEV


def test_an_overlay_keeps_what_is_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"below")
    (tmp_path / "gone").write_bytes(b"")
    upper = MemoryDir()
    program = program_in(OverlayDir(tmp_path, upper))
    before = program.path_stat("sub")
    write(program, "sub/file", b"ABOVE!")
    write(program, "sub/new", b"new")
    program.ok("path_unlink_file", 3, *program.put("gone"))
    assert contents(program, "sub/file") == b"ABOVE!"
    assert names(program) == [".", "..", "sub"]
    assert names(program, "sub") == [".", "..", "file", "new"]
    assert (tmp_path / "sub" / "file").read_bytes() == b"below"
    assert sorted(os.listdir(tmp_path)) == ["gone", "sub"]
    assert upper["sub/file"] == b"ABOVE!" and upper["sub/new"] == b"new"
    after = program.path_stat("sub")
    assert isinstance(before, tuple) and isinstance(after, tuple) and before[:2] == after[:2]
    program.ok("path_unlink_file", 3, *program.put("sub/file"))
    program.ok("path_unlink_file", 3, *program.put("sub/new"))
    program.ok("path_remove_directory", 3, *program.put("sub"))
    assert names(program) == [".", ".."]
    program.ok("path_create_directory", 3, *program.put("sub"))
    assert names(program, "sub") == [".", ".."], "a new one, not that below"


def test_a_file_below_an_overlay_cannot_be_changed_through_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"below")
    os.utime(tmp_path / "file", ns=(5, 5))
    for directory in (OverlayDir(tmp_path), ReadOnlyDir(tmp_path)):
        program = program_in(directory)
        fd = program.open("file", 0, abi.FILE_RIGHTS & ~abi.FD_WRITE)
        assert program.call("fd_filestat_set_times", fd, 9, 9, 5) == abi.ENOTCAPABLE
        assert program.call("fd_filestat_set_size", fd, 0) == abi.ENOTCAPABLE
    assert (tmp_path / "file").stat().st_mtime_ns == 5


def test_memory_is_limited() -> None:
    tree = MemoryDir(limit=100_000)
    program = program_in(tree)
    fd = program.create("file")
    assert program.call("fd_filestat_set_size", fd, 1 << 62) == abi.ENOSPC
    assert program.call("fd_allocate", fd, 0, 1 << 40) == abi.ENOSPC
    program.ok("fd_filestat_set_size", fd, 90_000)
    assert program.call("fd_filestat_set_size", fd, 100_000) == abi.ENOSPC
    assert program.seek(fd, 1 << 50) == 1 << 50
    assert program.write(fd, b"x") == -abi.ENOSPC
    made = 0
    while program.call("path_create_directory", 3, *program.put(f"d{made}")) == 0:
        made += 1
    assert made < 20
    program.ok("fd_close", fd)
    program.ok("path_unlink_file", 3, *program.put("file"))
    assert program.call("path_create_directory", 3, *program.put("again")) == 0
    fd = program.create("file")
    program.ok("fd_filestat_set_size", fd, 50_000)
    with pytest.raises(OSError, match="space"):
        tree["more"] = bytes(100_000)


def test_removed_files_and_directories_stay_for_who_has_them_open() -> None:
    program = program_in(MemoryDir({"file": b"data", "dir": {}}))
    file = program.open("file")
    directory = program.open("dir", abi.OFLAGS_DIRECTORY, abi.DIRECTORY_RIGHTS)
    program.ok("path_unlink_file", 3, *program.put("file"))
    program.ok("path_remove_directory", 3, *program.put("dir"))
    assert program.read(file) == b"data"
    assert program.open("new", abi.OFLAGS_CREAT, fd=directory) == -abi.ENOENT


class Squares(Directory):
    """A file system of somebody else's: the file `n` has the square of n in it."""

    def stat(self, name: str | None = None) -> Status:
        if name is None:
            return Status(abi.DIRECTORY, inode=1000)
        if not name.isdigit():
            raise FileNotFoundError(errno.ENOENT, "no such number")
        return Status(abi.REGULAR_FILE, len(str(int(name) ** 2)), inode=int(name))

    def scandir(self) -> Iterable[tuple[str, Status]]:
        return [(str(number), self.stat(str(number))) for number in range(5)]

    def open(self, name: str, flags: int) -> io.BytesIO:
        self.stat(name)
        return io.BytesIO(b"%d" % int(name) ** 2)


class Counter(File):
    """Reading it counts."""

    count = 0

    def stat(self) -> Status:
        return Status(abi.REGULAR_FILE, 1 << 40)

    def read(self, offset: int, size: int) -> bytes:
        self.count += 1
        return b"%d" % self.count


def test_a_file_system_of_the_embedders_own() -> None:
    counter = Counter()
    program = program_in(MemoryDir({"squares": Squares(), "counter": counter}))
    assert contents(program, "squares/12") == b"144"
    assert contents(program, "squares/x") == -abi.ENOENT
    assert names(program, "squares") == [".", "..", "0", "1", "2", "3", "4"]
    assert program.open("squares/12/x") == -abi.ENOTDIR
    assert program.call("path_create_directory", 3, *program.put("squares/d")) == abi.EROFS
    assert program.call("path_unlink_file", 3, *program.put("squares/2")) == abi.EROFS
    buffer = program.alloc(8)
    assert program.call("path_readlink", 3, *program.put("squares/2"), buffer, 8, 64) == abi.EINVAL
    fd = program.open("counter", 0, WRITING)
    assert (program.read(fd), program.read(fd)) == (b"1", b"2")
    assert program.write(fd, b"x") == -abi.EROFS
    assert counter.count == 2


def test_what_is_no_directory() -> None:
    for bad in (5, None, io.BytesIO(), {"a": b""}):
        with pytest.raises(WasiError, match="/x"):
            Wasi(dirs={"/x": bad})  # type: ignore[dict-item]


def test_threads_in_one_directory() -> None:
    """Names are made, moved and removed by eight threads; nothing is lost."""
    tree = MemoryDir()
    wasi = Wasi(dirs={"/": tree})

    # Each thread calls through an instance, so that it has a memory of its own.
    text = """(module
      (import "wasi_snapshot_preview1" "path_create_directory"
        (func $make (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "path_rename"
        (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "path_remove_directory"
        (func $remove (param i32 i32 i32) (result i32)))
      (memory (export "memory") 2)
      (func (export "path_create_directory") (param i32 i32 i32) (result i32)
        (call $make (local.get 0) (local.get 1) (local.get 2)))
      (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32)
        (call $rename (local.get 0) (local.get 1) (local.get 2)
          (local.get 3) (local.get 4) (local.get 5)))
      (func (export "path_remove_directory") (param i32 i32 i32) (result i32)
        (call $remove (local.get 0) (local.get 1) (local.get 2))))"""
    module = Module(wat2wasm(text))
    instances = [Instance(module, wasi.imports()) for _ in range(8)]

    def run(number: int) -> None:
        exports = instances[number].exports
        for i in range(100):
            mine, other = f"{number}-{i}".encode(), f"{number}-{i}-moved".encode()
            exports.memory.write(0, mine)
            exports.memory.write(100, other)
            assert exports.path_create_directory(3, 0, len(mine)) == 0
            assert exports.path_rename(3, 0, len(mine), 3, 100, len(other)) == 0
            if i % 2:
                assert exports.path_remove_directory(3, 100, len(other)) == 0

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tree) == sorted(f"{n}-{i}-moved" for n in range(8) for i in range(0, 100, 2))
