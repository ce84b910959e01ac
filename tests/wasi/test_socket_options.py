"""Options of sockets, and looking up names, by WAMR's extension."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import wasmote
from wasmote import Trap
from wasmote.wasi import Wasi, abi
from wasmote.wasi.calls import FUNCTIONS, Pointer
from wasmote.wasi.socket_address import Address

from .conftest import Program
from .test_open_sockets import DATAGRAM, INET4, INET6, STREAM, open_socket, poll, receive_from

GROUP, GROUP_6 = "224.1.2.3", "ff02::1:2"


@pytest.fixture
def program() -> Iterator[Program]:
    pool = ["127.0.0.0/8", "0.0.0.0/32", "::1", GROUP, GROUP_6]
    with Wasi(addr_pool=pool, allow_resolve="*.example.com,localhost") as wasi:
        yield Program(wasi)


@pytest.mark.parametrize(
    ("name", "family", "kind", "values"),
    [
        ("broadcast", INET4, DATAGRAM, (1, 0)),
        ("keep_alive", INET4, STREAM, (1, 0)),
        ("reuse_addr", INET4, STREAM, (1, 0)),
        ("reuse_port", INET4, STREAM, (1, 0)),
        ("tcp_no_delay", INET4, STREAM, (1, 0)),
        ("tcp_quick_ack", INET4, STREAM, (0, 1)),
        ("tcp_fastopen_connect", INET4, STREAM, (1, 0)),
        ("ipv6_only", INET6, DATAGRAM, (1, 0)),
        ("ip_ttl", INET4, STREAM, (8, 255)),
        ("ip_multicast_ttl", INET4, DATAGRAM, (8, 0)),
    ],
)
def test_options_of_one_byte(
    program: Program, name: str, family: int, kind: int, values: tuple[int, ...]
) -> None:
    fd = open_socket(program, family, kind)
    for value in values:
        program.ok(f"sock_set_{name}", fd, value)
        program.memory[64:66] = b"\xff\xff"
        program.ok(f"sock_get_{name}", fd, 64)
        assert program.memory[64:66] == bytes([value, 0xFF])
    for bad, errno in ((99, abi.EBADF), (open_socket(program), abi.EFAULT)):
        assert program.call(f"sock_get_{name}", bad, len(program.memory)) == errno


@pytest.mark.parametrize("name", ["tcp_keep_idle", "tcp_keep_intvl"])
def test_options_of_four_bytes(program: Program, name: str) -> None:
    fd = open_socket(program)
    program.ok(f"sock_set_{name}", fd, 16)
    program.ok(f"sock_get_{name}", fd, 64)
    assert program.u32(64) == 16
    assert program.call(f"sock_set_{name}", fd, 0xFFFF_FFFF) == abi.EINVAL
    datagrams = open_socket(program, INET4, DATAGRAM)
    assert program.call(f"sock_get_{name}", datagrams, 64) in (abi.ENOPROTOOPT, abi.ENOTSUP)


@pytest.mark.parametrize("name", ["recv_buf_size", "send_buf_size"])
def test_sizes_of_buffers(program: Program, name: str) -> None:
    fd = open_socket(program)
    program.ok(f"sock_set_{name}", fd, 8192)
    program.memory[64:72] = b"\xff" * 8
    program.ok(f"sock_get_{name}", fd, 64)
    assert program.u32(64) in (8192, 16384)  # Linux doubles it
    assert program.u32(68) == 0xFFFF_FFFF
    program.ok(f"sock_set_{name}", fd, 0xFFFF_FFFF)  # the system knows how much is too much


def test_linger(program: Program) -> None:
    fd = open_socket(program)
    program.ok("sock_set_linger", fd, 1, 10)
    program.ok("sock_get_linger", fd, 64, 68)
    assert (program.memory[64], program.u32(68)) == (1, 10)
    program.ok("sock_set_linger", fd, 0, 0)
    program.ok("sock_get_linger", fd, 64, 68)
    assert program.memory[64] == 0


def test_there_are_all_functions_of_the_extension(program: Program) -> None:
    names = [name for name in program.functions if name.startswith("sock_")]
    assert len(names) == 52
    assert str(program.functions["sock_open"].type) == "(i32, i32, i32, i32) -> (i32)"
    assert str(program.functions["sock_set_recv_timeout"].type) == "(i32, i64) -> (i32)"


#: Where the number of elements is in the parameters, for functions that take an array.
ONE_ELEMENT = {
    "sock_addr_resolve": 4,
    "sock_recv": 2,
    "sock_recv_from": 2,
    "sock_send": 2,
    "sock_send_to": 2,
}


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith("sock_")])
def test_each_pointer_is_checked(program: Program, name: str) -> None:
    """All others are 0, which is a good one. A null pointer for the sender means: not wanted."""
    fd = open_socket(program, INET4, DATAGRAM)
    program.ok("sock_set_recv_timeout", fd, 1000)
    size = len(program.memory)
    annotations = FUNCTIONS[name].__annotations__.items()
    kinds = [kind for key, kind in annotations if key not in ("state", "return")]
    for position, kind in enumerate(kinds):
        for bad in (size, size + 1, 0x8000_0000, 0xFFFF_FFFF):
            if kind is Pointer:
                values = [fd] + [0] * (len(kinds) - 1)
                if name in ONE_ELEMENT:
                    values[ONE_ELEMENT[name]] = 1
                values[position] = bad
                assert program.call(name, *values) == abi.EFAULT, f"argument {position} = {bad:#x}"


def group(program: Program, address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return program.put(Address.from_host(family, (address, 0)).pack()[:20])[0]


def test_multicast(program: Program) -> None:
    fd = open_socket(program, INET4, DATAGRAM)
    address = program.put(Address.from_host(socket.AF_INET, ("0.0.0.0", 0)).pack())[0]
    program.ok("sock_bind", fd, address)
    program.ok("sock_addr_local", fd, 64)
    port = Address.unpack(program.get(64, 24)).port
    interface = int.from_bytes(socket.inet_aton("127.0.0.1"), "little")
    try:
        program.ok("sock_set_ip_add_membership", fd, group(program, GROUP), interface)
    except AssertionError:
        pytest.skip("this machine has no multicast")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"to all", (GROUP, port))
        program.ok("sock_set_recv_timeout", fd, 5_000_000)
        assert receive_from(program, fd) == (b"to all", ("127.0.0.1", sender.getsockname()[1]))
        program.ok("sock_set_ip_drop_membership", fd, group(program, GROUP), interface)
        sender.sendto(b"to all", (GROUP, port))
        assert poll(program, fd, abi.EVENT_FD_READ, 50_000_000) == [(0, abi.EVENT_CLOCK)]
    for ipv6, family in (0, INET4), (1, INET6):
        fd = open_socket(program, family, DATAGRAM)
        for value in (0, 1):
            program.ok("sock_set_ip_multicast_loop", fd, ipv6, value)
            program.ok("sock_get_ip_multicast_loop", fd, ipv6, 64)
            assert program.memory[64] == value


def test_groups_must_be_in_the_pool(program: Program) -> None:
    for family, address in (INET4, "224.1.2.4"), (INET6, "ff02::1:3"):
        fd = open_socket(program, family, DATAGRAM)
        errno = program.call("sock_set_ip_add_membership", fd, group(program, address), 0)
        assert errno == abi.EACCES
    fd = open_socket(program, INET4, DATAGRAM)
    bad = program.put(struct.pack("<I16x", 3))[0]
    assert program.call("sock_set_ip_add_membership", fd, bad, 0) == abi.EPROTONOSUPPORT


# -- names -----------------------------------------------------------------------------------------


def resolve(
    program: Program,
    host: bytes,
    service: bytes = b"",
    hints: tuple[int, int, int] = (0, 0, 0),
    size: int = 4,
) -> int | tuple[int, list[tuple[str, int, int]]]:
    """How many addresses there are, and what is stored of them; or the errno."""
    result = program.alloc(28 * size)
    errno = program.call(
        "sock_addr_resolve",
        *(program.put(host + b"\0")[0], program.put(service + b"\0")[0]),
        *(program.put(struct.pack("<iiB3x", *hints))[0], result, size, 64),
    )
    if errno:
        return errno
    count = program.u32(64)
    found = []
    for number in range(min(count, size)):
        entry = program.get(result + 28 * number, 28)
        address = Address.unpack(entry)
        found.append((str(address.ip), address.port, struct.unpack_from("<i", entry, 24)[0]))
    return count, found


Resolver = Callable[[bytes, object, int, int], list[object]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[object, ...]]]:
    """A name service with one name; what it has been asked."""
    asked = []

    def getaddrinfo(host: bytes, service: object, family: int, kind: int) -> list[object]:
        asked.append((host, service, family, kind))
        if host == b"slow.example.com":
            time.sleep(3)
        if host == b"busy.example.com":
            raise socket.gaierror(socket.EAI_AGAIN, "busy")
        if host != b"www.example.com":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
            (socket.AF_INET, socket.SOCK_RAW, 0, "", ("192.0.2.1", 80)),
            (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("2001:db8::1", 80, 0, 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked


def test_names(program: Program, resolver: list[tuple[object, ...]]) -> None:
    both = [("192.0.2.1", 80, STREAM), ("2001:db8::1", 80, DATAGRAM)]
    assert resolve(program, b"www.example.com") == (2, both)
    assert resolve(program, b"www.example.com", b"http", (DATAGRAM, INET6, 1)) == (2, both)
    assert resolve(program, b"www.example.com", b"http", (-1, 2, 1), size=1) == (2, both[:1])
    assert resolve(program, b"www.example.com", b"http", (STREAM, INET6, 0), size=0) == (2, [])
    host = b"www.example.com"
    assert resolver == [
        (host, None, 0, 0),
        (host, b"http", socket.AF_INET6, socket.SOCK_DGRAM),
        (host, b"http", 0, 0),
        (host, b"http", 0, 0),
    ]


def test_names_that_are_not_allowed(program: Program, resolver: list[object]) -> None:
    for name in (b"example.com", b"www.example.org", b"127.0.0.1", b"", b"www.example.com.evil"):
        assert resolve(program, name) == abi.EACCES
    assert resolver == []


def test_errors_of_the_resolver(program: Program, resolver: list[object]) -> None:
    assert resolve(program, b"unknown.example.com") == abi.EINVAL
    assert resolve(program, b"busy.example.com") == abi.EAGAIN
    assert resolve(program, b"x" * 1030 + b".example.com") == abi.EINVAL
    assert resolve(program, b"www.example.com", b"x" * 40) == abi.EINVAL
    end = len(program.memory)
    program.memory[end - 3 :] = b"abc"
    assert program.call("sock_addr_resolve", end - 3, 0, 0, 0, 0, 64) == abi.EFAULT
    assert program.call("sock_addr_resolve", 0, 0, 0, 0, 0xFFFF_FFFF, 64) == abi.EFAULT
    assert program.call("sock_addr_resolve", 0, 0, end - 11, 0, 0, 64) == abi.EFAULT


RESOLVING = """
(module
  (import "wasi_snapshot_preview1" "sock_addr_resolve"
    (func $resolve (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "slow.example.com")
  (func (export "go") (result i32)
    (call $resolve (i32.const 0) (i32.const 32) (i32.const 32) (i32.const 64) (i32.const 1)
      (i32.const 48))))
"""


def test_looking_up_can_be_ended(program: Program, resolver: list[object]) -> None:
    pytest.importorskip("wasmtime")
    from wasmote.wat import wat2wasm

    with Wasi(allow_resolve=["*"]) as wasi:
        instance = wasmote.Instance(wasmote.Module(wat2wasm(RESOLVING)), wasi.imports())
        timer = threading.Timer(0.1, instance.terminate)
        timer.start()
        start = time.monotonic()
        with pytest.raises(Trap, match="terminated"):
            instance.exports.go()
        assert time.monotonic() - start < 2


def test_the_resolver_of_the_system(program: Program) -> None:
    found = resolve(program, b"localhost", b"80", (STREAM, 2, 1))
    assert isinstance(found, tuple)
    assert {entry[0] for entry in found[1]} <= {"127.0.0.1", "::1"}
    assert all(entry[1:] == (80, STREAM) for entry in found[1])
