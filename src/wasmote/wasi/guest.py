"""The guest's linear memory as WASI functions see it: every access checked against its bounds."""

from wasmote.wasi.abi import EFAULT, EINVAL, ENAMETOOLONG, IOVEC
from wasmote.wasi.errors import CallError

TYPE_CHECKING = False  # importing `typing` for a name that only checkers read costs start-up time
if TYPE_CHECKING:
    from typing import Protocol

    class LinearMemory(Protocol):
        """What a memory must be: a writable buffer that may grow, `len` bytes long."""

        def __len__(self) -> int: ...
        def __buffer__(self, flags: int, /) -> memoryview: ...


# The host's limits (POSIX's IOV_MAX and PATH_MAX on Linux). They also bound what one call of a
# guest can make the host allocate.
IOV_MAX = 1024
PATH_MAX = 4096


class Guest:
    """Bounds-checked access to a memory."""

    __slots__ = ("_memory", "_view")

    def __init__(self, memory: "LinearMemory") -> None:
        self._memory = memory
        self._view = memoryview(memory).cast("B")

    def slice(self, address: int, length: int) -> memoryview:
        """The `length` bytes at `address`, to read or to fill. Raises EFAULT outside memory.

        Take the slices for results before doing anything: a call with a bad pointer must not
        have effects. A slice stays usable if the memory grows meanwhile.
        """
        view = self._view
        if len(self._memory) != len(view):  # it has grown
            view = self._view = memoryview(self._memory).cast("B")
        end = address + length
        if end > len(view):
            raise CallError(EFAULT)
        return view[address:end]

    def buffers(self, address: int, count: int) -> list[memoryview]:
        """The buffers that `count` iovecs at `address` describe.

        Of more than `IOV_MAX`, the first ones: reads and writes may always be partial.
        """
        iovecs = self.slice(address, IOVEC.size * count)
        if count == 1:
            return [self.slice(*IOVEC.unpack(iovecs))]
        iovecs = iovecs[: IOVEC.size * IOV_MAX]
        return [self.slice(*iovec) for iovec in IOVEC.iter_unpack(iovecs)]

    def string(self, address: int, limit: int) -> bytes:
        """The NUL-terminated string in memory. Raises EINVAL if it has `limit` bytes or more."""
        length = min(limit, len(self._memory) - address)
        data = bytes(self.slice(address, max(length, 0)))
        end = data.find(0)
        if end < 0:
            raise CallError(EINVAL if length == limit else EFAULT)
        return data[:end]

    def path(self, address: int, length: int) -> bytes:
        """The path in memory. Raises ENAMETOOLONG, and EINVAL for one with a NUL in it."""
        view = self.slice(address, length)
        if length >= PATH_MAX:
            raise CallError(ENAMETOOLONG)
        path = bytes(view)
        if 0 in path:
            raise CallError(EINVAL)
        return path
