"""Directories and files of the host."""

import errno
import os
import stat
from collections.abc import Iterable

from wasmote.wasi import abi
from wasmote.wasi.filesystem import Directory, File, Status, error

_FILETYPES = {
    stat.S_IFREG: abi.REGULAR_FILE,
    stat.S_IFDIR: abi.DIRECTORY,
    stat.S_IFCHR: abi.CHARACTER_DEVICE,
    stat.S_IFBLK: abi.BLOCK_DEVICE,
    stat.S_IFLNK: abi.SYMBOLIC_LINK,
    stat.S_IFSOCK: abi.SOCKET_STREAM,
}
# O_PATH also enters directories that may be searched but not listed.
_ENTER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
# Opening a FIFO waits for the other end: O_NONBLOCK keeps a file name from hanging us.
_OPEN = os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC


def filetype_of(mode: int) -> int:
    """The guest's file type for a host's `st_mode`; a FIFO has none and is UNKNOWN."""
    return _FILETYPES.get(stat.S_IFMT(mode), abi.UNKNOWN)


def status_of(found: os.stat_result) -> Status:
    """The host's status of a file as that of a program's."""
    return Status(
        filetype_of(found.st_mode),
        found.st_size,
        inode=found.st_ino,
        device=found.st_dev,
        links=found.st_nlink,
        accessed=found.st_atime_ns,
        modified=found.st_mtime_ns,
        changed=found.st_ctime_ns,
    )


class HostFile(File):
    """A file of the host by its descriptor, which is closed with the last reference."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def detach(self) -> int:
        """The descriptor, which whoever asks has to close."""
        fd, self.fd = self.fd, -1
        return fd

    def stat(self) -> Status:
        return status_of(os.fstat(self.fd))

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.fd, size, offset)

    def write(self, offset: int, data: bytes) -> int:
        return os.pwrite(self.fd, data, offset)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def utime(self, accessed: int, modified: int) -> None:
        os.utime(self.fd, ns=(accessed, modified))

    def sync(self) -> None:
        os.fsync(self.fd)


class HostDir(Directory):
    """A directory of the host. Nothing above it can be reached.

    Raises OSError if it cannot be opened. It stays the same if it is renamed meanwhile.
    """

    def __init__(self, path: "str | bytes | os.PathLike[str]") -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @classmethod
    def _of(cls, fd: int) -> "HostDir":
        made = cls.__new__(cls)
        made._fd = fd
        return made

    def __del__(self) -> None:
        fd = getattr(self, "_fd", -1)
        if fd >= 0:
            os.close(fd)

    def stat(self, name: str | None = None) -> Status:
        if name is None:
            return status_of(os.fstat(self._fd))
        return status_of(os.stat(_encode(name), dir_fd=self._fd, follow_symlinks=False))

    def scandir(self) -> Iterable[tuple[str, Status]]:
        with os.scandir(self._fd) as listing:
            for entry in listing:
                name = os.fsencode(entry.name).decode("utf-8", "surrogateescape")
                yield name, Status(_entry_type(entry), inode=entry.inode())

    def open(self, name: str, flags: int) -> File | Directory:
        fd = os.open(_encode(name), flags | _OPEN, 0o666, dir_fd=self._fd)
        try:
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        except OSError:
            os.close(fd)
            raise
        return HostDir._of(fd) if is_directory else HostFile(fd)

    def enter(self, name: str) -> "HostDir":
        return HostDir._of(os.open(_encode(name), _ENTER, dir_fd=self._fd))

    def reopen(self) -> "HostDir":
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return HostDir._of(os.open(b".", flags, dir_fd=self._fd))

    def readlink(self, name: str) -> str:
        target = os.readlink(_encode(name), dir_fd=self._fd)
        return target.decode("utf-8", "surrogateescape")

    def mkdir(self, name: str) -> None:
        os.mkdir(_encode(name), 0o777, dir_fd=self._fd)

    def rmdir(self, name: str) -> None:
        os.rmdir(_encode(name), dir_fd=self._fd)

    def unlink(self, name: str) -> None:
        os.unlink(_encode(name), dir_fd=self._fd)

    def symlink(self, target: str, name: str) -> None:
        os.symlink(_encode(target), _encode(name), dir_fd=self._fd)

    def link(self, name: str, other: Directory, new: str) -> None:
        places = {"src_dir_fd": self._fd, "dst_dir_fd": _fd_of(other)}
        os.link(_encode(name), _encode(new), **places, follow_symlinks=False)

    def rename(self, name: str, other: Directory, new: str) -> None:
        os.rename(_encode(name), _encode(new), src_dir_fd=self._fd, dst_dir_fd=_fd_of(other))

    def utime(self, name: str | None, accessed: int, modified: int) -> None:
        times = accessed, modified
        if name is None:
            os.utime(b".", ns=times, dir_fd=self._fd)
        else:
            os.utime(_encode(name), ns=times, dir_fd=self._fd, follow_symlinks=False)

    def sync(self) -> None:
        os.fsync(self._fd)


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _fd_of(other: Directory) -> int:
    """The descriptor of a directory that something is moved to."""
    if not isinstance(other, HostDir):
        raise error(errno.EXDEV)
    return other._fd


def _entry_type(entry: "os.DirEntry[str]") -> int:
    """File type of a directory entry, in most cases without asking the file system again."""
    if entry.is_symlink():
        return abi.SYMBOLIC_LINK
    if entry.is_dir(follow_symlinks=False):
        return abi.DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return abi.REGULAR_FILE
    try:
        return filetype_of(entry.stat(follow_symlinks=False).st_mode)
    except OSError:  # gone meanwhile
        return abi.UNKNOWN
