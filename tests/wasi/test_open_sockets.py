"""Sockets that programs open themselves, by WAMR's extension."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

import wasmote
from wasmote import Trap, TrapKind
from wasmote.wasi import Wasi, abi
from wasmote.wasi.socket_address import Address

from .conftest import Program

INET4, INET6 = 0, 1
DATAGRAM, STREAM = 0, 1


@pytest.fixture
def program() -> Iterator[Program]:
    with Wasi(addr_pool=["127.0.0.0/8", "::1"]) as wasi:
        yield Program(wasi)


def open_socket(program: Program, family: int = INET4, kind: int = STREAM) -> int:
    program.ok("sock_open", 0xFFFF_FFFF, family, kind, 64)
    return program.u32(64)


def put_address(program: Program, host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return program.put(Address.from_host(family, (host, port)).pack())[0]


def address_at(program: Program, pointer: int) -> tuple[str, int]:
    address = Address.unpack(program.get(pointer, 24))
    return str(address.ip), address.port


def local(program: Program, fd: int) -> tuple[str, int]:
    pointer = program.alloc(24)
    program.ok("sock_addr_local", fd, pointer)
    return address_at(program, pointer)


def listening(program: Program, host: str = "127.0.0.1") -> tuple[int, int]:
    """A socket of the program that waits for connections, and its port."""
    fd = open_socket(program, INET6 if ":" in host else INET4)
    program.ok("sock_bind", fd, put_address(program, host, 0))
    program.ok("sock_listen", fd, 5)
    return fd, local(program, fd)[1]


def send_to(program: Program, fd: int, data: bytes, host: str, port: int) -> int:
    """Bytes sent, or minus the errno."""
    result = program.alloc(4)
    vector = program.iovecs(program.put(data))
    pointer = put_address(program, host, port)
    errno = program.call("sock_send_to", fd, *vector, 0, pointer, result)
    return -errno if errno else program.u32(result)


def receive_from(program: Program, fd: int, size: int = 100) -> tuple[bytes, tuple[str, int]] | int:
    buffer, length, sender = program.alloc(size), program.alloc(4), program.alloc(24)
    errno = program.call("sock_recv_from", fd, *program.iovecs((buffer, size)), 0, sender, length)
    return errno or (program.get(buffer, program.u32(length)), address_at(program, sender))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server(program: Program, host: str) -> None:
    fd, port = listening(program, host)
    assert program.fdstat(fd)[0] == abi.SOCKET_STREAM
    with socket.create_connection((host, port)) as client:
        program.ok("sock_accept", fd, 0, 64)
        connection = program.u32(64)
        pointer = program.alloc(24)
        program.ok("sock_addr_remote", connection, pointer)
        assert address_at(program, pointer) == client.getsockname()[:2]
        client.sendall(b"hello")
        assert program.read(connection) == b"hello"
        assert program.write(connection, b"an", b"swer") == 6
        assert client.recv(10) == b"answer"
        client.sendall(b"more")
        assert receive_from(program, connection) == (b"more", client.getsockname()[:2])
        program.ok("sock_close", connection)
        assert client.recv(10) == b""
        assert program.call("fd_close", connection) == abi.EBADF


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client(program: Program, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        fd = open_socket(program, INET6 if ":" in host else INET4)
        program.ok("sock_connect", fd, put_address(program, *server.getsockname()[:2]))
        connection = server.accept()[0]
        with connection:
            assert program.write(fd, b"hello") == 5
            assert connection.recv(10) == b"hello"
            pointer = program.alloc(24)
            program.ok("sock_addr_remote", fd, pointer)
            assert address_at(program, pointer) == server.getsockname()[:2]
            assert local(program, fd) == connection.getpeername()[:2]
        assert program.read(fd) == b""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams(program: Program, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.bind((host, 0))
        fd = open_socket(program, INET6 if ":" in host else INET4, DATAGRAM)
        assert program.fdstat(fd)[0] == abi.SOCKET_DGRAM
        assert send_to(program, fd, b"hello", *peer.getsockname()[:2]) == 5
        data, sender = peer.recvfrom(10)
        assert data == b"hello"
        peer.sendto(b"answer", sender)
        assert receive_from(program, fd) == (b"answer", peer.getsockname()[:2])
        peer.sendto(b"again", sender)
        buffer = program.alloc(10)
        vector = program.iovecs((buffer, 10))
        program.ok("sock_recv_from", fd, *vector, 0, 0, 64)  # nobody wants to know from where
        assert program.get(buffer, program.u32(64)) == b"again"


def test_memory_layout_of_addresses(program: Program) -> None:
    """As WAMR's wasi_socket_ext.h has them."""
    fd = open_socket(program)
    program.ok("sock_bind", fd, program.put(struct.pack("<I4BH14x", 0, 127, 0, 0, 1, 0))[0])
    program.ok("sock_addr_local", fd, 64)
    assert struct.unpack_from("<I4B", program.memory, 64) == (0, 127, 0, 0, 1)
    fd = open_socket(program, INET6)
    program.ok("sock_bind", fd, program.put(struct.pack("<I8HH2x", 1, *(0,) * 7, 1, 0))[0])
    program.ok("sock_addr_local", fd, 64)
    *address, port = struct.unpack_from("<I8HH", program.memory, 64)
    assert address == [1, *(0,) * 7, 1]
    assert port


