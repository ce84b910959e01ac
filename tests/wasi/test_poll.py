"""poll_oneoff: clocks and descriptors."""

import contextlib
import os
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from wasmote.wasi import Wasi, abi

from .conftest import Program

MS = 1_000_000
READ, WRITE = abi.EVENT_FD_READ, abi.EVENT_FD_WRITE


def clock(userdata: int, timeout: int, clock_id: int = 1, flags: int = 0) -> bytes:
    """A subscription to a clock, laid out as in the witx file."""
    return struct.pack("<QB7xI4xQQH6x", userdata, 0, clock_id, timeout, 0, flags)


def on(fd: int, tag: int, userdata: int) -> bytes:
    """A subscription to a descriptor."""
    return struct.pack("<QB7xI28x", userdata, tag, fd)


def poll(program: Program, *subscriptions: bytes) -> list[tuple[int, int, int, int, int]]:
    """The events: userdata, errno, type, bytes, flags."""
    array = program.put(b"".join(subscriptions))[0]
    events, count = program.alloc(32 * len(subscriptions)), program.alloc(4)
    program.ok("poll_oneoff", array, events, len(subscriptions), count)
    data = program.get(events, 32 * program.u32(count))
    return list(abi.EVENT.iter_unpack(data))


@pytest.fixture
def pipe() -> Iterator[tuple[Program, int, int]]:
    """A program with a pipe: its input, and its output to the same pipe."""
    reading, writing = os.pipe()
    with Wasi(stdin=reading, stdout=writing) as wasi:
        yield Program(wasi), reading, writing
    for fd in (reading, writing):
        with contextlib.suppress(OSError):  # a test may have closed it
            os.close(fd)


def test_relative_clock(program: Program) -> None:
    for clock_id in (0, 1):
        start = time.monotonic_ns()
        assert poll(program, clock(7, 20 * MS, clock_id)) == [(7, 0, 0, 0, 0)]
        assert 20 * MS <= time.monotonic_ns() - start < 500 * MS


def test_absolute_clocks(program: Program) -> None:
    for clock_id, now in ((0, time.time_ns), (1, time.monotonic_ns)):
        deadline = now() + 20 * MS
        assert poll(program, clock(8, deadline, clock_id, 1)) == [(8, 0, 0, 0, 0)]
        assert deadline <= now() < deadline + 500 * MS
        start = time.monotonic_ns()
        assert len(poll(program, clock(8, 1, clock_id, 1))) == 1, "long past"
        assert time.monotonic_ns() - start < 100 * MS


def test_first_clock_wins(program: Program) -> None:
    start = time.monotonic_ns()
    events = poll(program, clock(1, 10_000 * MS), clock(2, 5 * MS), clock(3, (1 << 64) - 1))
    assert events == [(2, 0, 0, 0, 0)]
    assert time.monotonic_ns() - start < 2_000 * MS


def test_clocks_that_cannot_be_waited_for(program: Program) -> None:
    events = poll(program, clock(1, 10_000 * MS), clock(2, 5, 2), clock(3, 5, 9))
    assert sorted(events) == [(2, abi.ENOTSUP, 0, 0, 0), (3, abi.EINVAL, 0, 0, 0)]


def test_pipe_becomes_readable(pipe: tuple[Program, int, int]) -> None:
    program, _, writing = pipe
    timer = threading.Timer(0.02, os.write, (writing, b"12345"))
    timer.start()
    events = poll(program, on(0, READ, 5), clock(6, 5_000 * MS))
    timer.join()
    assert events == [(5, 0, READ, 5, 0)]


def test_timeout_before_the_pipe(pipe: tuple[Program, int, int]) -> None:
    assert poll(pipe[0], on(0, READ, 5), clock(6, 5 * MS)) == [(6, 0, 0, 0, 0)]


def test_several_at_once(pipe: tuple[Program, int, int]) -> None:
    program, _, writing = pipe
    os.write(writing, b"abc")
    events = poll(program, on(0, READ, 1), on(1, WRITE, 2), clock(3, 0), on(0, READ, 4))
    assert sorted(events) == [
        (1, 0, READ, 3, 0),
        (2, 0, WRITE, 0, 0),
        (3, 0, 0, 0, 0),
        (4, 0, READ, 3, 0),
    ]


def test_hangup(pipe: tuple[Program, int, int]) -> None:
    program, _, writing = pipe
    os.close(writing)
    assert poll(program, on(0, READ, 1)) == [(1, 0, READ, 0, abi.EVENT_HANGUP)]


def test_write_end_without_reader(pipe: tuple[Program, int, int]) -> None:
    program, reading, _ = pipe
    os.close(reading)
    assert poll(program, on(1, WRITE, 1))[0][:3] == (1, abi.EIO, WRITE)


def test_files_are_always_ready(program: Program) -> None:
    fd = program.create("file", b"12345")
    program.seek(fd, 2)
    start = time.monotonic_ns()
    events = poll(program, on(fd, READ, 1), on(fd, WRITE, 2), on(1, WRITE, 3), clock(4, 1 << 40))
    assert events == [(1, 0, READ, 3, 0), (2, 0, WRITE, 0, 0), (3, 0, WRITE, 0, 0)]
    assert time.monotonic_ns() - start < 100 * MS


def test_bad_descriptors_are_reported_in_their_event(program: Program) -> None:
    fd = program.create("file")
    program.ok("fd_fdstat_set_rights", fd, abi.FD_READ, 0)
    events = poll(program, on(99, READ, 1), on(fd, READ, 2), clock(3, 1 << 40))
    assert events == [(1, abi.EBADF, READ, 0, 0), (2, abi.ENOTCAPABLE, READ, 0, 0)]


def test_bad_calls(program: Program) -> None:
    assert program.call("poll_oneoff", 0, 64, 0, 32) == abi.EINVAL
    unknown, _ = program.put(struct.pack("<QB39x", 1, 3))
    assert program.call("poll_oneoff", unknown, 64, 1, 32) == abi.EINVAL
    assert program.call("poll_oneoff", 0, 64, 0x0FFF_FFFF, 32) == abi.EFAULT
    assert program.call("poll_oneoff", 0, 1 << 17, 1, 32) == abi.EFAULT
    assert program.call("poll_oneoff", 0, 64, 1, (1 << 17) - 3) == abi.EFAULT


def test_more_subscriptions_than_anyone_needs() -> None:
    with Wasi() as wasi:
        wasi.attach(bytearray(1 << 20))
        function = wasi.imports()["wasi_snapshot_preview1"]["poll_oneoff"]
        assert function(0, 1 << 19, 5000, 0) == abi.EINVAL
