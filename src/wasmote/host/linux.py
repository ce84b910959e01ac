"""What a Linux process has for the core: libc's allocator, address space from mmap, threads that
wait.

All of it is native code: it runs inside WebAssembly code, where Python's signal handlers and other
threads must not. An image holds no addresses of its own, so the platform's context has those of the
C library's functions.
"""

import ctypes
import mmap
import os
import time

from wasmote.core.structs import Platform
from wasmote.nativepy import (
    fn,
    i32,
    i64,
    mirror,
    native,
    ptr,
    stack,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

PROT_NONE = 0
PROT_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
#: Not counted as memory in use until it is written to, whatever is made accessible.
MAP_NORESERVE = 0x4000
RESERVE_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
#: Covers every 32-bit index plus a 32-bit offset; a 32-bit process reserves what a memory may need.
MEMORY_RESERVATION = 8 << 30 if ctypes.sizeof(ctypes.c_void_p) == 8 else 0


#: The number of the system call futex, by machine; the operations, within one process.
SYS_FUTEX = {"x86_64": 202, "aarch64": 98}
FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE = 128, 129
SECOND = 1_000_000_000
#: Longer is as good as forever, and fits the system's clocks.
LONGEST_WAIT = SECOND * 86_400


@struct
class Time:
    """struct timespec."""

    seconds: i64
    nanoseconds: i64


@struct
class LinuxContext:
    """What `Platform.context` points at."""

    mmap: fn[[ptr[u8], usize, i32, i32, i32, i64], ptr[u8]]
    mprotect: fn[[ptr[u8], usize, i32], i32]
    munmap: fn[[ptr[u8], usize], i32]
    page_size: usize
    # (number, word, operation, value, timeout, …): variadic in C, which makes no difference here
    syscall: fn[[i64, ptr[u32], i64, i64, ptr[Time], ptr[u8], i64], i64]
    futex: i64  # its number
    clock_gettime: fn[[i32, ptr[Time]], i32]
    clock: i32  # which clock to ask


@native(export="linux_reserve")
def linux_reserve(platform: ptr[Platform], size: usize) -> ptr[u8]:
    """Inaccessible address space of `size` bytes; None when there is no room."""
    context = ptr[LinuxContext](platform.context)
    start = context.mmap(None, size, PROT_NONE, RESERVE_FLAGS, -1, 0)
    return None if usize(start) == ~usize(0) else start


@native(export="linux_commit")
def linux_commit(platform: ptr[Platform], base: ptr[u8], old: usize, new: usize) -> u32:
    """Make bytes [old, new) of a reservation accessible; they are zero. 0, or 1: out of memory."""
    context = ptr[LinuxContext](platform.context)
    last = context.page_size - 1
    first = (old + last) & ~last
    end = (new + last) & ~last
    if first >= end:
        return 0
    return u32(context.mprotect(base + first, end - first, PROT_READ_WRITE) != 0)


@native(export="linux_unreserve")
def linux_unreserve(platform: ptr[Platform], base: ptr[u8], size: usize) -> void:
    """Give a reservation back, what was committed of it included."""
    context = ptr[LinuxContext](platform.context)
    context.munmap(base, size)


@native(export="linux_wait")
def linux_wait(platform: ptr[Platform], word: ptr[u32], value: u32, nanoseconds: u64) -> void:
    """Sleep until `linux_wake`, or for so long, if `word` is `value`. May return early."""
    context = ptr[LinuxContext](platform.context)
    span = nanoseconds if nanoseconds < LONGEST_WAIT else u64(LONGEST_WAIT)
    time = stack(Time)
    time.seconds = i64(span // SECOND)
    time.nanoseconds = i64(span % SECOND)
    context.syscall(context.futex, word, FUTEX_WAIT_PRIVATE, i64(value), time, None, 0)


@native(export="linux_wake")
def linux_wake(platform: ptr[Platform], word: ptr[u32], count: u32) -> void:
    """Wake up to `count` threads that sleep at `word`."""
    context = ptr[LinuxContext](platform.context)
    context.syscall(context.futex, word, FUTEX_WAKE_PRIVATE, i64(count), None, None, 0)


@native(export="linux_clock")
def linux_clock(platform: ptr[Platform]) -> u64:
    """Nanoseconds since some moment; they only go forward."""
    context = ptr[LinuxContext](platform.context)
    time = stack(Time)
    context.clock_gettime(context.clock, time)
    return u64(time.seconds) * SECOND + u64(time.nanoseconds)


LIBC = ctypes.CDLL(None)


def address_of_libc(name: str) -> int:
    """The address of a function of the C library."""
    address = ctypes.cast(getattr(LIBC, name), ctypes.c_void_p).value
    assert address
    return address


def create_context() -> ctypes.Structure:
    """The context of this process; keep it alive as long as the platform."""
    names = ("mmap", "mprotect", "munmap", "syscall", "clock_gettime")
    functions = {name: address_of_libc(name) for name in names}
    return mirror(LinuxContext)(
        page_size=mmap.PAGESIZE,
        futex=SYS_FUTEX[os.uname().machine],
        clock=time.CLOCK_MONOTONIC,
        **functions,
    )