def test_what_sockets_there_are(program: Program) -> None:
    assert program.call("sock_open", 0, 2, STREAM, 64) == abi.EAFNOSUPPORT
    assert program.call("sock_open", 0, INET4, 2, 64) == abi.EPROTOTYPE
    before = program.memory[64:68]
    assert program.call("sock_open", 0, INET4, STREAM, len(program.memory) - 3) == abi.EFAULT
    assert program.memory[64:68] == before
    fd = open_socket(program)
    bad_kind = program.put(struct.pack("<I20x", 2))[0]
    for name in ("sock_bind", "sock_connect"):
        assert program.call(name, fd, bad_kind) == abi.EPROTONOSUPPORT
        assert program.call(name, fd, len(program.memory) - 23) == abi.EFAULT
        assert program.call(name, 99, bad_kind) == abi.EBADF
        assert program.call(name, fd, put_address(program, "::1", 1)) == abi.EAFNOSUPPORT
    assert program.call("sock_addr_remote", fd, 64) == abi.ENOTCONN
    assert program.call("sock_listen", 99, 1) == abi.EBADF


def test_errors_of_the_host(program: Program) -> None:
    fd, port = listening(program)
    other = open_socket(program)
    assert program.call("sock_bind", other, put_address(program, "127.0.0.1", port)) == (
        abi.EADDRINUSE
    )
    program.ok("sock_close", fd)
    peer = put_address(program, "127.0.0.1", port)
    assert program.call("sock_connect", other, peer) == abi.ECONNREFUSED
    assert program.call("sock_accept", other, 0, 64) == abi.EINVAL
    assert program.write(open_socket(program), b"x") == -abi.EPIPE
    datagrams = open_socket(program, INET4, DATAGRAM)
    program.ok("sock_bind", datagrams, put_address(program, "127.0.0.1", 0))
    assert program.call("sock_listen", datagrams, 1) == abi.ENOTSUP
    assert program.write(datagrams, b"x") == -abi.EDESTADDRREQ
    assert send_to(program, datagrams, b"x" * 66000, "127.0.0.1", port) == -abi.EMSGSIZE


OUTSIDE = ["8.8.8.8", "0.0.0.0", "10.0.0.1", "255.255.255.255", "224.0.0.1"]
OUTSIDE_6 = ["::", "2001:db8::1", "::ffff:8.8.8.8", "ff02::1", "fe80::1"]


@pytest.mark.parametrize("host", OUTSIDE + OUTSIDE_6)
def test_nothing_outside_of_the_pool(program: Program, host: str) -> None:
    family = INET6 if ":" in host else INET4
    for kind in (STREAM, DATAGRAM):
        fd = open_socket(program, family, kind)
        assert program.call("sock_bind", fd, put_address(program, host, 0)) == abi.EACCES
        if host not in ("0.0.0.0", "::"):  # which mean this machine
            assert program.call("sock_connect", fd, put_address(program, host, 9)) == abi.EACCES
            assert send_to(program, fd, b"x", host, 9) == -abi.EACCES


@pytest.mark.parametrize("family", [INET4, INET6])
def test_nothing_without_a_pool(family: int) -> None:
    with Wasi() as wasi:
        program = Program(wasi)
        for kind in (STREAM, DATAGRAM):
            fd = open_socket(program, family, kind)
            for host in (("::1", "::", "::ffff:127.0.0.1"), ("127.0.0.1", "0.0.0.0"))[not family]:
                address = put_address(program, host, 9)
                assert program.call("sock_bind", fd, address) == abi.EACCES
                assert program.call("sock_connect", fd, address) == abi.EACCES
                assert send_to(program, fd, b"x", host, 9) == -abi.EACCES
        fd = open_socket(program, family)
        assert program.call("sock_listen", fd, 1) == abi.EACCES  # it would take any address


