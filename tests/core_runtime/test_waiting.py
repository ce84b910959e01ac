"""Mutexes, and memory.atomic.wait on a machine that has no threads, or no clock either."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from wasmote.core import structs
from wasmote.core.bounds import LimitsFlag
from wasmote.core.mutex import acquire, release
from wasmote.core.status import TrapCode
from wasmote.core.waiting import NOT_EQUAL, TIMED_OUT, memory_notify, memory_wait
from wasmote.host.platform import create_platform
from wasmote.image.testing import Library
from wasmote.nativepy import addr, fill, i64, native, ptr, sizeof, stack, u32, u64, void

from .support import MemoryType, address, core

POLLS = 5


@native(export="stop_soon")
def stop_soon(exec: ptr[structs.Exec]) -> u32:
    """Platform.poll: stops a program after some polls."""
    exec.depth += 1
    return TrapCode.INTERRUPTED if exec.depth == POLLS else u32(0)


@native(export="wait_once")
def wait_once(
    platform: ptr[structs.Platform],
    memory: ptr[structs.Memory],
    expected: u32,
    timeout: i64,
    result: ptr[u32],
) -> u32:
    exec = stack(structs.Exec)
    fill(exec, 0, sizeof(structs.Exec))
    exec.platform = platform
    return memory_wait(exec, memory, 64, u64(expected), 32, timeout, result)


@native(export="notify_once")
def notify_once(memory: ptr[structs.Memory]) -> u32:
    return memory_notify(memory, 64, 1)


@native(export="count_up")
def count_up(platform: ptr[structs.Platform], numbers: ptr[u32], n: u32) -> void:
    """Add to the second number, with the first as a mutex."""
    for _ in range(n):
        acquire(platform, addr(numbers[0]))
        numbers[1] += 1
        release(platform, addr(numbers[0]))


@cache
def library() -> Library:
    return Library(stop_soon, wait_once, notify_once, count_up)


def make_platform(*missing: str) -> ctypes.Structure:
    platform = create_platform(core().image.symbol)
    platform.poll = library().image.symbol("stop_soon")
    for name in missing:
        setattr(platform, name, type(getattr(platform, name))())
    return platform


def wait(platform: ctypes.Structure, expected: int, timeout: int) -> tuple[int, int]:
    """The trap code and the result of a wait for a word that is 0."""
    type = MemoryType(1, 1, LimitsFlag.HAS_MAXIMUM | LimitsFlag.SHARED, 16)
    memory = core().memory_create(address(platform), address(type), 1)
    result = ctypes.c_uint32(99)
    code = library().wait_once(address(platform), memory, expected, timeout, address(result))
    assert library().notify_once(memory) == 0  # nobody is left on the list
    core().memory_release(memory)
    return code, result.value


@pytest.mark.parametrize("missing", [(), ("wait", "wake"), ("wait", "wake", "clock")])
def test_wait(missing: tuple[str, ...]) -> None:
    platform = make_platform(*missing)
    assert wait(platform, 1, -1) == (0, NOT_EQUAL)
    assert wait(platform, 0, 0) == (0, TIMED_OUT)
    assert wait(platform, 0, 1000)[0] == 0 or missing
    code, _ = wait(platform, 0, -1)
    assert code == TrapCode.INTERRUPTED


@pytest.mark.parametrize("missing", [(), ("wait", "wake")])
def test_a_mutex_in_many_threads(missing: tuple[str, ...]) -> None:
    platform, numbers = make_platform(*missing), (ctypes.c_uint32 * 2)()
    threads, rounds = 4, 3_000 if missing else 30_000  # without waiting, a turn is a time slice
    with ThreadPoolExecutor(threads) as pool:
        places = address(platform), address(numbers)
        list(pool.map(lambda _: library().count_up(*places, rounds), range(threads)))
    assert list(numbers) == [0, threads * rounds]
