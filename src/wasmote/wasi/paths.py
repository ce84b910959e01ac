"""Resolving a guest's path below a directory, so that nothing outside can be reached.

The path is walked one component at a time. Each directory on the way is opened by its plain name
relative to its parent's descriptor, never following a symbolic link; links are read and walked
like the rest of the path, and `..` returns to the descriptor of the directory before. No check is
made on a string that the system resolves again afterwards, so there is no moment at which another
process could swap a directory for a link and lead the walk outside.
"""

import os
from errno import EINVAL, ELOOP, ENOENT, ENOTDIR

from wasmote.wasi import abi
from wasmote.wasi.errors import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

#: As Linux: so many symbolic links in a path are taken for a loop.
MAX_LINKS = 40
#: How many directories may be open at a time; what is left of the host's descriptors is shared.
MAX_DEPTH = 256

# O_PATH also enters directories that may be searched but not listed.
_ENTER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)


class Place:
    """Where a path leads: `name`, a single component, inside the open directory `directory`.

    `name` may be absent, and never is "..". Operations on it must not follow symbolic links.
    A context manager: leaving it closes the directories that were opened on the way.
    """

    __slots__ = ("_opened", "directory", "name", "slash")

    def __init__(self, directory: int, name: bytes, slash: bool, opened: list[int]) -> None:
        self.directory = directory
        self.name = name
        #: The path ended in a slash: only a directory is meant.
        self.slash = slash
        self._opened = opened

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exception: object) -> None:
        _close(self._opened)

    def stat(self) -> os.stat_result:
        """Status of the name itself, even if it is a symbolic link."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)


def resolve(root: int, path: bytes, *, follow: bool = False, entry: bool = False) -> Place:
    """Walk `path` from the directory `root`.

    `follow` says whether a symbolic link at the end is followed. With `entry` the caller means
    the directory entry, to make, remove or rename it: a slash at the end is then only noted in
    the result, where it otherwise asks for the directory, through a link if need be.

    Raises EPERM for a path that leads outside, ELOOP, ENAMETOOLONG, and what the host raises.
    """
    if not path:
        raise CallError(abi.ENOENT)
    opened: list[int] = []
    try:
        directory, name = _walk(root, _components(path, entry), follow, opened)
    except BaseException:
        _close(opened)
        raise
    return Place(directory, name, path.endswith(b"/"), opened)


def _walk(root: int, pending: list[bytes], follow: bool, opened: list[int]) -> tuple[int, bytes]:
    """Walk the components in `pending`, the next one last, entering directories into `opened`."""
    links = 0
    while pending:
        here = opened[-1] if opened else root
        name = pending.pop()
        if name == b".":
            continue
        if name == b"..":
            if not opened:
                raise CallError(abi.EPERM)
            os.close(opened.pop())
            continue
        if pending:
            target = _enter(here, name, opened)
        elif follow:
            target = _read_link(here, name)
            if target is None:
                return here, name
        else:
            return here, name
        if target is not None:
            links += 1
            if links > MAX_LINKS:
                raise CallError(abi.ELOOP)
            pending += _components(target)
    return (opened[-1] if opened else root), b"."


def _components(path: bytes, entry: bool = False) -> list[bytes]:
    """The components of a relative path, last one first. Raises EPERM for an absolute path."""
    if path.startswith(b"/"):
        raise CallError(abi.EPERM)
    components = [component for component in path.split(b"/") if component]
    if path.endswith(b"/") and not entry:
        components.append(b".")
    components.reverse()
    return components


def _enter(here: int, name: bytes, opened: list[int]) -> bytes | None:
    """Open the directory `name`, or return where it leads if it is a symbolic link."""
    if len(opened) >= MAX_DEPTH:
        raise CallError(abi.ENAMETOOLONG)
    try:
        opened.append(os.open(name, _ENTER, dir_fd=here))
    except OSError as error:
        # Systems differ in what O_NOFOLLOW with O_DIRECTORY says of a link.
        if error.errno not in (ENOTDIR, ELOOP):
            raise
        target = _read_link(here, name)
        if target is None:
            raise
        return target
    return None


def _read_link(here: int, name: bytes) -> bytes | None:
    """The target of a symbolic link, None if `name` is something else or absent."""
    try:
        return os.readlink(name, dir_fd=here)
    except OSError as error:
        if error.errno in (EINVAL, ENOENT):
            return None
        raise


def _close(opened: list[int]) -> None:
    while opened:
        os.close(opened.pop())
