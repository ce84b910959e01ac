"""References to structures and arrays, and to i31: what WebAssembly's garbage collector manages."""

import ctypes

from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import RefType, value_type

#: Bits of a handle that tell what it is, and where an object's number starts; see `core.gc`.
I31_TAG = 1
HOST_TAG = 2
HANDLE_SHIFT = 2

_store = ctypes.addressof(BINDING.store)
_pin = BINDING.python_function("heap_pin", ctypes.c_bool, Address, ctypes.c_uint32)
_unpin = BINDING.python_function("heap_unpin", None, Address, ctypes.c_uint32)
_matches = BINDING.python_function(
    "reference_matches", ctypes.c_bool, Address, ctypes.c_uint32, ctypes.c_uint32
)
_type = BINDING.python_function("object_type", ctypes.c_uint32, Address, ctypes.c_uint32)


def pin(handle: int) -> None:
    """Keep an object. Raises MemoryError."""
    if not _pin(_store, handle):
        raise MemoryError("no memory to note that an object is in use")


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
        pin(handle)
        self._handle = handle

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
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
