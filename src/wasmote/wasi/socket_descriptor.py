"""Sockets as descriptors of the guest.

Waiting is done here and not in the host's calls, so that a program that waits for the network can
be ended at any time: the host's sockets never block, and what the guest set about them
(non-blocking, timeouts) is followed here.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial

from wasmote import checkpoint
from wasmote.wasi import abi
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.host_descriptors import HostDescriptor
from wasmote.wasi.socket_address import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

#: The longest wait in one go, in milliseconds: then somebody may want the program to end.
_LONGEST_WAIT = 50
# A peer that has gone is an error for the program, not a signal for the process.
_SEND_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
_LINGER = struct.Struct("@ii")


class HostSocket(socket.socket):
    """A socket of the host that is closed with the last reference, as descriptors are."""

    def __del__(self) -> None:
        try:
            lingers, seconds = linger(self)
            if lingers and seconds:  # nobody could interrupt it; the system sends the rest anyway
                set_linger(self, False, 0)
        except OSError:
            pass
        self.close()


class _BorrowedSocket(socket.socket):
    """Python's view of a socket that somebody else closes."""

    def __del__(self) -> None:
        self.detach()


class Socket(HostDescriptor):
    """A socket of the host, which belongs to the guest."""

    def __init__(self, sock: socket.socket, flags: int = 0) -> None:
        self.socket = sock
        datagrams = sock.type == socket.SOCK_DGRAM
        filetype = abi.SOCKET_DGRAM if datagrams else abi.SOCKET_STREAM
        super().__init__(sock.fileno(), filetype, abi.SOCKET_RIGHTS, flags=flags)
        #: Microseconds that receiving (and accepting) or sending (and connecting) may wait;
        #: 0: as long as it takes.
        self.receive_timeout = 0
        self.send_timeout = 0
        self._prepare()

    def _prepare(self) -> None:
        self.socket.setblocking(False)

    def __del__(self, close: object = None) -> None:
        pass  # `socket` does it

    def readv(self, buffers: Sequence[memoryview]) -> int:
        return self.receive(buffers)[0]

    def writev(self, buffers: Sequence[memoryview]) -> int:
        return self.send(buffers)

    def set_flags(self, flags: int) -> None:
        self.flags = flags

    @property
    def is_internet(self) -> bool:
        """Whether the socket is one for IPv4 or IPv6."""
        return self.socket.family in (socket.AF_INET, socket.AF_INET6)

    @property
    def waits(self) -> bool:
        """Whether the guest wants calls to wait."""
        return not self.flags & abi.NONBLOCK

    def accept(self, flags: int) -> "Socket":
        """The next connection. Raises OSError: EAGAIN if there is none in time."""
        connection, _ = self._when_ready(select.POLLIN, self.receive_timeout, self.socket.accept)
        return Socket(HostSocket(fileno=connection.detach()), flags)

    def connect(self, address: Address) -> None:
        """Connect. Raises OSError: EINPROGRESS if that takes longer than it may."""
        error = self.socket.connect_ex(address.for_host(self.socket.family))
        waits = self.waits and error in (errno.EINPROGRESS, errno.EALREADY)
        if waits and self._wait(select.POLLOUT, _deadline(self.send_timeout)):
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

    def receive(
        self, buffers: Sequence[memoryview], flags: int = 0, fill: bool = False
    ) -> tuple[int, int, object]:
        """Fill `buffers`: number of bytes, the host's flags of the result, the sender's address.

        With `fill`, wait until they are full, if this is a stream.
        """
        flags |= socket.MSG_DONTWAIT
        total, _, found, sender = self._receive_some(buffers, flags)
        fill = fill and self.filetype == abi.SOCKET_STREAM and not flags & socket.MSG_PEEK
        length, rest = total, list(buffers)
        while fill and length and (rest := _after(rest, length)):
            try:
                length = self._receive_some(rest, flags)[0]
            except OSError:  # it will come again, if it is more than that nothing came in time
                break
            total += length
        return total, found, sender

    def _receive_some(
        self, buffers: Sequence[memoryview], flags: int
    ) -> tuple[int, object, int, object]:
        operation = partial(self.socket.recvmsg_into, buffers, 0, flags)
        return self._when_ready(select.POLLIN, self.receive_timeout, operation)

    def send(self, buffers: Sequence[memoryview], address: Address | None = None) -> int:
        """Send all of `buffers`, to `address` if given. Returns the number of bytes.

        That is less if the guest does not want to wait, and after an error or timeout.
        """
        to = () if address is None else (address.for_host(self.socket.family),)
        total, rest = 0, list(buffers)
        while True:
            operation = partial(self.socket.sendmsg, rest, (), _SEND_FLAGS, *to)
            try:
                length = self._when_ready(select.POLLOUT, self.send_timeout, operation)
            except OSError:
                if not total:
                    raise
                return total
            total += length
            rest = _after(rest, length)
            if not (rest and self.waits) or self.filetype == abi.SOCKET_DGRAM:
                return total

    def local(self) -> Address:
        """The address that the socket is bound to. Raises EAFNOSUPPORT."""
        return Address.from_host(self.socket.family, self.socket.getsockname())

    def remote(self) -> Address:
        """The address of the peer. Raises EAFNOSUPPORT, OSError: ENOTCONN."""
        return Address.from_host(self.socket.family, self.socket.getpeername())

    def sender(self, address: object) -> Address | None:
        """The sender of what has been received, `address` being what the host said."""
        if self.filetype == abi.SOCKET_STREAM:
            try:
                return self.remote()
            except OSError:  # the connection has ended meanwhile
                return None
        return Address.from_host(self.socket.family, address)

    def _when_ready(self, events: int, timeout: int, operation: "Callable[[], T]") -> "T":
        """Do `operation`, and if it would block, wait for `events` and do it again."""
        deadline = _deadline(timeout)
        while True:
            try:
                return operation()
            except BlockingIOError:
                if not (self.waits and self._wait(events, deadline)):
                    raise

    def _wait(self, events: int, deadline: float | None) -> bool:
        """Wait for `events`; False if they are not there by `deadline`. Raises Trap."""
        poller = select.poll()
        poller.register(self.fd, events)
        while True:
            checkpoint()
            pause: float = _LONGEST_WAIT
            if deadline is not None:
                pause = min(pause, max(0, deadline - time.monotonic()) * 1000)
            if poller.poll(pause):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False


