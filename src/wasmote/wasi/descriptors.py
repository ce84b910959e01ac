"""File descriptors of the guest: what each stands for, and the table that numbers them."""

import fcntl
import io
import os
import stat
import sys
from _thread import allocate_lock
from collections.abc import Callable, Sequence

from wasmote.wasi import abi
from wasmote.wasi.abi import EBADF, ENOTCAPABLE, ENOTDIR, ENOTSOCK
from wasmote.wasi.errors import CallError, WasiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_FILETYPES = {
    stat.S_IFREG: abi.REGULAR_FILE,
    stat.S_IFDIR: abi.DIRECTORY,
    stat.S_IFCHR: abi.CHARACTER_DEVICE,
    stat.S_IFBLK: abi.BLOCK_DEVICE,
    stat.S_IFLNK: abi.SYMBOLIC_LINK,
    stat.S_IFSOCK: abi.SOCKET_STREAM,
}


def filetype_of(mode: int) -> int:
    """The guest's file type for a host's `st_mode`; a FIFO has none and is UNKNOWN."""
    return _FILETYPES.get(stat.S_IFMT(mode), abi.UNKNOWN)


class Descriptor:
    """A descriptor of the host. Subclasses read and write something else.

    The host's descriptor is closed with the last reference: a guest thread still inside a call
    while another closes the descriptor never works on a reused number.
    """

    def __init__(
        self, fd: int, filetype: int, rights: int, inheriting: int = 0, flags: int = 0
    ) -> None:
        self.fd = fd
        self.filetype = filetype
        self.rights = rights
        self.inheriting = inheriting
        self.flags = flags
        #: The guest's name of a preopened directory.
        self.preopen: bytes | None = None
        #: What fd_readdir lists: (inode, filetype, name); a cookie is an index here.
        self.entries: list[tuple[int, int, bytes]] = []

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        try:
            close(self.fd)
        except OSError:  # nobody is left to hear of it
            pass

    def readv(self, buffers: Sequence[memoryview]) -> int:
        """Fill `buffers`; the number of bytes read."""
        return os.readv(self.fd, buffers)

    def writev(self, buffers: Sequence[memoryview]) -> int:
        """Write `buffers`; the number of bytes written, which may be less than asked for."""
        return os.writev(self.fd, buffers)

    def stat(self) -> os.stat_result:
        """The host's status of the file."""
        return os.fstat(self.fd)

    def set_flags(self, flags: int) -> None:
        """Change APPEND and NONBLOCK, the only flags that an open file can change."""
        host = fcntl.fcntl(self.fd, fcntl.F_GETFL) & ~(os.O_APPEND | os.O_NONBLOCK)
        for flag in (abi.APPEND, abi.NONBLOCK):
            if flags & flag:
                host |= abi.HOST_FLAGS[flag]
        fcntl.fcntl(self.fd, fcntl.F_SETFL, host)
        self.flags = flags


class Borrowed(Descriptor):
    """A descriptor that stays the host's: not closed, and its flags are put back at the end."""

    def __init__(self, fd: int, owner: object = None) -> None:
        host = fcntl.fcntl(fd, fcntl.F_GETFL)
        mode = os.fstat(fd).st_mode
        filetype, rights = _kind(fd, mode)
        access = host & os.O_ACCMODE
        if access == os.O_RDONLY:
            rights &= ~abi.WRITING_RIGHTS
        elif access == os.O_WRONLY:
            rights &= ~abi.FD_READ
        flags = sum(flag for flag, bits in abi.HOST_FLAGS.items() if host & bits == bits)
        super().__init__(fd, filetype, rights, flags=flags)
        #: Keeps a Python file open as long as its descriptor is used here.
        self.owner = owner
        self._original_flags = host
        self._flags_changed = False
        self._written = False

    def __del__(self, close: object = None) -> None:
        # Flags belong to the open file, which the host's other users (a shell) share.
        if getattr(self, "_flags_changed", False):
            try:
                fcntl.fcntl(self.fd, fcntl.F_SETFL, self._original_flags)
            except OSError:  # the host may have closed it
                pass

    def writev(self, buffers: Sequence[memoryview]) -> int:
        if not self._written:
            self._written = True
            _flush(self.owner or {1: sys.stdout, 2: sys.stderr}.get(self.fd))
        return os.writev(self.fd, buffers)

    def set_flags(self, flags: int) -> None:
        self._flags_changed = True
        super().set_flags(flags)


