"""Linear memories (spec: Memory Instances and the memory instructions).

A memory's bytes never move: address space is reserved once, and pages are committed as the memory
grows. On a 64-bit host the reservation (`Platform.memory_reservation`, 8 GiB) covers every address
that a 32-bit index plus a 32-bit offset can form, so compiled code may rely on the inaccessible
rest instead of checking bounds; `Memory.reserved` says what there really is. Nothing is touched
before the program does: a memory costs what it uses, not what it declares.

Several threads may grow a memory, each in its turn. Others go on meanwhile: a size that they have
read is never wrong, just perhaps not the latest, as memories do not shrink.
"""

from wasmote.core.bounds import GROW_FAILED, LimitsFlag, in_range, maximum, minimum
from wasmote.core.mutex import acquire, release
from wasmote.core.status import TrapCode
from wasmote.core.structs import Instance, Memory, MemoryType, Platform
from wasmote.nativepy import (
    addr,
    boolean,
    copy,
    fence,
    fill,
    i32,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    usize,
    void,
    volatile_store,
)

#: The unit of Limits.memory_pages, whatever the memory's own page size: 2**16 bytes.
LIMIT_SHIFT = 16


@native
def memory_limit(type: ptr[MemoryType], limit_pages: u64) -> u64:
    """Pages of the memory's own size that it may ever have, leaving its declared maximum aside."""
    limit = minimum(limit_pages, u64(1) << 47) << LIMIT_SHIFT >> u64(type.page_shift)
    limit = minimum(limit, u64(~usize(0)) >> u64(type.page_shift))  # addressable at all
    if type.flags & LimitsFlag.INDEX_64 == 0:
        # memory.size is an i32, and so is every index.
        limit = minimum(limit, minimum(u64(1) << 32 >> u64(type.page_shift), u64(0xFFFF_FFFF)))
    return limit


@native
def reserve_space(memory: ptr[Memory], needed: u64, wanted: u64) -> boolean:
    """Reserve `wanted` bytes of address space, or what can be had of it but at least `needed`."""
    size = wanted
    while size != 0:
        memory.data = memory.platform.reserve(memory.platform, usize(size))
        if memory.data is not None:
            memory.reserved = usize(size)
            return True
        if size == needed:
            return False
        size = maximum(size >> 1, needed)
    return True  # a memory that has no bytes and never will


@native(export="memory_create")
def memory_create(platform: ptr[Platform], type: ptr[MemoryType], limit_pages: u64) -> ptr[Memory]:
    """A zeroed memory of the type's minimum size. None: that is over the limit, or out of memory.

    `limit_pages` is the embedder's limit, in pages of 64 KiB. Free it with `memory_release`.
    """
    limit = memory_limit(type, limit_pages)
    if type.minimum > limit:
        return None
    memory = ptr[Memory](platform.allocate(sizeof(Memory)))
    if memory is None:
        return None
    fill(memory, 0, sizeof(Memory))
    copy(memory.type, type, sizeof(MemoryType))
    memory.platform = platform
    memory.maximum = type.maximum
    memory.limit = limit
    shift = u64(type.page_shift)
    most = maximum(minimum(type.maximum, limit) << shift, u64(platform.memory_reservation))
    reserved = reserve_space(memory, type.minimum << shift, most)
    if reserved and memory_grow(memory, type.minimum) != GROW_FAILED:
        return memory
    memory_release(memory)
    return None


@native(export="memory_release")
def memory_release(memory: ptr[Memory]) -> void:
    """Free a memory. Nobody may use it any more."""
    platform = memory.platform
    if memory.data is not None:
        platform.unreserve(platform, memory.data, memory.reserved)
    platform.release(memory.heap)
    platform.release(ptr[u8](memory))


@inline
def commit(memory: ptr[Memory], size: u64):
    platform = memory.platform
    return platform.commit(platform, memory.data, usize(memory.size), usize(size)) == 0


@native(export="memory_grow")
def memory_grow(memory: ptr[Memory], delta: u64) -> u64:
    """Add `delta` zeroed pages. Returns the pages there were before, or GROW_FAILED."""
    acquire(memory.platform, addr(memory.lock))
    old = grow(memory, delta)
    release(memory.platform, addr(memory.lock))
    return old


@native
def grow(memory: ptr[Memory], delta: u64) -> u64:
    """The same, with the lock held."""
    shift = u64(memory.type.page_shift)
    old = memory.pages
    most = minimum(minimum(memory.maximum, memory.limit), u64(memory.reserved) >> shift)
    if delta > most - old:
        return GROW_FAILED
    size = (old + delta) << shift
    if delta != 0 and not commit(memory, size):
        return GROW_FAILED
    fence()  # whoever sees the new size finds the bytes there
    volatile_store(addr(memory.pages), old + delta)
    volatile_store(addr(memory.size), size)
    return old


@native(export="memory_extend")
def memory_extend(memory: ptr[Memory], delta: u64) -> u64:
    """`memory_grow` by the host, for its own purposes: beyond the declared maximum, if need be."""
    acquire(memory.platform, addr(memory.lock))
    declared = memory.maximum
    if memory.pages + delta > declared:
        memory.maximum = memory.pages + delta
    old = grow(memory, delta)
    if old == GROW_FAILED:
        memory.maximum = declared
    release(memory.platform, addr(memory.lock))
    return old


@native(export="memory_fill")
def memory_fill(memory: ptr[Memory], d: u64, value: u8, n: u64) -> u32:
    """memory.fill: 0 or a trap code, and then nothing is written."""
    if not in_range(memory.size, d, n):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    if n == 0:
        return 0
    set = memory.platform.set
    if set is not None:
        set(memory.data + d, i32(value), usize(n))
    else:
        fill(memory.data + d, value, usize(n))
    return 0


@native(export="memory_copy")
def memory_copy(to: ptr[Memory], source: ptr[Memory], d: u64, s: u64, n: u64) -> u32:
    """memory.copy, overlapping or not: 0 or a trap code, and then nothing is written."""
    if not (in_range(to.size, d, n) and in_range(source.size, s, n)):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    if n == 0:
        return 0
    move = to.platform.move
    if move is not None:
        move(to.data + d, source.data + s, usize(n))
    else:
        copy(to.data + d, source.data + s, usize(n))
    return 0


@native(export="memory_init")
def memory_init(
    instance: ptr[Instance], segment: u32, memory: ptr[Memory], d: u64, s: u64, n: u64
) -> u32:
    """memory.init: 0 or a trap code, and then nothing is written. A dropped segment is empty."""
    source = instance.module.data + segment
    size = u64(0) if instance.dropped_data[segment] != 0 else u64(source.size)
    if not (in_range(memory.size, d, n) and in_range(size, s, n)):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    if n != 0:
        copy(memory.data + d, source.data + s, usize(n))
    return 0


@native(export="data_drop")
def data_drop(instance: ptr[Instance], segment: u32) -> void:
    """data.drop: the segment is empty from now on."""
    instance.dropped_data[segment] = 1
