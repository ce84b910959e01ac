"""Structures made in advance, so that compiled code makes them without the store's lock.

A pool has objects of one type whose fields are zero, each with the handle of the next one in its
`length`, which is of no use to structures. Nothing refers to them: a collection that begins empties
all pools, and what was in them is garbage. So only one thread of execution may use the pools of an
instance at a time, and only between places where a collection may begin.
"""

from wasmote.core.gc.heap import CELL_SIZE, CLASS, LARGEST_CELL, at_handle, heap_of, take_cell
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import FuncType, Heap, HeapObject, Instance, Pool, Store
from wasmote.core.type_store import type_entry
from wasmote.nativepy import fill, i64, native, ptr, sizeof, u32, usize, void

#: Bytes that a pool may get at a time.
MOST_BYTES = 2048


@native
def fill_pool(s: ptr[Store], pool: ptr[Pool], t: ptr[FuncType]) -> void:
    """Put structures into a pool that has none: about as many as were used of the type before."""
    size = t.size + u32(sizeof(HeapObject))
    if size > LARGEST_CELL:
        return
    cell = u32(CELL_SIZE[CLASS[(size + 15) >> 4]])
    if pool.batch * cell < MOST_BYTES:
        pool.batch = pool.batch * 2 + 1
    lock(s)
    pool.free = make_some(heap_of(s), t.id, size, pool.batch)
    unlock(s)


@native
def make_some(heap: ptr[Heap], type: u32, size: u32, most: u32) -> u32:
    """Make objects as long as there is credit. Returns the first one."""
    last: ptr[HeapObject] = None
    first: u32 = 0
    made: u32 = 0
    while made < most and heap.credit >= i64(size):
        handle = take_cell(heap, size)
        if handle == 0:
            break
        object = at_handle(heap, handle)
        object.head = type | heap.colour
        object.length = 0
        if last is None:
            first = handle
        else:
            last.length = handle
        last = object
        made += 1
    heap.count += made
    group = type_entry(heap.store, type).group
    group.references += made
    return first


@native
def empty_pools(instance: ptr[Instance]) -> void:
    """A collection begins."""
    if instance.pools is not None:
        size = usize(instance.module.type_count) * sizeof(Pool)
        fill(instance.pools, 0, size)
