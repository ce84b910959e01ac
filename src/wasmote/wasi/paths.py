"""Resolving a guest's path below a directory, so that nothing outside can be reached.

The path is walked one component at a time. Each directory on the way is entered by its plain name
relative to its parent (on the host: relative to its parent's descriptor), never following a
symbolic link; links are read and walked like the rest of the path, and `..` returns to the
directory before. No check is made on a string that the system resolves again afterwards, so there
is no moment at which another process could swap a directory for a link and lead the walk outside.
"""

import errno

from wasmote.wasi import abi
from wasmote.wasi.errors import CallError
from wasmote.wasi.filesystem import Directory, Status, error

#: As Linux: so many symbolic links in a path are taken for a loop.
MAX_LINKS = 40
#: How many directories may be open at a time; what is left of the host's descriptors is shared.
MAX_DEPTH = 256


class Place:
    """Where a path leads: the entry `name` of a directory, or, if that is None, the directory.

    There may be no such entry. Operations on it must not follow symbolic links.
    """

    __slots__ = ("directory", "name", "slash")

    def __init__(self, directory: Directory, name: str | None, slash: bool) -> None:
        self.directory = directory
        self.name = name
        #: The path ended in a slash: only a directory is meant.
        self.slash = slash

    def stat(self) -> Status:
        """Status of the place itself, even if it is a symbolic link."""
        return self.directory.stat(self.name)

    def entry(self, otherwise: int) -> str:
        """The name; for a directory itself, which has none here, raises that errno of the host."""
        if self.name is None:
            raise error(otherwise)
        return self.name


def resolve(root: Directory, path: bytes, *, follow: bool = False, entry: bool = False) -> Place:
    """Walk `path` from the directory `root`.

    `follow` says whether a symbolic link at the end is followed. With `entry` the caller means
    the directory entry, to make, remove or rename it: a slash at the end is then only noted in
    the result, where it otherwise asks for the directory, through a link if need be.

    Raises EPERM for a path that leads outside, ELOOP, ENAMETOOLONG, and what the directories raise.
    """
    if not path:
        raise CallError(abi.ENOENT)
    pending = _components(path.decode("utf-8", "surrogateescape"), entry)
    directory, name = _walk(root, pending, follow)
    return Place(directory, name, path.endswith(b"/"))


def _walk(root: Directory, pending: list[str], follow: bool) -> tuple[Directory, str | None]:
    """Walk the components in `pending`, the next one last."""
    links = 0
    opened = [root]
    while pending:
        here = opened[-1]
        name = pending.pop()
        if name == ".":
            continue
        if name == "..":
            if len(opened) == 1:
                raise CallError(abi.EPERM)
            opened.pop()
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
    return opened[-1], None


def _components(path: str, entry: bool = False) -> list[str]:
    """The components of a relative path, last one first. Raises EPERM for an absolute path."""
    if path.startswith("/"):
        raise CallError(abi.EPERM)
    components = [component for component in path.split("/") if component]
    if path.endswith("/") and not entry:
        components.append(".")
    components.reverse()
    return components


def _enter(here: Directory, name: str, opened: list[Directory]) -> str | None:
    """Enter the directory `name`, or return where it leads if it is a symbolic link."""
    if len(opened) > MAX_DEPTH:
        raise CallError(abi.ENAMETOOLONG)
    try:
        opened.append(here.enter(name))
    except OSError as problem:
        # Systems differ in what O_NOFOLLOW with O_DIRECTORY says of a link.
        if problem.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        target = _read_link(here, name)
        if target is None:
            raise
        return target
    return None


def _read_link(here: Directory, name: str) -> str | None:
    """The target of a symbolic link, None if `name` is something else or absent."""
    try:
        return here.readlink(name)
    except OSError as problem:
        if problem.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
