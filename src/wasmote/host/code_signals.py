"""Installs the handlers of signals in compiled code: of faults (`faults`), and of ticks (`ticks`).

A signal handler gets no argument of ours and an image has no variables, so the kernel calls a few
bytes of code, written at start-up, which pass the address of what the handler knows on.
"""

import ctypes
import mmap
import os
import signal
import struct
from collections.abc import Callable

from wasmote.host.code_ranges import CodeRange
from wasmote.host.faults import FaultState
from wasmote.host.linux import LIBC, PROT_READ_WRITE, LinuxContext, address_of_libc
from wasmote.host.ticks import SIGNAL, Ticks
from wasmote.nativepy import mirror


class _Action(ctypes.Structure):
    """struct sigaction of glibc and musl on 64-bit machines."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_SA_SIGINFO, _SA_ONSTACK, _SA_RESTART, _SA_NODEFER = 4, 0x0800_0000, 0x1000_0000, 0x4000_0000
_FAULTS = (signal.SIGSEGV, signal.SIGBUS)


class CodeSignals:
    """The process's handlers. They stay as long as the process lives."""

    def __init__(self, symbol: Callable[[str], int], platform: ctypes.Structure) -> None:
        self.faults = mirror(FaultState)()
        self.faults.signal = address_of_libc("signal")
        self.ticks = mirror(Ticks)(
            faults=ctypes.addressof(self.faults),
            key=_new_key(symbol("linux_thread_ends")),
            syscall=address_of_libc("syscall"),
            allocate=address_of_libc("malloc"),
            release=address_of_libc("free"),
            get_own=address_of_libc("pthread_getspecific"),
            set_own=address_of_libc("pthread_setspecific"),
            sigmask=address_of_libc("pthread_sigmask"),
        )
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=PROT_READ_WRITE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        self._fault = start + self._add_thunk(self.faults, symbol("linux_fault"))
        self._tick = start + self._add_thunk(self.ticks, symbol("linux_tick"))
        LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if LIBC.mprotect(start, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
            raise OSError("this system does not let a process make code at run time")
        self._ranges: list[ctypes.Structure] = []
        context = mirror(LinuxContext).from_address(platform.context)
        context.ticks = ctypes.addressof(self.ticks)
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        self._installed = function(symbol("linux_ticks_installed"))
        forked = function(symbol("linux_forked"))
        os.register_at_fork(after_in_child=lambda: forked(ctypes.addressof(self.ticks)))
        # Threads that still run when the interpreter ends get signals, too.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def _add_thunk(self, state: ctypes.Structure, handler: int) -> int:
        """Code that calls a handler with the address of its state; returns its offset."""
        place = self._code.tell()
        # movabs $state, %rcx; movabs $handler, %rax; jmp *%rax
        self._code.write(
            struct.pack(
                "<2sQ2sQ2s",
                b"\x48\xb9",
                ctypes.addressof(state),
                b"\x48\xb8",
                handler,
                b"\xff\xe0",
            )
        )
        return place

    def install(self) -> None:
        """Handle the signals, also if somebody else has taken over since the last time."""
        for i, number in enumerate(_FAULTS):
            if former := _replace(number, self._fault, _SA_ONSTACK | _SA_RESTART):
                self.faults.former[i], self.faults.former_flags[i] = former
        # Polls run on the thread's own stack: an alternative one may be small, and is only one.
        if former := _replace(SIGNAL, self._tick, _SA_RESTART | _SA_NODEFER):
            self.ticks.former, self.ticks.former_flags = former
            self._installed(ctypes.addressof(self.ticks))

    def add(self, start: int, size: int, **places: int) -> ctypes.Structure:
        """Handle signals in code at that address; returns what `remove` takes. `places` are the
        other fields of `CodeRange`.
        """
        free = next((r for r in self._ranges if r.end == 0), None)
        made = free or mirror(CodeRange)()
        made.start = start
        for name, value in places.items():
            setattr(made, name, value)
        if free is None:
            made.next = self.faults.ranges
            self._ranges.append(made)
            self.faults.ranges = ctypes.addressof(made)
        made.end = start + size
        return made

    def remove(self, made: ctypes.Structure) -> None:
        """The code is no longer there."""
        made.end = 0


def _new_key(destructor: int) -> int:
    """A place where each thread keeps a pointer, which the destructor gets when it ends."""
    key = ctypes.c_uint()
    LIBC.pthread_key_create.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    if LIBC.pthread_key_create(ctypes.byref(key), destructor) != 0:
        raise OSError("this process has no room for what its threads know of compiled code")
    return key.value


def _replace(number: int, handler: int, flags: int) -> tuple[int, int] | None:
    """Handle a signal. Returns the former handler, and whether it takes three arguments; None: it
    is ours already.
    """
    former = _Action()
    LIBC.sigaction(number, None, ctypes.byref(former))
    if former.handler == handler:
        return None
    own = _Action(handler=handler, flags=_SA_SIGINFO | flags)
    LIBC.sigaction(number, ctypes.byref(own), None)
    return former.handler or 0, int(former.flags & _SA_SIGINFO != 0)
