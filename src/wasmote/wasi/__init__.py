"""WASI preview 1: the system interface of WebAssembly programs, in a sandbox.

Also serves its predecessor, `wasi_unstable`. Here belongs what a program gets from the host
through these two modules; nothing here knows of engines, only of host functions and
the memory of their callers.

- `host`: `Wasi`, which an embedder sets up;
- `files`, `directories`, `poll`, `sockets`, `socket_options`, `resolve`, `process`: the functions,
  by subject;
- `calls`: how a function is declared and called; `abi`: numbers and layouts; `errors`;
- `guest`: checked access to memory; `descriptors`: the table of open files;
- `threads`: threads that programs start;
- `network`: what sockets may reach; `socket_descriptor`, `socket_address`: sockets of the host;
- `paths`: the sandbox, resolving paths below a directory;
- `filesystem`: the interface of directories and files, which `host_directory`, `memory_directory`
  and `overlay` implement; `opening`: from there to descriptors, which are `host_descriptors`,
  `virtual` and `streams`.
"""

from wasmote.wasi import abi
from wasmote.wasi.errors import Exit, WasiError
from wasmote.wasi.filesystem import Directory, File, Status
from wasmote.wasi.host import Wasi
from wasmote.wasi.host_directory import HostDir
from wasmote.wasi.threads import WasiThreads

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.wasi.memory_directory import MemoryDir, Symlink
    from wasmote.wasi.overlay import OverlayDir, ReadOnlyDir

__all__ = [
    "Directory",
    "Exit",
    "File",
    "HostDir",
    "MemoryDir",
    "OverlayDir",
    "ReadOnlyDir",
    "Status",
    "Symlink",
    "Wasi",
    "WasiError",
    "WasiThreads",
    "abi",
]
#: Where to find what most programs do without: it is imported when somebody asks for it.
_LATER = {
    "MemoryDir": "memory_directory",
    "Symlink": "memory_directory",
    "OverlayDir": "overlay",
    "ReadOnlyDir": "overlay",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
