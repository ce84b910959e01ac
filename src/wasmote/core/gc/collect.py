"""The garbage collector: marks what can be reached, frees the rest.

Roots are the globals and tables of all instances, objects that the host holds, and every cell on
the stacks of running code. Whether a cell of a stack is a reference is not known: whatever is the
handle of an object keeps it, which never does harm as objects do not move. The fields of objects
are known
exactly. A collection runs when the objects take twice what the last one left; it stops the thread
that allocates, and is put off while another thread runs code, as its stack is in motion.
"""

from wasmote.core.gc.heap import (
    FIRST_COLLECTION,
    INDEX_SHIFT,
    create_heap,
    fields_of,
    find_object,
    free_object,
    heap_of,
    new_object,
)
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Exec, Heap, HeapObject, Instance, Store
from wasmote.core.type_store import type_entry
from wasmote.core.value_types import Form, is_function_reference, is_reference
from wasmote.nativepy import boolean, load, native, ptr, sizeof, u8, u32, u64, usize, void

FIRST_MARKS = 1024


@native
def allocate_object(s: ptr[Store], exec: ptr[Exec], type: u32, length: u32, size: u64) -> u32:
    """A new object's handle; 0: out of memory. `exec.top` is above all cells that are in use.

    Without `exec` there is no collection: the caller holds references where nobody sees them.
    """
    lock(s)
    handle = u32(0)
    if (s.heap is not None or create_heap(s)) and size <= 0xFFFF_0000:
        heap = heap_of(s)
        needed = size + sizeof(HeapObject)
        if heap.bytes + needed > heap.threshold and may_collect(s, exec):
            unlock(s)
            exec.platform.collect(exec)
            lock(s)
        if heap.bytes + needed <= heap.limit:
            handle = new_object(heap, type, length, u32(size))
    unlock(s)
    return handle


@native
def may_collect(s: ptr[Store], exec: ptr[Exec]) -> boolean:
    return exec is not None and exec.platform.collect is not None and s.paused == 0


# -- marking ---------------------------------------------------------------------------------------


@native(export="gc_begin")
def gc_begin(s: ptr[Store]) -> boolean:
    """Start a collection: take the lock, mark what globals, tables and the host hold.

    The host marks its stacks then (`gc_mark_cells`), and calls `gc_finish`. False: nothing to do.
    """
    lock(s)
    heap = heap_of(s)
    if heap is None or s.paused != 0:
        unlock(s)
        return False
    instance = s.instances
    while instance is not None:
        mark_instance(heap, instance)
        instance = instance.next
    for i in range(u32(1), heap.used):
        object = heap.objects[i]
        if usize(object) & 1 == 0 and object.pins != 0:
            mark(heap, i << INDEX_SHIFT)
    return True


@native
def mark_instance(heap: ptr[Heap], instance: ptr[Instance]) -> void:
    module = instance.module
    for i in range(module.table_count):
        table = instance.tables[i]
        if table is not None and not is_function_reference(table.type.element):
            gc_mark_cells(heap, table.elements, u64(table.size))
    for i in range(module.global_count):
        variable = instance.globals[i]
        if variable is not None and holds_objects(variable.content):
            mark(heap, variable.value[0])
    for i in range(module.element_count):
        if instance.element_values is not None and instance.element_values[i] is not None:
            gc_mark_cells(heap, instance.element_values[i], u64(module.elements[i].count))


@native
def holds_objects(t: u32) -> boolean:
    return is_reference(t) and not is_function_reference(t)


@native(export="gc_mark_cells")
def gc_mark_cells(heap: ptr[Heap], cells: ptr[u32], count: u64) -> void:
    """Mark the objects whose handles are among these cells."""
    for i in range(count):
        mark(heap, cells[i])


@native
def mark(heap: ptr[Heap], handle: u32) -> void:
    object = find_object(heap, handle)
    if object is None or object.marked != 0:
        return
    object.marked = 1
    if heap.mark_count == heap.mark_capacity and not more_marks(heap):
        heap.overflowed = 1
        return
    heap.marks[heap.mark_count] = handle >> INDEX_SHIFT
    heap.mark_count += 1


