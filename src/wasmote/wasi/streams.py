"""Standard streams: what the guest has as descriptors 0, 1 and 2."""

import fcntl
import io
import os
import sys
from collections.abc import Sequence

from wasmote.wasi import abi
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.errors import CallError, WasiError
from wasmote.wasi.host_descriptors import (
    POLLIN,
    HostDescriptor,
    kind_of,
    wait_for,
    write_waiting,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class Borrowed(HostDescriptor):
    """A descriptor that stays the host's: not closed, and its flags are put back at the end."""

    def __init__(self, fd: int, owner: object = None) -> None:
        host = fcntl.fcntl(fd, fcntl.F_GETFL)
        mode = os.fstat(fd).st_mode
        filetype, rights = kind_of(fd, mode)
        access = host & os.O_ACCMODE
        if access == os.O_RDONLY:
            rights &= ~abi.WRITING_RIGHTS
        elif access == os.O_WRONLY:
            rights &= ~abi.FD_READ
        flags = sum(flag for flag, bits in abi.HOST_FLAGS.items() if host & bits == bits)
        super().__init__(fd, filetype, rights, flags)
        #: Keeps a Python file open as long as its descriptor is used here.
        self.owner = owner
        self._original_flags = host
        self._flags_changed = False
        self.unflushed = True

    def __del__(self, close: object = None) -> None:
        # Flags belong to the open file, which the host's other users (a shell) share.
        if getattr(self, "_flags_changed", False):
            try:
                fcntl.fcntl(self.fd, fcntl.F_SETFL, self._original_flags)
            except OSError:  # the host may have closed it
                pass

    @property
    def _waits(self) -> bool:
        """Whether reading and writing may have to wait. The host's descriptor may block then."""
        waiting = self.filetype in (abi.UNKNOWN, abi.CHARACTER_DEVICE)
        return waiting and not self.flags & abi.NONBLOCK

    def readv(self, buffers: Sequence[memoryview]) -> int:
        if self._waits:
            wait_for(self.fd, POLLIN)
        return os.readv(self.fd, buffers)

    def writev(self, buffers: Sequence[memoryview]) -> int:
        if self._waits:
            return write_waiting(self.fd, buffers)
        return os.writev(self.fd, buffers)

    def flush(self) -> None:
        self.unflushed = False
        _flush(self.owner or {1: sys.stdout, 2: sys.stderr}.get(self.fd))

    def set_flags(self, flags: int) -> None:
        self._flags_changed = True
        super().set_flags(flags)


class Stream(Descriptor):
    """A Python binary file without a descriptor, such as `io.BytesIO`."""

    #: The most that one call moves, so that a guest cannot make the host hold gigabytes at once.
    LIMIT = 1 << 24

    def __init__(self, file: "BinaryIO", rights: int = abi.STREAM_RIGHTS) -> None:
        rights &= abi.STREAM_RIGHTS
        if not file.readable():
            rights &= ~abi.FD_READ
        if not file.writable():
            rights &= ~abi.FD_WRITE
        super().__init__(abi.UNKNOWN, rights)
        self.file = file

    def readv(self, buffers: Sequence[memoryview]) -> int:
        for buffer in buffers:
            if buffer:  # one read: another could block although there is data to return
                data = self.file.read(min(len(buffer), self.LIMIT))
                if data is None:
                    raise CallError(abi.EAGAIN)
                buffer[: len(data)] = data
                return len(data)
        return 0

    def writev(self, buffers: Sequence[memoryview]) -> int:
        total = 0
        for buffer in buffers:
            # A copy: the file may keep what it is given, and the guest's memory changes.
            written = self.file.write(bytes(buffer[: self.LIMIT - total]))
            if written is None:  # a raw file that would block
                if total == 0:
                    raise CallError(abi.EAGAIN)
                break
            total += written
            if written < len(buffer):
                break
        self.file.flush()
        return total


def _flush(file: object) -> None:
    """Write out what Python still buffers for a descriptor, to keep the order of the output."""
    flush = getattr(file, "flush", None)
    if flush is not None and not getattr(file, "closed", False):
        flush()


def standard(number: int, source: "int | BinaryIO | None") -> Descriptor | None:
    """Descriptor 0, 1 or 2 of the guest: a host descriptor, a binary file, or None to inherit.

    None is returned if the process has no such descriptor to inherit. As with `subprocess`, a
    file that has a descriptor is used through that descriptor. Raises WasiError.
    """
    name = ("stdin", "stdout", "stderr")[number]
    if source is None:
        try:
            return Borrowed(number)
        except OSError:
            return None
    if isinstance(source, int):
        fd, owner = source, None
    else:
        try:
            fd, owner = source.fileno(), source
        except (AttributeError, OSError):
            if isinstance(source, io.TextIOBase) or not hasattr(source, "readable"):
                raise WasiError(f"{name} needs a binary file, not {source!r}") from None
            return Stream(source)
    try:
        return Borrowed(fd, owner)
    except (OSError, OverflowError) as error:
        raise WasiError(f"{name}: {fd} is not an open file descriptor") from error
