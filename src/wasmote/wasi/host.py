"""`Wasi`: what one program may see of the host."""

import os
from collections.abc import Iterable, Mapping

from wasmote.wasi import abi, directories, files, poll, process, resolve, socket_options, sockets
from wasmote.wasi.calls import FUNCTIONS, HostFunction, Program, Strings
from wasmote.wasi.errors import WasiError
from wasmote.wasi.guest import Guest
from wasmote.wasi.network import Network
from wasmote.wasi.opening import preopened
from wasmote.wasi.streams import standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

    from wasmote.wasi.filesystem import Directory
    from wasmote.wasi.guest import LinearMemory

# Importing these has filled FUNCTIONS.
_MODULES = (files, directories, process, poll, sockets, socket_options, resolve)


class Wasi:
    """The host side of WASI preview 1 for one program.

    Nothing is given but what is listed: `args` (with the program's name first), `env`, and the
    directories `dirs`, a mapping from the name in the program to the path on the host or to a
    `Directory`, which become descriptors 3, 4, … in order. `stdin`, `stdout` and `stderr` are those
    of the process by default; each may be a descriptor number or a binary file. They stay the
    embedder's. Sockets reach the addresses in `addr_pool` ("10.0.0.0/8", "::1/128"), and names that
    `allow_resolve` has ("example.com", "*.example.com") can be looked up.

        with Wasi(args=["prog", "-v"], dirs={"/data": "./data"}) as wasi:
            instance = wasmote.Instance(module, wasi.imports())
            instance.exports._start()

    `_start` may end by raising `Exit`. Several instances, and threads, may share a `Wasi`: the
    pointers that they pass mean memory 0 of whichever calls. Raises WasiError for what cannot be
    given.
    """

    def __init__(
        self,
        args: Iterable[str | bytes] = (),
        env: Mapping[str, str] | None = None,
        dirs: "Mapping[str, Directory | str | os.PathLike[str]] | None" = None,
        stdin: "int | BinaryIO | None" = None,
        stdout: "int | BinaryIO | None" = None,
        stderr: "int | BinaryIO | None" = None,
        addr_pool: str | Iterable[str] = (),
        allow_resolve: str | Iterable[str] = (),
    ) -> None:
        self._program = Program(
            Strings([_encode("argument", argument) for argument in args]),
            Strings(_environment(env or {})),
            Network(addr_pool, allow_resolve),
        )
        table = self._program.table
        for number, source in enumerate((stdin, stdout, stderr)):
            descriptor = standard(number, source)
            if descriptor is not None:
                if descriptor.filetype in (abi.SOCKET_STREAM, abi.SOCKET_DGRAM):
                    from wasmote.wasi.socket_descriptor import LentSocket

                    descriptor = LentSocket(descriptor)
                table.set(number, descriptor)
        for number, (name, directory) in enumerate((dirs or {}).items(), 3):
            table.set(number, preopened(name, directory))

    def imports(self) -> dict[str, dict[str, HostFunction]]:
        """The host functions by module and name, as `Instance` takes them.

        Each can also be called; its attribute `type` is its WebAssembly type.
        """
        return {
            "wasi_snapshot_preview1": self._bind(abi.PREVIEW1),
            "wasi_unstable": self._bind(abi.UNSTABLE),
        }

    def _bind(self, layout: abi.Layout) -> dict[str, HostFunction]:
        program = self._program
        return {name: HostFunction(each, program, layout) for name, each in FUNCTIONS.items()}

    def attach(self, memory: "LinearMemory") -> None:
        """Let pointers mean `memory`, any writable buffer, whoever calls.

        For callers that are no instances of Wasmote, such as tests and other engines: without, they
        have no memory, so every pointer is a fault.
        """
        self._program.guest = Guest(memory)
        self._program.table.hot.attach(memory)

    def close(self) -> None:
        """Close what the program has open; all its descriptors become invalid."""
        self._program.table.clear()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _encode(what: str, string: str | bytes) -> bytes:
    data = string if isinstance(string, bytes) else string.encode("utf-8", "surrogateescape")
    if 0 in data:
        raise WasiError(f"{what} {string!r} contains a NUL character")
    return data


def _environment(env: Mapping[str, str]) -> list[bytes]:
    for name in env:
        if not name or "=" in name:
            raise WasiError(f"{name!r} cannot be the name of an environment variable")
    return [_encode("environment variable", f"{name}={value}") for name, value in env.items()]
