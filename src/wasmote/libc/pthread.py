"""lib-pthread: WAMR's library of threads for programs without a C library.

`pthread_create` makes another instance of the program's module, which shares its memory, and calls
a function of its table in a new thread. The stack of C's variables that do not fit into registers
is in memory that is added for it. Mutexes and condition variables are `native.synchronization`.
"""

import threading
from collections.abc import Callable

from wasmote.api.app_heap import extend
from wasmote.api.caller import current_caller, first_memory
from wasmote.api.control import checkpoint
from wasmote.api.func import Func
from wasmote.api.instance import Instance, own_table, stack_pointer
from wasmote.api.memory import Memory
from wasmote.api.natives import Natives
from wasmote.api.thread_group import DEFAULT_THREADS, ThreadGroup
from wasmote.errors import Trap, TrapKind
from wasmote.libc.semaphores import Semaphores
from wasmote.types import FuncType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

#: errno's values, as wasi-libc has them.
EAGAIN, EDEADLK, EINVAL, ESRCH = 6, 16, 28, 71
#: Keys of values that each thread has its own of; WAMR's limit.
MOST_KEYS = 32
#: How often destructors may make new values before these are given up.
_DESTRUCTION_ROUNDS = 4
#: Bytes of a thread's stack in memory.
STACK_SIZE = 64 * 1024
_START = FuncType((ValType.I32,), (ValType.I32,))
_DESTRUCTOR = FuncType((ValType.I32,))
_CANCELED = -1
#: What `pthread_self` is in the first thread; others are their number and this.
_MAIN = 1
#: The "stack" of a program that has none, such as one that is written by hand.
_NO_STACK = 1


class ThreadExit(Exception):
    """`pthread_exit`, on its way out of a thread."""

    def __init__(self, value: int) -> None:
        super().__init__(f"pthread_exit({value})")
        self.value = value


class _Thread:
    """What there is to know of a thread, until somebody joins it."""

    def __init__(self) -> None:
        self.name = _MAIN
        self.instance: Instance | None = None
        self.done = threading.Lock()  # held while it runs
        self.done.acquire()
        self.value = 0
        self.detached = False
        self.joined = False
        self.cancelled = False
        self.values: dict[int, int] = {}  # by key


