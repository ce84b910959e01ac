"""WASI functions on sockets: the four of preview 1, and WAMR's extension to the others.

A guest gets its first socket from the embedder, as a descriptor, or opens it. Where it may be bound
or connected to, and where data may go, `network` says. Who connects to a socket that listens, or
sends to it, is not looked at.
"""

from wasmote.wasi import abi
from wasmote.wasi.abi import EACCES, EAFNOSUPPORT, EINVAL, EPROTOTYPE
from wasmote.wasi.calls import U32, Pointer, State, wasi_function
from wasmote.wasi.errors import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote.wasi.socket_address import Address
    from wasmote.wasi.socket_descriptor import Socket

# Python's sockets are slow to import, and few programs need them: `socket_descriptor` and
# `socket_address` are imported with the first use.

_INET4, _INET6 = 0, 1
_DATAGRAM, _STREAM = 0, 1
_ADDRESS_SIZE = 24
_LARGEST_BACKLOG = 0x7FFF_FFFF


def _address(state: State, pointer: int) -> "Address":
    """The `__wasi_addr_t` in memory. Raises EPROTONOSUPPORT."""
    from wasmote.wasi.socket_address import Address

    return Address.unpack(bytes(state.guest.slice(pointer, _ADDRESS_SIZE)))


@wasi_function
def sock_open(state: State, pool: U32, family: U32, kind: U32, result: Pointer) -> None:
    """A new socket for streams or datagrams, IPv4 or IPv6. `pool` is for a future version."""
    import socket

    from wasmote.wasi.socket_descriptor import HostSocket, Socket

    if family not in (_INET4, _INET6):
        raise CallError(EAFNOSUPPORT)
    if kind not in (_DATAGRAM, _STREAM):
        raise CallError(EPROTOTYPE)
    stored = state.guest.slice(result, 4)
    sock = HostSocket(
        socket.AF_INET if family == _INET4 else socket.AF_INET6,
        socket.SOCK_STREAM if kind == _STREAM else socket.SOCK_DGRAM,
    )
    stored[:] = state.table.insert(Socket(sock)).to_bytes(4, "little")


@wasi_function
def sock_close(state: State, fd: U32) -> None:
    """As fd_close, for sockets only."""
    state.table.socket(fd, 0)
    state.table.remove(fd)


@wasi_function
def sock_bind(state: State, fd: U32, address: Pointer) -> None:
    """Give a socket an address of this machine. Raises EACCES if the pool has it not."""
    sock = state.table.socket(fd, 0)
    local = _address(state, address)
    _check_bind(state, sock, local)
    sock.socket.bind(local.for_host(sock.socket.family))


def _check_bind(state: State, sock: "Socket", local: "Address") -> None:
    """Raises EACCES if the program may not bind to this address."""
    from ipaddress import IPv4Address

    network = state.network
    if not network.has(local.ip):
        raise CallError(EACCES)
    if local.ip.version == 6 and local.ip.is_unspecified and not network.has(IPv4Address(0)):
        import socket  # any IPv6 address, but not also any IPv4 address

        sock.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


@wasi_function
def sock_listen(state: State, fd: U32, backlog: U32) -> None:
    """Wait for connections from now on. EACCES without an address, if the pool has not any."""
    sock = state.table.socket(fd, 0)
    if sock.is_internet:
        local = sock.local()
        if not local.port:  # the system will take any address
            _check_bind(state, sock, local)
    sock.socket.listen(min(backlog, _LARGEST_BACKLOG))


@wasi_function
def sock_accept(state: State, fd: U32, flags: U32, result: Pointer) -> None:
    """The next connection of a listening socket; `flags` may be NONBLOCK."""
    sock = state.table.socket(fd, abi.SOCK_ACCEPT)
    if flags & ~abi.NONBLOCK:
        raise CallError(EINVAL)
    stored = state.guest.slice(result, 4)
    stored[:] = state.table.insert(sock.accept(flags)).to_bytes(4, "little")


@wasi_function
def sock_connect(state: State, fd: U32, address: Pointer) -> None:
    """Connect to a peer. Raises EACCES if the pool has it not."""
    sock = state.table.socket(fd, 0)
    peer = _address(state, address)
    if not state.network.reaches(peer.ip):
        raise CallError(EACCES)
    sock.connect(peer)


