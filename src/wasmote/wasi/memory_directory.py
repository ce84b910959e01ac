"""`MemoryDir`: directories and files in memory."""

import errno
import itertools
import os
import time
from _thread import RLock
from collections.abc import Iterable, Iterator, Mapping

from wasmote.wasi import abi
from wasmote.wasi.filesystem import Directory, File, Status, error
from wasmote.wasi.virtual import PythonFile

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO, TypeAlias

    Entry: TypeAlias = "_Link | Directory | File | BinaryIO"

#: Bytes that the files of a tree may take, where nothing else is said.
DEFAULT_LIMIT = 1 << 30
#: Bytes that an entry counts for besides its contents.
ENTRY_COST = 512
#: As on Linux: bytes of a name.
MAX_NAME = 255
_INODES = itertools.count(1)
#: The device that all files in memory seem to be on.
_DEVICE = 0x6D65_6D


class _Tree:
    """What the directories and files of one `MemoryDir` share."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.lock = RLock()

    def charge(self, size: int) -> None:
        """Count bytes that are to be used, or, below 0, are no more. Raises ENOSPC."""
        with self.lock:
            if size > 0 and self.used + size > self.limit:
                raise error(errno.ENOSPC)
            self.used += size


class _Node:
    """What files, directories and links in memory have in common."""

    _tree: _Tree
    _size = 0
    _links = 1

    def _begin(self, tree: _Tree) -> None:
        tree.charge(ENTRY_COST)
        self._tree = tree
        self._inode = next(_INODES)
        self._accessed = self._modified = self._changed = time.time_ns()

    def __del__(self) -> None:
        if hasattr(self, "_inode"):
            self._tree.charge(-ENTRY_COST - self._size)

    def _touch(self) -> None:
        self._modified = self._changed = time.time_ns()

    def _set_times(self, accessed: int, modified: int) -> None:
        self._accessed, self._modified = accessed, modified
        self._changed = time.time_ns()

    def _status(self, filetype: int) -> Status:
        return Status(
            filetype,
            self._size,
            inode=self._inode,
            device=_DEVICE,
            links=self._links,
            accessed=self._accessed,
            modified=self._modified,
            changed=self._changed,
        )


class MemoryFile(_Node, File):
    """A file in memory; `bytes(file)` are its contents."""

    def __init__(self, tree: _Tree, data: bytes = b"") -> None:
        self._begin(tree)
        self._data = bytearray()
        self.write(0, data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def stat(self) -> Status:
        return self._status(abi.REGULAR_FILE)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> int:
        with self._tree.lock:
            end = offset + len(data)
            if end > len(self._data):
                self._resize(end)
            self._data[offset:end] = data
            self._touch()
        return len(data)

    def append(self, data: bytes) -> int:
        with self._tree.lock:
            return self.write(len(self._data), data)

    def truncate(self, size: int) -> None:
        with self._tree.lock:
            self._resize(size)
            self._touch()

    def _resize(self, size: int) -> None:
        self._tree.charge(size - self._size)
        try:
            if size < self._size:
                del self._data[size:]
            else:
                self._data += bytes(size - self._size)
        except MemoryError:
            self._tree.charge(self._size - size)
            raise error(errno.ENOSPC) from None
        self._size = size

    def utime(self, accessed: int, modified: int) -> None:
        self._set_times(accessed, modified)


class Symlink:
    """A symbolic link, for the entries of a `MemoryDir`."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Symlink) and other.target == self.target

    def __hash__(self) -> int:
        return hash(self.target)

    def __repr__(self) -> str:
        return f"Symlink({self.target!r})"


class _Link(_Node):
    def __init__(self, tree: _Tree, target: str) -> None:
        self._begin(tree)
        tree.charge(len(target))
        self._size = len(target)
        self.target = target

    def stat(self) -> Status:
        return self._status(abi.SYMBOLIC_LINK)


