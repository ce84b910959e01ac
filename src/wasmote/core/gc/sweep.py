"""Sweeping: gives back what marking has not reached, a bounded piece of work at a time."""

from wasmote.core.gc.blocks import BLOCK_SHIFT, Flag, Kind, block_at, give_blocks
from wasmote.core.gc.heap import (
    CELL_SIZE,
    CELLS,
    at_handle,
    drop_fields,
    drop_objects,
    list_partial,
    type_of_object,
    unlist_partial,
)
from wasmote.core.gc.mark import is_marked
from wasmote.core.structs import Heap
from wasmote.nativepy import i64, native, ptr, u32, u64, void

#: Work that a block counts for.
BLOCK_WORK = 512


@native
def sweep_slice(heap: ptr[Heap], work: i64) -> i64:
    """Go on sweeping. Returns what is left of the work, positive if sweeping is done."""
    while work > 0:
        index = heap.cursor
        if index >= heap.top:
            return work
        block = block_at(heap, index)
        if block.kind >= Kind.SMALL:
            heap.cursor = index + 1
            work -= BLOCK_WORK
            sweep_cells(heap, index)
        else:
            heap.cursor = index + block.count
            work -= 64
            if block.kind == Kind.LARGE:
                sweep_large(heap, index)
    return work


@native
def sweep_large(heap: ptr[Heap], index: u32) -> void:
    object = at_handle(heap, index << (BLOCK_SHIFT - 2))
    if is_marked(heap, object):
        return
    drop_fields(heap, object)
    drop_objects(heap, type_of_object(object), 1)
    object.head = 0
    count = block_at(heap, index).count
    heap.bytes -= u64(count) << BLOCK_SHIFT
    give_blocks(heap, index, count)


@native
def sweep_cells(heap: ptr[Heap], index: u32) -> void:
    """Free the dead objects of a block; its list of free cells is made anew, in their order."""
    block = block_at(heap, index)
    which = block.kind - Kind.SMALL
    size = u32(CELL_SIZE[which]) >> 2
    count = u32(CELLS[which])
    handle = (index << (BLOCK_SHIFT - 2)) + size * count
    free: u32 = 0
    left: u32 = 0
    type: u32 = 0  # of the latest dead objects, and how many there are in a row
    dead: u32 = 0
    for _ in range(count):
        handle -= size
        cell = at_handle(heap, handle)
        if cell.head != 0:
            if is_marked(heap, cell):
                left += 1
                continue
            if type_of_object(cell) != type:
                drop_objects(heap, type, dead)
                type = type_of_object(cell)
                dead = 0
            dead += 1
            drop_fields(heap, cell)
            cell.head = 0
        cell.length = free
        free = handle
    drop_objects(heap, type, dead)
    heap.bytes -= u64(block.count - left) * u64(CELL_SIZE[which])
    block.count = left
    block.free = free
    if heap.current[which] == index:
        return
    listed = block.flags & Flag.LISTED != 0
    if left == 0:
        if listed:
            unlist_partial(heap, which, index)
        give_blocks(heap, index, 1)
    elif free != 0 and not listed:
        list_partial(heap, which, index)
