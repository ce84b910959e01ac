"""Looking up the addresses of names: `sock_addr_resolve` of WAMR's extension."""

from struct import Struct

from wasmote import checkpoint
from wasmote.wasi.abi import EACCES, EAGAIN, EINVAL, EIO, ENOMEM
from wasmote.wasi.calls import U32, Pointer, State, wasi_function
from wasmote.wasi.errors import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote.wasi.socket_address import Address

#: `__wasi_addr_info_hints_t`: type of socket (-1: any), kind of address (2: any), hints are given
_HINTS = Struct("<iiB3x")
#: What follows the address in an `__wasi_addr_info_t`: type of socket
_TYPE = Struct("<i")
_INFO_SIZE = 28
_DATAGRAM, _STREAM = 0, 1
_INET4, _INET6 = 0, 1
# What the host's resolver takes at most, with the NUL (NI_MAXHOST, NI_MAXSERV).
_LONGEST_HOST, _LONGEST_SERVICE = 1025, 32
#: Seconds between two looks whether the program is to end.
_PATIENCE = 0.05


@wasi_function
def sock_addr_resolve(
    state: State,
    host: Pointer,
    service: Pointer,
    hints: Pointer,
    result: Pointer,
    size: U32,
    count: Pointer,
) -> None:
    """Look up the addresses of `host` for `service` (a name, a port or nothing).

    Stores as many as fit in `size` entries, and how many there are. Raises EACCES for a name that
    the program may not look up, EINVAL for one that nobody knows, EAGAIN if that is unknown.
    """
    guest = state.guest
    stored, stored_count = guest.slice(result, _INFO_SIZE * size), guest.slice(count, 4)
    kind, family, given = _HINTS.unpack(guest.slice(hints, _HINTS.size))
    name = guest.string(host, _LONGEST_HOST)
    port = guest.string(service, _LONGEST_SERVICE)
    if not state.network.resolves(name):
        raise CallError(EACCES)
    found = _resolve(name, port, *((kind, family) if given else (-1, -1)))
    for number, (address, kind) in enumerate(found[:size]):
        entry = address.pack() + _TYPE.pack(kind)
        stored[number * _INFO_SIZE : (number + 1) * _INFO_SIZE] = entry
    stored_count[:] = len(found).to_bytes(4, "little")


def _resolve(host: bytes, service: bytes, kind: int, family: int) -> "list[tuple[Address, int]]":
    """The addresses with their types of sockets."""
    import socket

    from wasmote.wasi.socket_address import Address

    kinds = {_DATAGRAM: socket.SOCK_DGRAM, _STREAM: socket.SOCK_STREAM}
    families = {_INET4: socket.AF_INET, _INET6: socket.AF_INET6}
    answers = _ask(host, service, families.get(family, 0), kinds.get(kind, 0))
    guest_kinds = {host_kind: number for number, host_kind in kinds.items()}
    return [
        (Address.from_host(family, address), guest_kinds[kind])
        for family, kind, _, _, address in answers
        if family in families.values() and kind in guest_kinds
    ]


def _ask(host: bytes, service: bytes, family: int, kind: int) -> "list[tuple]":  # type: ignore[type-arg]
    """What the host's resolver says. Nothing can end it early, so it gets a thread of its own."""
    import socket
    from concurrent.futures import Future
    from threading import Thread

    answer: Future[list[tuple]] = Future()  # type: ignore[type-arg]

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, service or None, family, kind))
        except BaseException as error:
            answer.set_exception(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_PATIENCE)
        checkpoint()
    try:
        return answer.result()
    except socket.gaierror as error:
        errors = {socket.EAI_AGAIN: EAGAIN, socket.EAI_MEMORY: ENOMEM, socket.EAI_FAIL: EIO}
        raise CallError(errors.get(error.errno or 0, EINVAL)) from None
