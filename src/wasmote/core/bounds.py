"""Range checks that cannot overflow, shared by memories and tables."""

from wasmote.core.status import ValueType
from wasmote.nativepy import boolean, inline, u32, u64

#: What memory_grow and table_grow return when they fail: -1, also once truncated to 32 bits.
GROW_FAILED = 0xFFFF_FFFF_FFFF_FFFF


class LimitsFlag:
    """Bits of the limits byte of a table or memory type."""

    HAS_MAXIMUM = 1
    SHARED = 2
    INDEX_64 = 4
    PAGE_SIZE = 8  # log2 of the page size follows; memories only


@inline
def index_type(flags: u32) -> u32:
    """The type of indices and sizes of a table or memory with these limits flags."""
    return u32(ValueType.I64) if flags & LimitsFlag.INDEX_64 != 0 else u32(ValueType.I32)


@inline
def minimum(a, b):
    return a if a < b else b


@inline
def maximum(a, b):
    return a if a > b else b


@inline
def in_range(size: u64, offset: u64, n: u64) -> boolean:
    """Whether [offset, offset + n) lies within `size`; an empty range may begin at the end."""
    return n <= size and offset <= size - n
