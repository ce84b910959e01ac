"""Sockets that the embedder hands to a program."""

import os
import socket
from collections.abc import Iterator

import pytest

from wasmote.wasi import Wasi, abi

from .conftest import Program


@pytest.fixture
def pair() -> Iterator[tuple[Program, socket.socket]]:
    """A program whose descriptor 0 is connected to the returned socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Wasi(stdin=theirs.fileno()) as wasi:
        yield Program(wasi), ours


def receive(program: Program, fd: int, size: int, flags: int = 0) -> tuple[bytes, int] | int:
    buffer, length, result = program.alloc(size), program.alloc(4), program.alloc(2)
    vector = program.iovecs((buffer, size))
    errno = program.call("sock_recv", fd, *vector, flags, length, result)
    if errno:
        return errno
    return program.get(buffer, program.u32(length)), program.u32(result) & 0xFFFF


def test_send_and_receive(pair: tuple[Program, socket.socket]) -> None:
    program, peer = pair
    assert program.fdstat(0)[0] == abi.SOCKET_STREAM
    vector = program.iovecs(program.put(b"hello "), program.put(b"world"))
    program.ok("sock_send", 0, *vector, 0, 64)
    assert program.u32(64) == 11
    assert peer.recv(100) == b"hello world"
    peer.sendall(b"answer")
    assert receive(program, 0, 3, abi.RECV_PEEK) == (b"ans", 0)
    assert receive(program, 0, 100) == (b"answer", 0)
    peer.sendall(b"12345678")
    assert receive(program, 0, 8, abi.RECV_WAITALL) == (b"12345678", 0)
    peer.sendall(b"as a file")
    assert program.read(0) == b"as a file"
    assert program.call("sock_send", 0, *vector, 1, 64) == abi.EINVAL
    assert receive(program, 0, 1, 4) == abi.EINVAL


def test_shutdown(pair: tuple[Program, socket.socket]) -> None:
    program, peer = pair
    for how in (0, 4, 0xFFFF_FFFF):
        assert program.call("sock_shutdown", 0, how) == abi.EINVAL
    program.ok("sock_shutdown", 0, abi.SHUTDOWN_WRITE)
    assert peer.recv(10) == b""
    assert program.write(0, b"x") == -abi.EPIPE
    peer.sendall(b"still")
    assert receive(program, 0, 10) == (b"still", 0)


def test_truncated_datagram() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs, Wasi(stdin=theirs.fileno()) as wasi:
        program = Program(wasi)
        assert program.fdstat(0)[0] == abi.SOCKET_DGRAM
        ours.send(b"0123456789")
        assert receive(program, 0, 4) == (b"0123", abi.RECV_DATA_TRUNCATED)


def test_accept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Wasi(stdin=server.fileno()) as wasi:
        program = Program(wasi)
        with socket.create_connection(server.getsockname()) as client:
            program.ok("sock_accept", 0, abi.NONBLOCK, 64)
            fd = program.u32(64)
            assert program.fdstat(fd)[:2] == (abi.SOCKET_STREAM, abi.NONBLOCK)
            assert receive(program, fd, 10) == abi.EAGAIN
            client.sendall(b"hello")
            program.ok("fd_fdstat_set_flags", fd, 0)
            assert receive(program, fd, 10) == (b"hello", 0)
            assert program.write(fd, b"bye") == 3
            program.ok("fd_close", fd)
            assert client.recv(10) == b"bye"
        assert program.call("sock_accept", 0, abi.APPEND, 64) == abi.EINVAL
        server.setblocking(False)
        assert program.call("sock_accept", 0, 0, 64) == abi.EAGAIN


def test_not_a_socket(program: Program) -> None:
    for name, arguments in {
        "sock_accept": (0, 64),
        "sock_recv": (0, 0, 0, 64, 68),
        "sock_send": (0, 0, 0, 64),
        "sock_shutdown": (1,),
    }.items():
        assert program.call(name, 3, *arguments) == abi.ENOTSOCK
        assert program.call(name, 1, *arguments) == abi.ENOTSOCK
        assert program.call(name, 50, *arguments) == abi.EBADF


def test_the_socket_stays_open_on_the_host(pair: tuple[Program, socket.socket]) -> None:
    program, _ = pair
    before = len(os.listdir("/proc/self/fd"))
    program.ok("sock_shutdown", 0, 3)
    program.ok("fd_close", 0)
    assert len(os.listdir("/proc/self/fd")) == before
