"""An instance's memory as its embedder uses it: allocation, and addresses on both sides."""

import ctypes

from wasmote.api.app_heap import has_heap, heap_allocate, heap_free
from wasmote.api.caller import first_memory
from wasmote.api.func import Func
from wasmote.api.layouts import MemoryLayout

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.instance import Instance
    from wasmote.api.memory import Memory


def malloc(instance: "Instance", size: int) -> int:
    """See `Instance.malloc`."""
    memory = _heap(instance)
    offset = heap_allocate(memory, size) if memory is not None else _call_malloc(instance, size)
    if not offset:
        raise MemoryError(f"{instance!r} has no room for {size} bytes")
    return offset


def free(instance: "Instance", offset: int) -> None:
    """See `Instance.free`."""
    memory = _heap(instance)
    if memory is not None:
        heap_free(memory, offset)
    elif "free" not in instance.exports and "__unpin" in instance.exports:
        _function(instance, "__unpin")(offset)
    else:
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


def _heap(instance: "Instance") -> "Memory | None":
    """The instance's memory, if it has an app heap."""
    if not instance.module._layout.memory_count:
        return None
    memory = first_memory(instance._owner)
    return memory if has_heap(memory) else None


def _call_malloc(instance: "Instance", size: int) -> int:
    """Allocate by the module's `malloc`, or as AssemblyScript's modules do: a pinned object."""
    if "malloc" not in instance.exports and "__new" in instance.exports:
        (offset,) = _function(instance, "__new").call_bits(size, 0)
        _function(instance, "__pin")(offset)
    else:
        (offset,) = _function(instance, "malloc").call_bits(size)
    return int(offset)  # type: ignore[call-overload, no-any-return]


def _function(instance: "Instance", name: str) -> Func:
    exports = instance.exports
    found = exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
    if not isinstance(found, Func):
        raise LookupError(
            f"{instance!r} has no app heap and exports no function {name}: give it a heap_size, or "
            f"link the program with --export={name}"
        )
    return found
