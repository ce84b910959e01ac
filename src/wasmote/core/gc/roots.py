"""The beginning of a collection: everything that running code can start from is marked.

That is the globals, tables and element segments of all instances and of the host, what the host
holds, and what is on the stacks of running code. All of it is taken at one time, but for large
tables, whose elements are looked at later: whoever overwrites one before marks what was there. The
host scans its stacks (`stacks.py`) between `gc_begin` and `gc_started`.
"""

from wasmote.core.gc.collect import Phase, finish, set_allowance
from wasmote.core.gc.heap import COLOUR, heap_of
from wasmote.core.gc.mark import add_table, mark, mark_cells
from wasmote.core.gc.pools import empty_pools
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Global, Heap, HostGlobal, Instance, Store, Table
from wasmote.core.value_types import is_object_reference
from wasmote.nativepy import boolean, inline, native, ptr, void


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
    heap.scan_work = 0
    for i in range(heap.pin_capacity):
        mark(heap, heap.pins[i].handle)
    instance = s.instances
    while instance is not None:
        mark_instance(heap, instance)
        instance = instance.next
    table = s.tables
    while table is not None:
        mark_table(heap, table)
        table = table.next
    variable = s.globals
    while variable is not None:
        mark_global(heap, variable.variable)
        variable = variable.next
    return True


@native(export="gc_started")
def gc_started(s: ptr[Store]) -> void:
    """All roots are marked, and the program may go on."""
    set_allowance(heap_of(s))
    unlock(s)


@native
def mark_instance(heap: ptr[Heap], instance: ptr[Instance]) -> void:
    module = instance.module
    empty_pools(instance)
    for i in range(module.table_count):
        if instance.tables[i] is not None:
            mark_table(heap, instance.tables[i])
    for i in range(module.global_count):
        if instance.globals[i] is not None:
            mark_global(heap, instance.globals[i])
    for i in range(module.element_count):
        if instance.element_values is not None and instance.element_values[i] is not None:
            mark_cells(heap, instance.element_values[i], module.elements[i].count)


@native
def mark_table(heap: ptr[Heap], table: ptr[Table]) -> void:
    if is_object_reference(table.type.element):
        add_table(heap, table)


@native
def mark_global(heap: ptr[Heap], variable: ptr[Global]) -> void:
    if is_object_reference(variable.content):
        mark(heap, variable.value[0])


@native(export="gc_finish")
def gc_finish(s: ptr[Store]) -> void:
    """Do the rest of the collection that is under way, if there is one."""
    lock(s)
    if heap_of(s) is not None:
        finish(heap_of(s))
    unlock(s)


# -- tables and variables of the host --------------------------------------------------------------


@inline
def link(first, each):
    """Put something at the head of a list."""
    each.previous = None
    each.next = first
    if first is not None:
        first.previous = each


@native(export="roots_add_table")
def roots_add_table(s: ptr[Store], table: ptr[Table]) -> void:
    """The host has made a table. `roots_remove_table` takes it off."""
    lock(s)
    link(s.tables, table)
    s.tables = table
    unlock(s)


@native(export="roots_remove_table")
def roots_remove_table(s: ptr[Store], table: ptr[Table]) -> void:
    lock(s)
    if s.tables == table:
        s.tables = table.next
    unlink(table)
    unlock(s)


@native(export="roots_add_global")
def roots_add_global(s: ptr[Store], variable: ptr[HostGlobal]) -> void:
    """The host has made a variable. `roots_remove_global` takes it off."""
    lock(s)
    link(s.globals, variable)
    s.globals = variable
    unlock(s)


@native(export="roots_remove_global")
def roots_remove_global(s: ptr[Store], variable: ptr[HostGlobal]) -> void:
    lock(s)
    if s.globals == variable:
        s.globals = variable.next
    unlink(variable)
    unlock(s)


@inline
def unlink(each):
    if each.previous is not None:
        each.previous.next = each.next
    if each.next is not None:
        each.next.previous = each.previous
    each.next = None
    each.previous = None
