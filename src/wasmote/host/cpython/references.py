"""Finds out which handles of references WebAssembly still has.

Native code, because nothing may move meanwhile: it holds the GIL from its first look to its last.
"""

from wasmote.core.gc.exceptions import exception_new
from wasmote.core.gc.heap import heap_of
from wasmote.core.gc.mark import mark
from wasmote.core.gc.notes import note_fields
from wasmote.core.gc.roots import gc_begin, gc_finish, gc_mark_stack, gc_started
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Exec, Global, Table, Tag
from wasmote.host.cpython.activation import take_gil
from wasmote.host.cpython.structs import Activation, Python
from wasmote.nativepy import boolean, native, ptr, u8, u32, u64, usize, void


@native
def mark_cells(cells: ptr[u32], count: u64, found: ptr[u8], size: u32) -> void:
    """Mark whatever may be a handle: on a stack there is no telling."""
    for i in range(count):
        if cells[i] < size:
            found[cells[i]] = 1


@native
def begin_collection(python: ptr[Python], own: ptr[Activation]) -> boolean:
    """Begin a collection with what is on the stacks. Not while another call than `own` runs: its
    stack is in motion. The GIL is held.
    """
    other = python.active
    while other is not None:
        if other != own and other.running != 0:
            return False
        other = other.next
    if not gc_begin(python.store):
        return False
    other = python.active
    while other is not None:
        used = (usize(other.exec.top) - usize(other.exec.stack)) >> 2
        gc_mark_stack(heap_of(python.store), other.exec.stack, u64(used))
        mark(heap_of(python.store), other.exec.exception)
        other = other.next
    gc_started(python.store)
    return True


@native(export="cpython_collect")
def collect(exec: ptr[Exec]) -> void:
    """Platform.collect."""
    activation = ptr[Activation](exec)
    take_gil(activation)
    begin_collection(activation.python, activation)


@native(export="cpython_collect_all")
def collect_all(python: ptr[Python]) -> boolean:
    """Collect all garbage at once. False: other calls are running. The GIL is held."""
    gc_finish(python.store)
    if not begin_collection(python, None):
        return False
    gc_finish(python.store)
    return True


@native(export="cpython_exception_new")
def new_exception(python: ptr[Python], tag: ptr[Tag], cells: ptr[u32], result: ptr[u32]) -> u32:
    """`exception_new` for Python code, which keeps what the cells refer to itself."""
    activation = python.active
    while activation is not None and activation.running != 0:
        activation = activation.next
    exec = ptr[Exec](activation)  # None: no garbage is collected
    return exception_new(python.store, exec, tag, cells, result)


@native(export="cpython_mark_references")
def mark_references(
    python: ptr[Python],
    tables: ptr[ptr[Table]],
    table_count: u32,
    globals: ptr[ptr[Global]],
    global_count: u32,
    found: ptr[u8],
    size: u32,
) -> u64:
    """Set `found[handle]` for handles below `size` in these tables and globals and on all stacks.

    Returns the number of cells looked at, plus 1. 0: another call is running WebAssembly code, so
    its stack cannot be looked at and nothing is known.
    """
    cells = u64(1)
    for i in range(table_count):
        mark_cells(tables[i].elements, u64(tables[i].size), found, size)
        cells += u64(tables[i].size)
    for i in range(global_count):
        mark_cells(globals[i].value, 1, found, size)
    lock(python.store)
    note_fields(heap_of(python.store), found, size)
    unlock(python.store)
    activation = python.active
    while activation is not None:
        if activation.running != 0:
            return 0
        exec = activation.exec
        used = (usize(exec.top) - usize(exec.stack)) >> 2
        mark_cells(exec.stack, u64(used), found, size)
        cells += u64(used)
        activation = activation.next
    return cells
