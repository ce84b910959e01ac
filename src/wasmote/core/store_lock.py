"""The lock of the store, and what its tables have in common."""

from wasmote.core.structs import FuncInst, Store
from wasmote.nativepy import (
    addr,
    atomic_exchange,
    atomic_store,
    inline,
    ptr,
    struct,
    u8,
    u32,
    volatile_load,
)

#: Entries of the first block of either table.
FIRST_CAPACITY = 64


@struct
class Shared:
    """What entry 0 of the functions points to. It never moves, so it also has the store's lock."""

    nobody: FuncInst
    lock: u32
    retired: ptr[u8]  # former block of functions; its own predecessor is in `Retired`


@struct
class Retired:
    """What a former block of functions has in place of its links."""

    block: ptr[u8]


@inline
def shared(s: ptr[Store]) -> ptr[Shared]:
    return ptr[Shared](s.functions[0])


@inline
def lock(s: ptr[Store]):
    word = addr(shared(s).lock)
    while atomic_exchange(word, 1) != 0:
        while volatile_load(word) != 0:
            pass


@inline
def unlock(s: ptr[Store]):
    atomic_store(addr(shared(s).lock), u32(0))
