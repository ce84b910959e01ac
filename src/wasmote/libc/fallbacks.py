"""Functions of libc-builtin in Python: what ends a program, clocks, and allocation without heap."""

import struct
import time

from wasmote.api.caller import current_caller
from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.api.signatures import Signature
from wasmote.errors import Trap, TrapKind
from wasmote.libc.table import FALLBACKS
from wasmote.types import FuncType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: POSIX's numbers for wall clock, monotonic, the process's and the thread's processor time.
_CLOCKS = (time.time_ns, time.monotonic_ns, time.process_time_ns, time.thread_time_ns)
#: struct timespec of a 32-bit program.
_TIMESPEC = struct.Struct("<qi")
_FAILED = -1
_ENOMEM = 48


class PythonFunction(Bindable):
    """A function that gets its arguments as they are, for imports of the type that fits it.

    `wasmote.Natives` could do more, but takes longer to import than many a program runs.
    """

    __slots__ = ("function", "name", "signature")

    def __init__(self, name: str, signature: str, function: "Callable[..., Any]") -> None:
        self.name, self.function, self.signature = name, function, Signature(signature)

    def bind(self, type: FuncType, label: str) -> Func:
        """The function as one of that type. Raises LinkError if it cannot be."""
        self.signature.check(type, label)
        return make_host_func(type, self.function, label)


def exit_(code: int) -> None:
    """End the program: `wasmote.wasi.Exit` reaches the host."""
    from wasmote.wasi import Exit

    ended = Exit(code & 0xFFFF_FFFF)
    ended.args = (f"env.exit({code})",)
    raise ended


def _ending(text: str) -> "Callable[..., None]":
    def end(*arguments: int) -> None:
        message = text.format(*arguments)
        raise Trap(TrapKind.HOST, message, current_caller().call_stack())

    return end


def cxa_begin_catch(exception: int) -> None:
    """Nothing to do: nothing can be caught."""


def clock_gettime(clock: int, place: int) -> int:
    """The time, as seconds and nanoseconds; -1: there is no such clock."""
    view = current_caller().view(place & 0xFFFF_FFFF, _TIMESPEC.size)
    if not 0 <= clock < len(_CLOCKS):
        return _FAILED
    _TIMESPEC.pack_into(view, 0, *divmod(_CLOCKS[clock](), 1_000_000_000))
    return 0


def clock() -> int:
    """Nanoseconds of processor time: CLOCKS_PER_SEC is that of wasi-libc."""
    return time.process_time_ns()


_FUNCTIONS: "dict[str, Callable[..., Any]]" = {
    "exit": exit_,
    "abort": _ending("env.abort({})"),
    "abortStackOverflow": _ending("env.abortStackOverflow({})"),
    "nullFunc_X": _ending("env.nullFunc_X({})"),
    "__cxa_begin_catch": cxa_begin_catch,
    "__cxa_throw": _ending("exception thrown by stdc++"),
    "clock_gettime": clock_gettime,
    "clock": clock,
}


def python_functions() -> dict[str, PythonFunction]:
    """The functions of `FALLBACKS`."""
    return {
        name: PythonFunction(name, signature, _FUNCTIONS[name])
        for name, signature in FALLBACKS.items()
    }


# -- allocation by the module's own malloc -------------------------------------------------------


def _allocate(size: int) -> int:
    """By what the calling module exports; 0: it cannot."""
    instance = current_caller().instance
    try:
        return 0 if instance is None else _signed(instance.malloc(size & 0xFFFF_FFFF))
    except (LookupError, MemoryError):
        return 0


def _signed(offset: int) -> int:
    return offset - (1 << 32) if offset >> 31 else offset


def _calloc(count: int, size: int) -> int:
    total = (count & 0xFFFF_FFFF) * (size & 0xFFFF_FFFF)
    place = _allocate(total) if total < 1 << 32 else 0
    if place:
        current_caller().view(place & 0xFFFF_FFFF, total)[:] = bytes(total)
    return place


def _free(place: int) -> None:
    instance = current_caller().instance
    if place and instance is not None and "free" in instance.exports:
        instance.free(place)


def _strdup(text: int) -> int:
    caller = current_caller()
    copied = caller.string(text & 0xFFFF_FFFF).encode("utf-8", "surrogateescape") + b"\0"
    place = _allocate(len(copied))
    if place:
        caller.view(place & 0xFFFF_FFFF, len(copied))[:] = copied
    return place


#: What is called where there is no heap; `realloc` and `posix_memalign` need one.
WITHOUT_HEAP: "dict[str, Callable[..., Any]]" = {
    "malloc": _allocate,
    "__cxa_allocate_exception": _allocate,
    "calloc": _calloc,
    "realloc": lambda place, size: 0 if place else _allocate(size),
    "free": _free,
    "strdup": _strdup,
    "_strdup": _strdup,
    "posix_memalign": lambda place, alignment, size: _ENOMEM,
}
