"""Marking: finds what can be reached, a bounded piece of work at a time.

What could be reached when the collection began is marked (a snapshot at the beginning). So whoever
overwrites a reference meanwhile marks what was there, and new objects are marked from the start.

`Heap.marks` holds handles of marked objects whose fields are to be looked at. Above the handle of
an array is how far that has come, times 2, plus 1. When there is no room, the object's block is
noted instead, and later its marked objects are looked at once more.
"""

from wasmote.core.gc.blocks import BLOCK_SHIFT, BLOCK_SIZE, Flag, Kind, block_at, block_of
from wasmote.core.gc.heap import (
    CELL_SIZE,
    CELLS,
    COLOUR,
    at_handle,
    fields_of,
    heap_of,
    is_object,
    type_of_object,
)
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Heap, HeapObject, Scan, Store, Table
from wasmote.core.type_store import type_entry
from wasmote.core.value_types import Form
from wasmote.nativepy import (
    boolean,
    i64,
    inline,
    load,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    unlikely,
    usize,
    void,
)

#: Elements of an array or table that are looked at in one go.
PIECE = 256
#: Work that looking at one reference counts for: what it refers to is seldom in a cache. No object
#: takes more work than twice its bytes.
VISIT = 8
#: Entries of `Heap.marks` that get memory at a time.
MARK_STEP = 16 << 10
#: Tables that `Heap.scans` has room for at first.
FIRST_SCANS = 16


@inline
def is_marked(heap: ptr[Heap], object: ptr[HeapObject]) -> boolean:
    """Whether an object (not a free cell) has the colour of those that stay."""
    return (object.head ^ heap.colour) & COLOUR == 0


@native
def mark(heap: ptr[Heap], handle: u32) -> void:
    """What a reference of the any, extern or exn hierarchy refers to can be reached."""
    if not is_object(handle):
        return
    object = at_handle(heap, handle)
    if is_marked(heap, object):
        return
    object.head = object.head ^ COLOUR
    entry = type_entry(heap.store, type_of_object(object))
    if entry.object_count != 0:
        push_mark(heap, handle, entry.form == Form.ARRAY)


@inline
def push_mark(heap: ptr[Heap], handle: u32, is_array: boolean):
    count = heap.mark_count
    if count + 2 > heap.mark_committed and not more_marks(heap):
        block = block_at(heap, block_of(handle))
        block.flags = block.flags | Flag.AGAIN
        heap.again = 1
        return
    heap.marks[count] = handle
    heap.marks[count + 1] = 1
    heap.mark_count = count + 2 if is_array else count + 1


@native(cold=True)
def more_marks(heap: ptr[Heap]) -> boolean:
    old = heap.mark_committed
    new = old + MARK_STEP if old + MARK_STEP < heap.mark_limit else heap.mark_limit
    platform = heap.store.platform
    size = usize(old) * sizeof(u32)
    if new == old or platform.commit(platform, ptr[u8](heap.marks), size, usize(new) * 4) != 0:
        return False
    heap.mark_committed = new
    return True


@native
def mark_cells(heap: ptr[Heap], cells: ptr[u32], count: u32) -> void:
    """Mark what references next to each other refer to."""
    for i in range(count):
        mark(heap, cells[i])


@native
def mark_slice(heap: ptr[Heap], work: i64) -> i64:
    """Go on marking. Returns what is left of the work, positive if marking is done."""
    while work > 0:
        if heap.mark_count != 0:
            work -= i64(look_at_next(heap))
        elif heap.scan_count != 0:
            work -= i64(scan_table(heap))
        elif heap.again != 0:
            work -= i64(look_again(heap))
        else:
            return work
    return work


@native
def look_at_next(heap: ptr[Heap]) -> u32:
    """Look at the fields of the topmost of `marks`. Returns how much work it was."""
    top = heap.mark_count - 1
    position = heap.marks[top]
    if position & 1 != 0:
        return look_at_array(heap, heap.marks[top - 1], position >> 1)
    heap.mark_count = top
    object = at_handle(heap, position)
    entry = type_entry(heap.store, type_of_object(object))
    fields = fields_of(object)
    for i in range(entry.object_count):
        mark(heap, load(u32, fields + entry.references[i], align=4))
    return VISIT * (1 + entry.object_count)


@native
def look_at_array(heap: ptr[Heap], handle: u32, position: u32) -> u32:
    object = at_handle(heap, handle)
    end = object.length
    heap.mark_count -= 2
    if end - position > PIECE:
        end = position + PIECE
        heap.marks[heap.mark_count + 1] = (end << 1) | 1
        heap.mark_count += 2
    mark_cells(heap, ptr[u32](fields_of(object)) + position, end - position)
    return VISIT * (1 + end - position)


