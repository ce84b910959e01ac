"""Who calls a host function: its instance, and checked access to that one's memory."""

import ctypes

from wasmote.api.call_stack import own_call_stack
from wasmote.api.layouts import InstanceLayout
from wasmote.api.lifetime import Owner, owner_layout
from wasmote.api.memory import Memory, wrap_memory
from wasmote.errors import Trap, TrapKind
from wasmote.host.cpython.binding import BINDING, Address

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.instance import Instance
    from wasmote.api.module import Module
    from wasmote.errors import Frame

_caller_memory = BINDING.python_function("cpython_caller_memory", ctypes.py_object, Address)
_caller = BINDING.python_function("cpython_caller", ctypes.py_object, Address)


class Caller:
    """The instance whose code called a host function, for as long as that runs.

    A native function gets one as its first argument if that is annotated with this class.
    `attachment` is what the function was registered with.
    """

    __slots__ = ("_owner", "attachment")

    def __init__(self, owner: Owner, attachment: object = None) -> None:
        self._owner = owner
        self.attachment = attachment

    @property
    def module(self) -> "Module":
        """The module of the caller."""
        return self._owner.links.module  # type: ignore[no-any-return]

    @property
    def instance(self) -> "Instance | None":
        """The caller; None while it is being made, and if nobody holds the `Instance` any more."""
        reference = self._owner.links.instance
        return reference() if reference is not None else None

    @property
    def user_data(self) -> object:
        """What the embedder keeps with the instance, as `Instance.user_data`."""
        return self._owner.links.user_data

    @user_data.setter
    def user_data(self, value: object) -> None:
        self._owner.links.user_data = value

    @property
    def memory(self) -> Memory:
        """The caller's memory 0. Raises LookupError if it has none."""
        return first_memory(self._owner)

    def call_stack(self) -> "tuple[Frame, ...]":
        """The frames of the instance's calls that this thread is in, innermost first."""
        return own_call_stack(self._owner)

    def view(self, offset: int, size: int) -> memoryview:
        """So many bytes of memory, writable. Raises Trap if they are not all there."""
        memory = self.memory
        if not 0 <= offset <= len(memory) - size:  # type: ignore[arg-type]
            raise self.trap()
        return memoryview(memory)[offset : offset + size]  # type: ignore[arg-type]

    def rest(self, offset: int) -> memoryview:
        """Memory from an offset to its end, at least one byte. Raises Trap outside."""
        memory = self.memory
        if not 0 <= offset < len(memory):  # type: ignore[arg-type]
            raise self.trap()
        return memoryview(memory)[offset:]  # type: ignore[arg-type]

    def string(self, offset: int) -> str:
        """The string at an offset, up to a zero byte, as UTF-8 (other bytes become surrogates).

        Raises Trap if memory ends before.
        """
        view = self.rest(offset)
        for start in range(0, len(view), 4096):
            end = bytes(view[start : start + 4096]).find(0)
            if end >= 0:
                return bytes(view[: start + end]).decode("utf-8", "surrogateescape")
        raise self.trap()

    def trap(self) -> Trap:
        """What to raise for a pointer that leads out of memory."""
        return Trap(TrapKind.MEMORY_OUT_OF_BOUNDS, frames=self.call_stack())


def current_caller(attachment: object = None) -> Caller:
    """The caller of the host function that runs. Raises LookupError if Python itself is."""
    owner = _caller(BINDING.address)
    if owner is None:
        raise LookupError("the function was not called by WebAssembly code, so there is no caller")
    return Caller(owner, attachment)


def current_memory() -> Memory | None:
    """Memory 0 of the caller of the host function that runs.

    None if it has none, or if Python itself is the caller.
    """
    found: Memory | None = _caller_memory(BINDING.address)
    return found


def first_memory(owner: Owner) -> Memory:
    """Memory 0 of an instance. Raises LookupError if it has none."""
    layout = InstanceLayout.from_address(owner_layout(owner).resource)
    if owner.links.module._layout.memory_count == 0:
        raise LookupError(f"{owner.links.module!r} has no memory")
    return wrap_memory(ctypes.c_void_p.from_address(layout.memories).value or 0, owner)
