"""The app heap of `--heap-size`: room in a module's memory for what the runtime puts there."""

from wasmote.cli.report import LoadError

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.memory import Memory

_PAGE = 65536
_ALIGNMENT = 8


class AppHeap:
    """`size` bytes at the end of a memory, which grows for them. What is allocated stays.

    Raises LoadError where the memory cannot grow by that much.
    """

    def __init__(self, memory: "Memory", size: int) -> None:
        try:
            self._next = memory.grow(-(-size // _PAGE)) * _PAGE
        except Exception as error:
            reason = f"the memory cannot grow by a heap of {size} bytes: {error}"
            raise LoadError(
                reason, "WASM module instantiate failed: insert app heap failed"
            ) from None
        self._end = self._next + size

    def allocate(self, size: int) -> int:
        """The address of `size` bytes, a multiple of 8; 0: there is not so much left."""
        address = self._next
        if size > self._end - address:
            return 0
        self._next = address + -(-size // _ALIGNMENT) * _ALIGNMENT
        return address
