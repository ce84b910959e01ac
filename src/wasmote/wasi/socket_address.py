"""Addresses of the internet as a program sees them in memory, and as the host wants them.

The layouts are those of WAMR's `wasi_socket_ext.h`: a kind, the address, the port, all numbers
little-endian; an IPv6 address is eight 16-bit numbers.
"""

import socket
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from wasmote.wasi.abi import EAFNOSUPPORT, EPROTONOSUPPORT
from wasmote.wasi.errors import CallError

_IPV4, _IPV6 = 0, 1
_KIND = Struct("<I")
_PORT = Struct("<H")
#: `__wasi_addr_t`: kind, address and port.
SIZE = 24
#: `__wasi_addr_ip_t`: kind and address.
IP_SIZE = 20
#: Where the address ends, and the port begins.
_IPV4_END, _IPV6_END = 8, 20


def read_ip(data: bytes) -> IPv4Address | IPv6Address:
    """The address in an `__wasi_addr_ip_t` or `__wasi_addr_t`. Raises EPROTONOSUPPORT."""
    (kind,) = _KIND.unpack_from(data)
    if kind == _IPV4:
        return IPv4Address(data[4:_IPV4_END])
    if kind == _IPV6:
        return IPv6Address(_swapped(data[4:_IPV6_END]))
    raise CallError(EPROTONOSUPPORT)


def _swapped(data: bytes) -> bytes:
    """16-bit numbers in the other byte order."""
    swapped = bytearray(data)
    swapped[::2], swapped[1::2] = data[1::2], data[::2]
    return bytes(swapped)


class Address:
    """An IP address and a port."""

    __slots__ = ("ip", "port")

    def __init__(self, ip: IPv4Address | IPv6Address, port: int) -> None:
        self.ip = ip
        self.port = port

    @classmethod
    def unpack(cls, data: bytes) -> "Address":
        """From an `__wasi_addr_t`. Raises EPROTONOSUPPORT for another kind of address."""
        ip = read_ip(data)
        (port,) = _PORT.unpack_from(data, _IPV4_END if ip.version == 4 else _IPV6_END)
        return cls(ip, port)

    @classmethod
    def from_host(cls, family: int, address: object) -> "Address":
        """From what Python's sockets return. Raises EAFNOSUPPORT for other families."""
        if family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            raise CallError(EAFNOSUPPORT)
        ip = socket.inet_pton(family, address[0])
        return cls(IPv4Address(ip) if len(ip) == 4 else IPv6Address(ip), address[1])

    def pack(self) -> bytes:
        """An `__wasi_addr_t`."""
        packed = self.ip.packed
        kind, ip = (_IPV4, packed) if len(packed) == 4 else (_IPV6, _swapped(packed))
        return (_KIND.pack(kind) + ip + _PORT.pack(self.port)).ljust(SIZE, b"\0")

    @property
    def family(self) -> int:
        """The host's number for the kind of address."""
        return socket.AF_INET if self.ip.version == 4 else socket.AF_INET6

    def for_host(self, family: int) -> tuple[str, int]:
        """As Python's sockets want it. Raises EAFNOSUPPORT if `family` has no such addresses."""
        if family != self.family:
            raise CallError(EAFNOSUPPORT)
        return str(self.ip), self.port
