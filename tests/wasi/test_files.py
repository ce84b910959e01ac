"""Reading, writing, positions, status and times of open files; standard streams."""

import io
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

from wasmote.wasi import Wasi, abi

from .conftest import Program


def test_write_and_read_back(program: Program, root: Path) -> None:
    fd = program.create("file")
    assert program.write(fd, b"hello ", b"", b"world") == 11
    assert (root / "file").read_bytes() == b"hello world"
    assert program.seek(fd, -5, 2) == 6
    assert program.read(fd) == b"world"
    assert program.read(fd) == b""


def test_scatter_read(program: Program) -> None:
    fd = program.create("file", b"abcdefgh")
    program.seek(fd, 0)
    buffers = [(program.alloc(3), 3), (0, 0), (program.alloc(4), 4)]
    result = program.alloc(4)
    program.ok("fd_read", fd, *program.iovecs(*buffers), result)
    assert program.u32(result) == 7
    assert [program.get(*buffer) for buffer in buffers] == [b"abc", b"", b"defg"]


def test_more_iovecs_than_the_host_takes(program: Program, root: Path) -> None:
    fd = program.create("file")
    byte = program.put(b"x")
    result = program.alloc(4)
    program.ok("fd_write", fd, *program.iovecs(*[byte] * 3000), result)
    assert program.u32(result) == 1024
    assert (root / "file").read_bytes() == b"x" * 1024


def test_no_iovecs(program: Program) -> None:
    fd = program.create("file")
    for name in ("fd_read", "fd_write"):
        program.ok(name, fd, 0, 0, 64)
    for name in ("fd_pread", "fd_pwrite"):
        program.ok(name, fd, 0, 0, 0, 64)


def test_pread_and_pwrite_leave_the_position(program: Program, root: Path) -> None:
    fd = program.create("file", b"0123456789")
    result = program.alloc(4)
    program.ok("fd_pwrite", fd, *program.iovecs(program.put(b"xy")), 4, result)
    buffer = program.alloc(4)
    program.ok("fd_pread", fd, *program.iovecs((buffer, 4)), 3, result)
    assert (program.u32(result), program.get(buffer, 4)) == (4, b"3xy6")
    program.ok("fd_tell", fd, 64)
    assert program.u64(64) == 10
    assert program.call("fd_pread", fd, *program.iovecs((buffer, 4)), -1, result) == abi.EINVAL


def test_seek(program: Program) -> None:
    fd = program.create("file", b"0123456789")
    assert program.seek(fd, 3) == 3
    assert program.seek(fd, 2, 1) == 5
    assert program.seek(fd, 0, 1) == 5
    assert program.seek(fd, -1, 2) == 9
    assert program.seek(fd, 100) == 100
    assert program.seek(fd, -1) == -abi.EINVAL
    assert program.seek(fd, 0, 3) == -abi.EINVAL
    assert program.seek(99, 0, 3) == -abi.EBADF
    assert program.seek(3, 0) == -abi.ENOTCAPABLE  # a directory


def test_append(program: Program, root: Path) -> None:
    (root / "file").write_bytes(b"start")
    fd = program.open("file", 0, abi.FILE_RIGHTS, fdflags=abi.APPEND)
    assert program.seek(fd, 0) == 0
    assert program.write(fd, b"+end") == 4
    assert (root / "file").read_bytes() == b"start+end"
    assert program.fdstat(fd)[1] == abi.APPEND
    program.ok("fd_fdstat_set_flags", fd, 0)
    program.seek(fd, 0)
    program.write(fd, b"S")
    assert (root / "file").read_bytes() == b"Start+end"
    program.ok("fd_fdstat_set_flags", fd, abi.APPEND)
    program.seek(fd, 0)
    program.write(fd, b"!")
    assert (root / "file").read_bytes() == b"Start+end!"


@pytest.mark.parametrize("flag", [abi.APPEND, abi.DSYNC, abi.NONBLOCK, abi.RSYNC, abi.SYNC])
def test_flags_are_reported(program: Program, flag: int) -> None:
    program.create("file")
    fd = program.open("file", 0, abi.FILE_RIGHTS, fdflags=flag)
    assert program.fdstat(fd)[1] == flag


def test_set_flags_errors(program: Program) -> None:
    fd = program.create("file")
    for flag in (abi.DSYNC, abi.RSYNC, abi.SYNC):
        assert program.call("fd_fdstat_set_flags", fd, flag) == abi.ENOTSUP
    assert program.call("fd_fdstat_set_flags", fd, 32) == abi.EINVAL
    assert program.call("fd_fdstat_set_flags", 77, 0) == abi.EBADF