def test_ipv4_by_way_of_ipv6() -> None:
    """An IPv6 socket reaches IPv4 addresses only if the pool has these."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Wasi(addr_pool=["::/0"]) as wasi:
            program = Program(wasi)
            fd = open_socket(program, INET6)
            address = put_address(program, "::ffff:127.0.0.1", port)
            assert program.call("sock_connect", fd, address) == abi.EACCES
        with Wasi(addr_pool=["127.0.0.1"]) as wasi:
            program = Program(wasi)
            fd = open_socket(program, INET6)
            program.ok("sock_connect", fd, put_address(program, "::ffff:127.0.0.1", port))


@pytest.mark.parametrize(("pool", "dual"), [("::/0", False), ("::/0,0.0.0.0/0", True)])
@pytest.mark.parametrize("bound", [True, False])
def test_any_ipv6_address_is_not_any_ipv4_address(pool: str, dual: bool, bound: bool) -> None:
    with Wasi(addr_pool=pool) as wasi:
        program = Program(wasi)
        fd = open_socket(program, INET6)
        program.ok("sock_set_ipv6_only", fd, 0)
        if bound:
            program.ok("sock_bind", fd, put_address(program, "::", 0))
        program.ok("sock_listen", fd, 1)
        port = local(program, fd)[1]
        socket.create_connection(("::1", port)).close()
        if dual:
            socket.create_connection(("127.0.0.1", port)).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))


def test_not_blocking(program: Program) -> None:
    fd, port = listening(program)
    program.ok("fd_fdstat_set_flags", fd, abi.NONBLOCK)
    assert program.fdstat(fd)[1] == abi.NONBLOCK
    assert program.call("sock_accept", fd, 0, 64) == abi.EAGAIN
    client = open_socket(program)
    program.ok("fd_fdstat_set_flags", client, abi.NONBLOCK)
    errno = program.call("sock_connect", client, put_address(program, "127.0.0.1", port))
    assert errno in (abi.ESUCCESS, abi.EINPROGRESS)
    assert poll(program, client, abi.EVENT_FD_WRITE) == [(0, abi.EVENT_FD_WRITE)]
    assert poll(program, fd, abi.EVENT_FD_READ) == [(0, abi.EVENT_FD_READ)]
    program.ok("sock_accept", fd, abi.NONBLOCK, 64)
    connection = program.u32(64)
    assert receive_from(program, connection) == abi.EAGAIN
    assert program.read(connection) == -abi.EAGAIN
    while (written := program.write(client, b"x" * 65536)) >= 0:
        total = written
    assert written == -abi.EAGAIN
    assert total > 0


def poll(program: Program, fd: int, tag: int, timeout: int = 10**9) -> list[tuple[int, int]]:
    """errno and type of the events."""
    layout = abi.PREVIEW1.subscription
    subscriptions = layout.pack(1, tag, fd, 0, 0, 0) + layout.pack(2, 0, 1, timeout, 0, 0)
    events = program.alloc(64)
    program.ok("poll_oneoff", program.put(subscriptions)[0], events, 2, 64)
    found = abi.EVENT.iter_unpack(program.get(events, 32 * program.u32(64)))
    return [(errno, tag) for _, errno, tag, _, _ in found]


def test_timeouts(program: Program) -> None:
    fd, port = listening(program)
    program.ok("sock_set_recv_timeout", fd, 30_000)
    start = time.monotonic()
    assert program.call("sock_accept", fd, 0, 64) == abi.EAGAIN
    assert 0.03 <= time.monotonic() - start < 5
    client = open_socket(program)
    program.ok("sock_connect", client, put_address(program, "127.0.0.1", port))
    program.ok("sock_set_recv_timeout", client, 20_000)
    assert receive_from(program, client) == abi.EAGAIN
    program.ok("sock_set_send_timeout", client, 20_000)
    while (written := program.write(client, b"x" * 100_000)) > 0:
        pass
    assert written == -abi.EAGAIN
    for name, value in ("recv", 20_000), ("send", 20_000):
        program.ok(f"sock_get_{name}_timeout", client, 64)
        assert program.u64(64) == value


def test_everything_is_sent(program: Program) -> None:
    """As a system does that waits: less than everything only in case of an error."""
    fd, port = listening(program)
    received = []

    def read() -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            time.sleep(0.05)
            while data := client.recv(5000):
                received.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    program.ok("sock_accept", fd, 0, 64)
    connection = program.u32(64)
    program.ok("sock_set_send_buf_size", connection, 4096)
    address = 1024
    size = len(program.memory) - address
    program.memory[address:] = bytes(i * 7 & 0xFF for i in range(size))
    expected = bytes(program.memory[address:])
    program.memory[:24] = struct.pack("<6I", address, 5, address + 5, 0, address + 5, size - 5)
    for _ in range(20):
        program.ok("sock_send", connection, 0, 3, 0, 64)
        assert program.u32(64) == size
    program.ok("sock_close", connection)
    reader.join(10)
    assert b"".join(received) == expected * 20


def test_receiving_all(program: Program) -> None:
    fd, port = listening(program)

    def write() -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            for part in (b"123", b"456", b"7890rest"):
                client.sendall(part)
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    program.ok("sock_accept", fd, 0, 64)
    connection = program.u32(64)
    buffers = [(program.alloc(4), 4), (program.alloc(6), 6)]
    vector = program.iovecs(*buffers)
    program.ok("sock_recv", connection, *vector, abi.RECV_WAITALL, 64, 68)
    assert program.u32(64) == 10
    assert b"".join(program.get(*buffer) for buffer in buffers) == b"1234567890"
    writer.join(10)
    program.ok("sock_recv", connection, *vector, abi.RECV_WAITALL, 64, 68)
    assert program.u32(64) == 4


WAITING = """
(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_from"
    (func $receive (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\20\\00\\00\\00\\04\\00\\00\\00")
  (func (export "accept") (param i32) (result i32)
    (call $accept (local.get 0) (i32.const 0) (i32.const 64)))
  (func (export "receive") (param i32) (result i32)
    (call $receive (local.get 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)
      (i32.const 64))))
"""


@pytest.mark.parametrize("name", ["accept", "receive"])
@pytest.mark.parametrize("terminate", [True, False])
def test_waiting_can_be_ended(program: Program, name: str, terminate: bool) -> None:
    pytest.importorskip("wasmtime")
    from wasmote.wat import wat2wasm

    module = wasmote.Module(wat2wasm(WAITING))
    instance = wasmote.Instance(module, program.wasi.imports())
    if name == "accept":
        fd, _ = listening(program)
    else:
        fd = open_socket(program, INET4, DATAGRAM)
        program.ok("sock_bind", fd, put_address(program, "127.0.0.1", 0))
    program.wasi.attach(instance.exports.memory)
    timer = threading.Timer(0.1, instance.terminate)
    start = time.monotonic()
    with pytest.raises(Trap) as trap, wasmote.timeout(10 if terminate else 0.1):
        if terminate:
            timer.start()
        instance.exports[name](fd)
    assert time.monotonic() - start < 5
    assert trap.value.kind in (TrapKind.TERMINATED, TrapKind.DEADLINE)


def test_closing_does_not_wait(program: Program) -> None:
    """Nobody could interrupt it. The system delivers what is left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        fd = open_socket(program)
        program.ok("sock_connect", fd, put_address(program, *server.getsockname()))
        program.ok("sock_set_linger", fd, 1, 1000)
        program.ok("fd_fdstat_set_flags", fd, abi.NONBLOCK)
        sent = 0
        while (written := program.write(fd, b"x" * 65536)) > 0:
            sent += written
        start = time.monotonic()
        program.ok("fd_close", fd)
        assert time.monotonic() - start < 2
        with server.accept()[0] as connection:
            connection.settimeout(5)
            while data := connection.recv(1 << 20):
                sent -= len(data)
        assert sent == 0


def test_sockets_of_the_embedder_obey_the_pool() -> None:
    with socket.socket() as sock, Wasi(stdin=sock.fileno(), addr_pool=["127.0.0.1"]) as wasi:
        program = Program(wasi)
        address = put_address(program, "8.8.8.8", 53)
        assert program.call("sock_connect", 0, address) == abi.EACCES
        program.ok("sock_bind", 0, put_address(program, "127.0.0.1", 0))
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.getblocking()
    ours, theirs = socket.socketpair()
    with ours, theirs, Wasi(stdin=ours.fileno(), addr_pool=["0.0.0.0/0"]) as wasi:
        program = Program(wasi)
        assert program.call("sock_addr_local", 0, 64) == abi.EAFNOSUPPORT
        address = put_address(program, "127.0.0.1", 9)
        assert program.call("sock_bind", 0, address) == abi.EAFNOSUPPORT
