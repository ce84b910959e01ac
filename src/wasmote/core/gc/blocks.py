"""The heap's address space: blocks of 4 KiB, in use for small objects of one size or parts of a
large one, or free.

Neighbouring free blocks are one run, whose first and last block know how many they are; runs are in
lists by the logarithm of that number. So taking and giving back blocks takes a time that does not
depend on the size of the heap.
"""

from wasmote.core.structs import RUN_BINS, Block, Heap
from wasmote.nativepy import boolean, clz, inline, native, ptr, sizeof, u8, u32, u64, usize, void

BLOCK_SHIFT = 12
BLOCK_SIZE = 1 << BLOCK_SHIFT
#: Blocks that get memory at a time.
STEP = 256
#: Runs of a list that are looked at for one that is long enough.
LOOKS = 64


class Kind:
    """What a block is in use for; from SMALL on: for objects of the size class above it."""

    FREE, LARGE, SMALL = range(3)


class Flag:
    """Bits of `Block.flags`."""

    LISTED = 1  # small: in the list of blocks with free cells
    AGAIN = 2  # objects in it are marked, but what they refer to is not


@inline
def block_at(heap, index):
    return heap.blocks + index


@inline
def block_of(handle):
    """The index of the block that an object is in, or starts in."""
    return handle >> (BLOCK_SHIFT - 2)


@inline
def bin_of(count):
    bin = 31 - clz(count)
    return bin if bin < RUN_BINS else u32(RUN_BINS - 1)


@native
def list_run(heap: ptr[Heap], first: u32, count: u32) -> void:
    """Make blocks a run of free ones. What may be next to them is in use."""
    block = block_at(heap, first)
    last = block_at(heap, first + count - 1)
    last.kind = Kind.FREE
    last.count = count
    block.kind = Kind.FREE
    block.count = count
    head = heap.runs + bin_of(count)
    block.previous = 0
    block.next = head[0]
    if head[0] != 0:
        block_at(heap, head[0]).previous = first
    head[0] = first
    # The collector's place in its walk over the blocks must be where something starts.
    if heap.cursor > first and heap.cursor < first + count:
        heap.cursor = first


@native
def unlist_run(heap: ptr[Heap], first: u32) -> void:
    block = block_at(heap, first)
    if block.previous != 0:
        block_at(heap, block.previous).next = block.next
    else:
        heap.runs[bin_of(block.count)] = block.next
    if block.next != 0:
        block_at(heap, block.next).previous = block.previous


@native
def find_run(heap: ptr[Heap], count: u32) -> u32:
    """A free run of at least so many blocks; 0: none was found."""
    bin = bin_of(count)
    first = heap.runs[bin]
    for _ in range(u32(0), u32(LOOKS)):
        if first == 0 or block_at(heap, first).count >= count:
            break
        first = block_at(heap, first).next
    if first != 0 and block_at(heap, first).count >= count:
        return first
    for larger in range(bin + 1, u32(RUN_BINS)):
        if heap.runs[larger] != 0:
            return heap.runs[larger]
    return 0


@native
def take_blocks(heap: ptr[Heap], count: u32, kind: u32) -> u32:
    """The first of so many neighbouring blocks; 0: over the limit, or out of memory."""
    if u64(heap.used) + u64(count) > heap.limit >> BLOCK_SHIFT:
        return 0
    first = find_run(heap, count)
    if first != 0:
        found = block_at(heap, first).count
        unlist_run(heap, first)
        if found > count:
            list_run(heap, first + count, found - count)
    else:
        first = heap.top
        if count > heap.most_blocks - first or not commit_blocks(heap, first + count):
            return 0
        heap.top = first + count
    heap.used += count
    block = block_at(heap, first)
    block_at(heap, first + count - 1).kind = kind
    block.kind = kind
    block.count = count
    block.free = 0
    block.next = 0
    block.previous = 0
    block.flags = 0
    return first


@native
def give_blocks(heap: ptr[Heap], first: u32, count: u32) -> void:
    """Blocks are free again."""
    heap.used -= count
    if first + count < heap.top and block_at(heap, first + count).kind == Kind.FREE:
        after = first + count
        count += block_at(heap, after).count
        unlist_run(heap, after)
    if first > 1 and block_at(heap, first - 1).kind == Kind.FREE:
        before = first - block_at(heap, first - 1).count
        count += block_at(heap, before).count
        unlist_run(heap, before)
        first = before
    list_run(heap, first, count)


@native(cold=True)
def commit_blocks(heap: ptr[Heap], wanted: u32) -> boolean:
    """Make sure that there is memory for the first `wanted` blocks."""
    if wanted <= heap.committed:
        return True
    most = wanted + STEP if wanted + STEP < heap.most_blocks else heap.most_blocks
    platform = heap.store.platform
    old = usize(heap.committed)
    new = usize(most)
    blocks = ptr[u8](heap.blocks)
    if platform.commit(platform, blocks, old * sizeof(Block), new * sizeof(Block)) != 0:
        return False
    if platform.commit(platform, heap.base, old << BLOCK_SHIFT, new << BLOCK_SHIFT) != 0:
        return False
    heap.committed = most
    return True
