"""Directories on top of others: `ReadOnlyDir`, which nobody can write to, and `OverlayDir`."""

import errno
import os
from _thread import RLock
from collections.abc import Iterable

from wasmote.wasi import abi
from wasmote.wasi.filesystem import Directory, File, Status, error, wants_to_write
from wasmote.wasi.host_directory import HostDir, HostFile
from wasmote.wasi.memory_directory import MemoryDir
from wasmote.wasi.virtual import PythonFile

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO

#: Bytes that are copied at a time.
_CHUNK = 1 << 20


def as_directory(directory: "Directory | str | os.PathLike[str]") -> Directory:
    """The directory, or that of the host at a path. Raises OSError."""
    return directory if isinstance(directory, Directory) else HostDir(directory)


class ReadOnlyDir(Directory):
    """A directory, given as a path on the host or a `Directory`, that programs can only read."""

    def __init__(self, directory: "Directory | str | os.PathLike[str]") -> None:
        self._directory = as_directory(directory)

    def stat(self, name: str | None = None) -> Status:
        return self._directory.stat(name)

    def scandir(self) -> Iterable[tuple[str, Status]]:
        return self._directory.scandir()

    def open(self, name: str, flags: int) -> "File | Directory | BinaryIO":
        if wants_to_write(flags):
            self._refuse(name, flags)
        found = self._directory.open(name, flags & ~os.O_CREAT)
        return ReadOnlyDir(found) if isinstance(found, Directory) else _protected(found)

    def _refuse(self, name: str, flags: int) -> None:
        """Why a file cannot be opened for writing; some of that goes for opening, too."""
        try:
            filetype = self._directory.stat(name).filetype
        except FileNotFoundError:
            if flags & os.O_CREAT:
                raise error(errno.EROFS) from None
            raise
        if flags & os.O_EXCL:
            raise error(errno.EEXIST)
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC) and filetype != abi.DIRECTORY:
            raise error(errno.EROFS)

    def enter(self, name: str) -> Directory:
        return ReadOnlyDir(self._directory.enter(name))

    def reopen(self) -> Directory:
        return ReadOnlyDir(self._directory.reopen())

    def readlink(self, name: str) -> str:
        return self._directory.readlink(name)


class _ReadOnlyFile(File):
    """A file that can only be read, while others may write to it."""

    read_only = True

    def __init__(self, file: File) -> None:
        self._file = file

    def stat(self) -> Status:
        return self._file.stat()

    def read(self, offset: int, size: int) -> bytes:
        return self._file.read(offset, size)


def _protected(file: "File | BinaryIO") -> "File | BinaryIO":
    """A file that was opened for reading only, as one that really cannot be changed."""
    if isinstance(file, HostFile):
        file.read_only = True  # it is nobody else's
        return file
    if isinstance(file, File):
        return _ReadOnlyFile(file)
    return _ReadOnlyFile(PythonFile(file)) if file.seekable() else file


