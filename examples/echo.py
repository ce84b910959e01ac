"""A TCP server in WebAssembly, and a client in Python."""

import socket

from build import run, wasm

server = run(wasm("echo/server.c"), "--addr-pool=127.0.0.1/32")
port = int(server.stdout.readline())

for line in ("hello", "who is there?"):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(line.encode())
        client.shutdown(socket.SHUT_WR)
        print("sent", repr(line), "got", repr(client.makefile().read()))

server.terminate()
server.wait()
