"""Options of sockets, which WAMR's extension has a pair of functions for each: get and set.

Most are a number that goes through to the host; `_OPTIONS` lists them. Constants of the host are
named and not imported: a system that lacks one says ENOPROTOOPT, and Python's sockets are slow to
import.
"""

from struct import Struct

from wasmote.wasi.abi import EACCES, ENOPROTOOPT
from wasmote.wasi.calls import FUNCTIONS, U32, U64, Pointer, State, wasi_function
from wasmote.wasi.errors import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote.wasi.socket_descriptor import Socket

#: Name: the host's level and option, how many bytes the number has in memory, the largest one.
_OPTIONS = {
    "broadcast": ("SOL_SOCKET", "SO_BROADCAST", 1, 1),
    "keep_alive": ("SOL_SOCKET", "SO_KEEPALIVE", 1, 1),
    "reuse_addr": ("SOL_SOCKET", "SO_REUSEADDR", 1, 1),
    "reuse_port": ("SOL_SOCKET", "SO_REUSEPORT", 1, 1),
    "recv_buf_size": ("SOL_SOCKET", "SO_RCVBUF", 4, 0x7FFF_FFFF),
    "send_buf_size": ("SOL_SOCKET", "SO_SNDBUF", 4, 0x7FFF_FFFF),
    "tcp_no_delay": ("IPPROTO_TCP", "TCP_NODELAY", 1, 1),
    "tcp_quick_ack": ("IPPROTO_TCP", "TCP_QUICKACK", 1, 1),
    "tcp_fastopen_connect": ("IPPROTO_TCP", "TCP_FASTOPEN_CONNECT", 1, 1),
    "tcp_keep_idle": ("IPPROTO_TCP", "TCP_KEEPIDLE", 4, 0x7FFF_FFFF),
    "tcp_keep_intvl": ("IPPROTO_TCP", "TCP_KEEPINTVL", 4, 0x7FFF_FFFF),
    "ip_ttl": ("IPPROTO_IP", "IP_TTL", 1, 0xFF),
    "ip_multicast_ttl": ("IPPROTO_IP", "IP_MULTICAST_TTL", 1, 0xFF),
    "ipv6_only": ("IPPROTO_IPV6", "IPV6_V6ONLY", 1, 1),
}
#: Options of Linux that Python has no name for.
_LINUX = {"TCP_FASTOPEN_CONNECT": 30}
#: `__wasi_addr_ip_t`
_IP_SIZE = 20
_INDEX = Struct("@I")


def _get(sock: "Socket", level: str, option: str) -> int:
    return sock.socket.getsockopt(_host(level), _host(option))


def _set(sock: "Socket", level: str, option: str, value: int | bytes) -> None:
    sock.socket.setsockopt(_host(level), _host(option), value)


def _host(name: str) -> int:
    """The host's number for a constant. Raises ENOPROTOOPT."""
    import socket
    import sys

    number = getattr(socket, name, None)
    if number is None and sys.platform == "linux":
        number = _LINUX.get(name)
    if number is None:
        raise CallError(ENOPROTOOPT)
    return int(number)


def _declare(name: str, level: str, option: str, size: int, largest: int) -> None:
    """Make the two functions of an option that is a number, or true or false."""

    def get(state: State, fd: U32, result: Pointer) -> None:
        sock = state.table.socket(fd, 0)
        stored = state.guest.slice(result, size)
        stored[:] = min(_get(sock, level, option), largest).to_bytes(size, "little")

    def set_(state: State, fd: U32, value: U32) -> None:
        sock = state.table.socket(fd, 0)
        _set(sock, level, option, bool(value) if largest == 1 else min(value, largest))

    for function, verb in (get, "get"), (set_, "set"):
        function.__name__ = f"sock_{verb}_{name}"
        FUNCTIONS[function.__name__] = function


for _name, _option in _OPTIONS.items():
    _declare(_name, *_option)


@wasi_function
def sock_get_recv_timeout(state: State, fd: U32, result: Pointer) -> None:
    """Microseconds that receiving and accepting may wait; 0: as long as it takes."""
    sock = state.table.socket(fd, 0)
    state.guest.slice(result, 8)[:] = sock.receive_timeout.to_bytes(8, "little")