class OverlayDir(Directory):
    """A directory whose contents stay as they are, while programs see their changes of it.

    What they write goes to `upper`, a directory in memory if none is given; what is not there comes
    from `lower`. Both may be paths on the host. As with Linux's overlayfs, a file is copied when it
    is opened for writing, and a directory that is below cannot be renamed (EXDEV).
    """

    def __init__(
        self,
        lower: "Directory | str | os.PathLike[str]",
        upper: "Directory | str | os.PathLike[str] | None" = None,
    ) -> None:
        top = MemoryDir() if upper is None else as_directory(upper)
        self._begin(ReadOnlyDir(lower), top, None, "", RLock())

    def _begin(
        self,
        lower: Directory | None,
        upper: Directory | None,
        parent: "OverlayDir | None",
        name: str,
        lock: RLock,
    ) -> None:
        self._lower, self._upper = lower, upper
        self._parent, self._name = parent, name
        self._lock = lock
        #: Names that are below, but have been removed.
        self._hidden: set[str] = set()
        self._children: dict[str, OverlayDir] = {}

    # -- looking ---------------------------------------------------------------------------------

    def _below(self, name: str) -> Status | None:
        """The status of what `lower` has under a name and is still to be seen."""
        if self._lower is None or name in self._hidden:
            return None
        return _status_if_there(self._lower, name)

    def _above(self, name: str) -> Status | None:
        return None if self._upper is None else _status_if_there(self._upper, name)

    def stat(self, name: str | None = None) -> Status:
        if name is not None:
            return _seen(self._above(name), self._below(name))
        upper, lower = self._upper, self._lower
        return _seen(
            None if upper is None else upper.stat(), None if lower is None else lower.stat()
        )

    def scandir(self) -> Iterable[tuple[str, Status]]:
        with self._lock:
            found: dict[str, Status] = {}
            if self._lower is not None:
                found.update(self._lower.scandir())
            for name in self._hidden:
                found.pop(name, None)
            if self._upper is not None:
                found.update(self._upper.scandir())
        return list(found.items())

    def readlink(self, name: str) -> str:
        return self._layer_of(name).readlink(name)

    def _layer_of(self, name: str) -> Directory:
        """The layer whose entry is to be seen. Raises ENOENT."""
        if self._upper is not None and self._above(name) is not None:
            return self._upper
        if self._lower is not None and self._below(name) is not None:
            return self._lower
        raise error(errno.ENOENT)

    # -- opening ---------------------------------------------------------------------------------

    def open(self, name: str, flags: int) -> "File | Directory | BinaryIO":
        with self._lock:
            above, below = self._above(name), self._below(name)
            found = above or below
            if found is None:
                if not flags & os.O_CREAT:
                    raise error(errno.ENOENT)
                return self._made().open(name, flags)
            if flags & os.O_CREAT and flags & os.O_EXCL:
                raise error(errno.EEXIST)
            if found.filetype == abi.DIRECTORY:
                return self._child(name, above, below)
            flags &= ~os.O_CREAT
            if above is None and not wants_to_write(flags):
                return self._layer_of(name).open(name, flags)
            self._copy_up(name)
            return self._made().open(name, flags)

    def _child(self, name: str, above: Status | None, below: Status | None) -> "OverlayDir":
        if name not in self._children:
            lower = upper = None
            if below is not None and below.filetype == abi.DIRECTORY and self._lower is not None:
                lower = _directory_at(self._lower, name)
            if above is not None and self._upper is not None:
                upper = _directory_at(self._upper, name)
            child = self._children[name] = OverlayDir.__new__(OverlayDir)
            child._begin(lower, upper, self, name, self._lock)
        return self._children[name]

    def _made(self) -> Directory:
        """The directory above, made if need be."""
        if self._upper is None:
            if self._parent is None:
                raise error(errno.ENOENT)  # removed meanwhile
            parent = self._parent._made()
            parent.mkdir(self._name)
            self._upper = _directory_at(parent, self._name)
            if self._lower is not None:
                status = self._lower.stat()
                self._upper.utime(None, status.accessed, status.modified)
        return self._upper

    def _copy_up(self, name: str) -> None:
        """Copy what is not a directory to where it can be changed, if it is not there."""
        if self._above(name) is not None:
            return
        below, upper = self._lower, self._made()
        assert below is not None
        status = below.stat(name)
        if status.filetype == abi.SYMBOLIC_LINK:
            upper.symlink(below.readlink(name), name)
        else:
            source = _file_at(below, name, os.O_RDONLY)
            target = _file_at(upper, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            offset = 0
            while data := source.read(offset, _CHUNK):
                offset += target.write(offset, data)
        upper.utime(name, status.accessed, status.modified)

    # -- changing --------------------------------------------------------------------------------

    def mkdir(self, name: str) -> None:
        with self._lock:
            self._check_free(name)
            self._made().mkdir(name)

    def symlink(self, target: str, name: str) -> None:
        with self._lock:
            self._check_free(name)
            self._made().symlink(target, name)

    def rmdir(self, name: str) -> None:
        with self._lock:
            found = self.open(name, os.O_RDONLY | os.O_DIRECTORY)
            if not isinstance(found, OverlayDir):
                raise error(errno.ENOTDIR)
            if any(True for _ in found.scandir()):
                raise error(errno.ENOTEMPTY)
            if self._above(name) is not None:
                self._made().rmdir(name)
            self._hide(name)
            found._parent = found._upper = found._lower = None

    def unlink(self, name: str) -> None:
        with self._lock:
            if self.stat(name).filetype == abi.DIRECTORY:
                raise error(errno.EISDIR)
            if self._above(name) is not None:
                self._made().unlink(name)
            self._hide(name)

    def _hide(self, name: str) -> None:
        self._hidden.add(name)
        self._children.pop(name, None)

    def link(self, name: str, other: Directory, new: str) -> None:
        with self._lock:
            target = self._same_tree(other)
            found = self.stat(name)
            target._check_free(new)
            if found.filetype == abi.DIRECTORY:
                raise error(errno.EPERM)
            self._copy_up(name)
            self._made().link(name, target._made(), new)

    def rename(self, name: str, other: Directory, new: str) -> None:
        with self._lock:
            target = self._same_tree(other)
            found = self.stat(name)
            if found.filetype == abi.DIRECTORY:
                if self._below(name) is not None:
                    raise error(errno.EXDEV)
            else:
                self._copy_up(name)
            if target._below(new) is not None and (self, name) != (target, new):
                target._replace(new, found)
            self._made().rename(name, target._made(), new)
            if (self, name) != (target, new):
                self._hidden.add(name)
                target._children.pop(new, None)
                self._move_child(name, target, new)

    def _replace(self, name: str, moved: Status) -> None:
        """Hide what is below, and would be replaced, as far as that may be."""
        if self.stat(name).filetype == abi.DIRECTORY:
            if moved.filetype != abi.DIRECTORY:
                raise error(errno.EISDIR)
            self.rmdir(name)
        elif moved.filetype == abi.DIRECTORY:
            raise error(errno.ENOTDIR)
        else:
            self._hidden.add(name)

    def _move_child(self, name: str, target: "OverlayDir", new: str) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            child._parent, child._name = target, new
            target._children[new] = child

    def utime(self, name: str | None, accessed: int, modified: int) -> None:
        with self._lock:
            if name is None:
                self._made().utime(None, accessed, modified)
                return
            found = self.open(name, os.O_RDONLY) if self._is_directory(name) else None
            if isinstance(found, OverlayDir):
                found.utime(None, accessed, modified)
            else:
                self._copy_up(name)
                self._made().utime(name, accessed, modified)

    def _is_directory(self, name: str) -> bool:
        return self.stat(name).filetype == abi.DIRECTORY

    def _check_free(self, name: str) -> None:
        if self._above(name) is not None or self._below(name) is not None:
            raise error(errno.EEXIST)

    def _same_tree(self, other: Directory) -> "OverlayDir":
        if not isinstance(other, OverlayDir) or other._lock is not self._lock:
            raise error(errno.EXDEV)
        return other


def _seen(above: Status | None, below: Status | None) -> Status:
    """What is seen of something in two layers. Raises ENOENT for what is in none."""
    if above is None or below is None:
        found = above or below
        if found is None:
            raise error(errno.ENOENT)
        return found
    if above.filetype == below.filetype == abi.DIRECTORY:
        above.inode, above.device = below.inode, below.device  # it stays when it is made above
    return above


def _status_if_there(directory: Directory, name: str) -> Status | None:
    try:
        return directory.stat(name)
    except OSError as problem:
        if problem.errno == errno.ENOENT:
            return None
        raise


def _directory_at(parent: Directory, name: str) -> Directory:
    found = parent.open(name, os.O_RDONLY | os.O_DIRECTORY)
    if not isinstance(found, Directory):
        raise error(errno.ENOTDIR)
    return found


def _file_at(parent: Directory, name: str, flags: int) -> File:
    found = parent.open(name, flags)
    if isinstance(found, Directory):
        raise error(errno.EISDIR)
    return found if isinstance(found, File) else PythonFile(found)
