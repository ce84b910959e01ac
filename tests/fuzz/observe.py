"""What can be seen of a module from outside, in a form that two engines can be compared by."""

import math
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Event = tuple[Any, ...]
Call = tuple[str, tuple[Any, ...]]
#: Modules that are instantiated one after the other; the first one's exports are `FIRST` to others.
Binaries = tuple[bytes, ...]
#: Bounds that both engines keep, so that growing fails alike.
MAX_PAGES, MAX_ELEMENTS = 64, 100_000
FIRST = "first"
#: How names of exports start that are only for other modules.
OUT_OF_SIGHT = "out-of-sight-"
#: Every so many calls a host function raises an exception.
_HOST_CALLS = 1000
#: Frames of a backtrace that are compared.
_FRAMES = 16
#: Nested calls of the host function "again".
_DEPTH = 3
#: Ends of a call after which the engines need not be in the same state.
OUT_OF_MEMORY = "out of memory"
STOPPED = ("call stack exhausted", "interrupted", OUT_OF_MEMORY)


@dataclass
class Observation:
    """What was seen: while calls were made, and after all of them (None: they were not all made).

    `refusal` says why a module did not load.
    """

    calls: list[Call] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    state: list[Event] | None = None
    refusal: str = ""

    def without_places(self) -> None:
        """Forget where traps were."""
        self.events[:] = [each[:2] if each[0] == "trap" else each for each in self.events]


def names(types: Iterable[object]) -> list[str]:
    """Names of value types; the package wasmtime shows externref as a type that it calls anyref."""
    return [str(each).replace("anyref", "externref") for each in types]


def seen(kind: str, value: Any) -> Event:
    """A value of a type as it is compared: bits, with all NaNs alike, and null or not."""
    if kind in ("i32", "i64"):
        return kind, value % (1 << int(kind[1:]))
    if kind in ("f32", "f64"):
        if math.isnan(value):
            return kind, "nan"
        return kind, struct.pack("<f" if kind == "f32" else "<d", value).hex()
    if hasattr(value, "value"):  # what wasmtime puts around a null
        value = value.value
    if kind == "externref":
        return kind, value
    if kind == "v128":
        return kind, bytes(value).hex()
    return kind, value is not None


def answer(kinds: list[str], count: int) -> list[Any]:
    """What a host function returns at its `count`-th call."""
    values = {"i32": count * 77 - 5, "i64": -count << 33, "f32": count / 2, "f64": -count / 4}
    return [values.get(kind, "answer" if kind == "externref" else None) for kind in kinds]


class EnoughError(Exception):
    """Raised by a host function when a module has called so many."""


class Recorder:
    """Host functions that write down their calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state: list[Event] = []
        self.count = self.depth = 0
        self.again: Callable[[], None] | None = None
        self.stopped = False  # a call, maybe one within another, ended as in STOPPED

    def function(self, name: str, params: list[str], results: list[str]) -> Callable[..., Any]:
        def host(*arguments: Any) -> Any:
            self.count += 1
            if self.count % _HOST_CALLS == 0:
                raise EnoughError
            self.events.append(("host", name, *map(seen, params, arguments)))
            if name == "again" and self.again and self.depth < _DEPTH:
                self.depth += 1
                try:
                    self.again()
                finally:
                    self.depth -= 1
            values = answer(results, self.count)
            return (values[0] if len(values) == 1 else tuple(values)) if values else None

        return host

    def results(self, kinds: list[str], value: Any) -> None:
        values = [value] if len(kinds) == 1 else list(value or ())
        self.events.append(("results", *map(seen, kinds, values)))

    def trap(self, message: str, frames: Iterable[tuple[int, int]]) -> None:
        """A trap, and where: function indices and offsets of instructions, innermost first."""
        self.stopped |= message in STOPPED
        where = [] if self.depth else list(frames)[:_FRAMES]
        if message == "out of bounds memory access" and where:
            where[0] = where[0][0], 0  # wasmtime may say where the value is used first
        self.events.append(("trap", trap_name(message), *where))

    def memory(self, name: str, data: bytes) -> None:
        self.state.append(("memory", name, len(data), zlib.crc32(data)))


def again(calls: list[Call], call: Callable[[str, tuple[Any, ...]], str]) -> Callable[[], None]:
    """What the host function "again" does: the first call of the plan, after what starts over.

    A plan that is cut short still has that one, so "again" does the same on both sides.
    """
    chosen = next((each for each in calls if each[0] not in REFILLS), None)
    return lambda: None if chosen is None else void(call(*chosen))


def void(_: object) -> None:
    return None


def trap_name(message: str) -> str:
    """The kind of a trap as it is compared; wasmtime knows fewer of them."""
    if message.startswith("null "):
        return "null reference"
    return "out of bounds table access" if message == "undefined element" else message


_INTEGERS = (0, 1, -1, 2, 7, 255, 65535, 65536, 2**31 - 1, -(2**31), 1000)
_LONGS = (*_INTEGERS, 2**63 - 1, -(2**63), 2**32, 0x123456789ABCDEF)
_FLOATS = (0.0, -0.0, 1.0, -1.5, 2.5, 1e10, -1e30, 4e9, 1e-40, float("inf"), float("nan"))
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "i32": _INTEGERS,
    "i64": _LONGS,
    "f32": _FLOATS,
    "f64": (*_FLOATS, 1e300),
    "externref": (None, "extern"),
    "funcref": (None,),
}
#: Exports that start over what the generated modules count down so that they end.
REFILLS = ("f0", "hangLimitInitializer")
_CALLS = 60  # of one module, at most


def plan(seed: int, functions: list[tuple[str, list[str]]]) -> list[Call]:
    """Calls of the exported functions, three times each, and of `REFILLS` before each."""
    rng = random.Random(seed)
    refills: list[Call] = [
        (name, ()) for name, params in functions if name in REFILLS and not params
    ]
    calls: list[Call] = []
    for _ in range(3):
        for name, params in functions:
            if all(kind in _ARGUMENTS for kind in params) and (name, ()) not in refills:
                arguments = tuple(rng.choice(_ARGUMENTS[kind]) for kind in params)
                calls += [*refills, (name, arguments)]
    return calls[:_CALLS]