class MemoryDir(_Node, Directory):
    """A directory in memory, writable for programs; it can be looked at and filled like a mapping.

        tree = MemoryDir({"in.txt": b"text", "log": open("log", "wb"), "src": {"main.c": "…"}})
        Wasi(dirs={"/": tree})
        tree["src/main.o"]  # the bytes that the program has written

    Entries are contents (bytes or str), mappings and `MemoryDir`s, `Symlink`s, binary file objects,
    and any `File` or `Directory`, such as a `HostDir`, which then is mounted there. All that
    programs make takes at most `limit` bytes; then writing fails with ENOSPC.
    """

    def __init__(
        self, entries: "Mapping[str, object] | None" = None, *, limit: int = DEFAULT_LIMIT
    ) -> None:
        self._fill(_Tree(limit), None)
        for name, value in (entries or {}).items():
            self[name] = value

    def _fill(self, tree: _Tree, parent: "MemoryDir | None") -> None:
        self._begin(tree)
        self._parent = parent
        self._removed = False
        self._entries: dict[str, Entry] = {}

    def _subdirectory(self) -> "MemoryDir":
        made = MemoryDir.__new__(MemoryDir)
        made._fill(self._tree, self)
        return made

    # -- as a mapping ----------------------------------------------------------------------------

    def __setitem__(self, path: str, value: object) -> None:
        """Put something at a path; directories on the way are made."""
        first, _, rest = path.strip("/").partition("/")
        if first in ("", ".", "..") or "\0" in first:
            raise ValueError(f"{path!r} cannot be the name of an entry")
        with self._tree.lock:
            if not rest:
                self._entries[first] = self._made(value)
                return
            below = self._entries.setdefault(first, self._subdirectory())
            if not isinstance(below, MemoryDir):
                raise ValueError(f"{first!r} in {path!r} is no directory in memory")
            below[rest] = value

    def _made(self, value: object) -> "Entry":
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes | bytearray | memoryview):
            return MemoryFile(self._tree, bytes(value))
        if isinstance(value, Symlink):
            return _Link(self._tree, value.target)
        if isinstance(value, Mapping):
            made = self._subdirectory()
            for name, below in value.items():
                made[name] = below
            return made
        is_file = hasattr(value, "readable") and not hasattr(value, "encoding")
        if isinstance(value, Directory | File) or is_file:
            return value  # type: ignore[return-value]
        raise TypeError(f"a file system cannot have {value!r} in it")

    def __getitem__(self, path: str) -> object:
        """What is at a path, as it could be put there. Raises KeyError."""
        first, _, rest = path.strip("/").partition("/")
        found = self._entries[first]
        if rest:
            if not isinstance(found, MemoryDir):
                raise KeyError(path)
            return found[rest]
        if isinstance(found, MemoryFile):
            return bytes(found)
        return Symlink(found.target) if isinstance(found, _Link) else found

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __contains__(self, path: object) -> bool:
        try:
            self[path]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def keys(self) -> list[str]:
        """The names; with this, `dict(directory)` works."""
        return list(self._entries)

    def __repr__(self) -> str:
        return f"<MemoryDir of {len(self)} entries>"

    # -- as a Directory --------------------------------------------------------------------------

    def stat(self, name: str | None = None) -> Status:
        if name is not None:
            return _status(self._found(name))
        status = self._status(abi.DIRECTORY)
        status.links = 2 + sum(isinstance(each, Directory) for each in self._entries.values())
        return status

    def scandir(self) -> Iterable[tuple[str, Status]]:
        return [(name, _status(entry)) for name, entry in list(self._entries.items())]

    def open(self, name: str, flags: int) -> "File | Directory | BinaryIO":
        with self._tree.lock:
            found = self._look_up(name)
            if found is None:
                if not flags & os.O_CREAT:
                    raise error(errno.ENOENT)
                made = MemoryFile(self._tree)
                self._add(name, made)
                return made
            if flags & os.O_CREAT and flags & os.O_EXCL:
                raise error(errno.EEXIST)
            if isinstance(found, _Link):
                raise error(errno.ENOTDIR if flags & os.O_DIRECTORY else errno.ELOOP)
            if isinstance(found, File) and flags & os.O_TRUNC:
                found.truncate(0)
            return found

    def readlink(self, name: str) -> str:
        found = self._found(name)
        if not isinstance(found, _Link):
            raise error(errno.EINVAL)
        return found.target

    def mkdir(self, name: str) -> None:
        with self._tree.lock:
            self._add(name, self._subdirectory())

    def rmdir(self, name: str) -> None:
        with self._tree.lock:
            found = self._found(name)
            if isinstance(found, Directory):
                _check_removable(found)
            else:
                raise error(errno.ENOTDIR)
            self._remove(name)

    def unlink(self, name: str) -> None:
        with self._tree.lock:
            if isinstance(self._found(name), Directory):
                raise error(errno.EISDIR)
            self._remove(name)

    def symlink(self, target: str, name: str) -> None:
        with self._tree.lock:
            self._add(name, _Link(self._tree, target))

    def link(self, name: str, other: Directory, new: str) -> None:
        with self._tree.lock:
            target = self._same_tree(other)
            found = self._found(name)
            if isinstance(found, Directory):
                raise error(errno.EEXIST if new in target._entries else errno.EPERM)
            target._add(new, found)
            if isinstance(found, _Node):
                found._links += 1

    def rename(self, name: str, other: Directory, new: str) -> None:
        with self._tree.lock:
            target = self._same_tree(other)
            found = self._found(name)
            there = target._entries.get(new)
            if there is found:
                return
            if isinstance(found, Directory):
                if not isinstance(found, MemoryDir) or found._tree is not self._tree:
                    raise error(errno.EBUSY)  # something mounted
                target._check_not_below(found)
            if isinstance(there, Directory):
                if not isinstance(found, Directory):
                    raise error(errno.EISDIR)
                _check_removable(there)
            elif there is not None and isinstance(found, Directory):
                raise error(errno.ENOTDIR)
            if there is not None:
                target._remove(new)
            target._add(new, found)
            del self._entries[name]
            self._touch()
            if isinstance(found, MemoryDir):
                found._parent = target

    def utime(self, name: str | None, accessed: int, modified: int) -> None:
        found = self if name is None else self._found(name)
        if isinstance(found, _Node):
            found._set_times(accessed, modified)
        elif isinstance(found, Directory):
            found.utime(None, accessed, modified)
        elif isinstance(found, File):
            found.utime(accessed, modified)

    def _found(self, name: str) -> "Entry":
        found = self._look_up(name)
        if found is None:
            raise error(errno.ENOENT)
        return found

    def _look_up(self, name: str) -> "Entry | None":
        if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME:
            raise error(errno.ENAMETOOLONG)
        return self._entries.get(name)

    def _add(self, name: str, entry: "Entry") -> None:
        if self._removed:
            raise error(errno.ENOENT)
        if self._look_up(name) is not None:
            raise error(errno.EEXIST)
        self._entries[name] = entry
        self._touch()

    def _remove(self, name: str) -> None:
        found = self._entries.pop(name)
        if isinstance(found, MemoryDir):
            found._removed = True
        elif isinstance(found, _Node):
            found._links -= 1
            found._changed = time.time_ns()
        self._touch()

    def _same_tree(self, other: Directory) -> "MemoryDir":
        if not isinstance(other, MemoryDir) or other._tree is not self._tree:
            raise error(errno.EXDEV)
        return other

    def _check_not_below(self, directory: "MemoryDir") -> None:
        """A directory cannot be moved into itself. Raises EINVAL."""
        here: MemoryDir | None = self
        while here is not None:
            if here is directory:
                raise error(errno.EINVAL)
            here = here._parent


def _check_removable(directory: Directory) -> None:
    """Raises EBUSY for what is mounted, ENOTEMPTY."""
    if not isinstance(directory, MemoryDir) or directory._parent is None:
        raise error(errno.EBUSY)
    if len(directory):
        raise error(errno.ENOTEMPTY)


def _status(entry: "Entry") -> Status:
    if isinstance(entry, _Link | File | Directory):
        return entry.stat()
    return PythonFile(entry).stat() if entry.seekable() else Status(abi.UNKNOWN, inode=id(entry))
