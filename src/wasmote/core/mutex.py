"""A mutex of one word, which threads wait for without taking time from others.

0: free; 1: held; 2: held, and others may wait. A zeroed structure holds a free one. For what may
take a while: waiting for the operating system, or translating a function; see `store_lock` for what
never does.
"""

from wasmote.core.structs import Platform
from wasmote.nativepy import (
    atomic_compare_exchange,
    atomic_exchange,
    inline,
    native,
    ptr,
    u32,
    unlikely,
    void,
    volatile_load,
)

FREE, HELD, WANTED = range(3)
#: How often to look whether it is free again before waiting.
SPINS = 100
FOREVER = 0xFFFF_FFFF_FFFF_FFFF


@inline
def acquire(platform, word):
    """Hold the mutex at `word`, a `ptr[u32]`; not twice."""
    if unlikely(atomic_compare_exchange(word, FREE, HELD) != FREE):
        acquire_later(platform, word)


@native(cold=True, noinline=True)
def acquire_later(platform: ptr[Platform], word: ptr[u32]) -> void:
    for _ in range(u32(0), SPINS):
        if volatile_load(word) == FREE and atomic_compare_exchange(word, FREE, HELD) == FREE:
            return
    while atomic_exchange(word, WANTED) != FREE:
        if platform.wait is not None:
            platform.wait(platform, word, WANTED, FOREVER)


@inline
def release(platform, word):
    """Give up the mutex."""
    if unlikely(atomic_exchange(word, FREE) == WANTED):
        wake_one(platform, word)


@native(cold=True, noinline=True)
def wake_one(platform: ptr[Platform], word: ptr[u32]) -> void:
    if platform.wake is not None:
        platform.wake(platform, word, 1)
