"""Maps an image read-only and executable, straight from its file."""

import ctypes
import errno
import mmap
import os
from functools import cache

from wasmote.nativepy.targets import host_target

from .format import ImageError, Layout, parse

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 4, 2, 32
#: Whether code is mapped from its file, and not copied into memory of its own: perf gives no names
#: to code from a file that is not an ELF file.
IN_PLACE = True


@cache
def libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library


class LoadedImage:
    """An image in this process's memory. It stays mapped until `unmap`, the core's for ever.

    Everything is read from one open file, so nothing changes if another file takes its name.
    Raises ImageError for a file that is no image for this machine, OSError.
    """

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._map(path, file, verify=False)

    @classmethod
    def from_file(cls, path: str, file: "BinaryIO", verify: bool) -> "LoadedImage":
        """The image in an open file; `path` is for messages."""
        self = cls.__new__(cls)
        self._map(path, file, verify)
        return self

    def _map(self, path: str, file: "BinaryIO", verify: bool) -> None:
        self.path = path
        self.layout = layout = _front(path, file, verify)
        if layout.target != host_target().name:
            raise ImageError(f"{path} is for {layout.target}, this machine is {host_target().name}")
        place = _mapped if IN_PLACE else _copied
        address = place(layout, file)
        if address in (None, ctypes.c_void_p(-1).value):
            number = ctypes.get_errno()
            hint = "; is its file system mounted noexec?" if number == errno.EPERM else ""
            raise OSError(number, f"its code cannot be mapped: {os.strerror(number)}{hint}", path)
        self.address: int = address + before(layout.code_offset)
        self.size = layout.code_size
        self.symbols = layout.symbols

    def unmap(self) -> None:
        """Give the code's address space back. Nothing of it may be called any more."""
        lead = before(self.layout.code_offset)
        libc().munmap(self.address - lead, lead + self.size)

    def symbol(self, name: str) -> int:
        """The address of an exported function."""
        return self.address + self.symbols[name]

    def function(
        self, name: str, result: "Any" = ctypes.c_uint32, *arguments: "Any"
    ) -> "Callable[..., Any]":
        """An exported function as a ctypes function (which releases the GIL while it runs)."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.symbol(name))


def before(code_offset: int) -> int:
    """How much of the file is mapped before the code, as a mapping begins with a page."""
    return code_offset % mmap.ALLOCATIONGRANULARITY


def _mapped(layout: Layout, file: "BinaryIO") -> int | None:
    """Map the code, read-only. Returns where the first page is."""
    lead = before(layout.code_offset)
    address: int | None = libc().mmap(
        None,
        lead + layout.code_size,
        PROT_READ | PROT_EXEC,
        MAP_PRIVATE,
        file.fileno(),
        layout.code_offset - lead,
    )
    return address


def _copied(layout: Layout, file: "BinaryIO") -> int | None:
    """The same, but copy the code, and let nobody write there afterwards."""
    lead = before(layout.code_offset)
    size, how = lead + layout.code_size, MAP_PRIVATE | MAP_ANONYMOUS
    address: int | None = libc().mmap(None, size, PROT_READ | PROT_WRITE, how, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    ctypes.memmove(address, os.pread(file.fileno(), size, layout.code_offset - lead), size)
    libc().mprotect(address, size, PROT_READ | PROT_EXEC)
    return address


def _front(path: str, file: "BinaryIO", verify: bool) -> Layout:
    """What the image says of itself. It is mapped to be read, so no copy of it is made."""
    if not os.fstat(file.fileno()).st_size:
        raise ImageError(f"{path} is empty")
    return parse(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), verify)
