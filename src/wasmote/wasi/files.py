"""WASI functions on open descriptors: reading, writing, positions, status, times."""

import os
import time

from wasmote.wasi import abi
from wasmote.wasi.abi import EINVAL, ENOTCAPABLE, ENOTSUP
from wasmote.wasi.calls import S64, U32, U64, Pointer, State, file_offset, wasi_function
from wasmote.wasi.errors import CallError
from wasmote.wasi.filesystem import Status

_ADVICE_COUNT = 6
_MOST = 0xFFFF_FFFF_FFFF_FFFF


@wasi_function
def fd_read(state: State, fd: U32, iovs: Pointer, count: U32, nread: Pointer) -> None:
    """Read at the descriptor's position."""
    descriptor = state.table.get(fd, abi.FD_READ)
    guest = state.guest
    result = guest.slice(nread, 4)
    buffers = guest.buffers(iovs, count)
    result[:] = (descriptor.readv(buffers) if buffers else 0).to_bytes(4, "little")


@wasi_function
def fd_write(state: State, fd: U32, iovs: Pointer, count: U32, nwritten: Pointer) -> None:
    """Write at the descriptor's position."""
    descriptor = state.table.get(fd, abi.FD_WRITE)
    guest = state.guest
    result = guest.slice(nwritten, 4)
    buffers = guest.buffers(iovs, count)
    if descriptor.unflushed:
        descriptor.flush()
        state.table.flushed(fd, descriptor)
    result[:] = (descriptor.writev(buffers) if buffers else 0).to_bytes(4, "little")


@wasi_function
def fd_pread(state: State, fd: U32, iovs: Pointer, count: U32, offset: U64, nread: Pointer) -> None:
    """Read at `offset`, leaving the position alone."""
    descriptor = state.table.get(fd, abi.FD_READ | abi.FD_SEEK)
    result = state.guest.slice(nread, 4)
    buffers = state.guest.buffers(iovs, count)
    position = file_offset(offset)
    length = descriptor.preadv(buffers, position) if buffers else 0
    result[:] = length.to_bytes(4, "little")


@wasi_function
def fd_pwrite(
    state: State, fd: U32, iovs: Pointer, count: U32, offset: U64, nwritten: Pointer
) -> None:
    """Write at `offset`, leaving the position alone."""
    descriptor = state.table.get(fd, abi.FD_WRITE | abi.FD_SEEK)
    result = state.guest.slice(nwritten, 4)
    buffers = state.guest.buffers(iovs, count)
    position = file_offset(offset)
    length = descriptor.pwritev(buffers, position) if buffers else 0
    result[:] = length.to_bytes(4, "little")


@wasi_function
def fd_seek(state: State, fd: U32, offset: S64, whence: U32, newoffset: Pointer) -> None:
    """Move the position; asking for it (0 from the current one) needs only the right to tell."""
    if whence >= len(state.layout.whence):
        state.table.get(fd)
        raise CallError(EINVAL)
    origin = state.layout.whence[whence]
    needed = abi.FD_SEEK
    if offset == 0 and origin == os.SEEK_CUR:
        needed |= abi.FD_TELL
    _seek(state, fd, offset, origin, needed, newoffset)


@wasi_function
def fd_tell(state: State, fd: U32, offset: Pointer) -> None:
    """The position."""
    _seek(state, fd, 0, os.SEEK_CUR, abi.FD_SEEK | abi.FD_TELL, offset)


def _seek(state: State, fd: int, offset: int, origin: int, either: int, result: int) -> None:
    """Seek if the descriptor has either of the rights, and store the position."""
    descriptor = state.table.get(fd)
    if not descriptor.rights & either:
        raise CallError(ENOTCAPABLE)
    stored = state.guest.slice(result, 8)
    stored[:] = descriptor.seek(offset, origin).to_bytes(8, "little")


@wasi_function
def fd_close(state: State, fd: U32) -> None:
    """Close; the embedder's own descriptors stay open on the host."""
    state.table.remove(fd)


@wasi_function
def fd_renumber(state: State, fd: U32, to: U32) -> None:
    """Close `to` and give `fd` its number."""
    state.table.renumber(fd, to)


@wasi_function
def fd_fdstat_get(state: State, fd: U32, stat: Pointer) -> None:
    """File type, flags and rights of the descriptor itself."""
    descriptor = state.table.get(fd)
    state.guest.slice(stat, abi.FDSTAT.size)[:] = abi.FDSTAT.pack(
        descriptor.filetype, descriptor.flags, descriptor.rights, descriptor.inheriting
    )


