"""Each function's success and each errno that it is documented to give, in one table.

The documentation names few and refers to POSIX for the others; what POSIX's function of the same
name gives is here as far as it can be brought about. What only broken disks and full tables give
comes from a file system that fails on purpose.
"""

import errno as host
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wasmote.wasi import Directory, MemoryDir, OverlayDir, ReadOnlyDir, Status, Symlink, Wasi, abi
from wasmote.wasi.calls import FUNCTIONS

from .conftest import SIZE, Program
from .errno_table import TABLE, TREE

LONG_NAME = "n" * 256
LONG_PATH = "d/" * 2048
NO_FD = 77
#: Descriptors that every program here has, by name: a file for everything, one for reading, one
#: without any rights, a directory, one without any rights, a pipe's ends, a preopened directory.
FDS = ("file", "reading", "powerless", "dir", "weak", "pipe_in", "pipe_out", "top")


class Case:
    """A program with descriptors by name."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.top, self.pipe_in, self.pipe_out = 3, 0, 1
        self.file = program.open("file", 0, abi.FILE_RIGHTS)
        self.reading = program.open("file", 0, abi.FD_READ | abi.FD_SEEK)
        self.powerless = program.open("file", 0, 0)
        self.dir = program.open("dir", abi.OFLAGS_DIRECTORY, abi.DIRECTORY_RIGHTS)
        self.weak = program.open("dir", abi.OFLAGS_DIRECTORY, 0, inheriting=0)
        assert min(self.file, self.reading, self.powerless, self.dir, self.weak) > 3

    def arguments(self, spec: str) -> list[int]:
        """`'file 0 =path *8 (abc)'`: descriptors by name, numbers, paths, room, iovecs of texts.

        `!` is an address outside memory, `^` a descriptor that nobody has.
        """
        found: list[int] = []
        for word in spec.split():
            if word in FDS:
                found.append(getattr(self, word))
            elif word == "^":
                found.append(NO_FD)
            elif word == "!":
                found.append(SIZE)
            elif word[0] == "=":
                path = {"=LONG": LONG_NAME, "=PATH": LONG_PATH, "=NUL": "a\0b", "=EMPTY": ""}
                found += self.program.put(path.get(word, word[1:]))
            elif word[0] == "*":
                found.append(self.program.alloc(int(word[1:])))
            elif word[0] == "(":
                found += self.program.iovecs(self.program.put(word[1:-1]))
            else:
                found.append(int(word, 0))
        return found

    def call(self, name: str, spec: str) -> int:
        return self.program.call(name, *self.arguments(spec))


@pytest.fixture(params=["host", "memory", "overlay"])
def case(request: pytest.FixtureRequest, root: Path) -> Iterator[Case]:
    directory: object = root
    if request.param == "memory":
        directory = MemoryDir(TREE, limit=1 << 20)
    else:
        build(root, TREE)
        directory = OverlayDir(root) if request.param == "overlay" else root
    reading, writing = os.pipe()
    os.write(writing, b"in the pipe")
    with Wasi(["x"], {}, {"/": directory}, reading, writing) as wasi:  # type: ignore[dict-item]
        yield Case(Program(wasi))
    os.close(reading)
    os.close(writing)


def build(path: Path, tree: dict[str, object]) -> None:
    for name, entry in tree.items():
        if isinstance(entry, dict):
            (path / name).mkdir()
            build(path / name, entry)
        elif isinstance(entry, Symlink):
            (path / name).symlink_to(entry.target)
        else:
            (path / name).write_bytes(entry)  # type: ignore[arg-type]


#: What comes of any path that is none.
BAD_PATHS = [
    ("=EMPTY", abi.ENOENT),
    ("=NUL", abi.EINVAL),
    ("=PATH", abi.ENAMETOOLONG),
    ("=LONG", abi.ENAMETOOLONG),
    ("=LONG/x", abi.ENAMETOOLONG),
    ("! 5", abi.EFAULT),
]
#: Calls with a path in W's place.
PATH_CALLS = {
    "path_create_directory": "top W",
    "path_filestat_get": "top 1 W *64",
    "path_filestat_set_times": "top 1 W 1 1 5",
    "path_link": "top 0 =file top W",
    "path_open": "top 1 W 1 2 0 0 *4",
    "path_readlink": "top W *9 9 *4",
    "path_remove_directory": "top W",
    "path_rename": "top =file top W",
    "path_symlink": "=x top W",
    "path_unlink_file": "top W",
}


@pytest.mark.parametrize("name", TABLE)
def test_table(case: Case, name: str) -> None:
    """Successes last: they may change what the others need."""
    for spec, *expected in sorted(TABLE[name], key=lambda row: 0 in row[1:]):
        if 0 in expected and name.startswith(("path_", "fd_close", "fd_renumber", "fd_fdstat_set")):
            continue
        assert case.call(name, spec) in expected, spec


SUCCESSES = [
    (name, spec, *expected)
    for name, rows in TABLE.items()
    for spec, *expected in rows
    if 0 in expected and name.startswith(("path_", "fd_close", "fd_renumber", "fd_fdstat_set"))
]


@pytest.mark.parametrize("row", SUCCESSES, ids=lambda row: f"{row[0]} {row[1]}")
def test_success(case: Case, row: tuple[str, str, *tuple[int, ...]]) -> None:
    name, spec, *expected = row
    assert case.call(name, spec) in expected


@pytest.mark.parametrize("name", PATH_CALLS)
def test_what_is_no_path(case: Case, name: str) -> None:
    for path, expected in BAD_PATHS:
        long = path.startswith("=LONG")
        spec = PATH_CALLS[name].replace("W", path if not long else "=LONG")
        arguments = case.arguments(spec)
        if long and path != "=LONG":
            where = case.program.put(LONG_NAME + "/x")
            at = arguments.index(256)
            arguments[at - 1 : at + 1] = where
        assert case.program.call(name, *arguments) == expected, path


def test_the_table_is_complete() -> None:
    elsewhere = {"poll_oneoff", "proc_exit"}  # in files of their own, as are sockets
    names = {name for name in FUNCTIONS if not name.startswith("sock_")}
    assert set(TABLE) == names - elsewhere
    for name, rows in TABLE.items():
        assert any(0 in row[1:] for row in rows), name


# -- streams ---------------------------------------------------------------------------------------


def test_a_pipe_that_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with Wasi(stdout=writing) as wasi:
        program = Program(wasi)
        assert program.write(1, b"x") == -abi.EPIPE
        assert program.write(1, b"x") == -abi.EPIPE
    os.close(writing)


def test_pipes_that_are_not_to_wait() -> None:
    reading, writing = os.pipe()
    with Wasi(stdin=reading, stdout=writing) as wasi:
        program = Program(wasi)
        for fd in (0, 1):
            program.ok("fd_fdstat_set_flags", fd, abi.NONBLOCK)
            assert program.fdstat(fd)[1] == abi.NONBLOCK
        assert program.read(0) == -abi.EAGAIN
        total = 0
        while (count := program.write(1, b"x" * 10_000)) > 0:
            total += count
        assert count == -abi.EAGAIN and total >= 4096
        assert len(program.read(0, 50_000)) > 0  # type: ignore[arg-type]
    assert os.get_blocking(reading) and os.get_blocking(writing), "as it was"
    os.close(reading)
    os.close(writing)


def test_a_full_disk() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "wb", 0) as full, Wasi(stdout=full) as wasi:
        assert Program(wasi).write(1, b"x") == -abi.ENOSPC


def test_streams_of_python() -> None:
    class Waiting(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def writable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> None:
            return None

        def write(self, data: object) -> None:
            return None

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(host.EIO, "broken")

    with Wasi(stdin=Waiting(), stdout=Waiting(), stderr=Broken()) as wasi:  # type: ignore[arg-type]
        program = Program(wasi)
        assert program.read(0) == -abi.EAGAIN and program.write(1, b"x") == -abi.EAGAIN
        assert program.read(2) == -abi.EIO


# -- errors of the host ----------------------------------------------------------------------------


class Failing(Directory):
    """Everything fails in the same way."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fail(self, *arguments: object) -> None:
        raise OSError(self.number, os.strerror(self.number))

    def stat(self, name: str | None = None) -> Status:
        if name in (None, "file"):
            return Status(abi.REGULAR_FILE if name else abi.DIRECTORY)
        self.fail()
        raise AssertionError

    scandir = open = readlink = mkdir = rmdir = unlink = fail  # type: ignore[assignment]
    symlink = link = rename = utime = sync = fail  # type: ignore[assignment]


