"""References to structures and arrays, and to i31: what WebAssembly's garbage collector manages."""

import ctypes

from wasmote.core.structs import DEFAULT_HEAP_LIMIT
from wasmote.core.structs import Heap as NativeHeap
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.nativepy import mirror
from wasmote.types import RefType, value_type

#: Bits of a handle that tell what it is, and where an object's number starts; see `core.gc`.
I31_TAG = 1
HOST_TAG = 2
HANDLE_SHIFT = 2

HeapLayout = mirror(NativeHeap)
_store = ctypes.addressof(BINDING.store)
_pin = BINDING.python_function("heap_pin", None, Address, ctypes.c_uint32)
_unpin = BINDING.python_function("heap_unpin", None, Address, ctypes.c_uint32)
_matches = BINDING.python_function(
    "reference_matches", ctypes.c_bool, Address, ctypes.c_uint32, ctypes.c_uint32
)
_type = BINDING.python_function("object_type", ctypes.c_uint32, Address, ctypes.c_uint32)


def pin(handle: int) -> None:
    """Never free an object."""
    _pin(_store, handle)


def matches(handle: int, type: int) -> bool:
    """Whether a reference is of a reference type of its hierarchy."""
    return bool(_matches(_store, handle, type))


class I31:
    """An i31 reference: `value` is an integer from -2**30 to 2**30 - 1."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        """Raises OverflowError for other integers."""
        if not -(1 << 30) <= value < 1 << 30:
            raise OverflowError(f"an i31 is from -2**30 to 2**30 - 1, not {value}")
        self.value = value

    @property
    def heap_type(self) -> str:
        """Always "i31"."""
        return "i31"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, I31) and other.value == self.value

    def __hash__(self) -> int:
        return hash((I31, self.value))

    def __repr__(self) -> str:
        return f"wasmote.I31({self.value})"


class Aggregate:
    """A reference to a structure or array, which lives as long as this object.

    WebAssembly code returns them; they can be passed back. Equal references are to the same object.
    """

    __slots__ = ("__weakref__", "_handle")

    def __init__(self, handle: int) -> None:
        self._handle = handle
        _pin(_store, handle)

    def __del__(self) -> None:
        _unpin(_store, self._handle)

    @property
    def type(self) -> RefType:
        """The type that it was made with."""
        found = value_type(_type(_store, self._handle))
        assert isinstance(found, RefType)
        return found

    @property
    def heap_type(self) -> str:
        """The kind of object: "struct" or "array"."""
        return self.type.kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aggregate) and other._handle == self._handle

    def __hash__(self) -> int:
        return hash((Aggregate, self._handle))

    def __repr__(self) -> str:
        return f"<wasmote reference to {self.heap_type} {self._handle >> HANDLE_SHIFT}>"


class Heap:
    """The heap of structures and arrays, which all instances of the process share."""

    @property
    def limit(self) -> int:
        """Bytes that objects may take; beyond, making one is a Trap of kind OUT_OF_MEMORY.

        May be set, to 0 for the default of 512 MiB.
        """
        return int(self._layout().limit if BINDING.store.heap else BINDING.store.heap_limit)

    @limit.setter
    def limit(self, size: int) -> None:
        if not 0 <= size < 1 << 48:
            raise ValueError(f"a heap's limit is from 0 to 2**48 - 1 bytes, not {size}")
        BINDING.store.heap_limit = size
        if BINDING.store.heap:
            self._layout().limit = size or DEFAULT_HEAP_LIMIT

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

    def _layout(self) -> ctypes.Structure:
        return HeapLayout.from_address(BINDING.store.heap)


#: The process's heap of structures and arrays.
heap = Heap()
