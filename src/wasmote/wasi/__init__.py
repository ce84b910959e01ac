"""WASI preview 1: the system interface of WebAssembly programs, in a sandbox.

Also serves its predecessor, `wasi_unstable`. Here belongs what a program gets from the host
through these two modules; nothing here knows of engines, only of host functions and
the memory of their callers.

- `host`: `Wasi`, which an embedder sets up;
- `files`, `directories`, `poll`, `sockets`, `process`: the functions, by subject;
- `calls`: how a function is declared and called; `abi`: numbers and layouts; `errors`;
- `guest`: checked access to memory; `descriptors`: the table of open files;
- `threads`: threads that programs start;
- `paths`: the sandbox, resolving paths below a directory.
"""

from wasmote.wasi.errors import Exit, WasiError
from wasmote.wasi.host import Wasi
from wasmote.wasi.threads import WasiThreads

__all__ = ["Exit", "Wasi", "WasiError", "WasiThreads"]
