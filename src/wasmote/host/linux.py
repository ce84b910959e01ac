"""Memory of a Linux process for the core: libc's allocator, and address space from mmap.

All of it is native code: it runs inside WebAssembly code, where Python's signal handlers and other
threads must not. An image holds no addresses of its own, so the platform's context has those of the
C library's functions.
"""

import ctypes
import mmap

from wasmote.core.structs import Platform
from wasmote.nativepy import fn, i32, i64, mirror, native, ptr, struct, u8, u32, usize, void

PROT_NONE = 0
PROT_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
#: Not counted as memory in use until it is written to, whatever is made accessible.
MAP_NORESERVE = 0x4000
RESERVE_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
#: Covers every 32-bit index plus a 32-bit offset; a 32-bit process reserves what a memory may need.
MEMORY_RESERVATION = 8 << 30 if ctypes.sizeof(ctypes.c_void_p) == 8 else 0


@struct
class LinuxContext:
    """What `Platform.context` points at."""

    mmap: fn[[ptr[u8], usize, i32, i32, i32, i64], ptr[u8]]
    mprotect: fn[[ptr[u8], usize, i32], i32]
    munmap: fn[[ptr[u8], usize], i32]
    page_size: usize


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


LIBC = ctypes.CDLL(None)


def address_of_libc(name: str) -> int:
    """The address of a function of the C library."""
    address = ctypes.cast(getattr(LIBC, name), ctypes.c_void_p).value
    assert address
    return address


def create_context() -> ctypes.Structure:
    """The context of this process; keep it alive as long as the platform."""
    functions = {name: address_of_libc(name) for name in ("mmap", "mprotect", "munmap")}
    return mirror(LinuxContext)(page_size=mmap.PAGESIZE, **functions)
