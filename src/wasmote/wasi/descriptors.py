"""File descriptors of the guest: what each stands for, and the table that numbers them."""

import resource
from _thread import allocate_lock
from collections.abc import Sequence

from wasmote.wasi import abi
from wasmote.wasi.abi import EBADF, EMFILE, ENOTCAPABLE, ENOTDIR, ENOTSOCK, ENOTSUP, ESPIPE
from wasmote.wasi.errors import CallError
from wasmote.wasi.filesystem import Directory, Status
from wasmote.wasi.hot_calls import HotCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote.wasi.socket_descriptor import Socket

#: What one program may have open: the host keeps some of its own descriptors, 1024 as a rule.
MOST_DESCRIPTORS = max(64, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4, 1 << 16))


class Descriptor:
    """What a number of the guest stands for. What a kind cannot do fails with ENOTSUP or ESPIPE."""

    #: The host's descriptor to read, write and wait for; -1: there is none.
    fd = -1
    #: Something has to be done before the first write.
    unflushed = False

    def __init__(self, filetype: int, rights: int, inheriting: int = 0, flags: int = 0) -> None:
        self.filetype = filetype
        self.rights = rights
        self.inheriting = inheriting
        self.flags = flags

    def stat(self) -> Status:
        """Status of the file."""
        return Status(self.filetype)

    def readv(self, buffers: Sequence[memoryview]) -> int:
        """Fill `buffers` from the position on; the number of bytes read."""
        raise CallError(ENOTSUP)

    def flush(self) -> None:
        """What has to be done before the first write."""

    def writev(self, buffers: Sequence[memoryview]) -> int:
        """Write `buffers` at the position; the number of bytes, maybe less than asked for."""
        raise CallError(ENOTSUP)

    def preadv(self, buffers: Sequence[memoryview], offset: int) -> int:
        """As `readv`, from `offset` on."""
        raise CallError(ESPIPE)

    def pwritev(self, buffers: Sequence[memoryview], offset: int) -> int:
        """As `writev`, at `offset`."""
        raise CallError(ESPIPE)

    def seek(self, offset: int, origin: int) -> int:
        """Move the position, `origin` being one of os.SEEK_…; the new one."""
        raise CallError(ESPIPE)

    def available(self) -> int:
        """How many bytes can be read at once; 0 where nobody can tell."""
        return 0

    def set_flags(self, flags: int) -> None:
        """Change APPEND and NONBLOCK, the only flags that an open file can change."""
        self.flags = flags

    def utime(self, accessed: int, modified: int) -> None:
        """Set the times, in nanoseconds since 1970."""
        raise CallError(ENOTSUP)

    def truncate(self, size: int) -> None:
        """Cut off, or extend with zeros."""
        raise CallError(ENOTSUP)

    def allocate(self, offset: int, length: int) -> None:
        """Make sure that the file has room for the bytes, and is that large."""
        raise CallError(ENOTSUP)

    def advise(self, offset: int, length: int, advice: int) -> None:
        """Take note of how the file will be read, `advice` being one of WASI's."""

    def sync(self) -> None:
        """Make sure that data and status stay."""

    def datasync(self) -> None:
        """Make sure that the data stay."""
        self.sync()


class OpenDirectory(Descriptor):
    """A directory."""

    def __init__(
        self,
        directory: Directory,
        rights: int = abi.DIRECTORY_RIGHTS,
        inheriting: int = abi.INHERITABLE_RIGHTS,
        flags: int = 0,
        preopen: bytes | None = None,
    ) -> None:
        super().__init__(abi.DIRECTORY, rights & abi.DIRECTORY_RIGHTS, inheriting, flags)
        self.directory = directory
        #: The guest's name of a preopened directory.
        self.preopen = preopen
        #: What fd_readdir lists: (inode, filetype, name); a cookie is an index here.
        self.entries: list[tuple[int, int, bytes]] = []

    def stat(self) -> Status:
        return self.directory.stat()

    def utime(self, accessed: int, modified: int) -> None:
        self.directory.utime(None, accessed, modified)

    def sync(self) -> None:
        self.directory.sync()


