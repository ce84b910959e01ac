"""The heap of structures and arrays that all instances of a store share.

Objects are blocks of the platform's allocator and never move; `Heap.objects` has their addresses by
index, in address space that never moves either, so running code looks them up without a lock. An
entry without an object is the next free index, shifted left once, with bit 0 set.
"""

from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import DEFAULT_HEAP_LIMIT, Heap, HeapObject, Store
from wasmote.core.tags import drop_tag
from wasmote.core.type_store import drop_group, type_entry
from wasmote.core.value_types import Form
from wasmote.nativepy import (
    boolean,
    fill,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Bits of a handle that tell what it is, and where an object's index starts.
I31_TAG = 1
HOST_TAG = 2
INDEX_SHIFT = 2
#: Bytes that the objects take before the first collection.
FIRST_COLLECTION = 4 << 20
#: Entries of the table of objects, at most and by step.
MOST_OBJECTS = 1 << 24
STEP = 1 << 13


@inline
def heap_of(s: ptr[Store]) -> ptr[Heap]:
    return s.heap


@inline
def object_at(s: ptr[Store], handle: u32) -> ptr[HeapObject]:
    """The object of a handle that is known to be one's."""
    return heap_of(s).objects[handle >> INDEX_SHIFT]


@inline
def is_object(handle: u32) -> boolean:
    return handle != 0 and handle & (I31_TAG | HOST_TAG) == 0


@inline
def fields_of(object: ptr[HeapObject]) -> ptr[u8]:
    return ptr[u8](object + 1)


@native
def find_object(heap: ptr[Heap], handle: u32) -> ptr[HeapObject]:
    """The object that a number is the handle of, if it is one's at all."""
    index = handle >> INDEX_SHIFT
    if not is_object(handle) or heap is None or index >= heap.used:
        return None
    object = heap.objects[index]
    return None if usize(object) & 1 != 0 else object


@native(cold=True)
def create_heap(s: ptr[Store]) -> boolean:
    """The first object is about to be made; the lock is held."""
    platform = s.platform
    heap = ptr[Heap](platform.allocate(sizeof(Heap)))
    if heap is None:
        return False
    fill(heap, 0, sizeof(Heap))
    heap.store = s
    heap.reserved = usize(MOST_OBJECTS) * sizeof(ptr[HeapObject])
    objects = platform.reserve(platform, heap.reserved)
    while objects is None and heap.reserved > STEP * sizeof(ptr[HeapObject]):
        heap.reserved = heap.reserved // 2
        objects = platform.reserve(platform, heap.reserved)
    if objects is None:
        platform.release(ptr[u8](heap))
        return False
    heap.objects = ptr[ptr[HeapObject]](objects)
    heap.used = 1
    heap.limit = s.heap_limit if s.heap_limit != 0 else u64(DEFAULT_HEAP_LIMIT)
    heap.threshold = FIRST_COLLECTION
    s.heap = heap
    return True


@native
def free_heap(s: ptr[Store]) -> void:
    """Give back the heap and all objects."""
    heap = heap_of(s)
    if heap is None:
        return
    platform = s.platform
    for i in range(u32(1), heap.used):
        if usize(heap.objects[i]) & 1 == 0:
            platform.release(ptr[u8](heap.objects[i]))
    platform.unreserve(platform, ptr[u8](heap.objects), heap.reserved)
    platform.release(ptr[u8](heap.marks))
    platform.release(ptr[u8](heap))
    s.heap = None


@native
def more_entries(heap: ptr[Heap]) -> boolean:
    """Memory for more entries; they are zeroed."""
    size = usize(heap.committed) * sizeof(ptr[HeapObject])
    wanted = size + STEP * sizeof(ptr[HeapObject])
    platform = heap.store.platform
    if wanted > heap.reserved:
        return False
    if platform.commit(platform, ptr[u8](heap.objects), size, wanted) != 0:
        return False
    heap.committed += STEP
    return True


@native
def take_entry(heap: ptr[Heap]) -> u32:
    """A free index; 0: there is none."""
    index = heap.free
    if index != 0:
        heap.free = u32(usize(heap.objects[index]) >> 1)
        return index
    if heap.used >= heap.committed and not more_entries(heap):
        return 0
    heap.used += 1
    return heap.used - 1


@inline
def release_entry(heap, index):
    heap.objects[index] = ptr[HeapObject]((usize(heap.free) << 1) | 1)
    heap.free = index


@native
def new_object(heap: ptr[Heap], type: u32, length: u32, size: u32) -> u32:
    """Make an object with fields of zeros. Its handle; 0: out of memory."""
    index = take_entry(heap)
    if index == 0:
        return 0
    total = sizeof(HeapObject) + usize(size)
    object = ptr[HeapObject](heap.store.platform.allocate(total))
    if object is None:
        release_entry(heap, index)
        return 0
    fill(object, 0, total)
    object.type = type
    object.length = length
    object.size = size
    heap.objects[index] = object
    heap.count += 1
    heap.bytes += u64(total)
    group = type_entry(heap.store, type).group
    group.references += 1  # the type stays as long as the object
    return index << INDEX_SHIFT


@native
def free_object(heap: ptr[Heap], index: u32) -> void:
    object = heap.objects[index]
    heap.bytes -= u64(sizeof(HeapObject)) + u64(object.size)
    heap.count -= 1
    release_entry(heap, index)
    s = heap.store
    entry = type_entry(s, object.type)
    if entry.form == Form.FUNCTION:  # an exception, whose tag may go now
        tag = ptr[u32](fields_of(object))[0]
        if tag != 0:
            drop_tag(s, s.tags[tag])
    drop_group(s, entry.group)
    heap.store.platform.release(ptr[u8](object))


# -- for the host --------------------------------------------------------------------------------


@native(export="heap_pin")
def heap_pin(s: ptr[Store], handle: u32) -> void:
    """Keep an object until `heap_unpin`. It must be reachable now."""
    lock(s)
    object = find_object(heap_of(s), handle)
    if object is not None:
        object.pins += 1
    unlock(s)


@native(export="heap_unpin")
def heap_unpin(s: ptr[Store], handle: u32) -> void:
    lock(s)
    object = find_object(heap_of(s), handle)
    if object is not None:
        object.pins -= 1
    unlock(s)
