"""Linear memories."""

import ctypes

from wasmote.api.extend import extend
from wasmote.api.layouts import MemoryLayout, memory_type, memory_type_layout
from wasmote.api.lifetime import Links, Owner, make_owner
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import PAGE_SIZE, MemoryType

_memory_new = BINDING.python_function(
    "cpython_memory_new", ctypes.py_object, Address, Address, ctypes.py_object
)
_create = BINDING.python_function("memory_create", Address, Address, Address, ctypes.c_uint64)
_grow = BINDING.python_function("memory_grow", ctypes.c_uint64, Address, ctypes.c_uint64)
_FAILED = 2**64 - 1
#: Pages of 64 KiB that a memory made by the host may have.
_MOST_PAGES = 65536


def wrap_memory(address: int, owner: Owner) -> "Memory":
    """The Python object for a memory that `owner` keeps alive."""
    made: Memory = _memory_new(BINDING.address, address, owner)
    return made


@extend(BINDING.memory_type)
class Memory:
    """A linear memory, shared with the instances that import or export it.

    It has the buffer protocol: `memoryview(memory)`, `numpy.frombuffer(memory, "u1")` and the like
    give a writable view of the bytes there are at that moment. Growing never moves the bytes, so an
    older view stays good; it just ends where the memory ended then. Views keep the memory alive.

    What Python reads and writes is not atomic, also of a memory whose type is `shared`: while a
    thread runs WebAssembly code, a read of several bytes may find some of them changed, and only
    functions of a module can wait for it or notify it.
    """

    _address: int
    _owner: Owner

    def __new__(cls, type: MemoryType) -> "Memory":
        """A zeroed memory to pass to instances. Raises ValueError or MemoryError."""
        if type.page_size not in (1, PAGE_SIZE):
            raise ValueError(f"{type}: pages have 1 or {PAGE_SIZE} bytes")
        addresses = 2 ** (64 if type.is64 else 32)
        most = min(addresses // type.page_size, addresses - 1)  # what memory.size can tell
        if not 0 <= type.minimum <= (most if type.maximum is None else type.maximum) <= most:
            raise ValueError(f"{type}: sizes are 0 to {most} pages, minimum before maximum")
        if type.shared and type.maximum is None:
            raise ValueError(f"{type}: a shared memory has a maximum")
        layout = memory_type_layout(type)
        platform = ctypes.addressof(BINDING.platform)
        address = _create(platform, ctypes.addressof(layout), _MOST_PAGES)
        if not address:
            raise MemoryError(f"cannot allocate a {type}")
        return wrap_memory(address, make_owner(address, "cpython_release_memory", Links(), None))

    @property
    def type(self) -> MemoryType:
        """The type; its minimum is the size now."""
        declared = memory_type(_layout(self).type)
        return MemoryType(
            self.size, declared.maximum, declared.is64, declared.page_size, declared.shared
        )

    @property
    def size(self) -> int:
        """Pages, of 64 KiB unless the type says otherwise."""
        return int(_layout(self).pages)

    def grow(self, pages: int) -> int:
        """Add zeroed pages; returns how many there were. Raises MemoryError, ValueError."""
        if not 0 <= pages < 2**64:
            raise ValueError(f"cannot grow a memory by {pages} pages")
        _layout(self)
        old: int = _grow(self._address, pages)
        if old == _FAILED:
            raise MemoryError(f"cannot grow a memory of {self.size} pages by {pages}: {self.type}")
        return old

    def read(self, offset: int, size: int) -> bytes:
        """The `size` bytes at `offset`. Raises IndexError outside the memory."""
        self._check(offset, size)
        return bytes(memoryview(self)[offset : offset + size])  # type: ignore[arg-type]

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Copy the bytes of `data` to `offset`. Raises IndexError outside the memory."""
        source = memoryview(data).cast("B")
        self._check(offset, len(source))
        memoryview(self)[offset : offset + len(source)] = source  # type: ignore[arg-type]

    def _check(self, offset: int, size: int) -> None:
        end = len(self)  # type: ignore[arg-type]
        if offset < 0 or size < 0 or offset + size > end:
            raise IndexError(f"{size} bytes at {offset} are outside a memory of {end} bytes")

    def __repr__(self) -> str:
        return f"<wasmote.Memory of {self.size} pages>"


def _layout(memory: Memory) -> ctypes.Structure:
    if not memory._address:
        raise TypeError("make memories with wasmote.Memory(type)")
    return MemoryLayout.from_address(memory._address)
