"""`Wasi`: what one program may see of the host."""

import os
from collections.abc import Callable, Iterable, Mapping

from wasmote.wasi import abi, directories, files, poll, process, sockets
from wasmote.wasi.calls import FUNCTIONS, State, Strings, bind
from wasmote.wasi.descriptors import Table, preopened, standard
from wasmote.wasi.errors import WasiError
from wasmote.wasi.guest import Guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

    from wasmote.wasi.guest import LinearMemory

# Importing these has filled FUNCTIONS.
_MODULES = (files, directories, process, poll, sockets)


class Wasi:
    """The host side of WASI preview 1 for one program.

    Nothing is given but what is listed: `args` (with the program's name first), `env`, and the
    directories `dirs`, a mapping from the name in the program to the path on the host, which
    become descriptors 3, 4, … in order. `stdin`, `stdout` and `stderr` are those of the process
    by default; each may be a descriptor number or a binary file. They stay the embedder's.

        with Wasi(args=["prog", "-v"], dirs={"/data": "./data"}) as wasi:
            instance = wasmote.Instance(module, wasi.imports())
            wasi.attach(instance.exports.memory)
            instance.exports._start()

    `_start` may end by raising `Exit`. The functions serve one thread at a time. Raises WasiError
    for what cannot be given.
    """

    def __init__(
        self,
        args: Iterable[str | bytes] = (),
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, str | os.PathLike[str]] | None = None,
        stdin: "int | BinaryIO | None" = None,
        stdout: "int | BinaryIO | None" = None,
        stderr: "int | BinaryIO | None" = None,
    ) -> None:
        self._guest = Guest()
        self._table = Table()
        self._args = Strings([_encode("argument", argument) for argument in args])
        self._environ = Strings(_environment(env or {}))
        for number, source in enumerate((stdin, stdout, stderr)):
            descriptor = standard(number, source)
            if descriptor is not None:
                self._table.set(number, descriptor)
        for number, (guest_path, host_path) in enumerate((dirs or {}).items(), 3):
            self._table.set(number, preopened(guest_path, host_path))

    def imports(self) -> dict[str, dict[str, Callable[..., int]]]:
        """The host functions by module and name, as `Instance` takes them.

        The `type` attribute of each is its WebAssembly type.
        """
        return {
            "wasi_snapshot_preview1": self._bind(abi.PREVIEW1),
            "wasi_unstable": self._bind(abi.UNSTABLE),
        }

    def _bind(self, layout: abi.Layout) -> dict[str, Callable[..., int]]:
        state = State(layout, self._guest, self._table, self._args, self._environ)
        return {name: bind(function, state) for name, function in FUNCTIONS.items()}

    def attach(self, memory: "LinearMemory") -> None:
        """Work on `memory`, the program's exported one. Before, every pointer is a fault."""
        self._guest.attach(memory)

    def close(self) -> None:
        """Close what the program has open; all its descriptors become invalid."""
        self._table.clear()

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
