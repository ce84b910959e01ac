"""The heap of structures and arrays that all instances of a store share: its memory.

A handle is a distance from the start of the heap, divided by 4, so objects are found without a
lookup; they start at multiples of 16 bytes and never move. A small object is a cell of a block
whose cells all have one size; a larger one has blocks of its own. What is free and what is dead is
told by the first word of a cell: see `HeapObject`.
"""

from wasmote.core.gc.blocks import (
    BLOCK_SHIFT,
    BLOCK_SIZE,
    Flag,
    Kind,
    block_at,
    block_of,
    commit_blocks,
    take_blocks,
)
from wasmote.core.structs import DEFAULT_HEAP_LIMIT, SIZE_CLASSES, Block, Heap, HeapObject, Store
from wasmote.core.tags import drop_tag
from wasmote.core.type_store import drop_group, type_entry
from wasmote.core.value_types import Form
from wasmote.nativepy import (
    boolean,
    constants,
    fill,
    i64,
    inline,
    native,
    ptr,
    sizeof,
    store,
    u8,
    u16,
    u32,
    u64,
    usize,
    void,
)

#: Bits of a handle that tell what it is.
I31_TAG = 1
HOST_TAG = 2
#: The bit of an object's head that is its colour; below is the id of its type.
COLOUR = 0x8000_0000
#: Sizes of cells, in bytes with the header. What is larger has blocks of its own.
CELL_SIZES = (
    *(16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256),
    *(320, 384, 448, 512, 576, 672, 816, 1024, 1360, 2048),
)
LARGEST_CELL = CELL_SIZES[-1]
assert len(CELL_SIZES) <= SIZE_CLASSES
CELL_SIZE = constants(u16, CELL_SIZES)
CELLS = constants(u16, [BLOCK_SIZE // size for size in CELL_SIZES])
#: Size classes by 16 bytes.
CLASS = constants(
    u8,
    [
        next(i for i, size in enumerate(CELL_SIZES) if size >= each * 16)
        for each in range(LARGEST_CELL // 16 + 1)
    ],
)
#: Handles have 30 bits for 16 bytes each, which makes 16 GiB; small machines have less room.
MOST_BLOCKS = 1 << 22
#: How the collector is set at first: see `Heap`.
STEP = 32 << 10
GROWTH = 100
MINIMUM = 4 << 20
#: Bytes of the heap's limit for one byte that the list of objects to look at may take.
MARK_SHARE = 64


@inline
def heap_of(s: ptr[Store]) -> ptr[Heap]:
    return s.heap


@inline
def at_handle(heap: ptr[Heap], handle: u32) -> ptr[HeapObject]:
    return ptr[HeapObject](heap.base + (usize(handle) << 2))


@inline
def object_at(s: ptr[Store], handle: u32) -> ptr[HeapObject]:
    """The object of a handle that is known to be one's."""
    return at_handle(heap_of(s), handle)


@inline
def is_object(handle: u32) -> boolean:
    return handle != 0 and handle & (I31_TAG | HOST_TAG) == 0


@inline
def type_of_object(object: ptr[HeapObject]) -> u32:
    """The id of an object's type."""
    return object.head & ~u32(COLOUR)


@inline
def fields_of(object: ptr[HeapObject]) -> ptr[u8]:
    return ptr[u8](object + 1)


@native
def find_object(heap: ptr[Heap], handle: u32) -> ptr[HeapObject]:
    """The object that a number is the handle of, if it is one's at all."""
    if heap is None or not is_object(handle) or block_of(handle) >= heap.top:
        return None
    block = block_at(heap, block_of(handle))
    place = handle & ((BLOCK_SIZE >> 2) - 1)
    if block.kind >= Kind.SMALL:
        size = u32(CELL_SIZE[block.kind - Kind.SMALL]) >> 2
        if place % size != 0 or place // size >= u32(CELLS[block.kind - Kind.SMALL]):
            return None
    elif block.kind == Kind.FREE or place != 0:
        return None
    object = at_handle(heap, handle)
    return None if object.head == 0 else object


# -- the heap as such ------------------------------------------------------------------------------


@native(cold=True)
def create_heap(s: ptr[Store]) -> boolean:
    """The first object is about to be made; the lock is held."""
    platform = s.platform
    heap = ptr[Heap](platform.allocate(sizeof(Heap)))
    if heap is None:
        return False
    fill(heap, 0, sizeof(Heap))
    heap.store = s
    heap.limit = s.heap_limit if s.heap_limit != 0 else u64(DEFAULT_HEAP_LIMIT)
    heap.step = STEP
    heap.growth = GROWTH
    heap.minimum = MINIMUM
    heap.top = 1
    set_credit(heap)
    if not reserve_heap(heap):
        platform.release(ptr[u8](heap))
        return False
    if not commit_blocks(heap, 1):
        unreserve_heap(heap)
        platform.release(ptr[u8](heap))
        return False
    s.heap = heap
    return True


@native
def set_credit(heap: ptr[Heap]) -> void:
    """No collection is under way: how much may be allocated before the next begins."""
    room = i64(heap.limit) - i64(heap.bytes)
    credit = i64(heap.bytes // 100 * u64(heap.growth))
    if credit < i64(heap.minimum) - i64(heap.bytes):
        credit = i64(heap.minimum) - i64(heap.bytes)
    if credit > room >> 1:
        credit = room >> 1
    heap.credit = credit if credit > 0 else i64(0)


@native
def reserve_heap(heap: ptr[Heap]) -> boolean:
    """Address space for the blocks, what is known of them, and the objects to look at."""
    platform = heap.store.platform
    most = u32(MOST_BLOCKS)
    if sizeof(ptr[u8]) == 4 or platform.memory_reservation == 0:
        most = u32(heap.limit >> BLOCK_SHIFT) + 1
    mark_size = usize(heap.limit // MARK_SHARE) & ~usize(BLOCK_SIZE - 1)
    heap.mark_limit = u32((mark_size if mark_size > BLOCK_SIZE else usize(BLOCK_SIZE)) // 4)
    heap.marks = ptr[u32](platform.reserve(platform, usize(heap.mark_limit) * 4))
    heap.base = platform.reserve(platform, usize(most) << BLOCK_SHIFT)
    while heap.base is None and most > 1:
        most = most // 2
        heap.base = platform.reserve(platform, usize(most) << BLOCK_SHIFT)
    if heap.base is not None:
        heap.blocks = ptr[Block](platform.reserve(platform, usize(most) * sizeof(Block)))
    heap.most_blocks = most
    if heap.blocks is not None and heap.marks is not None:
        return True
    unreserve_heap(heap)
    return False


@native
def unreserve_heap(heap: ptr[Heap]) -> void:
    platform = heap.store.platform
    if heap.marks is not None:
        platform.unreserve(platform, ptr[u8](heap.marks), usize(heap.mark_limit) * 4)
    if heap.base is not None:
        platform.unreserve(platform, heap.base, usize(heap.most_blocks) << BLOCK_SHIFT)
    if heap.blocks is not None:
        size = usize(heap.most_blocks) * sizeof(Block)
        platform.unreserve(platform, ptr[u8](heap.blocks), size)


@native
def free_heap(s: ptr[Store]) -> void:
    """Give back the heap and all objects."""
    heap = heap_of(s)
    if heap is None:
        return
    unreserve_heap(heap)
    release = s.platform.release
    release(ptr[u8](heap.scans))
    release(ptr[u8](heap.pins))
    release(ptr[u8](heap))
    s.heap = None


# -- objects ---------------------------------------------------------------------------------------


@native
def new_object(heap: ptr[Heap], type: u32, length: u32, size: u64) -> u32:
    """Make an object with `size` bytes of fields, all zero. Its handle; 0: out of memory."""
    total = size + sizeof(HeapObject)
    handle = take_cell(heap, u32(total)) if total <= LARGEST_CELL else take_large(heap, total)
    if handle == 0:
        return 0
    object = at_handle(heap, handle)
    object.head = type | heap.colour
    object.length = length
    heap.count += 1
    group = type_entry(heap.store, type).group
    group.references += 1  # the type stays as long as the object
    return handle


@inline
def take_cell(heap: ptr[Heap], size: u32) -> u32:
    """A cell for a small object, zeroed behind its header."""
    which = u32(CLASS[(size + 15) >> 4])
    block = block_at(heap, heap.current[which])  # block 0, if there is none, has no cells
    handle = block.free
    if handle == 0:
        if not more_cells(heap, which):
            return 0
        block = block_at(heap, heap.current[which])
        handle = block.free
    object = at_handle(heap, handle)
    block.free = object.length
    block.count += 1
    bytes = u32(CELL_SIZE[which])
    heap.bytes += u64(bytes)
    heap.credit -= i64(bytes)
    at = ptr[u64](object + 1)
    end = ptr[u64](ptr[u8](object) + bytes)
    store(at, u64(0), align=8)
    at = at + 1
    while at != end:
        store(at, u64(0), align=8)
        store(at + 1, u64(0), align=8)
        at = at + 2
    return handle


@native(noinline=True)
def more_cells(heap: ptr[Heap], which: u32) -> boolean:
    """A block with free cells becomes the current one of a size class."""
    first = heap.partial[which]
    if first != 0:
        unlist_partial(heap, which, first)
    else:
        first = take_blocks(heap, 1, Kind.SMALL + which)
        if first == 0:
            return False
        clear_cells(heap, first, which)
    heap.current[which] = first
    return True


@native
def clear_cells(heap: ptr[Heap], index: u32, which: u32) -> void:
    """All cells of a block become free."""
    block = block_at(heap, index)
    size = u32(CELL_SIZE[which]) >> 2
    handle = index << (BLOCK_SHIFT - 2)
    block.count = 0
    block.free = handle
    for i in range(u32(1), u32(CELLS[which])):
        cell = at_handle(heap, handle)
        handle += size
        cell.head = 0
        cell.length = handle
    cell = at_handle(heap, handle)
    cell.head = 0
    cell.length = 0


@native
def list_partial(heap: ptr[Heap], which: u32, index: u32) -> void:
    block = block_at(heap, index)
    block.flags = block.flags | Flag.LISTED
    block.previous = 0
    block.next = heap.partial[which]
    if block.next != 0:
        block_at(heap, block.next).previous = index
    heap.partial[which] = index


@native
def unlist_partial(heap: ptr[Heap], which: u32, index: u32) -> void:
    block = block_at(heap, index)
    block.flags = block.flags & ~u32(Flag.LISTED)
    if block.previous != 0:
        block_at(heap, block.previous).next = block.next
    else:
        heap.partial[which] = block.next
    if block.next != 0:
        block_at(heap, block.next).previous = block.previous


@native(noinline=True)
def take_large(heap: ptr[Heap], size: u64) -> u32:
    """Blocks for a large object, zeroed."""
    blocks = (size + (BLOCK_SIZE - 1)) >> BLOCK_SHIFT
    if blocks > u64(heap.most_blocks):
        return 0
    first = take_blocks(heap, u32(blocks), Kind.LARGE)
    if first == 0:
        return 0
    handle = first << (BLOCK_SHIFT - 2)
    bytes = blocks << BLOCK_SHIFT
    fill(at_handle(heap, handle), 0, usize(bytes))
    heap.bytes += bytes
    heap.credit -= i64(bytes)
    return handle


@inline
def drop_fields(heap: ptr[Heap], object: ptr[HeapObject]):
    """An object is dead; its memory is the caller's to give back."""
    s = heap.store
    if type_entry(s, type_of_object(object)).form == Form.FUNCTION:  # an exception
        tag = ptr[u32](fields_of(object))[0]
        if tag != 0:
            drop_tag(s, s.tags[tag])


@native
def drop_objects(heap: ptr[Heap], type: u32, count: u32) -> void:
    """So many objects of a type are no more, which may go with the last one."""
    if count == 0:
        return
    heap.count -= count
    group = type_entry(heap.store, type).group
    group.references -= count - 1
    drop_group(heap.store, group)