class Pthreads(ThreadGroup):
    """The functions of lib-pthread for one program, with at most `most` threads besides the first.

        threads = Pthreads(8)
        imports = {"env": {**Libc().imports()["env"], **threads.imports()["env"]}}
        instance = Instance(module, imports, heap_size=65536)
        threads.attach(instance, lambda: Instance(module, imports, sharing=instance))
        threads.run(instance.exports.main, 0, 0)

    The program's memory is shared, its own or imported. When the entry returns all threads end; a
    trap or `exit` in any of them ends all of them.
    """

    def __init__(self, most: int = DEFAULT_THREADS) -> None:
        super().__init__(most)
        self._local = threading.local()
        self._all: dict[int, _Thread] = {}  # that can be joined, by name
        self._keys: dict[int, int] = {}  # destructors (places in the table, 0: none) by key
        self._stacks: list[int] = []  # tops of stacks that nobody uses
        self._semaphores = Semaphores(self)

    def imports(self) -> dict[str, Natives]:
        """The functions, as `Instance` takes them."""
        natives = Natives("env")
        functions: dict[str, tuple[str, Callable[..., Any]]] = {
            "pthread_create": ("(*iii)i", self._create),
            "pthread_join": ("(ii)i", self._join),
            "pthread_detach": ("(i)i", self._detach),
            "pthread_cancel": ("(i)i", self._cancel),
            "pthread_self": ("()i", lambda: self._current().name),
            "__pthread_self": ("()i", lambda: self._current().name),
            "pthread_exit": ("(i)", self._exit),
            "pthread_key_create": ("(*i)i", self._key_create),
            "pthread_key_delete": ("(i)i", self._key_delete),
            "pthread_setspecific": ("(ii)i", self._setspecific),
            "pthread_getspecific": ("(i)i", lambda key: self._current().values.get(key, 0)),
        }
        for name, (signature, function) in {**functions, **self._semaphores.functions()}.items():
            natives.function(signature, name=name)(function)
        return {"env": natives}

    def run(self, function: "Callable[..., Any]", *arguments: object) -> "Any":
        """Call the program's entry, see `ThreadGroup.run`; after `pthread_exit` others go on."""

        def entry() -> "Any":
            try:
                return function(*arguments)
            except ThreadExit:
                for thread in list(self._all.values()):
                    self.acquire(thread.done)
                return None

        return super().run(entry)

    def look(self) -> None:
        """Raise Trap if the calling thread is to end."""
        super().look()
        checkpoint()
        if self._current().cancelled:
            raise Trap(TrapKind.TERMINATED)

    def _current(self) -> _Thread:
        """The thread that calls."""
        found: _Thread | None = getattr(self._local, "thread", None)
        if found is None:
            found = self._local.thread = _Thread()  # the first one, or one of the embedder's
        return found

    # -- threads ---------------------------------------------------------------------------------

    def _create(self, place: memoryview, _: int, function: int, argument: int) -> int:
        """A thread that calls the function at that place of the table."""
        if len(place) < 4:
            return EINVAL
        instance = self._new_instance()
        if instance is None:
            return EAGAIN
        start = _function(instance, function, _START)
        top = self._stack(instance)
        if start is None or not top:
            return EINVAL if start is None else EAGAIN
        thread = _Thread()
        thread.instance = instance
        begin = threading.Lock()
        begin.acquire()

        def work(number: int) -> None:
            with begin:  # the thread's name is stored by now
                self._run(thread, start, argument, top)

        number = self._start(instance, work)
        if number:
            thread.name = number + _MAIN
            self._all[thread.name] = thread
            place[:4] = thread.name.to_bytes(4, "little")
        else:
            self._give_back(top)
        begin.release()
        return 0 if number else EAGAIN

    def _run(self, thread: _Thread, start: Func, argument: int, stack: int) -> None:
        """What a new thread does."""
        self._local.thread = thread
        try:
            thread.value = _value_of(lambda: start(argument))
            self._destroy_values(thread)
        except Trap as trap:
            if trap.kind is not TrapKind.TERMINATED or not thread.cancelled:
                raise
            thread.value = _CANCELED
        finally:
            self._give_back(stack)
            thread.done.release()
            if thread.detached:
                self._all.pop(thread.name, None)

    def _stack(self, instance: Instance) -> int:
        """Let the instance use a stack of its own; returns its top, 0: there is no memory."""
        pointer = stack_pointer(instance)
        if pointer is None:
            return _NO_STACK
        try:
            top = self._stacks.pop()
        except IndexError:
            memory: Memory = first_memory(instance._owner)
            start = extend(memory, STACK_SIZE)
            if not start:
                return 0
            top = start + STACK_SIZE
        pointer.value[0] = top
        return top

    def _give_back(self, stack: int) -> None:
        if stack != _NO_STACK:
            self._stacks.append(stack)

    def _join(self, name: int, place: int) -> int:
        if name == self._current().name:
            return EDEADLK
        thread = self._all.get(name)
        if thread is None:
            return ESRCH
        if thread.detached or thread.joined:
            return EINVAL
        thread.joined = True
        try:
            self.acquire(thread.done)
        except BaseException:
            thread.joined = False
            raise
        self._all.pop(name, None)
        if place:
            current_caller().view(place & 0xFFFF_FFFF, 4)[:] = (
                thread.value & 0xFFFF_FFFF
            ).to_bytes(4, "little")
        return 0

    def _detach(self, name: int) -> int:
        thread = self._all.get(name)
        if thread is None:
            return ESRCH
        if thread.detached or thread.joined:
            return EINVAL
        thread.detached = True
        if not thread.done.locked():
            self._all.pop(name, None)
        return 0

    def _cancel(self, name: int) -> int:
        """End another thread, wherever it is."""
        thread = self._all.get(name)
        if thread is None or thread.instance is None:
            return ESRCH
        thread.cancelled = True
        thread.instance.terminate()
        return 0

    def _exit(self, value: int) -> None:
        raise ThreadExit(value)

    # -- values of threads -----------------------------------------------------------------------

    def _key_create(self, place: memoryview, destructor: int) -> int:
        with self._lock:
            free = next((key for key in range(1, MOST_KEYS + 1) if key not in self._keys), None)
            if free is None:
                return EAGAIN
            self._keys[free] = destructor
        if len(place) < 4:
            return EINVAL
        place[:4] = free.to_bytes(4, "little")
        return 0

    def _key_delete(self, key: int) -> int:
        with self._lock:
            return 0 if self._keys.pop(key, None) is not None else EINVAL

    def _setspecific(self, key: int, value: int) -> int:
        if key not in self._keys:
            return EINVAL
        self._current().values[key] = value
        return 0

    def _destroy_values(self, thread: _Thread) -> None:
        """Call the destructors of keys for the values that the thread leaves."""
        for _ in range(_DESTRUCTION_ROUNDS):
            left, thread.values = thread.values, {}
            for key, value in left.items():
                place = self._keys.get(key, 0)
                assert thread.instance is not None
                destroy = _function(thread.instance, place, _DESTRUCTOR) if place else None
                if value and destroy is not None:
                    destroy(value)


def _value_of(call: "Callable[[], int]") -> int:
    """What a thread's function returns, or gives to `pthread_exit`."""
    try:
        return call()
    except ThreadExit as ended:
        return ended.value


def _function(instance: Instance, place: int, type: FuncType) -> Func | None:
    """The function at a place of the instance's table; None: there is none of that type."""
    table = own_table(instance)
    if table is None or not 0 <= place < len(table):
        return None
    found = table[place]
    return found if isinstance(found, Func) and found.type == type else None
