"""The functions that programs call all the time, connected to native code (`host.wasi_calls`).

That has a table of its own of the descriptors that it may use. It is kept as `Table` wants it.
"""

import ctypes
import os
import stat
import time

from wasmote.api.layouts import FuncInstLayout
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.host.linux import address_of_libc
from wasmote.host.wasi_calls import LIBC_FUNCTIONS, MOST_FILES, SharedFile, Use, WasiCalls
from wasmote.nativepy import mirror
from wasmote.wasi import abi

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import Func
    from wasmote.wasi.descriptors import Descriptor
    from wasmote.wasi.guest import LinearMemory

_Layout = mirror(WasiCalls)
_SIZE = ctypes.sizeof(mirror(SharedFile))
_NULL_DEVICE = os.makedev(1, 3)

_share = BINDING.python_function("wasi_share", None, Address, ctypes.c_int, ctypes.c_uint32)
_withdraw = BINDING.python_function("wasi_withdraw", ctypes.c_uint32, Address)

#: The functions that native code has, by name: its symbols.
HOT = {
    name: BINDING.image.symbol(f"wasi_{name}")
    for name in ("fd_read", "fd_write", "clock_time_get", "random_get")
}


class HotCalls:
    """What native code knows of one program. It must live as long as the functions that use it."""

    def __init__(self) -> None:
        functions = {name: address_of_libc(name) for name in LIBC_FUNCTIONS}
        self._layout = _Layout(**functions)
        self._files = ctypes.addressof(self._layout) + _Layout.files.offset
        self._kept: object = None

    def connect(self, function: "Func", name: str) -> None:
        """Let a host function be called as native code."""
        native = FuncInstLayout.from_address(function._address)
        native.data = ctypes.addressof(self._layout)
        native.native = HOT[name]

    def attach(self, memory: "LinearMemory") -> None:
        """Pointers mean `memory`, whoever calls."""
        from wasmote import Memory

        self._kept = memory
        if isinstance(memory, Memory):
            self._layout.memory = memory._address
        else:
            self._layout.by_python = 1

    def share(self, number: int, descriptor: "Descriptor") -> None:
        """Let native code use what the program has as descriptor `number`, as far as it can."""
        uses = _uses(descriptor)
        if number < MOST_FILES and uses & (Use.READ | Use.WRITE):
            _share(self._files + number * _SIZE, descriptor.fd, uses)

    def withdraw(self, number: int) -> None:
        """Let it do so no longer; waits for calls under way, which only takes a moment."""
        if number < MOST_FILES:
            while _withdraw(self._files + number * _SIZE):
                time.sleep(0)


def _uses(descriptor: "Descriptor") -> int:
    """What native code may do with a descriptor."""
    if descriptor.fd < 0:
        return 0
    uses = _kind(descriptor)
    if uses is None:
        return 0
    if descriptor.rights & abi.FD_READ:
        uses |= Use.READ
    if descriptor.rights & abi.FD_WRITE and not descriptor.unflushed:
        uses |= Use.WRITE
    return uses


def _kind(descriptor: "Descriptor") -> int | None:
    """Use.PIPE for pipes, 0 for what is always ready, None for all else."""
    if descriptor.filetype == abi.REGULAR_FILE:
        return 0
    status = os.fstat(descriptor.fd)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL_DEVICE:
        return 0
    return Use.PIPE if stat.S_ISFIFO(status.st_mode) else None
