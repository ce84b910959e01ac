"""WASI functions on paths and directories. All paths go through `paths.resolve`."""

import errno
import os

from wasmote.wasi import abi
from wasmote.wasi.abi import EBADF, EINVAL, EISDIR, ENAMETOOLONG, ENOTCAPABLE, ENOTDIR
from wasmote.wasi.calls import U32, U64, Pointer, State, wasi_function
from wasmote.wasi.descriptors import OpenDirectory
from wasmote.wasi.errors import CallError
from wasmote.wasi.files import new_times, pack_filestat
from wasmote.wasi.opening import open_place
from wasmote.wasi.paths import Place, resolve

_MOST = 0xFFFF_FFFF_FFFF_FFFF


@wasi_function
def fd_prestat_get(state: State, fd: U32, prestat: Pointer) -> None:
    """The length of a preopened directory's name; BADF for other descriptors ends a search."""
    name = _preopen_name(state, fd)
    state.guest.slice(prestat, abi.PRESTAT.size)[:] = abi.PRESTAT.pack(0, len(name))


@wasi_function
def fd_prestat_dir_name(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """A preopened directory's name, without a NUL."""
    name = _preopen_name(state, fd)
    if length < len(name):
        raise CallError(ENAMETOOLONG)
    state.guest.slice(path, length)[: len(name)] = name


def _preopen_name(state: State, fd: int) -> bytes:
    found = state.table.get(fd)
    if not isinstance(found, OpenDirectory) or found.preopen is None:
        raise CallError(EBADF)
    return found.preopen


@wasi_function
def path_open(
    state: State,
    fd: U32,
    dirflags: U32,
    path: Pointer,
    length: U32,
    oflags: U32,
    base: U64,
    inheriting: U64,
    fdflags: U32,
    result: Pointer,
) -> None:
    """Open or make a file, or open a directory.

    Of the asked rights, those that no file in a directory can have are dropped; the others the
    directory must be able to hand down. FD_WRITE decides whether the file is opened for writing;
    many programs ask for other rights without meaning to use them.
    """
    directory = state.table.directory(fd, _rights_to_open(oflags))
    own_rights = base & abi.INHERITABLE_RIGHTS
    rights_below = inheriting & abi.INHERITABLE_RIGHTS
    needed = own_rights | rights_below
    if fdflags & (abi.RSYNC | abi.SYNC):
        needed |= abi.FD_SYNC
    if fdflags & abi.DSYNC:
        needed |= abi.FD_DATASYNC
    if needed & ~directory.inheriting:
        raise CallError(ENOTCAPABLE)

    stored = state.guest.slice(result, 4)
    exclusive = oflags & abi.OFLAGS_CREAT and oflags & abi.OFLAGS_EXCL
    follow = bool(dirflags & abi.LOOKUP_SYMLINK_FOLLOW and not exclusive)
    flags = _open_flags(own_rights, oflags, fdflags)
    place = resolve(directory.directory, state.guest.path(path, length), follow=follow)
    descriptor = open_place(place, flags, own_rights, rights_below, fdflags)
    stored[:] = state.table.insert(descriptor).to_bytes(4, "little")


def _rights_to_open(oflags: int) -> int:
    """The rights that a directory must have to open something in it."""
    rights = abi.PATH_OPEN
    if oflags & abi.OFLAGS_CREAT:
        rights |= abi.PATH_CREATE_FILE
    if oflags & abi.OFLAGS_TRUNC:
        rights |= abi.PATH_FILESTAT_SET_SIZE
    return rights


def _open_flags(base: int, oflags: int, fdflags: int) -> int:
    """Flags as of `os.open` for the rights `base`. Raises EINVAL for those that make no sense."""
    if oflags & ~15 or fdflags & ~sum(abi.HOST_FLAGS):
        raise CallError(EINVAL)
    if oflags & abi.OFLAGS_DIRECTORY and oflags != abi.OFLAGS_DIRECTORY:
        raise CallError(EINVAL)  # directories are not made or cut off by opening them
    if base & abi.FD_WRITE:
        reading = base & (abi.FD_READ | abi.FD_READDIR)
        flags = os.O_RDWR if reading else os.O_WRONLY
    else:
        flags = os.O_RDONLY
    if oflags & abi.OFLAGS_DIRECTORY:
        if flags != os.O_RDONLY:
            raise CallError(EISDIR)
        flags |= os.O_DIRECTORY
    if oflags & abi.OFLAGS_CREAT:
        flags |= os.O_CREAT
    if oflags & abi.OFLAGS_EXCL:
        flags |= os.O_EXCL
    if oflags & abi.OFLAGS_TRUNC:
        flags |= os.O_TRUNC
    for flag, bits in abi.HOST_FLAGS.items():
        if fdflags & flag:
            flags |= bits
    return flags


@wasi_function
def fd_readdir(
    state: State, fd: U32, buf: Pointer, length: U32, cookie: U64, used: Pointer
) -> None:
    """List a directory from `cookie` on; an entry that no longer fits is cut off.

    Cookie 0 takes a new look at the directory, other cookies continue the last one, so a listing
    stays consistent while files come and go.
    """
    directory = state.table.directory(fd, abi.FD_READDIR)
    stored = state.guest.slice(used, 4)
    buffer = state.guest.slice(buf, length)
    if cookie == 0 or not directory.entries:
        directory.entries = _list(directory)
    position = 0
    entries = directory.entries
    for index in range(min(cookie, len(entries)), len(entries)):
        inode, filetype, name = entries[index]
        record = abi.DIRENT.pack(index + 1, inode, len(name), filetype) + name
        record = record[: length - position]
        buffer[position : position + len(record)] = record
        position += len(record)
        if position == length:
            break
    stored[:] = position.to_bytes(4, "little")


def _list(opened: OpenDirectory) -> list[tuple[int, int, bytes]]:
    # What lies above a directory is not the guest's business: ".." has its own inode.
    inode = opened.stat().inode
    entries = [(inode, abi.DIRECTORY, b"."), (inode, abi.DIRECTORY, b"..")]
    for name, status in opened.directory.scandir():
        entry = name.encode("utf-8", "surrogateescape")
        entries.append((status.inode & _MOST, status.filetype, entry))
    return entries


@wasi_function
def path_filestat_get(
    state: State, fd: U32, flags: U32, path: Pointer, length: U32, result: Pointer
) -> None:
    """Status of a file, or of a symbolic link unless `flags` asks to follow it."""
    directory = state.table.directory(fd, abi.PATH_FILESTAT_GET)
    stored = state.guest.slice(result, state.layout.filestat.size)
    place = _resolve(state, directory, path, length, flags)
    stored[:] = pack_filestat(state, place.stat())


@wasi_function
def path_filestat_set_times(
    state: State,
    fd: U32,
    flags: U32,
    path: Pointer,
    length: U32,
    atim: U64,
    mtim: U64,
    fst_flags: U32,
) -> None:
    """Set the times of a file, in nanoseconds since 1970."""
    directory = state.table.directory(fd, abi.PATH_FILESTAT_SET_TIMES)
    place = _resolve(state, directory, path, length, flags)
    times = new_times(place.stat(), atim, mtim, fst_flags)
    if fst_flags:
        place.directory.utime(place.name, *times)


@wasi_function
def path_readlink(
    state: State,
    fd: U32,
    path: Pointer,
    length: U32,
    buf: Pointer,
    buf_length: U32,
    used: Pointer,
) -> None:
    """Where a symbolic link points to, cut off if the buffer is too short."""
    directory = state.table.directory(fd, abi.PATH_READLINK)
    stored = state.guest.slice(used, 4)
    buffer = state.guest.slice(buf, buf_length)
    place = _resolve(state, directory, path, length)
    link = place.directory.readlink(place.entry(errno.EINVAL))
    target = link.encode("utf-8", "surrogateescape")[:buf_length]
    buffer[: len(target)] = target
    stored[:] = len(target).to_bytes(4, "little")


@wasi_function
def path_create_directory(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Make a directory."""
    directory = state.table.directory(fd, abi.PATH_CREATE_DIRECTORY)
    place = _resolve_entry(state, directory, path, length)
    place.directory.mkdir(place.entry(errno.EEXIST))


@wasi_function
def path_remove_directory(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Remove an empty directory."""
    directory = state.table.directory(fd, abi.PATH_REMOVE_DIRECTORY)
    place = _resolve_entry(state, directory, path, length)
    place.directory.rmdir(place.entry(errno.EINVAL))


@wasi_function
def path_unlink_file(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Remove anything but a directory."""
    directory = state.table.directory(fd, abi.PATH_UNLINK_FILE)
    place = _resolve_entry(state, directory, path, length)
    if place.stat().filetype == abi.DIRECTORY:  # systems differ in what unlink says of it
        raise CallError(EISDIR)
    if place.slash:
        raise CallError(ENOTDIR)
    place.directory.unlink(place.entry(errno.EISDIR))


@wasi_function
def path_link(
    state: State,
    old_fd: U32,
    old_flags: U32,
    old_path: Pointer,
    old_length: U32,
    new_fd: U32,
    new_path: Pointer,
    new_length: U32,
) -> None:
    """Make a hard link."""
    source = state.table.directory(old_fd, abi.PATH_LINK_SOURCE)
    target = state.table.directory(new_fd, abi.PATH_LINK_TARGET)
    old = _resolve(state, source, old_path, old_length, old_flags)
    new = _resolve_entry(state, target, new_path, new_length)
    _must_not_be_directory(new)
    name = old.entry(errno.EPERM)
    old.directory.link(name, new.directory, new.entry(errno.EEXIST))


@wasi_function
def path_symlink(
    state: State,
    old_path: Pointer,
    old_length: U32,
    fd: U32,
    new_path: Pointer,
    new_length: U32,
) -> None:
    """Make a symbolic link to a relative path.

    An absolute one would be useless to the guest and could mislead the host's programs: PERM.
    """
    directory = state.table.directory(fd, abi.PATH_SYMLINK)
    target = state.guest.path(old_path, old_length)
    if target.startswith(b"/"):
        raise CallError(abi.EPERM)
    place = _resolve_entry(state, directory, new_path, new_length)
    _must_not_be_directory(place)
    link = target.decode("utf-8", "surrogateescape")
    place.directory.symlink(link, place.entry(errno.EEXIST))


@wasi_function
def path_rename(
    state: State,
    fd: U32,
    old_path: Pointer,
    old_length: U32,
    new_fd: U32,
    new_path: Pointer,
    new_length: U32,
) -> None:
    """Rename or move, replacing what is there."""
    source = state.table.directory(fd, abi.PATH_RENAME_SOURCE)
    target = state.table.directory(new_fd, abi.PATH_RENAME_TARGET)
    old = _resolve_entry(state, source, old_path, old_length)
    new = _resolve_entry(state, target, new_path, new_length)
    if (old.slash or new.slash) and old.stat().filetype != abi.DIRECTORY:
        raise CallError(ENOTDIR)
    name = old.entry(errno.EBUSY)
    old.directory.rename(name, new.directory, new.entry(errno.EBUSY))


def _resolve(
    state: State, directory: OpenDirectory, path: int, length: int, flags: int = 0
) -> Place:
    """Resolve the path in memory to the file it means, `flags` being lookupflags."""
    follow = bool(flags & abi.LOOKUP_SYMLINK_FOLLOW)
    return resolve(directory.directory, state.guest.path(path, length), follow=follow)


def _resolve_entry(state: State, directory: OpenDirectory, path: int, length: int) -> Place:
    """Resolve the path in memory to the directory entry it means."""
    return resolve(directory.directory, state.guest.path(path, length), entry=True)


def _must_not_be_directory(place: Place) -> None:
    """A link is about to be made: "name/" can only be a mistake. Raises ENOENT.

    If the name exists, making the link fails with EEXIST.
    """
    if place.slash:
        place.stat()