def test_rights_only_shrink(program: Program) -> None:
    fd = program.create("file", b"data")
    program.seek(fd, 0)
    assert program.fdstat(fd) == (abi.REGULAR_FILE, 0, abi.FILE_RIGHTS, 0)
    rest = abi.FILE_RIGHTS & ~abi.FD_WRITE
    program.ok("fd_fdstat_set_rights", fd, rest, 0)
    assert program.fdstat(fd)[2] == rest
    assert program.write(fd, b"x") == -abi.ENOTCAPABLE
    assert program.read(fd) == b"data"
    assert program.call("fd_fdstat_set_rights", fd, abi.FILE_RIGHTS, 0) == abi.ENOTCAPABLE
    assert program.call("fd_fdstat_set_rights", fd, rest, 1) == abi.ENOTCAPABLE


@pytest.mark.parametrize(
    ("name", "arguments", "right"),
    [
        ("fd_read", (0, 0, 64), abi.FD_READ),
        ("fd_write", (0, 0, 64), abi.FD_WRITE),
        ("fd_pread", (0, 0, 0, 64), abi.FD_SEEK),
        ("fd_pread", (0, 0, 0, 64), abi.FD_READ),
        ("fd_pwrite", (0, 0, 0, 64), abi.FD_SEEK),
        ("fd_pwrite", (0, 0, 0, 64), abi.FD_WRITE),
        ("fd_seek", (1, 0, 64), abi.FD_SEEK),
        ("fd_tell", (64,), abi.FD_SEEK | abi.FD_TELL),
        ("fd_advise", (0, 0, 0), abi.FD_ADVISE),
        ("fd_allocate", (0, 1), abi.FD_ALLOCATE),
        ("fd_datasync", (), abi.FD_DATASYNC),
        ("fd_sync", (), abi.FD_SYNC),
        ("fd_fdstat_set_flags", (0,), abi.FD_FDSTAT_SET_FLAGS),
        ("fd_filestat_get", (64,), abi.FD_FILESTAT_GET),
        ("fd_filestat_set_size", (0,), abi.FD_FILESTAT_SET_SIZE),
        ("fd_filestat_set_times", (0, 0, 0), abi.FD_FILESTAT_SET_TIMES),
    ],
)
def test_each_function_needs_its_right(
    program: Program, name: str, arguments: tuple[int, ...], right: int
) -> None:
    fd = program.create("file", b"x")
    program.ok(name, fd, *arguments)
    program.ok("fd_fdstat_set_rights", fd, abi.FILE_RIGHTS & ~right, 0)
    assert program.call(name, fd, *arguments) == abi.ENOTCAPABLE
    assert program.call(name, 1000, *arguments) == abi.EBADF


def test_size(program: Program, root: Path) -> None:
    fd = program.create("file", b"0123456789")
    program.ok("fd_filestat_set_size", fd, 4)
    assert (root / "file").read_bytes() == b"0123"
    program.ok("fd_filestat_set_size", fd, 6)
    assert (root / "file").read_bytes() == b"0123\0\0"
    program.ok("fd_allocate", fd, 4, 6)
    assert (root / "file").stat().st_size == 10
    assert program.call("fd_allocate", fd, 0, 0) == abi.EINVAL
    assert program.call("fd_allocate", fd, 1 << 62, 1 << 62) == abi.EINVAL
    assert program.call("fd_filestat_set_size", fd, -1) == abi.EINVAL
    assert (root / "file").stat().st_size == 10


def test_advise(program: Program) -> None:
    fd = program.create("file", b"x")
    for advice in range(6):
        program.ok("fd_advise", fd, 0, 0, advice)
    assert program.call("fd_advise", fd, 0, 0, 6) == abi.EINVAL
    assert program.call("fd_advise", fd, -1, 0, 0) == abi.EINVAL
    program.ok("fd_advise", 3, 0, 0, 0)