class Stream(Descriptor):
    """A Python binary file without a descriptor, such as `io.BytesIO`."""

    #: The most that one call moves, so that a guest cannot make the host hold gigabytes at once.
    LIMIT = 1 << 24

    def __init__(self, file: "BinaryIO") -> None:
        rights = abi.STREAM_RIGHTS
        if not file.readable():
            rights &= ~abi.FD_READ
        if not file.writable():
            rights &= ~abi.FD_WRITE
        super().__init__(-1, abi.UNKNOWN, rights)
        self.file = file

    def __del__(self, close: object = None) -> None:
        pass  # the file is the embedder's

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

    def stat(self) -> os.stat_result:
        return os.stat_result((0,) * os.stat_result.n_fields)

    def set_flags(self, flags: int) -> None:
        self.flags = flags


def _kind(fd: int, mode: int) -> tuple[int, int]:
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


def _flush(file: object) -> None:
    """Write out what Python still buffers for a descriptor, to keep the order of the output."""
    flush = getattr(file, "flush", None)
    if flush is not None and not getattr(file, "closed", False):
        flush()


def opened(fd: int, rights: int, inheriting: int, flags: int = 0) -> Descriptor:
    """A descriptor for `fd`, which it owns, with those of `rights` that make sense for it."""
    try:
        filetype, possible = _kind(fd, os.fstat(fd).st_mode)
    except OSError:
        os.close(fd)
        raise
    if filetype != abi.DIRECTORY:
        inheriting = 0
    return Descriptor(fd, filetype, rights & possible, inheriting, flags)


def preopened(guest_path: str, host_path: str | os.PathLike[str]) -> Descriptor:
    """A directory of the host that the guest starts with. Raises WasiError."""
    try:
        fd = os.open(host_path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise WasiError(
            f"cannot give directory {guest_path!r} to the program: "
            f"{os.fspath(host_path)!r} on the host: {error.strerror}"
        ) from error
    except ValueError as error:  # a NUL in the path
        raise WasiError(f"bad host path {host_path!r} for {guest_path!r}: {error}") from error
    descriptor = opened(fd, abi.DIRECTORY_RIGHTS, abi.INHERITABLE_RIGHTS)
    descriptor.preopen = guest_path.encode("utf-8", "surrogateescape")
    return descriptor


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


class Table:
    """The guest's descriptors by number."""

    def __init__(self) -> None:
        self._descriptors: dict[int, Descriptor] = {}
        self._lock = allocate_lock()  # guest threads share the table

    def get(self, number: int, rights: int = 0) -> Descriptor:
        """The descriptor `number` if it has all of `rights`. Raises EBADF, ENOTCAPABLE."""
        descriptor = self._descriptors.get(number)
        if descriptor is None:
            raise CallError(EBADF)
        if rights & ~descriptor.rights:
            raise CallError(ENOTCAPABLE)
        return descriptor

    def directory(self, number: int, rights: int) -> Descriptor:
        """As `get`, for a directory. Raises ENOTDIR for anything else."""
        if self.get(number).filetype != abi.DIRECTORY:
            raise CallError(ENOTDIR)
        return self.get(number, rights)

    def socket(self, number: int, rights: int) -> Descriptor:
        """As `get`, for a socket. Raises ENOTSOCK for anything else."""
        if self.get(number).filetype not in (abi.SOCKET_STREAM, abi.SOCKET_DGRAM):
            raise CallError(ENOTSOCK)
        return self.get(number, rights)

    def insert(self, descriptor: Descriptor) -> int:
        """Give `descriptor` the lowest free number, as POSIX does."""
        with self._lock:
            number = 0
            while number in self._descriptors:
                number += 1
            self._descriptors[number] = descriptor
        return number

    def set(self, number: int, descriptor: Descriptor) -> None:
        """Give `descriptor` a certain number."""
        with self._lock:
            self._descriptors[number] = descriptor

    def remove(self, number: int) -> None:
        """Close `number`. Raises EBADF."""
        with self._lock:
            descriptor = self._descriptors.pop(number, None)
        if descriptor is None:
            raise CallError(EBADF)

    def renumber(self, source: int, target: int) -> None:
        """Close `target` and let `source` take its number. Both must be open, else EBADF."""
        with self._lock:
            if source not in self._descriptors or target not in self._descriptors:
                raise CallError(EBADF)
            self._descriptors[target] = self._descriptors.pop(source)

    def clear(self) -> None:
        """Close all."""
        with self._lock:
            self._descriptors.clear()
