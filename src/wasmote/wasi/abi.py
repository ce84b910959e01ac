"""Numbers and memory layouts of WASI preview 1, and where `wasi_unstable` differs.

Everything here is a constant or a `Struct` (wasi_snapshot_preview1.witx of the WebAssembly/WASI
repository). All integers are little-endian.
"""

import errno as host
import os
from struct import Struct

# errno: the position is the number.
# fmt: off
(
    ESUCCESS, E2BIG, EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF,
    EBADMSG, EBUSY, ECANCELED, ECHILD, ECONNABORTED, ECONNREFUSED, ECONNRESET, EDEADLK,
    EDESTADDRREQ, EDOM, EDQUOT, EEXIST, EFAULT, EFBIG, EHOSTUNREACH, EIDRM, EILSEQ, EINPROGRESS,
    EINTR, EINVAL, EIO, EISCONN, EISDIR, ELOOP, EMFILE, EMLINK, EMSGSIZE, EMULTIHOP, ENAMETOOLONG,
    ENETDOWN, ENETRESET, ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOEXEC, ENOLCK, ENOLINK,
    ENOMEM, ENOMSG, ENOPROTOOPT, ENOSPC, ENOSYS, ENOTCONN, ENOTDIR, ENOTEMPTY, ENOTRECOVERABLE,
    ENOTSOCK, ENOTSUP, ENOTTY, ENXIO, EOVERFLOW, EOWNERDEAD, EPERM, EPIPE, EPROTO,
    EPROTONOSUPPORT, EPROTOTYPE, ERANGE, EROFS, ESPIPE, ESRCH, ESTALE, ETIMEDOUT, ETXTBSY, EXDEV,
    ENOTCAPABLE,
) = range(77)
# fmt: on

_FROM_HOST: dict[int, int] = {
    getattr(host, name): number
    for name, number in globals().copy().items()
    if name[0] == "E" and hasattr(host, name)
}


def errno_of(error: OSError) -> int:
    """The guest's number for an error of the host; EIO where WASI has no such error."""
    return _FROM_HOST.get(error.errno or 0, EIO)


# filetype
UNKNOWN, BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, REGULAR_FILE = range(5)
SOCKET_DGRAM, SOCKET_STREAM, SYMBOLIC_LINK = 5, 6, 7

# rights: what a descriptor may be used for
# fmt: off
(
    FD_DATASYNC, FD_READ, FD_SEEK, FD_FDSTAT_SET_FLAGS, FD_SYNC, FD_TELL, FD_WRITE, FD_ADVISE,
    FD_ALLOCATE, PATH_CREATE_DIRECTORY, PATH_CREATE_FILE, PATH_LINK_SOURCE, PATH_LINK_TARGET,
    PATH_OPEN, FD_READDIR, PATH_READLINK, PATH_RENAME_SOURCE, PATH_RENAME_TARGET,
    PATH_FILESTAT_GET, PATH_FILESTAT_SET_SIZE, PATH_FILESTAT_SET_TIMES, FD_FILESTAT_GET,
    FD_FILESTAT_SET_SIZE, FD_FILESTAT_SET_TIMES, PATH_SYMLINK, PATH_REMOVE_DIRECTORY,
    PATH_UNLINK_FILE, POLL_FD_READWRITE, SOCK_SHUTDOWN, SOCK_ACCEPT,
) = (1 << bit for bit in range(30))
# fmt: on

# The most that a descriptor of each kind can have. A terminal cannot seek or tell: wasi-libc's
# isatty() goes by that.
STREAM_RIGHTS = FD_READ | FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE
SOCKET_RIGHTS = STREAM_RIGHTS | SOCK_SHUTDOWN | SOCK_ACCEPT
FILE_RIGHTS = (
    STREAM_RIGHTS
    | (FD_DATASYNC | FD_SYNC | FD_SEEK | FD_TELL | FD_ADVISE | FD_ALLOCATE)
    | (FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES)
)
DIRECTORY_RIGHTS = (
    (FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_ADVISE | FD_READDIR | POLL_FD_READWRITE)
    | (FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES | PATH_OPEN | PATH_READLINK | PATH_SYMLINK)
    | (PATH_CREATE_DIRECTORY | PATH_CREATE_FILE | PATH_REMOVE_DIRECTORY | PATH_UNLINK_FILE)
    | (PATH_LINK_SOURCE | PATH_LINK_TARGET | PATH_RENAME_SOURCE | PATH_RENAME_TARGET)
    | (PATH_FILESTAT_GET | PATH_FILESTAT_SET_SIZE | PATH_FILESTAT_SET_TIMES)
)
#: What can be inherited through a directory: rights of the files and directories in it.
INHERITABLE_RIGHTS = DIRECTORY_RIGHTS | FILE_RIGHTS
#: What makes no sense for a file that is not open for writing.
WRITING_RIGHTS = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE

# fdflags, and the host's flag for each
APPEND, DSYNC, NONBLOCK, RSYNC, SYNC = 1, 2, 4, 8, 16
HOST_FLAGS = {
    APPEND: os.O_APPEND,
    DSYNC: getattr(os, "O_DSYNC", os.O_SYNC),
    NONBLOCK: os.O_NONBLOCK,
    RSYNC: getattr(os, "O_RSYNC", os.O_SYNC),
    SYNC: os.O_SYNC,
}

OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_EXCL, OFLAGS_TRUNC = 1, 2, 4, 8
LOOKUP_SYMLINK_FOLLOW = 1
FST_ATIM, FST_ATIM_NOW, FST_MTIM, FST_MTIM_NOW = 1, 2, 4, 8
EVENT_CLOCK, EVENT_FD_READ, EVENT_FD_WRITE = 0, 1, 2
EVENT_HANGUP = 1
CLOCK_REALTIME, CLOCK_MONOTONIC = 0, 1
CLOCK_ABSTIME = 1
RECV_PEEK, RECV_WAITALL = 1, 2
RECV_DATA_TRUNCATED = 1
SHUTDOWN_READ, SHUTDOWN_WRITE = 1, 2

#: filetype, flags, rights_base, rights_inheriting
FDSTAT = Struct("<BxHxxxxQQ")
#: tag (0 = directory), length of the name
PRESTAT = Struct("<BxxxI")
#: next cookie, inode, length of the name (which follows), filetype
DIRENT = Struct("<QQIBxxx")
#: userdata, errno, type, bytes available, flags
EVENT = Struct("<QHB5xQH6x")
#: address, length
IOVEC = Struct("<II")


class Layout:
    """What differs between the two versions of the interface."""

    def __init__(self, filestat: str, whence: tuple[int, int, int], subscription: str) -> None:
        #: dev, ino, filetype, nlink, size, atim, mtim, ctim
        self.filestat = Struct(filestat)
        #: the host's SEEK_… by the guest's whence
        self.whence = whence
        #: userdata, tag, [identifier,] clock id or descriptor, timeout, precision, flags
        self.subscription = Struct(subscription)


PREVIEW1 = Layout("<QQB7xQQQQQ", (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END), "<QB7xI4xQQH6x")
# A subscription had one more field, the clock's identifier, in whose place a descriptor stands.
UNSTABLE = Layout("<QQB3xIQQQQ", (os.SEEK_CUR, os.SEEK_END, os.SEEK_SET), "<QB7xQI4xQQH6x")