class Table:
    """The guest's descriptors by number."""

    def __init__(self) -> None:
        self._descriptors: dict[int, Descriptor] = {}
        self._lowest = 0  # no number below is free
        self._lock = allocate_lock()  # guest threads share the table
        #: What native code knows of the table; each change is made here and there.
        self.hot = HotCalls()

    def get(self, number: int, rights: int = 0) -> Descriptor:
        """The descriptor `number` if it has all of `rights`. Raises EBADF, ENOTCAPABLE."""
        descriptor = self._descriptors.get(number)
        if descriptor is None:
            raise CallError(EBADF)
        if rights & ~descriptor.rights:
            raise CallError(ENOTCAPABLE)
        return descriptor

    def directory(self, number: int, rights: int) -> OpenDirectory:
        """As `get`, for a directory. Raises ENOTDIR for anything else."""
        found = self.get(number)
        if not isinstance(found, OpenDirectory):
            raise CallError(ENOTDIR)
        if rights & ~found.rights:
            raise CallError(ENOTCAPABLE)
        return found

    def socket(self, number: int, rights: int) -> "Socket":
        """As `get`, for a socket. Raises ENOTSOCK for anything else."""
        if self.get(number).filetype not in (abi.SOCKET_STREAM, abi.SOCKET_DGRAM):
            raise CallError(ENOTSOCK)
        return self.get(number, rights)  # type: ignore[return-value] # all of them are

    def insert(self, descriptor: Descriptor) -> int:
        """Give `descriptor` the lowest free number, as POSIX does. Raises EMFILE."""
        with self._lock:
            if len(self._descriptors) >= MOST_DESCRIPTORS:
                raise CallError(EMFILE)
            number = self._lowest
            while number in self._descriptors:
                number += 1
            self._lowest = number + 1
            self._put(number, descriptor)
        return number

    def set(self, number: int, descriptor: Descriptor) -> None:
        """Give `descriptor` a certain number."""
        with self._lock:
            self._take(number)
            self._put(number, descriptor)

    def remove(self, number: int) -> None:
        """Close `number`. Raises EBADF."""
        with self._lock:
            descriptor = self._take(number)
        if descriptor is None:
            raise CallError(EBADF)

    def renumber(self, source: int, target: int) -> None:
        """Close `target` and let `source` take its number. Both must be open, else EBADF."""
        with self._lock:
            if source not in self._descriptors or target not in self._descriptors:
                raise CallError(EBADF)
            moved = self._take(source)
            self._take(target)
            assert moved is not None
            self._put(target, moved)

    def set_rights(self, number: int, base: int, inheriting: int) -> None:
        """Take rights away. Raises EBADF, ENOTCAPABLE for one that is not there."""
        with self._lock:
            descriptor = self.get(number)
            if base & ~descriptor.rights or inheriting & ~descriptor.inheriting:
                raise CallError(ENOTCAPABLE)
            self._take(number)
            descriptor.rights, descriptor.inheriting = base, inheriting
            self._put(number, descriptor)

    def flushed(self, number: int, descriptor: Descriptor) -> None:
        """The first write has been made: let native code make the others."""
        with self._lock:
            if self._descriptors.get(number) is descriptor:
                self.hot.share(number, descriptor)

    def clear(self) -> None:
        """Close all."""
        with self._lock:
            for number in list(self._descriptors):
                self._take(number)

    def _put(self, number: int, descriptor: Descriptor) -> None:
        self._descriptors[number] = descriptor
        self.hot.share(number, descriptor)

    def _take(self, number: int) -> Descriptor | None:
        self.hot.withdraw(number)
        self._lowest = min(self._lowest, number)
        return self._descriptors.pop(number, None)
