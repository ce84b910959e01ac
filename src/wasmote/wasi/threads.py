"""wasi-threads: threads that a program starts itself.

https://github.com/WebAssembly/wasi-threads: the import `thread-spawn` of the module `wasi` makes
another instance of the program's module, which shares its memory, and calls `wasi_thread_start` of
that one in a new thread. A trap or `proc_exit` in any thread ends all of them.
"""

from collections.abc import Callable

from wasmote.api.thread_group import DEFAULT_THREADS, ThreadGroup
from wasmote.types import FuncType, ValType
from wasmote.wasi.abi import EAGAIN, ENOSYS

__all__ = ["DEFAULT_THREADS", "WasiThreads"]

_START = "wasi_thread_start"
_START_TYPE = FuncType((ValType.I32, ValType.I32), ())


class WasiThreads(ThreadGroup):
    """The threads of one program, at most `most` besides the first one.

        threads = WasiThreads(8)
        imports = {**wasi.imports(), **threads.imports(), "env": {"memory": memory}}
        instance = Instance(module, imports)
        threads.attach(instance, lambda: Instance(module, imports))
        threads.run(instance.exports._start)

    All of them run WebAssembly code at the same time, without the GIL. The program must import its
    memory, or what it stores is not shared. Numbers have three bits less than an i32: those are
    left to the C library.
    """

    def imports(self) -> "dict[str, dict[str, Callable[[int], int]]]":
        """The host function, as `Instance` takes it."""
        return {"wasi": {"thread-spawn": self._spawn}}

    def _spawn(self, argument: int) -> int:
        """`thread-spawn`: the new thread's number, or an error's number below 0."""
        instance = self._new_instance()
        if instance is None:
            return -EAGAIN
        exports = instance.exports
        if _START not in exports or exports[_START].type != _START_TYPE:
            return -ENOSYS
        start = exports[_START]
        return self._start(instance, lambda number: start(number, argument)) or -EAGAIN  # type: ignore[operator]