class LentSocket(Socket):
    """A socket that stays the embedder's, given to the guest as a standard stream.

    It may block on the host: others may use it, too, who want it that way.
    """

    def __init__(self, owner: Descriptor) -> None:
        #: Keeps the descriptor open, and puts its flags back.
        self.owner = owner
        super().__init__(_BorrowedSocket(fileno=owner.fd), owner.flags)
        self.rights = owner.rights

    def _prepare(self) -> None:
        pass

    @property
    def waits(self) -> bool:
        return os.get_blocking(self.fd)

    def set_flags(self, flags: int) -> None:
        self.owner.set_flags(flags)
        self.flags = flags

    def accept(self, flags: int) -> Socket:
        if self.waits and not self._wait(select.POLLIN, _deadline(self.receive_timeout)):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return super().accept(flags)

    def connect(self, address: Address) -> None:
        blocking = os.get_blocking(self.fd)
        os.set_blocking(self.fd, False)
        try:
            super().connect(address)
        finally:
            os.set_blocking(self.fd, blocking)


def linger(sock: socket.socket) -> tuple[bool, int]:
    """SO_LINGER: whether closing takes care of data that is not sent, and for how long."""
    option = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size)
    lingers, seconds = _LINGER.unpack(option)
    return bool(lingers), seconds


def set_linger(sock: socket.socket, lingers: bool, seconds: int) -> None:
    """Set SO_LINGER."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(lingers, seconds))


def _deadline(timeout: int) -> float | None:
    return time.monotonic() + timeout / 1e6 if timeout else None


def _after(buffers: list[memoryview], length: int) -> list[memoryview]:
    """What of `buffers` comes after `length` bytes."""
    for number, buffer in enumerate(buffers):
        if length < len(buffer):
            return [buffer[length:], *buffers[number + 1 :]]
        length -= len(buffer)
    return []
