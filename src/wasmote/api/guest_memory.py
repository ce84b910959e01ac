"""An instance's memory as its embedder uses it: allocation, and addresses on both sides."""

import ctypes

from wasmote.api.caller import first_memory
from wasmote.api.func import Func
from wasmote.api.layouts import MemoryLayout

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.instance import Instance


def malloc(instance: "Instance", size: int) -> int:
    """See `Instance.malloc`."""
    (offset,) = _function(instance, "malloc").call_bits(size)
    if not offset:
        raise MemoryError(f"{instance!r} has no room for {size} bytes")
    return int(offset)  # type: ignore[call-overload, no-any-return]


def free(instance: "Instance", offset: int) -> None:
    """See `Instance.free`."""
    _function(instance, "free")(offset)


def to_native(instance: "Instance", offset: int, size: int) -> memoryview:
    """See `Instance.to_native`."""
    memory = first_memory(instance._owner)
    memory._check(offset, size)
    return memoryview(memory)[offset : offset + size]  # type: ignore[arg-type]


def to_app(instance: "Instance", place: int | memoryview) -> int:
    """See `Instance.to_app`."""
    memory = first_memory(instance._owner)
    address = place if isinstance(place, int) else ctypes.addressof(_start(place))
    layout = MemoryLayout.from_address(memory._address)
    offset = address - (layout.data or 0)
    if not 0 <= offset < layout.size:
        raise IndexError(f"{address:#x} is not in the memory of {instance!r}")
    return offset


def _start(view: memoryview) -> ctypes.c_char:
    return ctypes.c_char.from_buffer(view.cast("B") if view.format != "B" else view)


def _function(instance: "Instance", name: str) -> Func:
    exports = instance.exports
    found = exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
    if not isinstance(found, Func):
        raise LookupError(
            f"{instance!r} exports no function {name}: link the program with --export={name}"
        )
    return found
