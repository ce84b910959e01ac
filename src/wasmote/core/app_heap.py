"""The app heap: room in a linear memory that the runtime allocates from, for the program and for
the host. WAMR's name for it; for modules that have no `malloc` of their own.

It is a range of the memory, cut into blocks without gaps. A block begins with its size, whose bit 0
says that it is in use, and the size of the block before. Sizes are multiples of 16, so what follows
the 8 bytes of this head is aligned to 16. Free blocks are in doubly linked lists, one for each
class of sizes; never are two of them neighbours. A block in use without size ends the heap.

The program can write to all of this, at any time. So each number that is read from the memory is
checked before it is used as a place, and read only once. If one makes no sense the heap is
`corrupted`, and nothing is allocated or freed any more. Heads of the lists and the rest of the
state are out of the program's reach.
"""

from wasmote.core.mutex import acquire, release
from wasmote.core.structs import Memory
from wasmote.nativepy import (
    addr,
    array,
    boolean,
    clz,
    copy,
    ctz,
    fill,
    inline,
    native,
    ptr,
    sizeof,
    store,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
    volatile_load,
)

#: Bytes of a block's head, and what sizes are multiples of.
HEAD, UNIT = 8, 16
USED = 1
#: The smallest and the largest heap, in bytes.
SMALLEST, LARGEST = 256, 1 << 30
#: Classes of sizes: four for each power of two, up to `LARGEST`.
CLASSES = 104
#: How far to look for a block in a class whose blocks need not be large enough.
SEARCH = 256


@struct
class AppHeap:
    """What belongs to a memory's heap (`Memory.heap`). Places are offsets from its start; 0: none.

    The first block is at `HEAD`, the last one, which is empty, at `size - HEAD`.
    """

    data: ptr[u8]  # where it starts
    start: u64  # the same as an offset in the memory, a multiple of 16
    size: u32  # bytes, a multiple of 16
    lock: u32  # a mutex
    corrupted: u32
    used: u32  # bytes of blocks in use
    highest: u32  # most of these that there ever were
    present: array[u32, 4]  # a bit for each class that has blocks
    first: array[u32, CLASSES]


# -- what is in the memory -----------------------------------------------------------------------


@inline
def read(heap, place) -> u32:
    return volatile_load(ptr[u32](heap.data + place))


@inline
def write(heap, place, value):
    store(ptr[u32](heap.data + place), value, align=4)


@native
def size_of(heap: ptr[AppHeap], block: u32, used: u32) -> u32:
    """The size of a block that is in use, or free, as `used` says; 0: it is no such block."""
    if block % UNIT != HEAD or block > heap.size - HEAD - UNIT:
        return 0
    head = read(heap, block)
    size = head & ~u32(USED)
    if head & USED != used or size == 0 or size % UNIT != 0:
        return 0
    if size > heap.size - HEAD - block or read(heap, block + size + 4) != size:
        return 0
    return size


@inline
def set_size(heap, block, size, used):
    """Make a block; what follows learns of its size."""
    write(heap, block, size | used)
    write(heap, block + size + 4, size)


# -- lists of free blocks ------------------------------------------------------------------------


@inline
def class_of(size) -> u32:
    """The class that blocks of a size belong to."""
    units = size // UNIT
    order = 31 - clz(units | 1)
    return units if units < 4 else (order - 1) * 4 + ((units >> (order - 2)) & 3)


@native
def safe_class(size: u32) -> u32:
    """The lowest class of which each block has at least that size."""
    units = size // UNIT
    if units < 4:
        return units
    return class_of(size + ((u32(1) << (29 - clz(units))) - 1) * UNIT)


