"""Maps an image read-only and executable, straight from its file."""

import ctypes
import os
from functools import cache

from wasmote.nativepy.targets import host_target

from .format import ImageError, parse

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROT_READ, PROT_EXEC, MAP_PRIVATE = 1, 4, 2


@cache
def libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library


class LoadedImage:
    """An image in this process's memory. It stays mapped as long as the process lives."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            layout = parse(file.read(), verify=False)
            if layout.target != host_target().name:
                raise ImageError(
                    f"{path} is for {layout.target}, this machine is {host_target().name}"
                )
            address = libc().mmap(
                None,
                layout.code_size,
                PROT_READ | PROT_EXEC,
                MAP_PRIVATE,
                file.fileno(),
                layout.code_offset,
            )
        if address in (None, ctypes.c_void_p(-1).value):
            raise OSError(
                ctypes.get_errno(), f"cannot map {path}: {os.strerror(ctypes.get_errno())}"
            )
        self.address: int = address
        self.size = layout.code_size
        self.symbols = layout.symbols

    def symbol(self, name: str) -> int:
        """The address of an exported function."""
        return self.address + self.symbols[name]

    def function(
        self, name: str, result: "Any" = ctypes.c_uint32, *arguments: "Any"
    ) -> "Callable[..., Any]":
        """An exported function as a ctypes function (which releases the GIL while it runs)."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.symbol(name))
