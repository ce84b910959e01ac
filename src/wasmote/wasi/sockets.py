"""WASI functions on sockets. A guest gets its first socket from the embedder, as a descriptor."""

import os

from wasmote.wasi import abi
from wasmote.wasi.abi import EINVAL
from wasmote.wasi.calls import U32, Pointer, State, wasi_function
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.errors import CallError
from wasmote.wasi.host_descriptors import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket


class _Socket:
    """Python's view of a descriptor's socket for the time of a `with`; closing nothing."""

    def __init__(self, descriptor: Descriptor) -> None:
        import socket  # slow to import, and few programs need it

        self._socket = socket.socket(fileno=descriptor.fd)

    def __enter__(self) -> "socket":
        return self._socket

    def __exit__(self, *exception: object) -> None:
        self._socket.detach()


@wasi_function
def sock_accept(state: State, fd: U32, flags: U32, result: Pointer) -> None:
    """The next connection of a listening socket; `flags` may be NONBLOCK."""
    descriptor = state.table.socket(fd, abi.SOCK_ACCEPT)
    if flags & ~abi.NONBLOCK:
        raise CallError(EINVAL)
    stored = state.guest.slice(result, 4)
    with _Socket(descriptor) as listening:
        connection = listening.accept()[0]
    os.set_blocking(connection.fileno(), not flags)
    accepted = opened(connection.detach(), abi.SOCKET_RIGHTS, flags)
    stored[:] = state.table.insert(accepted).to_bytes(4, "little")


@wasi_function
def sock_recv(
    state: State,
    fd: U32,
    iovs: Pointer,
    count: U32,
    flags: U32,
    nread: Pointer,
    result_flags: Pointer,
) -> None:
    """Receive; `flags` may ask to leave the data in the queue, and to wait for all of it."""
    descriptor = state.table.socket(fd, abi.FD_READ)
    if flags & ~(abi.RECV_PEEK | abi.RECV_WAITALL):
        raise CallError(EINVAL)
    guest = state.guest
    stored, stored_flags = guest.slice(nread, 4), guest.slice(result_flags, 2)
    buffers = guest.buffers(iovs, count)
    with _Socket(descriptor) as sock:
        import socket

        host_flags = socket.MSG_PEEK if flags & abi.RECV_PEEK else 0
        host_flags |= socket.MSG_WAITALL if flags & abi.RECV_WAITALL else 0
        length, _, received, _ = sock.recvmsg_into(buffers, 0, host_flags)
        truncated = abi.RECV_DATA_TRUNCATED if received & socket.MSG_TRUNC else 0
    stored[:] = length.to_bytes(4, "little")
    stored_flags[:] = truncated.to_bytes(2, "little")


@wasi_function
def sock_send(
    state: State, fd: U32, iovs: Pointer, count: U32, flags: U32, nwritten: Pointer
) -> None:
    """Send; no flags are defined."""
    descriptor = state.table.socket(fd, abi.FD_WRITE)
    if flags:
        raise CallError(EINVAL)
    stored = state.guest.slice(nwritten, 4)
    buffers = state.guest.buffers(iovs, count)
    with _Socket(descriptor) as sock:
        stored[:] = sock.sendmsg(buffers).to_bytes(4, "little")


@wasi_function
def sock_shutdown(state: State, fd: U32, how: U32) -> None:
    """End receiving, sending or both."""
    descriptor = state.table.socket(fd, abi.SOCK_SHUTDOWN)
    if not 0 < how <= abi.SHUTDOWN_READ | abi.SHUTDOWN_WRITE:
        raise CallError(EINVAL)
    with _Socket(descriptor) as sock:
        sock.shutdown(how - 1)  # SHUT_RD, SHUT_WR and SHUT_RDWR are 0, 1, 2
