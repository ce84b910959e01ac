"""wasi-threads: threads that a program starts itself.

https://github.com/WebAssembly/wasi-threads: the import `thread-spawn` of the module `wasi` makes
another instance of the program's module, which shares its memory, and calls `wasi_thread_start` of
that one in a new thread. A trap or `proc_exit` in any thread ends all of them.
"""

import itertools
import threading
from collections.abc import Callable

from wasmote import Instance, Trap, TrapKind, WasmoteError
from wasmote.types import FuncType, ValType
from wasmote.wasi.abi import EAGAIN, ENOSYS

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

#: What WAMR allows if nothing else is said.
DEFAULT_THREADS = 4
_START = "wasi_thread_start"
_START_TYPE = FuncType((ValType.I32, ValType.I32), ())
#: The largest number of a thread: three bits are left to the C library.
_LARGEST_ID = 0x1FFF_FFFF
#: Seconds that ending waits for threads that are in host functions.
_PATIENCE = 10.0


class WasiThreads:
    """The threads of one program, at most `most` besides the first one.

        threads = WasiThreads(8)
        imports = {**wasi.imports(), **threads.imports(), "env": {"memory": memory}}
        instance = Instance(module, imports)
        threads.attach(instance, lambda: Instance(module, imports))
        threads.run(instance.exports._start)

    All of them run WebAssembly code at the same time, without the GIL. The program must import its
    memory, or what it stores is not shared.
    """

    def __init__(self, most: int = DEFAULT_THREADS) -> None:
        self.most = most
        self._make: Callable[[], Instance] | None = None
        self._main: Instance | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.cycle(range(1, _LARGEST_ID + 1))
        self._threads: dict[int, tuple[threading.Thread, Instance]] = {}
        self._ended = False
        self._failure: BaseException | None = None

    def imports(self) -> "dict[str, dict[str, Callable[[int], int]]]":
        """The host function, as `Instance` takes it."""
        return {"wasi": {"thread-spawn": self._spawn}}

    def attach(self, main: Instance, make: Callable[[], Instance]) -> None:
        """The program's instance, and how another one is made for a thread."""
        self._main, self._make = main, make

    def run(self, function: "Callable[..., Any]", *arguments: object) -> "Any":
        """Call the program's entry; when it returns, all its threads end.

        Raises what the call raises, or what has ended the program in another thread: `Exit`,
        `Trap`, an exception of a host function.
        """
        try:
            return function(*arguments)
        except Trap as trap:
            if trap.kind is TrapKind.TERMINATED and self._failure is not None:
                raise self._failure from None
            raise
        finally:
            self.close()

    def close(self) -> None:
        """End all threads, and wait until they have."""
        self._end(None)
        for thread, _ in self._list():
            thread.join(_PATIENCE)

    def __len__(self) -> int:
        """How many threads there are now, besides the first one."""
        return len(self._threads)

    def _list(self) -> list[tuple[threading.Thread, Instance]]:
        with self._lock:
            return list(self._threads.values())

    def _spawn(self, argument: int) -> int:
        """`thread-spawn`: the new thread's number, or an error's number below 0."""
        if self._make is None or len(self._threads) >= self.most:
            return -EAGAIN
        try:
            instance = self._make()
        except (WasmoteError, MemoryError):
            return -EAGAIN
        exports = instance.exports
        if _START not in exports or exports[_START].type != _START_TYPE:
            return -ENOSYS
        with self._lock:
            if self._ended or len(self._threads) >= self.most:
                return -EAGAIN
            number = next(n for n in self._numbers if n not in self._threads)
            thread = threading.Thread(
                target=self._work, args=(number, instance, argument), daemon=True
            )
            self._threads[number] = thread, instance
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            del self._threads[number]
            return -EAGAIN
        return number

    def _work(self, number: int, instance: Instance, argument: int) -> None:
        try:
            instance.exports[_START](number, argument)  # type: ignore[operator]
        except BaseException as error:
            self._end(error)
        finally:
            with self._lock:
                del self._threads[number]

    def _end(self, failure: BaseException | None) -> None:
        """End what runs; with a failure of a thread, the first thread, too."""
        with self._lock:
            if self._ended:
                return
            self._ended, self._failure = True, failure
            running = [instance for _, instance in self._threads.values()]
        for instance in running:
            instance.terminate()
        if failure is not None and self._main is not None:
            self._main.terminate()
