"""Threads of one program: started by the program itself, ended together.

Each has an instance of the program's module, which shares memory with the others. What starts one,
and what it calls, is the business of subclasses: wasi-threads and the pthread library.
"""

import itertools
import threading
from collections.abc import Callable

from wasmote.api.instance import Instance
from wasmote.errors import Trap, TrapKind, WasmoteError

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

#: What WAMR allows if nothing else is said.
DEFAULT_THREADS = 4
#: Seconds that ending waits for threads that are in host functions.
_PATIENCE = 10.0
#: Seconds between looks at whether the program has ended, while a thread waits for another.
_GLANCE = 0.05


class ThreadGroup:
    """The threads of one program, at most `most` at a time besides the first one.

    All run WebAssembly code at the same time, without the GIL. A trap, an exit or an exception in
    any of them ends all.
    """

    #: The largest number of a thread.
    largest_number = 0x1FFF_FFFF

    def __init__(self, most: int = DEFAULT_THREADS) -> None:
        self.most = most
        self._make: Callable[[], Instance] | None = None
        self._main: Instance | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.cycle(range(1, self.largest_number + 1))
        self._threads: dict[int, tuple[threading.Thread, Instance]] = {}
        self._ended = False
        self._failure: BaseException | None = None

    def attach(self, main: Instance, make: Callable[[], Instance]) -> None:
        """The program's instance, and how another one is made for a thread."""
        self._main, self._make = main, make

    def run(self, function: "Callable[..., Any]", *arguments: object) -> "Any":
        """Call the program's entry; when it returns, all its threads end.

        Raises what the call raises, or what has ended the program in another thread:
        `wasmote.wasi.Exit`, `Trap`, an exception of a host function.
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

    @property
    def failure(self) -> BaseException | None:
        """What has ended the program in a thread that is not the first."""
        return self._failure

    def __len__(self) -> int:
        """How many threads there are now, besides the first one."""
        return len(self._threads)

    def _list(self) -> list[tuple[threading.Thread, Instance]]:
        with self._lock:
            return list(self._threads.values())

    # -- for subclasses --------------------------------------------------------------------------

    def _new_instance(self) -> Instance | None:
        """An instance for one more thread; None: there cannot be one."""
        if self._make is None or len(self._threads) >= self.most:
            return None
        try:
            return self._make()
        except (WasmoteError, MemoryError):
            return None

    def _start(self, instance: Instance, work: "Callable[[int], None]") -> int:
        """Start a thread that does `work` with its number, which is returned; 0: it cannot be.

        What `work` raises ends the program.
        """
        with self._lock:
            if self._ended or len(self._threads) >= self.most:
                return 0
            number = next(n for n in self._numbers if n not in self._threads)
            thread = threading.Thread(target=self._work, args=(number, work), daemon=True)
            self._threads[number] = thread, instance
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            del self._threads[number]
            return 0
        return number

    def _work(self, number: int, work: "Callable[[int], None]") -> None:
        try:
            work(number)
        except BaseException as error:
            self._end(error)
        finally:
            with self._lock:
                del self._threads[number]

    def acquire(self, lock: threading.Lock) -> None:
        """Acquire a lock, which another thread releases.

        Raises Trap if the program or the thread ends meanwhile, so nobody waits for what is gone.
        """
        if not lock.acquire(blocking=False):
            while not lock.acquire(timeout=_GLANCE):
                self.look()

    def look(self) -> None:
        """Raise Trap if the calling thread is to end. Subclasses may know more reasons."""
        if self._ended:
            raise Trap(TrapKind.TERMINATED)

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
