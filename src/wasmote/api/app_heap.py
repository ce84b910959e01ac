"""The app heap: room in an instance's memory that `Instance.malloc` and libc-builtin allocate from.

See `core.app_heap`; where it goes is what WAMR does.
"""

import ctypes

from wasmote.api.caller import first_memory
from wasmote.api.layouts import GlobalLayout, MemoryLayout
from wasmote.core.app_heap import LARGEST, SMALLEST, UNIT, AppHeap
from wasmote.errors import Trap, TrapKind
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.nativepy import mirror
from wasmote.types import FuncType, GlobalType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.instance import Exports, Instance
    from wasmote.api.memory import Memory

_Layout = mirror(AppHeap)
_create = BINDING.python_function(
    "app_heap_create", ctypes.c_bool, Address, ctypes.c_uint64, ctypes.c_uint64
)
_allocate = BINDING.python_function(
    "app_heap_allocate", ctypes.c_uint64, Address, ctypes.c_uint64, ctypes.c_uint64
)
_free = BINDING.python_function("app_heap_free", None, Address, ctypes.c_uint64)
_extend = BINDING.python_function("memory_extend", ctypes.c_uint64, Address, ctypes.c_uint64)
_FAILED = 2**64 - 1
_BASE = "__heap_base"
_MALLOC = FuncType((ValType.I32,), (ValType.I32,))
_FREE = FuncType((ValType.I32,))
#: What AssemblyScript's modules export in their place.
_ASSEMBLYSCRIPT = ("__new", "__pin", "__unpin")


def add_app_heap(instance: "Instance", size: int) -> None:
    """Make room for a heap in the instance's memory 0, of 256 bytes to 1 GiB.

    Nothing happens if there is no memory, if it has a heap, and if the module allocates itself: it
    exports `malloc` and `free`. The heap starts at `__heap_base`, if the module exports that, which
    then moves behind the heap; otherwise at the end of memory. Memory grows as needed, beyond its
    maximum, too. Raises MemoryError if it cannot.
    """
    if not instance.module._layout.memory_count or allocates(instance.exports):
        return
    memory = first_memory(instance._owner)
    layout = MemoryLayout.from_address(memory._address)
    if layout.heap:
        return
    size = min(max(size, SMALLEST), LARGEST) // UNIT * UNIT
    base = _heap_base(instance.exports, layout.size)
    start = -(-(layout.size if base is None else base) // UNIT) * UNIT
    page = memory.type.page_size
    missing = max(0, -(-(start + size - layout.size) // page))
    if missing and not extend(memory, missing * page):
        raise MemoryError(
            "failed to insert app heap into linear memory: it cannot grow by a heap of "
            f"{size} bytes; without one (heap size 0) the module may do"
        )
    if not _create(memory._address, start, size):
        raise MemoryError("no memory for an app heap")
    if base is not None:
        variable = instance.exports[_BASE]._address
        GlobalLayout.from_address(variable).value[0] = start + size


def extend(memory: "Memory", size: int) -> int:
    """Add so many bytes to a memory, in whole pages: their offset; 0: it cannot grow.

    It may grow beyond its maximum.
    """
    page = memory.type.page_size
    before = int(_extend(memory._address, -(-size // page)))
    return 0 if before == _FAILED else before * page


def allocates(exports: "Exports") -> bool:
    """Whether a module has functions of its own for what the heap does."""
    if all(name in exports for name in _ASSEMBLYSCRIPT):
        return True
    return all(
        name in exports and exports[name].type == type
        for name, type in (("malloc", _MALLOC), ("free", _FREE))
    )


def _heap_base(exports: "Exports", size: int) -> int | None:
    """Where the module's own data ends, if it says so."""
    if _BASE not in exports or exports[_BASE].type != GlobalType(ValType.I32, False):
        return None
    found: int = exports[_BASE].value  # type: ignore[union-attr, assignment]
    base = found & 0xFFFF_FFFF
    return base if base < size else None


def has_heap(memory: "Memory") -> bool:
    """Whether a memory has an app heap."""
    return bool(MemoryLayout.from_address(memory._address).heap)


def heap_allocate(memory: "Memory", size: int, alignment: int = UNIT) -> int:
    """The offset of so many bytes in a memory that has a heap; 0: there is no room.

    `alignment` is a power of two. Raises Trap if the program has destroyed the heap.
    """
    found = int(_allocate(memory._address, min(size, LARGEST), alignment))
    _check(memory)
    return found


def heap_free(memory: "Memory", offset: int) -> None:
    """Free what `heap_allocate` gave; nothing happens if it is not in the heap.

    Raises Trap if the program has destroyed the heap, or if nothing is allocated there.
    """
    _free(memory._address, offset)
    _check(memory)


def _check(memory: "Memory") -> None:
    heap = _Layout.from_address(MemoryLayout.from_address(memory._address).heap)
    if heap.corrupted:
        raise Trap(TrapKind.APP_HEAP_CORRUPTED)
