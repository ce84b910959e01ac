"""The heap of structures and arrays: its limit, its garbage collector, and what that has done."""

import ctypes
from dataclasses import dataclass

from wasmote.core.gc import heap as defaults
from wasmote.core.structs import DEFAULT_HEAP_LIMIT
from wasmote.core.structs import Heap as NativeHeap
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.nativepy import mirror

_HeapLayout = mirror(NativeHeap)
_store = ctypes.addressof(BINDING.store)
_configure = BINDING.python_function(
    "heap_configure",
    ctypes.c_bool,
    Address,
    ctypes.c_uint64,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.c_uint64,
)
_collect = BINDING.python_function("cpython_collect_all", ctypes.c_bool, Address)
#: The largest heap: 30 bits of a reference number 16 bytes each.
_LARGEST = 16 << 30


@dataclass(frozen=True)
class HeapStatistics:
    """What the heap and its garbage collector have done since the process began."""

    size: int
    """Bytes that objects take now, garbage included."""
    objects: int
    """How many objects there are, garbage included."""
    reserved: int
    """Bytes of the blocks that objects are in, with the free room between them."""
    collections: int
    """How often garbage was collected."""
    longest_pause: float
    """Seconds that a program had to wait for the collector at one time, at most."""
    total_pause: float
    """Seconds that programs had to wait for the collector in all."""


class Heap:
    """The heap of structures, arrays and exceptions, which all instances of the process share.

    Garbage is collected a little at a time while WebAssembly code makes objects. A collection
    begins when the heap has grown by `growth` percent since the last one, and is at least `minimum`
    bytes.
    """

    @property
    def limit(self) -> int:
        """Bytes that the heap may take: 512 MiB unless it is set.

        Beyond, making an object is a Trap of kind OUT_OF_MEMORY. May be set to 2**34
        and less, or to 0 for the default. Raises ValueError.
        """
        if BINDING.store.heap:
            return int(self._layout().limit)
        return int(BINDING.store.heap_limit) or DEFAULT_HEAP_LIMIT

    @limit.setter
    def limit(self, size: int) -> None:
        if not 0 <= size <= _LARGEST:
            raise ValueError(f"a heap's limit is 0 to 2**34 bytes, not {size}")
        self._set(limit=size or DEFAULT_HEAP_LIMIT)

    @property
    def step(self) -> int:
        """Work that the collector does in one go, about in bytes: 32 KiB unless it is set.

        The less, the shorter are the pauses, and the more of them there are. 1 to 2**32 - 1.
        """
        return int(self._layout().step) if BINDING.store.heap else defaults.STEP

    @step.setter
    def step(self, work: int) -> None:
        if not 1 <= work < 1 << 32:
            raise ValueError(f"a step is 1 to 2**32 - 1, not {work}")
        self._set(step=work)

    @property
    def growth(self) -> int:
        """Percent that the heap grows by before garbage is collected again: 100 unless it is set.

        0 to 1000. With 0, and a `minimum` of 0, the collector never rests, which is for tests.
        """
        return int(self._layout().growth) if BINDING.store.heap else defaults.GROWTH

    @growth.setter
    def growth(self, percent: int) -> None:
        if not 0 <= percent <= 1000:
            raise ValueError(f"a growth is 0 to 1000 percent, not {percent}")
        self._set(growth=percent)

    @property
    def minimum(self) -> int:
        """Bytes of objects below which no collection begins: 4 MiB unless it is set."""
        return int(self._layout().minimum) if BINDING.store.heap else defaults.MINIMUM

    @minimum.setter
    def minimum(self, size: int) -> None:
        if not 0 <= size <= _LARGEST:
            raise ValueError(f"a minimum is 0 to 2**34 bytes, not {size}")
        self._set(minimum=size)

    @property
    def size(self) -> int:
        """Bytes that objects take now, garbage included."""
        return int(self._layout().bytes) if BINDING.store.heap else 0

    @property
    def collections(self) -> int:
        """How often garbage was collected."""
        return int(self._layout().collections) if BINDING.store.heap else 0

    def __len__(self) -> int:
        """How many objects there are, garbage included."""
        return int(self._layout().count) if BINDING.store.heap else 0

    def collect(self) -> bool:
        """Free all garbage now. False: not done, as other threads are running WebAssembly code."""
        return not BINDING.store.heap or bool(_collect(BINDING.address))

    def statistics(self) -> HeapStatistics:
        """What there is to know, at one time."""
        if not BINDING.store.heap:
            return HeapStatistics(0, 0, 0, 0, 0.0, 0.0)
        now = self._layout()
        return HeapStatistics(
            size=now.bytes,
            objects=now.count,
            reserved=now.used << 12,
            collections=now.collections,
            longest_pause=now.longest / 1e9,
            total_pause=now.paused / 1e9,
        )

    def _set(self, **changed: int) -> None:
        settings = {
            name: getattr(self, name) for name in ("limit", "step", "growth", "minimum")
        } | changed
        if not _configure(_store, *settings.values()):
            raise MemoryError("no memory for a heap")

    def _layout(self) -> ctypes.Structure:
        return _HeapLayout.from_address(BINDING.store.heap)

    def __repr__(self) -> str:
        return f"<wasmote.Heap of {len(self)} objects, {self.size} bytes>"


#: The process's heap of structures and arrays.
heap = Heap()
