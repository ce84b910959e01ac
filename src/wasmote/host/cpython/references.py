"""Finds out which handles of references WebAssembly still has.

Native code, because nothing may move meanwhile: it holds the GIL from its first look to its last.
"""

from wasmote.core.gc.exceptions import exception_new
from wasmote.core.gc.heap import heap_of
from wasmote.core.gc.notes import note_fields
from wasmote.core.gc.pins import heap_pin
from wasmote.core.gc.roots import gc_begin, gc_finish, gc_started
from wasmote.core.gc.stacks import mark_stack
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Exec, Global, Table, Tag
from wasmote.host.cpython.activation import go_on_running, now, stop_in_code
from wasmote.host.cpython.structs import Activation, Python
from wasmote.nativepy import (
    addr,
    atomic_load,
    atomic_store,
    boolean,
    native,
    ptr,
    u8,
    u32,
    u64,
    usize,
    void,
)


@native
def mark_cells(cells: ptr[u32], count: u64, found: ptr[u8], size: u32) -> void:
    """Mark whatever may be a handle: on a stack there is no telling.

    An odd number may be a function's handle as compiled code keeps it, see `compile.roots`.
    """
    for i in range(count):
        cell = cells[i]
        if cell < size:
            found[cell] = 1
        if cell & 1 != 0 and cell >> 1 < size:
            found[cell >> 1] = 1


#: Nanoseconds to wait for other threads to come to a poll.
PATIENCE = 5_000_000
#: Nanoseconds between two times of telling them to.
HURRY = 100_000


@native
def is_running(python: ptr[Python], own: ptr[Activation]) -> boolean:
    """Whether another call than `own` runs WebAssembly code now: its stack is in motion."""
    other = python.active
    while other is not None:
        parked = atomic_load(addr(other.exec.parked), "seq_cst") != 0
        if other != own and atomic_load(addr(other.running)) != 0 and not parked:
            return True
        other = other.next
    return False


@native
def stop_others(python: ptr[Python], own: ptr[Activation]) -> boolean:
    """Wait until all other calls have stopped at a poll. False: one does not."""
    if not is_running(python, own):
        return True
    time = now(python)
    end = time + PATIENCE
    next = time
    while time < end:
        if time >= next:
            hurry_others(python, own)
            next = time + HURRY
        if not is_running(python, own):
            return True
        time = now(python)
    return False


@native(cold=True)
def hurry_others(python: ptr[Python], own: ptr[Activation]) -> void:
    """Calls that run compiled code should poll now, not when they do it anyway."""
    platform = python.platform
    other = python.active
    while other is not None:
        if other != own and atomic_load(addr(other.running)) != 0 and platform.hurry is not None:
            platform.hurry(other.exec)
        other = other.next


@native
def begin_collection(python: ptr[Python], own: ptr[Activation]) -> boolean:
    """Begin a collection with what is on the stacks. The GIL is held.

    Who wakes looks at `stopping` after it has cleared `parked`, and here it is the other way round:
    one of both sees the other.
    """
    atomic_store(addr(python.stopping), u32(1), "seq_cst")
    fine = stop_others(python, own) and gc_begin(python.store)
    if fine:
        other = python.active
        while other is not None:
            mark_stack(heap_of(python.store), other.exec)
            other = other.next
        gc_started(python.store)
    atomic_store(addr(python.stopping), u32(0))
    return fine


@native(export="cpython_collect")
def collect(exec: ptr[Exec]) -> void:
    """Platform.collect."""
    activation = ptr[Activation](exec)
    if activation.running == 0:  # a host function makes an exception
        begin_collection(activation.python, activation)
        return
    top = stop_in_code(activation)
    begin_collection(activation.python, activation)
    go_on_running(activation, top)


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
    """`exception_new` for Python code, which keeps what the cells refer to itself. The exception is
    pinned.
    """
    activation = python.active
    while activation is not None and (activation.running != 0 or activation.released is not None):
        activation = activation.next
    exec = ptr[Exec](activation)  # None: no garbage is collected
    code = exception_new(python.store, exec, tag, cells, result)
    if code == 0 and not heap_pin(python.store, result[0]):
        return TrapCode.OUT_OF_MEMORY
    return code


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