@wasi_function
def fd_fdstat_set_flags(state: State, fd: U32, flags: U32) -> None:
    """Set APPEND and NONBLOCK. The synchronizing flags are fixed when a file is opened."""
    descriptor = state.table.get(fd, abi.FD_FDSTAT_SET_FLAGS)
    if flags & ~sum(abi.HOST_FLAGS):
        raise CallError(EINVAL)
    if (flags ^ descriptor.flags) & ~(abi.APPEND | abi.NONBLOCK):
        raise CallError(ENOTSUP)
    descriptor.set_flags(flags)


@wasi_function
def fd_fdstat_set_rights(state: State, fd: U32, base: U64, inheriting: U64) -> None:
    """Give up rights; taking new ones fails with NOTCAPABLE."""
    state.table.set_rights(fd, base, inheriting)


@wasi_function
def fd_filestat_get(state: State, fd: U32, stat: Pointer) -> None:
    """Status of the open file."""
    descriptor = state.table.get(fd, abi.FD_FILESTAT_GET)
    stored = state.guest.slice(stat, state.layout.filestat.size)
    stored[:] = pack_filestat(state, descriptor.stat())


@wasi_function
def fd_filestat_set_size(state: State, fd: U32, size: U64) -> None:
    """Truncate, or extend with zeros."""
    descriptor = state.table.get(fd, abi.FD_FILESTAT_SET_SIZE)
    descriptor.truncate(file_offset(size))


@wasi_function
def fd_filestat_set_times(state: State, fd: U32, atim: U64, mtim: U64, flags: U32) -> None:
    """Set the times of the open file, in nanoseconds since 1970."""
    descriptor = state.table.get(fd, abi.FD_FILESTAT_SET_TIMES)
    if flags:
        descriptor.utime(*new_times(descriptor.stat(), atim, mtim, flags))


@wasi_function
def fd_allocate(state: State, fd: U32, offset: U64, length: U64) -> None:
    """Make sure that the file has room for the bytes."""
    descriptor = state.table.get(fd, abi.FD_ALLOCATE)
    file_offset(offset + length)
    if length == 0:
        raise CallError(EINVAL)
    descriptor.allocate(offset, length)


@wasi_function
def fd_advise(state: State, fd: U32, offset: U64, length: U64, advice: U32) -> None:
    """Announce how the file will be read; where the host takes no advice, none is needed."""
    descriptor = state.table.get(fd, abi.FD_ADVISE)
    file_offset(offset), file_offset(length)
    if advice >= _ADVICE_COUNT:
        raise CallError(EINVAL)
    descriptor.advise(offset, length, advice)


@wasi_function
def fd_sync(state: State, fd: U32) -> None:
    """Write data and status to the disk."""
    state.table.get(fd, abi.FD_SYNC).sync()


@wasi_function
def fd_datasync(state: State, fd: U32) -> None:
    """Write data to the disk."""
    state.table.get(fd, abi.FD_DATASYNC).datasync()


def pack_filestat(state: State, status: Status) -> bytes:
    """The status of a file in the layout of the interface version."""
    return state.layout.filestat.pack(
        status.device & _MOST,
        status.inode & _MOST,
        status.filetype,
        status.links & 0xFFFF_FFFF,  # the older version has no more bits
        status.size & _MOST,
        min(max(0, status.accessed), _MOST),
        min(max(0, status.modified), _MOST),
        min(max(0, status.changed), _MOST),
    )


def new_times(status: Status, atim: int, mtim: int, flags: int) -> tuple[int, int]:
    """Access and modification time in nanoseconds after setting those that `flags` names."""
    both = (abi.FST_ATIM | abi.FST_ATIM_NOW, abi.FST_MTIM | abi.FST_MTIM_NOW)
    if flags & both[0] == both[0] or flags & both[1] == both[1] or flags & ~sum(both):
        raise CallError(EINVAL)
    now = time.time_ns()
    if not flags & abi.FST_ATIM:
        atim = now if flags & abi.FST_ATIM_NOW else status.accessed
    if not flags & abi.FST_MTIM:
        mtim = now if flags & abi.FST_MTIM_NOW else status.modified
    return atim, mtim