@wasi_function
def sock_set_recv_timeout(state: State, fd: U32, microseconds: U64) -> None:
    """Set how long receiving and accepting may wait."""
    state.table.socket(fd, 0).receive_timeout = microseconds


@wasi_function
def sock_get_send_timeout(state: State, fd: U32, result: Pointer) -> None:
    """Microseconds that sending and connecting may wait; 0: as long as it takes."""
    sock = state.table.socket(fd, 0)
    state.guest.slice(result, 8)[:] = sock.send_timeout.to_bytes(8, "little")


@wasi_function
def sock_set_send_timeout(state: State, fd: U32, microseconds: U64) -> None:
    """Set how long sending and connecting may wait."""
    state.table.socket(fd, 0).send_timeout = microseconds


@wasi_function
def sock_get_linger(state: State, fd: U32, lingers: Pointer, seconds: Pointer) -> None:
    """Whether closing takes care of data that is not sent yet, and for how long."""
    from wasmote.wasi.socket_descriptor import linger

    sock = state.table.socket(fd, 0)
    stored, stored_seconds = state.guest.slice(lingers, 1), state.guest.slice(seconds, 4)
    enabled, duration = linger(sock.socket)
    stored[:] = enabled.to_bytes(1, "little")
    stored_seconds[:] = duration.to_bytes(4, "little")


@wasi_function
def sock_set_linger(state: State, fd: U32, lingers: U32, seconds: U32) -> None:
    """Set that. Closing does not wait for it, but with 0 seconds ends the connection at once."""
    from wasmote.wasi.socket_descriptor import set_linger

    set_linger(state.table.socket(fd, 0).socket, bool(lingers), min(seconds, 0x7FFF_FFFF))


@wasi_function
def sock_get_ip_multicast_loop(state: State, fd: U32, ipv6: U32, result: Pointer) -> None:
    """Whether this machine gets its own datagrams to a group."""
    sock = state.table.socket(fd, 0)
    stored = state.guest.slice(result, 1)
    stored[:] = min(_get(sock, *_multicast_loop(ipv6)), 1).to_bytes(1, "little")


@wasi_function
def sock_set_ip_multicast_loop(state: State, fd: U32, ipv6: U32, value: U32) -> None:
    """Set that."""
    _set(state.table.socket(fd, 0), *_multicast_loop(ipv6), bool(value))


def _multicast_loop(ipv6: int) -> tuple[str, str]:
    return ("IPPROTO_IPV6", "IPV6_MULTICAST_LOOP") if ipv6 else ("IPPROTO_IP", "IP_MULTICAST_LOOP")


@wasi_function
def sock_set_ip_add_membership(state: State, fd: U32, group: Pointer, interface: U32) -> None:
    """Receive what is sent to a group. `interface`: address (IPv4), index (IPv6) or 0 for any.

    Raises EACCES if the pool has the group not.
    """
    _set_membership(state, fd, group, interface, join=True)


@wasi_function
def sock_set_ip_drop_membership(state: State, fd: U32, group: Pointer, interface: U32) -> None:
    """Undo that."""
    _set_membership(state, fd, group, interface, join=False)


def _set_membership(state: State, fd: int, group: int, interface: int, join: bool) -> None:
    from wasmote.wasi.socket_address import read_ip

    sock = state.table.socket(fd, 0)
    ip = read_ip(bytes(state.guest.slice(group, _IP_SIZE)))
    if not state.network.has(ip):
        raise CallError(EACCES)
    if ip.version == 4:
        option = "IP_ADD_MEMBERSHIP" if join else "IP_DROP_MEMBERSHIP"
        # The interface's address is in network byte order in the guest's memory.
        _set(sock, "IPPROTO_IP", option, ip.packed + interface.to_bytes(4, "little"))
    else:
        option = "IPV6_JOIN_GROUP" if join else "IPV6_LEAVE_GROUP"
        _set(sock, "IPPROTO_IPV6", option, ip.packed + _INDEX.pack(interface))