@native(cold=True)
def more_marks(heap: ptr[Heap]) -> boolean:
    capacity = FIRST_MARKS if heap.mark_capacity == 0 else heap.mark_capacity * 2
    platform = heap.store.platform
    made = platform.resize(ptr[u8](heap.marks), usize(capacity) * sizeof(u32))
    if made is None:
        return False
    heap.marks = ptr[u32](made)
    heap.mark_capacity = capacity
    return True


@native
def mark_fields(heap: ptr[Heap], object: ptr[HeapObject]) -> void:
    entry = type_entry(heap.store, object.type)
    fields = fields_of(object)
    if entry.form != Form.ARRAY:
        for i in range(entry.reference_count):
            mark(heap, load(u32, fields + entry.references[i], align=4))
    elif entry.reference_count != 0:
        gc_mark_cells(heap, ptr[u32](fields), u64(object.length))


@native
def note_fields(heap: ptr[Heap], found: ptr[u8], size: u32) -> void:
    """Set `found[handle]` for what the fields of objects refer to, handles below `size`."""
    if heap is None:
        return
    for i in range(u32(1), heap.used):
        object = heap.objects[i]
        if usize(object) & 1 == 0:
            note_object(heap, object, found, size)


@native
def note_object(heap: ptr[Heap], object: ptr[HeapObject], found: ptr[u8], size: u32) -> void:
    entry = type_entry(heap.store, object.type)
    fields = fields_of(object)
    count = entry.reference_count
    if entry.form == Form.ARRAY and count != 0:
        count = object.length
    for i in range(count):
        offset = entry.references[i] if entry.form != Form.ARRAY else i * 4
        handle = load(u32, fields + offset, align=4)
        if handle < size:
            found[handle] = 1


@native
def mark_reachable(heap: ptr[Heap]) -> void:
    """Mark what the marked objects refer to, until nothing new is found."""
    while True:
        while heap.mark_count != 0:
            heap.mark_count -= 1
            mark_fields(heap, heap.objects[heap.marks[heap.mark_count]])
        if heap.overflowed == 0:
            return
        heap.overflowed = 0  # some marked objects were not noted: look at all once more
        for i in range(u32(1), heap.used):
            object = heap.objects[i]
            if usize(object) & 1 == 0 and object.marked != 0:
                mark_fields(heap, object)


@native(export="gc_finish")
def gc_finish(s: ptr[Store]) -> void:
    """Mark the rest and free what is not marked; gives the lock back."""
    heap = heap_of(s)
    mark_reachable(heap)
    for i in range(u32(1), heap.used):
        object = heap.objects[i]
        if usize(object) & 1 == 0:
            if object.marked == 0:
                free_object(heap, i)
            else:
                object.marked = 0
    heap.collections += 1
    set_threshold(heap)
    unlock(s)


@native(export="gc_put_off")
def gc_put_off(s: ptr[Store]) -> void:
    """The host cannot collect now: let the heap grow by half before it is asked again."""
    lock(s)
    heap = heap_of(s)
    if heap is not None:
        heap.threshold = heap.threshold + heap.threshold // 2
        if heap.threshold > heap.limit:
            heap.threshold = heap.limit
    unlock(s)


@native
def set_threshold(heap: ptr[Heap]) -> void:
    heap.threshold = heap.bytes * 2
    if heap.threshold < FIRST_COLLECTION:
        heap.threshold = FIRST_COLLECTION
    if heap.threshold > heap.limit:
        heap.threshold = heap.limit


@native
def pause_collections(s: ptr[Store]) -> void:
    """Objects are about to be made that nothing refers to yet but what nobody sees."""
    lock(s)
    s.paused += 1
    unlock(s)


@native
def resume_collections(s: ptr[Store]) -> void:
    lock(s)
    s.paused -= 1
    unlock(s)