def test_filestat(program: Program, root: Path) -> None:
    fd = program.create("file", b"12345")
    os.link(root / "file", root / "other")
    os.utime(root / "file", ns=(1_500_000_000_123_456_789, 1_600_000_000_987_654_321))
    program.ok("fd_filestat_get", fd, 64)
    host = (root / "file").stat()
    expected = (host.st_dev, host.st_ino, abi.REGULAR_FILE, 2, 5)
    expected += (host.st_atime_ns, host.st_mtime_ns, host.st_ctime_ns)
    assert abi.PREVIEW1.filestat.unpack_from(program.memory, 64) == expected
    assert host.st_mtime_ns == 1_600_000_000_987_654_321
    # As the witx file lays it out, spelled independently of the code.
    assert struct.unpack_from("<Q", program.memory, 64 + 32)[0] == 5
    assert struct.unpack_from("<Q", program.memory, 64 + 48)[0] == host.st_mtime_ns
    assert program.path_stat("other") == expected


def test_times_before_1970_are_reported_as_0(program: Program, root: Path) -> None:
    (root / "old").touch()
    os.utime(root / "old", ns=(-5_000_000_000, -1))
    stat = program.path_stat("old")
    assert isinstance(stat, tuple) and stat[5:7] == (0, 0)


def test_set_times(program: Program, root: Path) -> None:
    fd = program.create("file")
    file = root / "file"
    program.ok("fd_filestat_set_times", fd, 1111, 2222, abi.FST_ATIM | abi.FST_MTIM)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (1111, 2222)
    program.ok("fd_filestat_set_times", fd, 5, 3333, abi.FST_MTIM)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (1111, 3333)
    before = time.time_ns()
    program.ok("fd_filestat_set_times", fd, 5, 5, abi.FST_ATIM_NOW)
    assert before <= file.stat().st_atime_ns <= time.time_ns()
    program.ok("fd_filestat_set_times", fd, 5, 5, 0)
    assert file.stat().st_mtime_ns == 3333
    name = program.put("file")
    program.ok("path_filestat_set_times", 3, 0, *name, 7, 8, abi.FST_ATIM | abi.FST_MTIM)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (7, 8)
    for flags in (3, 12, 16, 15):
        assert program.call("fd_filestat_set_times", fd, 0, 0, flags) == abi.EINVAL
        times = (0, 0, flags)
        assert program.call("path_filestat_set_times", 3, 0, *name, *times) == abi.EINVAL
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (7, 8)


def test_times_of_a_symbolic_link(program: Program, root: Path) -> None:
    (root / "file").touch()
    (root / "link").symlink_to("file")
    os.utime(root / "file", ns=(1, 1))
    name = program.put("link")
    program.ok("path_filestat_set_times", 3, 0, *name, 0, 50, abi.FST_MTIM)
    assert (root / "file").stat().st_mtime_ns == 1
    assert (root / "link").lstat().st_mtime_ns == 50
    program.ok("path_filestat_set_times", 3, 1, *name, 0, 60, abi.FST_MTIM)
    assert (root / "file").stat().st_mtime_ns == 60


def test_close_and_lowest_number(program: Program) -> None:
    first, second = program.create("a"), program.create("b")
    assert (first, second) == (4, 5)
    program.ok("fd_close", first)
    assert program.call("fd_close", first) == abi.EBADF
    assert program.read(first) == -abi.EBADF
    assert program.create("c") == first


def test_renumber(program: Program, root: Path) -> None:
    first, second = program.create("a"), program.create("b")
    program.ok("fd_renumber", first, second)
    assert program.write(first, b"x") == -abi.EBADF
    program.write(second, b"x")
    assert ((root / "a").read_bytes(), (root / "b").read_bytes()) == (b"x", b"")
    assert program.call("fd_renumber", second, 100) == abi.EBADF
    assert program.call("fd_renumber", 100, second) == abi.EBADF
    program.ok("fd_renumber", second, second)
    assert program.write(second, b"y") == 1


def test_renumber_over_a_preopen(program: Program, root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "file").touch()
    sub = program.open("sub", abi.OFLAGS_DIRECTORY, abi.DIRECTORY_RIGHTS)
    program.ok("fd_renumber", sub, 3)
    assert program.call("fd_prestat_get", 3, 64) == abi.EBADF
    assert program.open("file") > 0


def test_closing_frees_the_host_descriptor(program: Program) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        program.ok("fd_close", program.create("file", b"x"))
        assert program.open("no such file") == -abi.ENOENT
        assert program.open("..") == -abi.EPERM
        assert program.path_stat("a/b/c") == -abi.ENOENT
    assert len(os.listdir("/proc/self/fd")) == before


