"""Call stacks: which functions are being executed, and where they are."""

import ctypes
import time
from collections.abc import Iterable, Iterator

from wasmote.api.layouts import InstanceLayout, StackRequestLayout, TraceFrameLayout
from wasmote.api.lifetime import Owner, owner_at
from wasmote.core.structs import NATIVE_FRAME
from wasmote.errors import Frame, backtrace
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import Record

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

_byte_offset = BINDING.python_function(
    "fast_byte_offset", ctypes.c_uint32, Address, ctypes.c_uint32, ctypes.c_uint32
)
_request = BINDING.python_function(
    "cpython_request_stacks",
    ctypes.c_uint32,
    Address,
    Address,
    ctypes.c_uint32,
    Address,
    ctypes.c_uint32,
)
_withdraw = BINDING.python_function("cpython_withdraw_request", ctypes.c_uint32, Address, Address)

#: Frames that a call stack shows, the innermost ones.
_FRAMES = 1024
#: Seconds to wait for the answer of a call that runs: some thousand times what it takes.
_PATIENCE = 1.0
_PAUSE = 0.0005


class CallStack(Record):
    """The frames of one call from Python into WebAssembly, innermost first.

    `thread` is the thread's `ident`, 0 if that is not known. Of very many frames the innermost 1024
    are shown, and `omitted` says how many there are besides.
    """

    __slots__ = __match_args__ = ("frames", "omitted", "thread")
    frames: tuple[Frame, ...]
    omitted: int
    thread: int

    def __init__(self, frames: tuple[Frame, ...], omitted: int, thread: int) -> None:
        self._set(frames, omitted, thread)

    def __str__(self) -> str:
        return backtrace(self.frames, self.omitted)


def frames_of(captured: Iterable[ctypes.Structure]) -> tuple[Frame, ...]:
    """What native frames show, the innermost first; a function inlined in another has one, too."""
    return tuple(frame for each in captured for frame in _frames_of(each))


def _frames_of(captured: ctypes.Structure) -> Iterator[Frame]:
    layout = InstanceLayout.from_address(captured.instance)
    module = owner_at(layout.host).links.module
    function, offset = captured.function, captured.code
    if function & NATIVE_FRAME:
        places = module._code_places(function ^ NATIVE_FRAME, layout.module)
    else:
        if captured.extended:
            offset = _byte_offset(layout.module, function, offset)
        places = ((function, offset),)
    for function, offset in places:
        name = module.function_name(function)
        yield Frame(function, name, offset, module.name, module._sources_at)


def own_call_stack(owner: Owner | None) -> tuple[Frame, ...]:
    """The frames of this thread's calls, or those of an owner's functions, innermost first."""
    stacks = Requests(owner, own=True).answers()
    return tuple(frame for stack in stacks for frame in stack.frames)


def call_stacks(owner: Owner | None) -> list[CallStack]:
    """All calls that are under way, or those of an owner's functions, the latest first."""
    return Requests(owner, own=False).answers()


class Requests:
    """Asks calls for their frames."""

    def __init__(self, owner: Owner | None, own: bool) -> None:
        address = None if owner is None else id(owner)
        count = _request(BINDING.address, address, own, None, 0)
        self.rooms = [(TraceFrameLayout * _FRAMES)() for _ in range(count)]
        self.requests = (StackRequestLayout * count)()
        for request, room in zip(self.requests, self.rooms, strict=True):
            request.frames, request.limit = ctypes.addressof(room), _FRAMES
        _request(BINDING.address, address, own, ctypes.addressof(self.requests), count)

    def answers(self) -> list[CallStack]:
        """What those have to tell that have not ended meanwhile."""
        return [
            CallStack(frames_of(captured), request.count - _shown(request), request.thread)
            for request, captured in self.captured()
        ]

    def captured(self, most: int = _FRAMES) -> "Iterator[tuple[Any, list[Any]]]":
        """Of each call that has not ended meanwhile: its request, and at most so many of its
        frames, the innermost first.
        """
        end = time.monotonic() + _PATIENCE
        for request in self.requests:
            # The last calls may have ended before they were asked.
            while not request.done and request.thread:
                late = time.monotonic() > end
                if late and _withdraw(BINDING.address, ctypes.addressof(request)):
                    break
                time.sleep(_PAUSE)
        alive = live_instances()
        for room, request in zip(self.rooms, self.requests, strict=True):
            if request.count:
                frames = room[: min(_shown(request), most)]
                yield request, [each for each in frames if each.instance in alive]


def _shown(request: ctypes.Structure) -> int:
    """How many of a call's frames are shown."""
    return min(int(request.count), _FRAMES)


def live_instances() -> set[int]:
    """The addresses of all instances that there are."""
    found = set()
    address = BINDING.store.instances
    while address:
        found.add(address)
        address = InstanceLayout.from_address(address).next
    return found
