"""The exceptions of the WASI layer: what the embedder sees, and how a call gives up."""

from wasmote.errors import WasmoteError


class WasiError(WasmoteError):
    """A `Wasi` was asked for something it cannot give: a missing directory, a bad argument."""


class Exit(Exception):
    """The program ended itself; travels through its WebAssembly frames to the host.

    `code` is the exit code, 0 to 2**32 - 1 (a shell keeps its low 8 bits). After `proc_raise`
    it is 128 plus the signal's number, as in a shell, and `signal` is that number.
    """

    def __init__(self, code: int, signal: int | None = None) -> None:
        super().__init__(f"wasi proc exit {code}" if signal is None else f"signal {signal}")
        self.code = code
        self.signal = signal


class CallError(Exception):
    """Ends the current WASI call: the guest gets `errno` (a number of `abi`) as its result."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