@native
def add_free(heap: ptr[AppHeap], block: u32, size: u32) -> void:
    """Make a free block, and put it first in its list."""
    set_size(heap, block, size, u32(0))
    kind = class_of(size)
    next = heap.first[kind]
    write(heap, block + HEAD, next)
    write(heap, block + HEAD + 4, u32(0))
    if next != 0:
        write(heap, next + HEAD + 4, block)
    heap.first[kind] = block
    heap.present[kind // 32] |= u32(1) << (kind % 32)


@native
def take_free(heap: ptr[AppHeap], block: u32, size: u32) -> boolean:
    """Take a free block out of its list. False: its links make no sense."""
    kind = class_of(size)
    next = read(heap, block + HEAD)
    previous = read(heap, block + HEAD + 4)
    if next != 0 and (size_of(heap, next, 0) == 0 or read(heap, next + HEAD + 4) != block):
        return corrupt(heap)
    if previous == 0:
        if heap.first[kind] != block:
            return corrupt(heap)
        heap.first[kind] = next
        if next == 0:
            heap.present[kind // 32] &= ~(u32(1) << (kind % 32))
    else:
        if size_of(heap, previous, 0) == 0 or read(heap, previous + HEAD) != block:
            return corrupt(heap)
        write(heap, previous + HEAD, next)
    if next != 0:
        write(heap, next + HEAD + 4, previous)
    return True


@native(cold=True)
def corrupt(heap: ptr[AppHeap]) -> boolean:
    heap.corrupted = 1
    return False


@native
def find_free(heap: ptr[AppHeap], size: u32) -> u32:
    """A free block of at least that size; 0: there is none."""
    kind = safe_class(size)
    if kind < CLASSES:
        word = kind // 32
        bits = heap.present[word] >> (kind % 32) << (kind % 32)
        while bits == 0 and word < 3:
            word += 1
            bits = heap.present[word]
        if bits != 0:
            return heap.first[word * 32 + ctz(bits)]
    block = heap.first[class_of(size)]
    steps = u32(SEARCH)
    while block != 0 and steps != 0:
        found = size_of(heap, block, 0)
        if found == 0:
            corrupt(heap)
            return 0
        if found >= size:
            return block
        block = read(heap, block + HEAD)
        steps -= 1
    return 0


# -- allocation, with the lock held --------------------------------------------------------------


@native
def block_size(heap: ptr[AppHeap], bytes: u64) -> u32:
    """The size of a block for so many bytes; 0: no heap is that large."""
    if bytes >= u64(heap.size):
        return 0
    return (u32(bytes) + (HEAD + UNIT - 1)) & ~u32(UNIT - 1)


@native
def cut(heap: ptr[AppHeap], block: u32, size: u32, wanted: u32) -> void:
    """Make a block in use of the first bytes of one that nobody has, and a free one of the rest."""
    set_size(heap, block, wanted, u32(USED))
    if size != wanted:
        give_back(heap, block + wanted, size - wanted)
    heap.used += wanted
    if heap.used > heap.highest:
        heap.highest = heap.used


@native
def give_back(heap: ptr[AppHeap], block: u32, size: u32) -> void:
    """Make a free block, one with the free block behind it."""
    behind = block + size
    more = size_of(heap, behind, 0)
    if more != 0 and take_free(heap, behind, more):
        size += more
    add_free(heap, block, size)


@native
def allocate(heap: ptr[AppHeap], bytes: u64) -> u32:
    """A block in use with room for so many bytes; 0: there is none."""
    wanted = block_size(heap, bytes)
    if wanted == 0:
        return 0
    block = find_free(heap, wanted)
    if block == 0:
        return 0
    size = size_of(heap, block, 0)
    if size < wanted:
        corrupt(heap)
        return 0
    if not take_free(heap, block, size):
        return 0
    cut(heap, block, size, wanted)
    return block


@native
def deallocate(heap: ptr[AppHeap], block: u32) -> void:
    size = size_of(heap, block, USED)
    if size == 0:
        corrupt(heap)
        return
    heap.used -= size if size < heap.used else heap.used
    before = read(heap, block + 4)
    if before != 0 and before < block:
        found = size_of(heap, block - before, 0)
        if found == before and take_free(heap, block - before, before):
            block -= before
            size += before
    give_back(heap, block, size)


@native
def resize(heap: ptr[AppHeap], block: u32, bytes: u64) -> u32:
    """A block with what is in this one and room for so many bytes; 0: there is none."""
    wanted = block_size(heap, bytes)
    size = size_of(heap, block, USED)
    if size == 0:
        corrupt(heap)
    if size == 0 or wanted == 0:
        return 0
    room = size
    if room < wanted:
        more = size_of(heap, block + size, 0)
        if more != 0 and size + more >= wanted and take_free(heap, block + size, more):
            room += more
    if room >= wanted:
        heap.used -= size if size < heap.used else heap.used
        cut(heap, block, room, wanted)
        return block
    made = allocate(heap, bytes)
    if made != 0:
        copy(heap.data + (made + HEAD), heap.data + (block + HEAD), usize(size - HEAD))
        deallocate(heap, block)
    return made


@native
def allocate_aligned(heap: ptr[AppHeap], bytes: u64, alignment: u64) -> u32:
    """A block whose bytes start at a multiple of `alignment`, a power of two; 0: there is none."""
    if alignment <= UNIT:
        return allocate(heap, bytes)
    if alignment >= u64(heap.size) or bytes >= u64(heap.size):
        return 0
    block = allocate(heap, bytes + alignment)
    if block == 0:
        return 0
    place = heap.start + u64(block + HEAD)
    gap = u32((alignment - place % alignment) % alignment)
    size = size_of(heap, block, USED)
    wanted = block_size(heap, bytes)
    if size < gap + wanted:
        corrupt(heap)
        return 0
    heap.used -= size if size < heap.used else heap.used
    if gap != 0:
        add_free(heap, block, gap)
        block += gap
    cut(heap, block, size - gap, wanted)
    return block


# -- what others use -----------------------------------------------------------------------------


@inline
def heap_of(memory) -> ptr[AppHeap]:
    """A memory's heap; None: it has none."""
    return ptr[AppHeap](memory.heap)


@native(export="app_heap_create")
def app_heap_create(memory: ptr[Memory], start: u64, size: u64) -> boolean:
    """Make bytes of a memory its heap, which are there and nobody uses. False: out of memory.

    `start` is a multiple of 16, `size` one between `SMALLEST` and `LARGEST`.
    """
    platform = memory.platform
    heap = ptr[AppHeap](platform.allocate(sizeof(AppHeap)))
    if heap is None:
        return False
    fill(heap, 0, sizeof(AppHeap))
    heap.data = memory.data + start
    heap.start = start
    heap.size = u32(size)
    write(heap, heap.size - HEAD, u32(USED))
    add_free(heap, u32(HEAD), heap.size - UNIT)
    write(heap, u32(HEAD + 4), u32(0))
    memory.heap = ptr[u8](heap)
    return True


@inline
def place_in_memory(heap, block) -> u64:
    """Where the bytes of a block are; 0 for block 0."""
    return u64(0) if block == 0 else heap.start + u64(block + HEAD)


@inline
def is_in(heap, place: u64) -> boolean:
    """Whether a place in the memory may be that of a block's bytes."""
    return place >= heap.start + UNIT and place < heap.start + u64(heap.size)


@native(export="app_heap_allocate")
def app_heap_allocate(memory: ptr[Memory], bytes: u64, alignment: u64) -> u64:
    """Allocate in a memory that has a heap: an offset, or 0, see `corrupted`, too."""
    heap = heap_of(memory)
    acquire(memory.platform, addr(heap.lock))
    block = allocate_aligned(heap, bytes, alignment) if heap.corrupted == 0 else u32(0)
    release(memory.platform, addr(heap.lock))
    return place_in_memory(heap, block)


@native(export="app_heap_resize")
def app_heap_resize(memory: ptr[Memory], place: u64, bytes: u64) -> u64:
    """realloc: the new offset, or 0, and then what is at `place` stays."""
    heap = heap_of(memory)
    if not is_in(heap, place):
        return 0
    acquire(memory.platform, addr(heap.lock))
    block = u32(0)
    if heap.corrupted == 0:
        block = resize(heap, u32(place - heap.start) - HEAD, bytes)
    release(memory.platform, addr(heap.lock))
    return place_in_memory(heap, block)


@native(export="app_heap_free")
def app_heap_free(memory: ptr[Memory], place: u64) -> void:
    """Free what was allocated. What is not in the heap is left alone, as WAMR does."""
    heap = heap_of(memory)
    if not is_in(heap, place):
        return
    acquire(memory.platform, addr(heap.lock))
    if heap.corrupted == 0:
        deallocate(heap, u32(place - heap.start) - HEAD)
    release(memory.platform, addr(heap.lock))


EXPORTS = (app_heap_create, app_heap_allocate, app_heap_resize, app_heap_free)
