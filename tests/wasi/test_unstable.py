"""Where `wasi_unstable`, the version before preview 1, differs."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmote.wasi import Wasi, abi

from .conftest import Program


@pytest.fixture
def unstable(root: Path) -> Iterator[Program]:
    with Wasi(dirs={"/": root}) as wasi:
        yield Program(wasi, "wasi_unstable")


def test_whence(unstable: Program) -> None:
    current, end, start = 0, 1, 2
    fd = unstable.create("file", b"0123456789")
    assert unstable.seek(fd, 4, start) == 4
    assert unstable.seek(fd, 2, current) == 6
    assert unstable.seek(fd, -1, end) == 9
    assert unstable.seek(fd, 0, 3) == -abi.EINVAL


@pytest.mark.parametrize("how", ["fd", "path"])
def test_filestat_has_56_bytes(unstable: Program, root: Path, how: str) -> None:
    fd = unstable.create("file", b"12345")
    host = (root / "file").stat()
    address = unstable.alloc(64)
    unstable.memory[address : address + 64] = b"\xee" * 64
    if how == "fd":
        unstable.ok("fd_filestat_get", fd, address)
    else:
        unstable.ok("path_filestat_get", 3, 0, *unstable.put("file"), address)
    fields = struct.unpack("<QQB3xIQQQQ", unstable.get(address, 56))
    times = (host.st_atime_ns, host.st_mtime_ns, host.st_ctime_ns)
    assert fields == (host.st_dev, host.st_ino, abi.REGULAR_FILE, 1, 5, *times)
    assert unstable.get(address + 56, 8) == b"\xee" * 8


def test_subscriptions_have_56_bytes(unstable: Program) -> None:
    fd = unstable.create("file", b"12345")
    wait = struct.pack("<QB7xQI4xQQH6x", 1, 0, 0xDEAD, 1, 10_000_000, 0, 0)
    bad = struct.pack("<QB7xI36x", 2, abi.EVENT_FD_READ, 99)
    assert len(wait) == len(bad) == 56
    start = time.monotonic_ns()
    unstable.ok("poll_oneoff", unstable.put(wait)[0], 64, 1, 32)
    assert time.monotonic_ns() - start >= 10_000_000
    assert abi.EVENT.unpack(unstable.get(64, 32)) == (1, 0, abi.EVENT_CLOCK, 0, 0)
    ready = struct.pack("<QB7xI36x", 3, abi.EVENT_FD_WRITE, fd)
    unstable.ok("poll_oneoff", unstable.put(wait + bad + ready)[0], 64, 3, 32)
    assert unstable.u32(32) == 2
    events = list(abi.EVENT.iter_unpack(unstable.get(64, 64)))
    assert events == [(2, abi.EBADF, 1, 0, 0), (3, 0, 2, 0, 0)]


def test_both_versions_share_descriptors(root: Path) -> None:
    with Wasi(dirs={"/": root}) as wasi:
        new, old = Program(wasi), Program(wasi, "wasi_unstable")
        fd = old.create("file", b"shared")
        new.seek(fd, 0)
        assert new.read(fd) == b"shared"