NAMES = [name for name in vars(abi) if name[0] == "E" and hasattr(host, name) and name.isupper()]


@pytest.mark.parametrize("name", NAMES)
def test_errors_of_the_host(name: str) -> None:
    """Each that a file system may give arrives as the guest's of the same name."""
    number, expected = getattr(host, name), getattr(abi, name)
    calls: dict[str, Callable[[Program], int]] = {
        "path_open": lambda p: -p.open("file", follow=False),
        "path_create_directory": lambda p: p.call("path_create_directory", 3, *p.put("x")),
        "path_remove_directory": lambda p: p.call("path_remove_directory", 3, *p.put("x")),
        "path_unlink_file": lambda p: p.call("path_unlink_file", 3, *p.put("file")),
        "path_readlink": lambda p: p.call("path_readlink", 3, *p.put("x"), 8, 8, 64),
        "path_symlink": lambda p: p.call("path_symlink", *p.put("t"), 3, *p.put("x")),
        "path_link": lambda p: p.call("path_link", 3, 0, *p.put("a"), 3, *p.put("b")),
        "path_rename": lambda p: p.call("path_rename", 3, *p.put("a"), 3, *p.put("b")),
        "path_filestat_get": lambda p: -int(p.path_stat("x", False)),  # type: ignore[arg-type]
        "path_filestat_set_times": lambda p: p.call(
            "path_filestat_set_times", 3, 0, *p.put("file"), 1, 1, 1
        ),
        "fd_filestat_set_times": lambda p: p.call("fd_filestat_set_times", 3, 1, 1, 1),
        "fd_readdir": lambda p: p.call("fd_readdir", 3, 8, 64, 0, 100),
        "fd_sync": lambda p: p.call("fd_sync", 3),
    }
    with Wasi(dirs={"/": Failing(number)}) as wasi:
        program = Program(wasi)
        for function, call in calls.items():
            assert call(program) == expected, function


def test_an_error_that_wasi_does_not_know() -> None:
    with Wasi(dirs={"/": Failing(host.EREMOTEIO if hasattr(host, "EREMOTEIO") else 9999)}) as wasi:
        assert Program(wasi).open("file", follow=False) == -abi.EIO


def test_read_only() -> None:
    with Wasi(dirs={"/": ReadOnlyDir(MemoryDir(TREE))}) as wasi:
        case = Case.__new__(Case)
        case.program, case.top = Program(wasi), 3
        for name, spec in PATH_CALLS.items():
            if name not in ("path_readlink", "path_filestat_get"):
                path = {"path_remove_directory": "=empty", "path_unlink_file": "=file"}
                path["path_filestat_set_times"] = "=file"
                errno = case.call(name, spec.replace("W", path.get(name, "=new")))
                assert errno == abi.EROFS, name
