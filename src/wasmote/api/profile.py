"""Profiles: in which functions a program spends its time."""

import ctypes
import os
from collections.abc import Iterator

from wasmote.api.call_stack import live_instances
from wasmote.api.layouts import InstanceLayout, ProfileLayout, ProfileNodeLayout, items
from wasmote.api.lifetime import owner_at, owner_layout
from wasmote.core.structs import NATIVE_FRAME
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import Record

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.func import Func
    from wasmote.api.instance import Instance

_start = BINDING.python_function("cpython_profile_start", ctypes.c_uint32, Address, Address)
_stop = BINDING.python_function("cpython_profile_stop", None, Address)
_free = BINDING.python_function("cpython_profile_free", None, Address, Address)

#: Seconds: samples come at polls, of which there are some ten thousand a second.
_SHORTEST, _LONGEST = 0.0001, 10.0


class FunctionTime(Record):
    """How long a function took: `self_time` itself, `total_time` with what it called, in seconds.

    Both are numbers of samples times their interval. A function that calls itself counts once in
    its total. `samples` are those of `self_time`.
    """

    __slots__ = __match_args__ = ("name", "self_time", "total_time", "samples")
    name: str
    self_time: float
    total_time: float
    samples: int

    def __init__(self, name: str, self_time: float, total_time: float, samples: int) -> None:
        self._set(name, self_time, total_time, samples)


class Profile:
    """`with wasmote.profile(instance) as p:` samples what the instance's functions do within.

    Calls from all threads count, nested ones of other instances and of host functions included;
    without an instance, calls of all instances do. There is one profile at a time. Afterwards
    `functions()` is the table, `stacks()` are the call stacks with their samples, and `write` makes
    a file of them.
    """

    __slots__ = ("_instance", "_layout", "_stacks", "interval", "lost")

    #: Seconds between two samples.
    interval: float
    #: Samples that there was no memory for.
    lost: int

    def __init__(self, instance: "Instance | None" = None, interval: float = 0.001) -> None:
        if not _SHORTEST <= interval <= _LONGEST:
            raise ValueError(f"interval is {_SHORTEST} to {_LONGEST:g} seconds, not {interval}")
        self.interval = interval
        self.lost = 0
        self._instance = instance
        self._layout: ctypes.Structure | None = None
        self._stacks: dict[tuple[str, ...], int] = {}

    def __enter__(self) -> "Profile":
        wanted = None
        if self._instance is not None:
            wanted = owner_layout(self._instance._owner).resource
        layout = ProfileLayout(instance=wanted, interval=int(self.interval * 1e9))
        if not _start(BINDING.address, ctypes.addressof(layout)):
            raise RuntimeError("another profile is being taken")
        self._layout = layout
        return self

    def __exit__(self, *exception: object) -> None:
        layout, self._layout = self._layout, None
        if layout is None:
            return
        _stop(BINDING.address)
        self.lost += layout.lost
        for stack, samples in _stacks(layout):
            self._stacks[stack] = self._stacks.get(stack, 0) + samples
        _free(BINDING.address, ctypes.addressof(layout))

    def stacks(self) -> dict[tuple[str, ...], int]:
        """Samples by call stack: names of functions, outermost first."""
        return dict(self._stacks)

    @property
    def samples(self) -> int:
        """How many samples were taken."""
        return sum(self._stacks.values())

    def functions(self) -> list[FunctionTime]:
        """The functions, those first that took longest themselves."""
        own: dict[str, int] = {}
        total: dict[str, int] = {}
        for stack, samples in self._stacks.items():
            own[stack[-1]] = own.get(stack[-1], 0) + samples
            for name in set(stack):
                total[name] = total.get(name, 0) + samples
        ordered = sorted(total, key=lambda name: (-own.get(name, 0), -total[name], name))
        unit = self.interval
        return [
            FunctionTime(name, own.get(name, 0) * unit, total[name] * unit, own.get(name, 0))
            for name in ordered
        ]

    def table(self, limit: int = 30) -> str:
        """The first functions as text: self and total time, seconds and percent."""
        whole = max(self.samples, 1) * self.interval
        lines = ["  self s  self %  total s  total %  function"]
        lines += [
            f"{each.self_time:8.3f} {each.self_time / whole:7.1%} {each.total_time:8.3f}"
            f" {each.total_time / whole:8.1%}  {each.name}"
            for each in self.functions()[:limit]
        ]
        return "\n".join(lines)

    def collapsed(self) -> str:
        """The stacks as flamegraph.pl, inferno and speedscope read them: lines `a;b;c 12`."""
        lines = (
            f"{';'.join(name.replace(';', ',') for name in stack)} {samples}\n"
            for stack, samples in sorted(self._stacks.items())
        )
        return "".join(lines)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a flame graph if the name ends in `.svg`, else collapsed stacks."""
        if os.fspath(path).endswith(".svg"):
            from wasmote.api.flame_graph import flame_graph

            content = flame_graph(self._stacks, self.interval)
        else:
            content = self.collapsed()
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def __repr__(self) -> str:
        return f"<wasmote.Profile of {self.samples} samples>"


def profile(instance: "Instance | None" = None, *, interval: float = 0.001) -> Profile:
    """A profile to take, see `Profile`. `interval` is in seconds, 0.0001 to 10."""
    return Profile(instance, interval)


def _stacks(layout: ctypes.Structure) -> Iterator[tuple[tuple[str, ...], int]]:
    """The call stacks of a finished profile."""
    nodes = items(ProfileNodeLayout, layout.nodes, layout.count)
    names = _Names()
    paths: list[tuple[str, ...]] = [()]
    for node in nodes[1:]:  # a node comes after its parent
        path = (*paths[node.parent], *names.of(node))
        paths.append(path)
        if node.samples:
            yield path, node.samples


class _Names:
    """What to call the function of a node; of compiled code also those it was inlined in, before
    it, as a node is a place in the code there.
    """

    def __init__(self) -> None:
        self.alive = live_instances()
        self.known: dict[tuple[int, int, int], tuple[str, ...]] = {}

    def of(self, node: ctypes.Structure) -> tuple[str, ...]:
        key = node.instance or 0, node.host or 0, node.function
        if key not in self.known:
            self.known[key] = self._look_up(node)
        return self.known[key]

    def _look_up(self, node: ctypes.Structure) -> tuple[str, ...]:
        if node.host:
            function: Func = ctypes.cast(node.host, ctypes.py_object).value
            return (f"{function.name} (host)",)
        native = node.function & NATIVE_FRAME
        if node.instance not in self.alive:
            return (("compiled code" if native else f"$f{node.function}") + " (instance gone)",)
        layout = InstanceLayout.from_address(node.instance)
        module = owner_at(layout.host).links.module
        if not native:
            return (str(module.function_name(node.function)),)
        places = module._code_places(node.function ^ NATIVE_FRAME, layout.module)
        return tuple(str(module.function_name(function)) for function, _ in reversed(places))
