"""Threads for a program that starts some itself, whichever way it does."""

from wasmote.api.memory import Memory
from wasmote.api.module import Module
from wasmote.types import MemoryType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.libc.pthread import Pthreads
    from wasmote.wasi.threads import WasiThreads

    Threads = Pthreads | WasiThreads

_THREAD_SPAWN = ("wasi", "thread-spawn")
_PTHREAD_CREATE = ("env", "pthread_create")


def threads_for(
    module: Module, most: int
) -> "tuple[Threads, dict[str, dict[str, object]]] | tuple[None, None]":
    """What a module that starts threads imports for that, and the shared memories that it imports.

    `most` threads at a time, besides the first. None and None: it starts none.
    """
    wanted = {(each.module, each.name) for each in module.imports}
    threads: Threads
    if _THREAD_SPAWN in wanted:
        from wasmote.wasi import WasiThreads

        threads = WasiThreads(most)
    elif _PTHREAD_CREATE in wanted:
        from wasmote.libc.pthread import Pthreads

        threads = Pthreads(most)
    else:
        return None, None
    given: dict[str, dict[str, object]] = {
        name: dict(functions) for name, functions in threads.imports().items()
    }
    for each in module.imports:
        if isinstance(each.type, MemoryType) and each.type.shared:
            given.setdefault(each.module, {})[each.name] = Memory(each.type)
    return threads, given
