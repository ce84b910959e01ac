"""From where a path leads to a descriptor of the guest."""

import errno
import os

from wasmote.wasi import abi
from wasmote.wasi.descriptors import Descriptor, OpenDirectory
from wasmote.wasi.errors import WasiError
from wasmote.wasi.filesystem import Directory, File, error, wants_to_write
from wasmote.wasi.host_descriptors import opened
from wasmote.wasi.host_directory import HostDir, HostFile
from wasmote.wasi.paths import Place
from wasmote.wasi.streams import Stream
from wasmote.wasi.virtual import PythonFile, VirtualFile

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO

#: What changes a file, or needs one that is open for writing.
_CHANGING_RIGHTS = abi.WRITING_RIGHTS | abi.FD_FILESTAT_SET_TIMES


def open_place(place: Place, flags: int, rights: int, inheriting: int, fdflags: int) -> Descriptor:
    """Open what is there, or make it. `flags` are those of `os.open`, the others the guest's."""
    if place.name is None:
        return _open_itself(place.directory, flags, rights, inheriting, fdflags)
    found = place.directory.open(place.name, flags)
    if isinstance(found, Directory):
        if wants_to_write(flags):
            raise error(errno.EISDIR)
        return OpenDirectory(found, rights, inheriting, fdflags)
    if flags & os.O_DIRECTORY:
        raise error(errno.ENOTDIR)
    if not rights & abi.FD_WRITE:
        rights &= ~abi.WRITING_RIGHTS
    return _descriptor(found, flags, rights, fdflags)


def _open_itself(
    directory: Directory, flags: int, rights: int, inheriting: int, fdflags: int
) -> Descriptor:
    """Open the directory that the path has led to, as "." does."""
    if flags & os.O_EXCL:
        raise error(errno.EEXIST)
    if wants_to_write(flags):
        raise error(errno.EISDIR)
    return OpenDirectory(directory.reopen(), rights, inheriting, fdflags)


def _descriptor(found: "File | BinaryIO", flags: int, rights: int, fdflags: int) -> Descriptor:
    if isinstance(found, File) and found.read_only:
        rights &= ~_CHANGING_RIGHTS
    if isinstance(found, HostFile):
        return opened(found.detach(), rights, fdflags)
    if isinstance(found, File):
        return VirtualFile(found, rights, fdflags)
    if wants_to_write(flags) and not found.writable():
        raise error(errno.EACCES)
    if not found.seekable():
        return Stream(found, rights)
    file = PythonFile(found)
    if flags & os.O_TRUNC:
        file.truncate(0)
    return VirtualFile(file, rights, fdflags)


def preopened(guest_path: str, directory: "Directory | str | os.PathLike[str]") -> OpenDirectory:
    """A directory that the guest starts with. Raises WasiError."""
    name = guest_path.encode("utf-8", "surrogateescape")
    if isinstance(directory, Directory):
        return OpenDirectory(directory, preopen=name)
    try:
        return OpenDirectory(HostDir(directory), preopen=name)
    except TypeError:
        raise WasiError(
            f"directory {guest_path!r} has to be a path or a Directory, not {directory!r}"
        ) from None
    except OSError as problem:
        raise WasiError(
            f"cannot give directory {guest_path!r} to the program: "
            f"{os.fspath(directory)!r} on the host: {problem.strerror}"
        ) from problem
    except ValueError as problem:  # a NUL in the path
        raise WasiError(f"bad host path {directory!r} for {guest_path!r}: {problem}") from problem
