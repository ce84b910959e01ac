"""Memory of a Linux process for the core: libc's allocator, and address space from mmap.

`Platform`'s functions get no context, so the core's image, which holds no addresses of its own,
cannot know where mprotect is. Therefore each reservation is preceded by a page with a
`Reservation`, which tells. Reserving happens once for a memory and is done in Python; committing
and unreserving are native code: they run inside WebAssembly code, where Python's signal handlers
must not.
"""

import ctypes
import mmap

from wasmote.nativepy import fn, i32, mirror, native, ptr, struct, u8, u32, usize, void

PROT_NONE = 0
PROT_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
#: Not counted as memory in use until it is written to, whatever is made accessible.
MAP_NORESERVE = 0x4000
RESERVE_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
MAP_FAILED = ctypes.c_void_p(-1).value
#: Covers every 32-bit index plus a 32-bit offset; a 32-bit process reserves what a memory may need.
MEMORY_RESERVATION = 8 << 30 if ctypes.sizeof(ctypes.c_void_p) == 8 else 0


@struct
class Reservation:
    """At the end of the page before a reservation."""

    mprotect: fn[[ptr[u8], usize, i32], i32]
    munmap: fn[[ptr[u8], usize], i32]
    page_size: usize


@native(export="linux_commit")
def linux_commit(base: ptr[u8], old: usize, new: usize) -> u32:
    """Make bytes [old, new) of a reservation accessible; they are zero. 0, or 1: out of memory."""
    reservation = ptr[Reservation](base) - 1
    last = reservation.page_size - 1
    first = (old + last) & ~last
    end = (new + last) & ~last
    if first >= end:
        return 0
    return u32(reservation.mprotect(base + first, end - first, PROT_READ_WRITE) != 0)


@native(export="linux_unreserve")
def linux_unreserve(base: ptr[u8], size: usize) -> void:
    """Give a reservation back, what was committed of it included."""
    reservation = ptr[Reservation](base) - 1
    page = reservation.page_size
    reservation.munmap(base - page, size + page)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    size, address = ctypes.c_size_t, ctypes.c_void_p
    libc.mmap.restype = address
    libc.mmap.argtypes = (address, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    libc.mprotect.argtypes = (address, size, ctypes.c_int)
    libc.munmap.argtypes = (address, size)
    return libc


LIBC = _libc()


def address_of_libc(name: str) -> int:
    """The address of a function of the C library."""
    address = ctypes.cast(getattr(LIBC, name), ctypes.c_void_p).value
    assert address
    return address


def _reservation_header() -> bytes:
    return bytes(
        mirror(Reservation)(
            mprotect=address_of_libc("mprotect"),
            munmap=address_of_libc("munmap"),
            page_size=mmap.PAGESIZE,
        )
    )


_HEADER = _reservation_header()


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)
def reserve(size: int) -> int | None:
    """Reserve `size` bytes of inaccessible address space; None when there is no room."""
    page = mmap.PAGESIZE
    start = LIBC.mmap(None, size + page, PROT_NONE, RESERVE_FLAGS, -1, 0)
    if start is None or start == MAP_FAILED:
        return None
    if LIBC.mprotect(start, page, PROT_READ_WRITE) != 0:
        LIBC.munmap(start, size + page)
        return None
    ctypes.memmove(start + page - len(_HEADER), _HEADER, len(_HEADER))
    return int(start + page)
