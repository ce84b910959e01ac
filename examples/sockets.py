"""Sockets, with the addresses and names that a program may reach.

python examples/sockets.py tcp | udp | threads | timeouts | options | resolve | multicast
"""

import socket
import sys

from build import THREADS, run, wasm


def free_port(kind: socket.SocketKind) -> int:
    """A port that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def both(name: str, kind: socket.SocketKind) -> None:
    """A server and a client, each with what it needs only."""
    port = (str(free_port(kind)),)
    server = run(wasm(f"sockets/{name}_server.c"), "--addr-pool=0.0.0.0/15", args=port)
    said = []
    while "Wait for clients" not in "".join(said):
        said.append(server.stdout.readline())
    client = run(wasm(f"sockets/{name}_client.c"), "--addr-pool=127.0.0.1/15", args=port)
    print(client.stdout.read(), *said, server.stdout.read(), sep="", end="")


def one(name: str, *options: str, args: tuple[str, ...] = (), flags: tuple[str, ...] = ()) -> None:
    """A program that does all alone."""
    print(run(wasm(f"sockets/{name}.c", *flags), *options, args=args).stdout.read(), end="")


def multicast() -> None:
    """A program that gets what is sent to a group."""
    port = free_port(socket.SOCK_DGRAM)
    client = run(wasm("sockets/multicast.c"), "--addr-pool=0.0.0.0/0", args=(str(port),))
    print(client.stdout.readline(), end="")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"Test message", ("224.0.0.101", port))
    print(client.stdout.read(), end="")


match sys.argv[1:]:
    case ["tcp"]:
        both("tcp", socket.SOCK_STREAM)
    case ["udp"]:
        both("udp", socket.SOCK_DGRAM)
    case ["threads"]:
        one("send_recv", "--addr-pool=127.0.0.1", flags=THREADS)
    case ["timeouts"]:
        one("timeouts", "--addr-pool=127.0.0.1")
    case ["options"]:
        one("socket_opts")
    case ["resolve"]:
        one("addr_resolve", "--allow-resolve=localhost", args=("localhost", "4"))
    case ["multicast"]:
        multicast()
    case _:
        sys.exit(__doc__)
