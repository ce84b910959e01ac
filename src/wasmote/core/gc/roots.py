"""The beginning of a collection: everything that running code can start from is marked.

That is the globals, tables and element segments of all instances, what the host holds, and what is
on the stacks of running code. All of it is taken at one time, but for large tables, whose elements
are looked at later: whoever overwrites one before marks what was there. The host scans its stacks
between `gc_begin` and `gc_started`.
"""

from wasmote.core.gc.collect import Phase, finish, set_allowance
from wasmote.core.gc.heap import COLOUR, find_object, heap_of
from wasmote.core.gc.mark import add_table, mark, mark_cells
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Heap, Instance, Store
from wasmote.core.value_types import is_object_reference
from wasmote.nativepy import boolean, native, ptr, u32, u64, void


@native(export="gc_begin")
def gc_begin(s: ptr[Store]) -> boolean:
    """Begin a collection, unless there is one under way. If True, the store's lock is held until
    `gc_started`.
    """
    lock(s)
    heap = heap_of(s)
    if heap is None or s.paused != 0 or heap.phase != Phase.IDLE:
        unlock(s)
        return False
    heap.phase = Phase.MARK
    heap.marking = 1
    heap.colour = heap.colour ^ COLOUR
    heap.cursor = 0
    heap.again = 0
    heap.mark_count = 0
    for i in range(heap.pin_capacity):
        mark(heap, heap.pins[i].handle)
    instance = s.instances
    while instance is not None:
        mark_instance(heap, instance)
        instance = instance.next
    return True


@native(export="gc_started")
def gc_started(s: ptr[Store]) -> void:
    """All roots are marked, and the program may go on."""
    set_allowance(heap_of(s))
    unlock(s)


@native
def mark_instance(heap: ptr[Heap], instance: ptr[Instance]) -> void:
    module = instance.module
    for i in range(module.table_count):
        table = instance.tables[i]
        if table is not None and is_object_reference(table.type.element):
            add_table(heap, table)
    for i in range(module.global_count):
        variable = instance.globals[i]
        if variable is not None and is_object_reference(variable.content):
            mark(heap, variable.value[0])
    for i in range(module.element_count):
        if instance.element_values is not None and instance.element_values[i] is not None:
            mark_cells(heap, instance.element_values[i], module.elements[i].count)


@native
def gc_mark_stack(heap: ptr[Heap], cells: ptr[u32], count: u64) -> void:
    """Mark the objects whose handles are among these cells."""
    for i in range(count):
        if find_object(heap, cells[i]) is not None:
            mark(heap, cells[i])


@native(export="gc_finish")
def gc_finish(s: ptr[Store]) -> void:
    """Do the rest of the collection that is under way, if there is one."""
    lock(s)
    if heap_of(s) is not None:
        finish(heap_of(s))
    unlock(s)
