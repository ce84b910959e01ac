"""What a file system is for programs: the interface of directories and files.

`HostDir`, `MemoryDir`, `ReadOnlyDir` and `OverlayDir` are such directories, and embedders can write
their own. Errors are OSErrors with the errno that the program is to see, such as FileNotFoundError.
"""

import errno
import os
from collections.abc import Iterable

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO


def error(number: int) -> OSError:
    """The exception for a number of the module `errno`."""
    return OSError(number, os.strerror(number))


class Status:
    """What is known of a file. Times are in nanoseconds since 1970.

    `filetype` is `abi.REGULAR_FILE`, `abi.DIRECTORY`, `abi.SYMBOLIC_LINK` or another of these;
    `inode` and `device` together are the file's identity, 0 for one that has none.
    """

    __slots__ = (
        "accessed",
        "changed",
        "device",
        "filetype",
        "inode",
        "links",
        "modified",
        "size",
    )

    def __init__(
        self,
        filetype: int,
        size: int = 0,
        *,
        inode: int = 0,
        device: int = 0,
        links: int = 1,
        accessed: int = 0,
        modified: int = 0,
        changed: int = 0,
    ) -> None:
        self.filetype, self.size = filetype, size
        self.inode, self.device, self.links = inode, device, links
        self.accessed, self.modified, self.changed = accessed, modified, changed

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"Status({', '.join(shown)})"


class File:
    """A file with contents at offsets. Each method may be called by several threads at once.

    Only `stat` and `read` are needed; what else a file cannot do fails with EROFS. The position
    that programs read and write at is kept for it.
    """

    #: Programs may do nothing that would change it.
    read_only = False

    def stat(self) -> Status:
        """Status; programs see this size, and end reading there."""
        raise error(errno.EIO)

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; none at the end."""
        raise error(errno.EBADF)

    def write(self, offset: int, data: bytes) -> int:
        """Write at `offset`, filling a gap before with zeros; returns how many bytes."""
        raise error(errno.EROFS)

    def append(self, data: bytes) -> int:
        """Write at the end; returns how many bytes."""
        return self.write(self.stat().size, data)

    def truncate(self, size: int) -> None:
        """Cut off, or extend with zeros."""
        raise error(errno.EROFS)

    def utime(self, accessed: int, modified: int) -> None:
        """Set the times, in nanoseconds since 1970."""
        raise error(errno.EROFS)

    def sync(self) -> None:
        """Make sure that what was written stays."""


class Directory:
    """A directory, whose entries have names without slashes; "." and ".." are none of them.

    Bytes in names that are not UTF-8 are surrogates ("surrogateescape"). Each method may be called
    by several threads at once. A directory that cannot be changed needs only `stat`, `scandir`
    and `open`; what else it does not have fails with EROFS.
    """

    def stat(self, name: str | None = None) -> Status:
        """Status of an entry, also if it is a symbolic link; without a name, of the directory."""
        raise error(errno.EIO)

    def scandir(self) -> Iterable[tuple[str, Status]]:
        """All entries; of their status only `filetype` and `inode` need to be right."""
        raise error(errno.EIO)

    def open(self, name: str, flags: int) -> "File | Directory | BinaryIO":
        """Open or make a file, or a directory.

        `flags` are those of `os.open`, with O_DIRECTORY if only a directory is meant. It must not
        follow symbolic links: they fail with ELOOP, or with O_DIRECTORY with ENOTDIR. Instead of a
        `File` it may return a binary file object.
        """
        raise error(errno.ENOENT)

    def enter(self, name: str) -> "Directory":
        """The directory `name`, on the way to something in it. ENOTDIR or ELOOP for all else."""
        found = self.open(name, os.O_RDONLY | os.O_DIRECTORY)
        if isinstance(found, Directory):
            return found
        raise error(errno.ENOTDIR)

    def reopen(self) -> "Directory":
        """This directory, where it was only entered; to open it for listing."""
        return self

    def readlink(self, name: str) -> str:
        """Where a symbolic link points to; EINVAL for all else."""
        self.stat(name)
        raise error(errno.EINVAL)

    def mkdir(self, name: str) -> None:
        """Make a directory."""
        raise error(errno.EROFS)

    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""
        raise error(errno.EROFS)

    def unlink(self, name: str) -> None:
        """Remove what is no directory."""
        raise error(errno.EROFS)

    def symlink(self, target: str, name: str) -> None:
        """Make a symbolic link."""
        raise error(errno.EROFS)

    def link(self, name: str, other: "Directory", new: str) -> None:
        """Make `new` in `other` another name of a file. EXDEV if that is another file system."""
        raise error(errno.EROFS)

    def rename(self, name: str, other: "Directory", new: str) -> None:
        """Move an entry, replacing what is there. EXDEV if `other` is another file system."""
        raise error(errno.EROFS)

    def utime(self, name: str | None, accessed: int, modified: int) -> None:
        """Set the times of an entry, as in `stat`; in nanoseconds since 1970."""
        raise error(errno.EROFS)

    def sync(self) -> None:
        """Make sure that changes of entries stay."""


def wants_to_write(flags: int) -> bool:
    """Whether a file that is opened with these flags can be changed, or made."""
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