# -- objects that `marks` had no room for ----------------------------------------------------------


@native
def look_again(heap: ptr[Heap]) -> u32:
    """Put the marked objects of the next noted block on `marks`, which is empty."""
    if heap.cursor == 0:
        heap.cursor = 1
        heap.again = 2  # 1 once more, if another block is noted during the round
    while heap.cursor < heap.top:
        index = heap.cursor
        block = block_at(heap, index)
        heap.cursor = index + (u32(1) if block.kind >= Kind.SMALL else block.count)
        if block.kind != Kind.FREE and block.flags & Flag.AGAIN != 0:
            block.flags = block.flags & ~u32(Flag.AGAIN)
            push_block(heap, index)
            return BLOCK_SIZE
    heap.cursor = 0
    if heap.again == 2:
        heap.again = 0
    return VISIT


@native
def push_block(heap: ptr[Heap], index: u32) -> void:
    block = block_at(heap, index)
    handle = index << (BLOCK_SHIFT - 2)
    cells: u32 = 1
    size: u32 = 0
    if block.kind >= Kind.SMALL:
        cells = u32(CELLS[block.kind - Kind.SMALL])
        size = u32(CELL_SIZE[block.kind - Kind.SMALL]) >> 2
    for _ in range(cells):
        object = at_handle(heap, handle)
        if object.head != 0 and is_marked(heap, object):
            entry = type_entry(heap.store, type_of_object(object))
            if entry.object_count != 0:
                push_mark(heap, handle, entry.form == Form.ARRAY)
        handle += size


# -- tables ----------------------------------------------------------------------------------------


@native
def add_table(heap: ptr[Heap], table: ptr[Table]) -> void:
    """The elements of a table are roots: a small table's are marked now, others bit by bit."""
    if table.watcher is not None:
        return  # seen already
    if table.size <= PIECE or not note_table(heap, table):
        mark_cells(heap, table.elements, table.size)


@native
def note_table(heap: ptr[Heap], table: ptr[Table]) -> boolean:
    if heap.scan_count == heap.scan_capacity:
        capacity = heap.scan_capacity * 2 + FIRST_SCANS
        size = usize(capacity) * sizeof(Scan)
        made = heap.store.platform.resize(ptr[u8](heap.scans), size)
        if made is None:
            return False
        heap.scans = ptr[Scan](made)
        heap.scan_capacity = capacity
    scan = heap.scans + heap.scan_count
    scan.table = table
    scan.position = 0
    heap.scan_count += 1
    heap.scan_work += VISIT * u64(table.size)
    table.watcher = heap
    return True


@native
def scan_table(heap: ptr[Heap]) -> u32:
    """Look at the next elements of the last table of `scans`."""
    scan = heap.scans + (heap.scan_count - 1)
    table = scan.table
    start = scan.position
    end = table.size
    if end - start > PIECE:
        end = start + PIECE
        scan.position = end
    else:
        table.watcher = None
        heap.scan_count -= 1
    mark_cells(heap, table.elements + start, end - start)
    return VISIT * (1 + end - start)


@native(cold=True)
def forget_table(table: ptr[Table]) -> void:
    """A table that is being scanned goes: do the rest of it now."""
    heap = table.watcher
    s = heap.store
    lock(s)
    for i in range(heap.scan_count):
        scan = heap.scans + i
        if scan.table == table:
            mark_cells(heap, table.elements + scan.position, table.size - scan.position)
            last = heap.scans + (heap.scan_count - 1)
            scan.table = last.table
            scan.position = last.position
            heap.scan_count -= 1
            break
    table.watcher = None
    unlock(s)


# -- references that are overwritten ---------------------------------------------------------------


@native(noinline=True)
def mark_overwritten(s: ptr[Store], cells: ptr[u32], count: u32) -> void:
    lock(s)
    if heap_of(s).marking != 0:
        mark_cells(heap_of(s), cells, count)
    unlock(s)


@inline
def before_write(s, cells, count):
    """Call it before references in the fields of an object are overwritten."""
    if unlikely(heap_of(s).marking != 0):
        mark_overwritten(s, ptr[u32](cells), count)


@inline
def before_table_write(table, index, count):
    """Call it before elements of a table are overwritten."""
    if unlikely(table.watcher is not None):
        watcher = table.watcher
        mark_overwritten(watcher.store, table.elements + index, count)
