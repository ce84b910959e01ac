"""Directories in memory and overlays do, call by call, what directories of the host do."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from wasmote.wasi import HostDir, MemoryDir, OverlayDir, ReadOnlyDir, Symlink, Wasi, abi

from .conftest import Program

NAMES = ["a", "b", "c", "sub", "link", "x/y"]
PLACES = ["", "d/", "d/e/", "d/../", "./", "to-d/"]
ENDS = ["", "", "", "", "/", "/.", "/.."]
#: What is there at the start.
TREE: dict[str, object] = {
    "a": b"contents of a",
    "d": {"a": b"aa", "b": b"", "e": {"c": b"deep" * 1000, "up": Symlink("../a")}},
    "to-d": Symlink("d"),
    "to-a": Symlink("a"),
    "loop": Symlink("loop"),
    "gone": Symlink("nothing"),
}


def build(root: Path, tree: dict[str, object]) -> None:
    """The same on the host."""
    for name, entry in tree.items():
        place = root / name
        if isinstance(entry, dict):
            place.mkdir()
            build(place, entry)
        elif isinstance(entry, Symlink):
            place.symlink_to(entry.target)
        else:
            place.write_bytes(entry)  # type: ignore[arg-type]


def random_path(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(["to-d", "to-a", "loop", "gone", ".", "..", "d/..", "d/e/up", "d/e"])
    return rng.choice(PLACES) + rng.choice(NAMES) + rng.choice(ENDS)


#: A call with the same random arguments for every program; returns what it has found out.
Step = Callable[[Program], object]


def open_step(rng: random.Random) -> Step:
    path, oflags, follow = random_path(rng), rng.choice([0, 0, 1, 1, 2, 4, 5, 8, 9]), rng.random()
    rights = abi.FD_READ | abi.FD_SEEK | abi.FD_TELL | abi.FD_FILESTAT_GET | abi.FD_READDIR
    rights |= rng.choice([0, abi.FD_WRITE | abi.FD_FILESTAT_SET_SIZE | abi.FD_ALLOCATE])
    fdflags = rng.choice([0, 0, abi.APPEND])
    return lambda program: program.open(
        path, oflags, rights, follow=follow < 0.7, fdflags=fdflags, inheriting=0
    )


def file_step(rng: random.Random) -> Step:
    """Something with an open file."""
    fd, kind, number = rng.randrange(4, 9), rng.randrange(8), rng.choice([0, 1, 3, 10, 5000])
    data = bytes(rng.choices(b"0123456789", k=rng.choice([0, 1, 20, 3000])))
    whence = rng.randrange(3)

    def run(program: Program) -> object:
        if kind <= 1:
            return program.write(fd, data[:7], data[7:])
        if kind <= 3:
            return program.read(fd, 2000)
        if kind == 4:
            return program.seek(fd, number - (whence > 0) * 5, whence)
        if kind == 5:
            return program.call("fd_filestat_set_size", fd, number)
        if kind == 6:
            return program.call("fd_allocate", fd, number, 10)
        result = program.alloc(abi.FDSTAT.size)
        if program.call("fd_fdstat_get", fd, result) or program.u32(result) >> 16 & abi.APPEND:
            return "appending"  # where Linux's pwrite ignores the offset
        errno = program.call("fd_pwrite", fd, *program.iovecs(program.put(data)), number, result)
        return errno or program.u32(result)

    return run


def status_of(program: Program, path: str, follow: bool) -> object:
    """All of the status that two file systems have in common."""
    found = program.path_stat(path, follow)
    if isinstance(found, int):
        return found
    _, _, filetype, links, size, _, modified, _ = found
    if filetype == abi.DIRECTORY:
        return filetype
    return filetype, links, size, modified if modified < 10**12 else "now"


def path_step(rng: random.Random) -> Step:
    """Something with one or two paths."""
    one, two = random_path(rng), random_path(rng)
    kind, follow = rng.randrange(10), rng.random() < 0.5
    moment = rng.randrange(10**11)

    def run(program: Program) -> object:
        first, second = (3, *program.put(one)), (3, *program.put(two))
        if kind == 0:
            return program.call("path_create_directory", *first)
        if kind == 1:
            return program.call("path_remove_directory", *first)
        if kind == 2:
            return program.call("path_unlink_file", *first)
        if kind == 3:
            return program.call("path_symlink", *first[1:], *second)
        if kind == 4:
            return program.call("path_link", 3, 0, *first[1:], *second)
        if kind <= 6:
            return program.call("path_rename", *first, *second)
        if kind == 7:
            times = (moment, moment, abi.FST_MTIM)
            return program.call("path_filestat_set_times", 3, int(follow), *first[1:], *times)
        if kind == 8:
            buffer, used = program.alloc(100), program.alloc(4)
            errno = program.call("path_readlink", *first, buffer, 100, used)
            return errno or program.get(buffer, program.u32(used))
        return status_of(program, one, follow)

    return run


def close_step(rng: random.Random) -> Step:
    fd = rng.randrange(4, 9)
    return lambda program: program.call("fd_close", fd)


def listing(program: Program, path: str = ".") -> dict[str, object]:
    """All that there is."""
    fd = program.open(path, abi.OFLAGS_DIRECTORY, abi.FD_READDIR, follow=False, inheriting=0)
    assert fd >= 0, (path, -fd)
    buffer, used = program.alloc(8000), program.alloc(4)
    program.ok("fd_readdir", fd, buffer, 8000, 0, used)
    data = program.get(buffer, program.u32(used))
    program.ok("fd_close", fd)
    found: dict[str, object] = {}
    while data:
        _, _, length, filetype = abi.DIRENT.unpack_from(data)
        name = data[24 : 24 + length].decode()
        data = data[24 + length :]
        if name in (".", ".."):
            continue
        below = f"{path}/{name}"
        if filetype == abi.DIRECTORY:
            found[name] = listing(program, below)
        elif filetype == abi.REGULAR_FILE:
            file = program.open(below, 0, abi.FD_READ, inheriting=0)
            found[name] = program.read(file, 10_000), status_of(program, below, False)
            program.ok("fd_close", file)
        else:
            found[name] = status_of(program, below, False)
    return found


def directory(kind: str, path: Path) -> object:
    if kind == "memory":
        return MemoryDir(TREE)
    build(path, TREE)
    if kind == "overlay":
        return OverlayDir(path)
    if kind == "overlay over memory":
        return OverlayDir(MemoryDir(TREE))
    upper = path.parent / "upper"
    upper.mkdir()
    return OverlayDir(path, upper)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "kind", ["memory", "overlay", "overlay over memory", "overlay under a directory"]
)
def test_same_as_the_host(tmp_path: Path, kind: str, seed: int) -> None:
    host = tmp_path / "host"
    host.mkdir()
    build(host, TREE)
    (tmp_path / "virtual").mkdir()
    virtual = directory(kind, tmp_path / "virtual")
    rng = random.Random(seed)
    steps = (open_step, file_step, file_step, path_step, path_step, close_step)
    with (
        Wasi(dirs={"/": HostDir(host)}) as expected_wasi,
        Wasi(dirs={"/": virtual}) as found_wasi,  # type: ignore[dict-item]
    ):
        expecting, finding = Program(expected_wasi), Program(found_wasi)
        done = 0
        for number in range(400):
            step = rng.choice(steps)(rng)
            found = step(finding)
            if found == abi.EXDEV and kind != "memory":
                continue  # moving a directory that lies below: as with Linux's overlayfs
            expected = step(expecting)
            if (found, expected) == (abi.EISDIR, abi.ENOTEMPTY):
                continue  # replacing a directory by something in it
            assert found == expected, f"step {number}: {step.__qualname__} {step.__closure__}"
            done += expected == 0 or not isinstance(expected, int)
            if number % 50 == 49:
                for fd in range(4, 20):
                    assert expecting.call("fd_close", fd) == finding.call("fd_close", fd)
                assert listing(finding) == listing(expecting), f"step {number}"
        assert done > 20
    if kind.startswith("overlay") and kind != "overlay over memory":
        assert tree_of(tmp_path / "virtual") == TREE, "what is below is as it was"


def tree_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in os.scandir(path):
        if entry.is_symlink():
            found[entry.name] = Symlink(os.readlink(entry.path))
        elif entry.is_dir():
            found[entry.name] = tree_of(path / entry.name)
        else:
            found[entry.name] = Path(entry.path).read_bytes()
    return found


def test_read_only_directories_refuse_all_that_changes(tmp_path: Path) -> None:
    build(tmp_path, TREE)
    before = tree_of(tmp_path)
    rng = random.Random(5)
    with Wasi(dirs={"/": ReadOnlyDir(tmp_path)}) as wasi:
        program = Program(wasi)
        seen = listing(program)
        for _ in range(1500):
            rng.choice((open_step, file_step, path_step, close_step))(rng)(program)
        for fd in range(4, 1500):
            program.call("fd_close", fd)
        assert listing(program) == seen
        assert program.open("new", abi.OFLAGS_CREAT) == -abi.EROFS
        assert program.open("a", abi.OFLAGS_TRUNC) == -abi.EROFS
        assert program.open("a", 0, abi.FD_WRITE) == -abi.EROFS
        assert program.call("path_unlink_file", 3, *program.put("a")) == abi.EROFS
        fd = program.open("a")
        times = (1, 1, abi.FST_MTIM)
        assert program.call("fd_filestat_set_times", fd, *times) == abi.ENOTCAPABLE
        assert program.call("fd_filestat_set_size", fd, 0) == abi.ENOTCAPABLE
        assert program.read(fd) == b"contents of a"
    assert tree_of(tmp_path) == before
