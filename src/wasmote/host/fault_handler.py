"""Installs the handler of faults in compiled code, `linux_fault`.

A signal handler gets no argument of ours and an image has no variables, so the kernel calls a few
bytes of code, written at start-up, which pass the address of `FaultState` on.
"""

import ctypes
import mmap
import signal
import struct

from wasmote.host.faults import CodeRange, FaultState
from wasmote.host.linux import LIBC, PROT_READ_WRITE
from wasmote.nativepy import mirror


class _Action(ctypes.Structure):
    """struct sigaction of glibc and musl on 64-bit machines."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_SA_SIGINFO, _SA_ONSTACK, _SA_RESTART = 4, 0x0800_0000, 0x1000_0000
_SIGNALS = (signal.SIGSEGV, signal.SIGBUS)


class FaultHandler:
    """The process's handler. It stays as long as the process lives."""

    def __init__(self, handler: int) -> None:
        self.state = mirror(FaultState)()
        self.state.signal = ctypes.cast(LIBC.signal, ctypes.c_void_p).value or 0
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=PROT_READ_WRITE)
        # movabs $state, %rcx; movabs $handler, %rax; jmp *%rax
        state = ctypes.addressof(self.state)
        self._code.write(
            struct.pack("<2sQ2sQ2s", b"\x48\xb9", state, b"\x48\xb8", handler, b"\xff\xe0")
        )
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if LIBC.mprotect(self._address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
            raise OSError("this system does not let a process make code at run time")
        self._ranges: list[ctypes.Structure] = []

    def install(self) -> None:
        """Handle faults, also if somebody else has taken over since the last time."""
        for i, number in enumerate(_SIGNALS):
            former = _Action()
            LIBC.sigaction(number, None, ctypes.byref(former))
            if former.handler == self._address:
                continue
            self.state.former[i] = former.handler or 0
            self.state.former_flags[i] = int(former.flags & _SA_SIGINFO != 0)
            own = _Action(handler=self._address, flags=_SA_SIGINFO | _SA_ONSTACK | _SA_RESTART)
            LIBC.sigaction(number, ctypes.byref(own), None)

    def add(self, start: int, size: int, entered: int, trap: int) -> ctypes.Structure:
        """Make faults in code at that address traps; returns what `remove` takes."""
        free = next((r for r in self._ranges if r.end == 0), None)
        made = free or mirror(CodeRange)()
        made.start, made.entered, made.trap = start, start + entered, start + trap
        if free is None:
            made.next = self.state.ranges
            self._ranges.append(made)
            self.state.ranges = ctypes.addressof(made)
        made.end = start + size
        return made

    def remove(self, made: ctypes.Structure) -> None:
        """The code is no longer there."""
        made.end = 0
