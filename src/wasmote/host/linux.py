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
    array,
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
from wasmote.nativepy.types import FunctionType

PROT_NONE = 0
PROT_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
#: Not counted as memory in use until it is written to, whatever is made accessible.
MAP_NORESERVE = 0x4000
RESERVE_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
#: Covers every 32-bit index plus a 32-bit offset; a 32-bit process reserves what a memory may need.
#: And the bytes of the widest access.
MEMORY_RESERVATION = (8 << 30) + (1 << 16) if ctypes.sizeof(ctypes.c_void_p) == 8 else 0


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
    pthread_self: fn[[], usize]
    pthread_getattr_np: fn[[usize, ptr["ThreadAttributes"]], i32]
    pthread_attr_getstack: fn[[ptr["ThreadAttributes"], ptr[usize], ptr[usize]], i32]
    pthread_attr_destroy: fn[[ptr["ThreadAttributes"]], i32]
    # The stack of the thread that loaded the core, where asking is slow: its bounds.
    stack_low: usize
    stack_high: usize
    ticks: ptr[u8]  # what `host.ticks` knows, once a compiled module is there


@struct
class ThreadAttributes:
    """pthread_attr_t: 56 bytes in glibc and musl on 64-bit machines; a little more, to be safe."""

    data: array[u64, 16]


@native(export="linux_stack_bottom")
def linux_stack_bottom(platform: ptr[Platform]) -> usize:
    """Platform.stack_bottom"""
    context = ptr[LinuxContext](platform.context)
    attributes = stack(ThreadAttributes)
    here = usize(attributes)
    if here >= context.stack_low and here < context.stack_high:
        return context.stack_low
    low = stack(usize)
    size = stack(usize)
    if context.pthread_getattr_np(context.pthread_self(), attributes) != 0:
        return here
    context.pthread_attr_getstack(attributes, low, size)
    context.pthread_attr_destroy(attributes)
    return low[0]


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
_FUNCTIONS = [name for name, type in LinuxContext.fields.items() if isinstance(type, FunctionType)]


def address_of_libc(name: str) -> int:
    """The address of a function of the C library."""
    address = ctypes.cast(getattr(LIBC, name), ctypes.c_void_p).value
    assert address
    return address


def create_context() -> ctypes.Structure:
    """The context of this process; keep it alive as long as the platform."""
    functions = {name: address_of_libc(name) for name in _FUNCTIONS}
    low, high = _stack_bounds()
    return mirror(LinuxContext)(
        page_size=mmap.PAGESIZE,
        futex=SYS_FUTEX[os.uname().machine],
        clock=time.CLOCK_MONOTONIC,
        stack_low=low,
        stack_high=high,
        **functions,
    )


def _stack_bounds() -> tuple[int, int]:
    """The stack of the thread that calls this, from its lowest address."""
    attributes = (ctypes.c_uint64 * 16)()
    low, size = ctypes.c_size_t(), ctypes.c_size_t()
    LIBC.pthread_self.restype = ctypes.c_size_t
    LIBC.pthread_getattr_np.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
    if LIBC.pthread_getattr_np(LIBC.pthread_self(), attributes) != 0:
        return 0, 0
    LIBC.pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size))
    LIBC.pthread_attr_destroy(attributes)
    return low.value, low.value + size.value
