"""Descriptors of the guest that are descriptors of the host."""

import fcntl
import os
from collections.abc import Callable, Sequence

from wasmote import checkpoint
from wasmote.wasi import abi
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.errors import CallError
from wasmote.wasi.filesystem import Status
from wasmote.wasi.host_directory import filetype_of, status_of

_ADVICE = tuple(
    getattr(os, "POSIX_FADV_" + name, 0)
    for name in ("NORMAL", "SEQUENTIAL", "RANDOM", "WILLNEED", "DONTNEED", "NOREUSE")
)
# Of poll(); the module `select` is not there until somebody waits.
POLLIN, POLLOUT = 1, 4
#: The longest wait in one go, in milliseconds: then somebody may want the program to end.
_LONGEST_WAIT = 50
#: As much can be written at once to a pipe that is ready.
_PIPE_BYTES = 4096


class HostDescriptor(Descriptor):
    """A file, terminal, pipe or socket of the host.

    The host's descriptor is closed with the last reference: a guest thread still inside a call
    while another closes the descriptor never works on a reused number.
    """

    def __init__(self, fd: int, filetype: int, rights: int, flags: int = 0) -> None:
        super().__init__(filetype, rights, flags=flags)
        self.fd = fd

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        try:
            close(self.fd)
        except OSError:  # nobody is left to hear of it
            pass

    def stat(self) -> Status:
        status = status_of(os.fstat(self.fd))
        status.filetype = self.filetype  # sockets are not all of one kind
        return status

    def readv(self, buffers: Sequence[memoryview]) -> int:
        return os.readv(self.fd, buffers)

    def writev(self, buffers: Sequence[memoryview]) -> int:
        return os.writev(self.fd, buffers)

    def preadv(self, buffers: Sequence[memoryview], offset: int) -> int:
        return os.preadv(self.fd, buffers, offset)

    def pwritev(self, buffers: Sequence[memoryview], offset: int) -> int:
        return os.pwritev(self.fd, buffers, offset)

    def seek(self, offset: int, origin: int) -> int:
        return os.lseek(self.fd, offset, origin)

    def available(self) -> int:
        try:
            if self.filetype == abi.REGULAR_FILE:
                position = os.lseek(self.fd, 0, os.SEEK_CUR)
                return max(0, os.fstat(self.fd).st_size - position)
            import termios

            answer = fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0")
            return int.from_bytes(answer, "little")
        except OSError:
            return 0

    def set_flags(self, flags: int) -> None:
        host = fcntl.fcntl(self.fd, fcntl.F_GETFL) & ~(os.O_APPEND | os.O_NONBLOCK)
        for flag in (abi.APPEND, abi.NONBLOCK):
            if flags & flag:
                host |= abi.HOST_FLAGS[flag]
        fcntl.fcntl(self.fd, fcntl.F_SETFL, host)
        self.flags = flags

    def utime(self, accessed: int, modified: int) -> None:
        os.utime(self.fd, ns=(accessed, modified))

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def allocate(self, offset: int, length: int) -> None:
        if not hasattr(os, "posix_fallocate"):  # macOS
            raise CallError(abi.ENOTSUP)
        os.posix_fallocate(self.fd, offset, length)

    def advise(self, offset: int, length: int, advice: int) -> None:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fd, offset, length, _ADVICE[advice])

    def sync(self) -> None:
        os.fsync(self.fd)

    def datasync(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self.fd)


class WaitingDescriptor(HostDescriptor):
    """A pipe, terminal or the like that the guest has opened.

    The host's descriptor never blocks, whatever the guest's flags say: who waits can be ended.
    """

    def __init__(self, fd: int, filetype: int, rights: int, flags: int = 0) -> None:
        super().__init__(fd, filetype, rights, flags)
        os.set_blocking(fd, False)

    def readv(self, buffers: Sequence[memoryview]) -> int:
        while True:
            try:
                return os.readv(self.fd, buffers)
            except BlockingIOError:
                if self.flags & abi.NONBLOCK:
                    raise
            wait_for(self.fd, POLLIN)

    def writev(self, buffers: Sequence[memoryview]) -> int:
        if self.flags & abi.NONBLOCK:
            return os.writev(self.fd, buffers)
        return write_waiting(self.fd, buffers)

    def set_flags(self, flags: int) -> None:
        super().set_flags(flags | abi.NONBLOCK)
        self.flags = flags


def write_waiting(fd: int, buffers: Sequence[memoryview]) -> int:
    """Write all, never so much at once that it would block, so that it can be ended."""
    total = 0
    try:
        for buffer in buffers:
            for start in range(0, len(buffer), _PIPE_BYTES):
                wait_for(fd, POLLOUT)
                chunk = buffer[start : start + _PIPE_BYTES]
                written = os.write(fd, chunk)
                total += written
                if written < len(chunk):
                    return total
    except OSError:
        if total == 0:
            raise
    return total


def wait_for(fd: int, events: int) -> None:
    """Wait until the host's descriptor can be read or written, or the program is to end.

    Raises Trap then; errors of the descriptor are left to reading and writing.
    """
    import select  # only here: most programs never wait

    poller = select.poll()
    poller.register(fd, events)
    while not poller.poll(_LONGEST_WAIT):
        checkpoint()


def kind_of(fd: int, mode: int) -> tuple[int, int]:
    """File type of a descriptor and the rights that make sense for it."""
    filetype = filetype_of(mode)
    if filetype == abi.REGULAR_FILE or filetype == abi.BLOCK_DEVICE:
        return filetype, abi.FILE_RIGHTS
    if filetype == abi.DIRECTORY:
        return filetype, abi.DIRECTORY_RIGHTS
    if filetype == abi.CHARACTER_DEVICE:
        return filetype, abi.STREAM_RIGHTS if os.isatty(fd) else abi.FILE_RIGHTS
    if filetype == abi.SOCKET_STREAM:
        import socket  # only now: it is slow to import

        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.type == socket.SOCK_DGRAM:
                filetype = abi.SOCKET_DGRAM
        return filetype, abi.SOCKET_RIGHTS
    return filetype, abi.STREAM_RIGHTS


def opened(fd: int, rights: int, flags: int = 0) -> HostDescriptor:
    """A descriptor for `fd`, which it owns, with those of `rights` that make sense for it."""
    try:
        filetype, possible = kind_of(fd, os.fstat(fd).st_mode)
    except OSError:
        os.close(fd)
        raise
    waits = filetype in (abi.UNKNOWN, abi.CHARACTER_DEVICE)
    kind = WaitingDescriptor if waits else HostDescriptor
    return kind(fd, filetype, rights & possible, flags)
