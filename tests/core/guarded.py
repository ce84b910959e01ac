"""Memory with an inaccessible page behind it: a read past the end is a crash, not an accident."""

import ctypes
import mmap

_libc = ctypes.CDLL(None, use_errno=True)
_PROT_NONE = 0


class GuardedBytes:
    """A copy of `content` that ends at a page boundary, with the next page inaccessible."""

    def __init__(self, content: bytes) -> None:
        size = -(-len(content) // mmap.PAGESIZE) * mmap.PAGESIZE
        self._map = mmap.mmap(-1, size + mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        _libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        if _libc.mprotect(start + size, mmap.PAGESIZE, _PROT_NONE) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
        self.address = start + size - len(content)
        ctypes.memmove(self.address, content, len(content))
