"""WASI functions on paths and directories. All paths go through `paths.resolve`."""

import os
import stat

from wasmote.wasi import abi
from wasmote.wasi.abi import EBADF, EINVAL, EISDIR, ENAMETOOLONG, ENOTCAPABLE, ENOTDIR
from wasmote.wasi.calls import U32, U64, Pointer, State, wasi_function
from wasmote.wasi.descriptors import Descriptor, filetype_of, opened
from wasmote.wasi.errors import CallError
from wasmote.wasi.files import new_times, pack_filestat
from wasmote.wasi.paths import Place, resolve


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
    name = state.table.get(fd).preopen
    if name is None:
        raise CallError(EBADF)
    return name


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
    host_flags = _host_open_flags(own_rights, oflags, fdflags)
    with resolve(directory.fd, state.guest.path(path, length), follow=follow) as place:
        # Opening a FIFO waits for the other end: O_NONBLOCK keeps a file name from hanging us.
        flags = host_flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
        host_fd = os.open(place.name, flags, 0o666, dir_fd=place.directory)
    if not own_rights & abi.FD_WRITE:
        own_rights &= ~abi.WRITING_RIGHTS
    descriptor = opened(host_fd, own_rights, rights_below, fdflags)
    if descriptor.filetype not in (abi.REGULAR_FILE, abi.DIRECTORY):
        os.set_blocking(host_fd, not fdflags & abi.NONBLOCK)
    stored[:] = state.table.insert(descriptor).to_bytes(4, "little")


def _rights_to_open(oflags: int) -> int:
    """The rights that a directory must have to open something in it."""
    rights = abi.PATH_OPEN
    if oflags & abi.OFLAGS_CREAT:
        rights |= abi.PATH_CREATE_FILE
    if oflags & abi.OFLAGS_TRUNC:
        rights |= abi.PATH_FILESTAT_SET_SIZE
    return rights


def _host_open_flags(base: int, oflags: int, fdflags: int) -> int:
    """The host's flags for opening with the rights `base`. Raises EINVAL for unknown flags."""
    if oflags & ~15 or fdflags & ~sum(abi.HOST_FLAGS):
        raise CallError(EINVAL)
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


def _list(directory: Descriptor) -> list[tuple[int, int, bytes]]:
    # What lies above a directory is not the guest's business: ".." has its own inode.
    inode = directory.stat().st_ino
    entries = [(inode, abi.DIRECTORY, b"."), (inode, abi.DIRECTORY, b"..")]
    with os.scandir(directory.fd) as listing:
        for entry in listing:
            entries.append((entry.inode(), _entry_type(entry), os.fsencode(entry.name)))
    return entries


def _entry_type(entry: os.DirEntry[str]) -> int:
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


@wasi_function
def path_filestat_get(
    state: State, fd: U32, flags: U32, path: Pointer, length: U32, result: Pointer
) -> None:
    """Status of a file, or of a symbolic link unless `flags` asks to follow it."""
    directory = state.table.directory(fd, abi.PATH_FILESTAT_GET)
    stored = state.guest.slice(result, state.layout.filestat.size)
    with _resolve(state, directory, path, length, flags) as place:
        status = place.stat()
    stored[:] = pack_filestat(state, status, filetype_of(status.st_mode))


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
    with _resolve(state, directory, path, length, flags) as place:
        times = new_times(place.stat(), atim, mtim, fst_flags)
        if fst_flags:
            os.utime(place.name, ns=times, dir_fd=place.directory, follow_symlinks=False)


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
    with _resolve(state, directory, path, length) as place:
        target = os.readlink(place.name, dir_fd=place.directory)[:buf_length]
    buffer[: len(target)] = target
    stored[:] = len(target).to_bytes(4, "little")


@wasi_function
def path_create_directory(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Make a directory."""
    directory = state.table.directory(fd, abi.PATH_CREATE_DIRECTORY)
    with _resolve_entry(state, directory, path, length) as place:
        os.mkdir(place.name, 0o777, dir_fd=place.directory)


@wasi_function
def path_remove_directory(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Remove an empty directory."""
    directory = state.table.directory(fd, abi.PATH_REMOVE_DIRECTORY)
    with _resolve_entry(state, directory, path, length) as place:
        os.rmdir(place.name, dir_fd=place.directory)


@wasi_function
def path_unlink_file(state: State, fd: U32, path: Pointer, length: U32) -> None:
    """Remove anything but a directory."""
    directory = state.table.directory(fd, abi.PATH_UNLINK_FILE)
    with _resolve_entry(state, directory, path, length) as place:
        if stat.S_ISDIR(place.stat().st_mode):  # systems differ in what unlink says of it
            raise CallError(EISDIR)
        if place.slash:
            raise CallError(ENOTDIR)
        os.unlink(place.name, dir_fd=place.directory)


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
    with (
        _resolve(state, source, old_path, old_length, old_flags) as old,
        _resolve_entry(state, target, new_path, new_length) as new,
    ):
        _must_not_be_directory(new)
        os.link(
            old.name,
            new.name,
            src_dir_fd=old.directory,
            dst_dir_fd=new.directory,
            follow_symlinks=False,
        )


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
    with _resolve_entry(state, directory, new_path, new_length) as place:
        _must_not_be_directory(place)
        os.symlink(target, place.name, dir_fd=place.directory)


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
    with (
        _resolve_entry(state, source, old_path, old_length) as old,
        _resolve_entry(state, target, new_path, new_length) as new,
    ):
        if (old.slash or new.slash) and not stat.S_ISDIR(old.stat().st_mode):
            raise CallError(ENOTDIR)
        os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _resolve(state: State, directory: Descriptor, path: int, length: int, flags: int = 0) -> Place:
    """Resolve the path in memory to the file it means, `flags` being lookupflags."""
    follow = bool(flags & abi.LOOKUP_SYMLINK_FOLLOW)
    return resolve(directory.fd, state.guest.path(path, length), follow=follow)


def _resolve_entry(state: State, directory: Descriptor, path: int, length: int) -> Place:
    """Resolve the path in memory to the directory entry it means."""
    return resolve(directory.fd, state.guest.path(path, length), entry=True)


def _must_not_be_directory(place: Place) -> None:
    """A link is about to be made: "name/" can only be a mistake. Raises ENOENT.

    If the name exists, making the link fails with EEXIST.
    """
    if place.slash:
        place.stat()