@wasi_function
def sock_addr_local(state: State, fd: U32, result: Pointer) -> None:
    """The address that a socket is bound to."""
    sock = state.table.socket(fd, 0)
    stored = state.guest.slice(result, _ADDRESS_SIZE)
    stored[:] = sock.local().pack()


@wasi_function
def sock_addr_remote(state: State, fd: U32, result: Pointer) -> None:
    """The address of a socket's peer."""
    sock = state.table.socket(fd, 0)
    stored = state.guest.slice(result, _ADDRESS_SIZE)
    stored[:] = sock.remote().pack()


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
    """Receive; `flags` may ask to leave the data in the queue, or to wait for all of it."""
    sock = state.table.socket(fd, abi.FD_READ)
    guest = state.guest
    stored, stored_flags = guest.slice(nread, 4), guest.slice(result_flags, 2)
    length, truncated, _ = _receive(sock, guest.buffers(iovs, count), flags)
    stored[:] = length.to_bytes(4, "little")
    stored_flags[:] = (abi.RECV_DATA_TRUNCATED if truncated else 0).to_bytes(2, "little")


@wasi_function
def sock_recv_from(
    state: State,
    fd: U32,
    iovs: Pointer,
    count: U32,
    flags: U32,
    sender: Pointer,
    nread: Pointer,
) -> None:
    """As `sock_recv`, and say from where. A null pointer for that: nobody wants to know."""
    sock = state.table.socket(fd, abi.FD_READ)
    guest = state.guest
    stored = guest.slice(nread, 4)
    stored_sender = guest.slice(sender, _ADDRESS_SIZE) if sender else None
    length, _, address = _receive(sock, guest.buffers(iovs, count), flags)
    if stored_sender is not None and (peer := sock.sender(address)) is not None:
        stored_sender[:] = peer.pack()
    stored[:] = length.to_bytes(4, "little")


def _receive(sock: "Socket", buffers: list[memoryview], flags: int) -> tuple[int, bool, object]:
    """Number of bytes, whether more of the datagram is lost, the sender as the host has it."""
    import socket

    if flags & ~(abi.RECV_PEEK | abi.RECV_WAITALL):
        raise CallError(EINVAL)
    peek = socket.MSG_PEEK if flags & abi.RECV_PEEK else 0
    length, found, sender = sock.receive(buffers, peek, bool(flags & abi.RECV_WAITALL))
    return length, bool(found & socket.MSG_TRUNC), sender


@wasi_function
def sock_send(
    state: State, fd: U32, iovs: Pointer, count: U32, flags: U32, nwritten: Pointer
) -> None:
    """Send to the peer; no flags are defined."""
    sock = state.table.socket(fd, abi.FD_WRITE)
    if flags:
        raise CallError(EINVAL)
    stored = state.guest.slice(nwritten, 4)
    stored[:] = sock.send(state.guest.buffers(iovs, count)).to_bytes(4, "little")


@wasi_function
def sock_send_to(
    state: State,
    fd: U32,
    iovs: Pointer,
    count: U32,
    flags: U32,
    address: Pointer,
    nwritten: Pointer,
) -> None:
    """Send to an address. Raises EACCES if the pool has it not."""
    sock = state.table.socket(fd, abi.FD_WRITE)
    if flags:
        raise CallError(EINVAL)
    stored = state.guest.slice(nwritten, 4)
    peer = _address(state, address)
    if not state.network.reaches(peer.ip):
        raise CallError(EACCES)
    stored[:] = sock.send(state.guest.buffers(iovs, count), peer).to_bytes(4, "little")


@wasi_function
def sock_shutdown(state: State, fd: U32, how: U32) -> None:
    """End receiving, sending or both."""
    sock = state.table.socket(fd, abi.SOCK_SHUTDOWN)
    if not 0 < how <= abi.SHUTDOWN_READ | abi.SHUTDOWN_WRITE:
        raise CallError(EINVAL)
    sock.socket.shutdown(how - 1)  # SHUT_RD, SHUT_WR and SHUT_RDWR are 0, 1, 2