def test_streams(
    program: Program, streams: tuple[io.BytesIO, io.BytesIO, io.BytesIO], root: Path
) -> None:
    assert program.read(0, 3) == b"inp"
    assert program.read(0) == b"ut"
    assert program.read(0) == b""
    assert program.write(1, b"out", b"put") == 6
    assert program.write(2, b"error") == 5
    assert (streams[1].getvalue(), streams[2].getvalue()) == (b"output", b"error")
    assert program.fdstat(1)[0] == abi.UNKNOWN
    assert program.seek(1, 0) == -abi.ENOTCAPABLE
    program.ok("fd_filestat_get", 1, 64)
    program.ok("fd_fdstat_set_flags", 1, abi.APPEND)
    program.ok("fd_close", 1)
    assert not streams[1].closed


def test_stream_that_would_block() -> None:
    class Busy(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def writable(self) -> bool:
            return True

        def read(self, size: int = -1) -> None:
            return None

        def write(self, data: object) -> None:
            return None

    with Wasi(stdin=Busy(), stdout=Busy()) as wasi:  # type: ignore[arg-type]
        program = Program(wasi)
        assert program.read(0) == -abi.EAGAIN
        assert program.write(1, b"x") == -abi.EAGAIN


def test_read_only_and_write_only_streams(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"data")
    with open(tmp_path / "in", "rb") as stdin, open(tmp_path / "out", "wb") as stdout:
        stdout.write(b"before ")
        with Wasi(stdin=stdin, stdout=stdout) as wasi:
            program = Program(wasi)
            assert program.read(0) == b"data"
            assert program.write(0, b"x") == -abi.ENOTCAPABLE
            assert program.write(1, b"text") == 4
            assert program.read(1) == -abi.ENOTCAPABLE
            program.ok("fd_close", 1)
        assert not stdout.closed
    assert (tmp_path / "out").read_bytes() == b"before text"


def test_descriptor_numbers(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with Wasi(stdin=reading, stdout=writing) as wasi:
        program = Program(wasi)
        assert program.write(1, b"through a pipe") == 14
        assert program.read(0) == b"through a pipe"
        assert program.fdstat(0)[0] == abi.UNKNOWN
        program.ok("fd_fdstat_set_flags", 0, abi.NONBLOCK)
        assert not os.get_blocking(reading)
        assert program.read(0) == -abi.EAGAIN
        assert program.call("fd_seek", 0, 0, 0, 64) == abi.ENOTCAPABLE
    assert os.get_blocking(reading), "the flags are put back"
    os.close(reading)
    with Wasi(stdout=writing) as wasi:
        assert Program(wasi).write(1, b"x") == -abi.EPIPE
    os.close(writing)


def test_flags_of_a_shared_file_are_put_back() -> None:
    """Two descriptors of one open file, as a terminal's are."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with Wasi(stdin=ours.fileno(), stdout=(copy := os.dup(ours.fileno()))) as wasi:
            program = Program(wasi)
            program.ok("fd_fdstat_set_flags", 0, abi.NONBLOCK)
            program.ok("fd_fdstat_set_flags", 1, abi.NONBLOCK)
            assert not os.get_blocking(ours.fileno())
        assert os.get_blocking(ours.fileno())
        os.close(copy)


def test_inherited_output_keeps_the_order(capfd: pytest.CaptureFixture[str]) -> None:
    with Wasi() as wasi:
        program = Program(wasi)
        sys.stdout.write("first ")
        program.write(1, b"second")
    assert capfd.readouterr().out == "first second"


def test_missing_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = os.dup(0)
    os.close(0)
    try:
        with Wasi() as wasi:
            assert Program(wasi).read(0) == -abi.EBADF
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_exceptions_of_a_stream_reach_the_embedder() -> None:
    class Interrupting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    with Wasi(stdin=Interrupting()) as wasi, pytest.raises(KeyboardInterrupt):
        Program(wasi).read(0)


def test_closing_while_another_thread_reads(program: Program, root: Path) -> None:
    """The host's descriptor stays reserved for the call under way: its number is not reused."""
    os.mkfifo(root / "fifo")
    fd = program.open("fifo", 0, abi.FD_READ)
    writing = os.open(root / "fifo", os.O_WRONLY)
    found: list[bytes | int] = []
    reader = threading.Thread(target=lambda: found.append(program.read(fd)))
    before = len(os.listdir("/proc/self/fd"))
    reader.start()
    time.sleep(0.05)
    program.ok("fd_close", fd)
    assert len(os.listdir("/proc/self/fd")) == before
    os.write(writing, b"late")
    reader.join(5)
    assert found == [b"late"]
    assert len(os.listdir("/proc/self/fd")) == before - 1
    os.close(writing)
