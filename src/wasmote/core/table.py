"""Tables (spec: Table Instances and the table instructions).

An element is a 32-bit handle, 0 is null. A table that can grow lies in address space reserved for
its greatest size and never moves, so that threads may use it while one of them grows it. Where
there is
no such space (a target without virtual memory) it grows by doubling and moves.
"""

from wasmote.core.bounds import GROW_FAILED, LimitsFlag, in_range, maximum, minimum
from wasmote.core.const_expr import const_evaluate, const_skip
from wasmote.core.function import instance_function
from wasmote.core.gc.mark import before_table_write, forget_table
from wasmote.core.mutex import acquire, release
from wasmote.core.reader import Reader, open_reader, read_u32
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import ElementSegment, Error, Instance, Platform, Table, TableType
from wasmote.nativepy import (
    addr,
    boolean,
    copy,
    fence,
    fill,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    u64,
    usize,
    void,
    volatile_store,
)


@native(export="table_create")
def table_create(platform: ptr[Platform], type: ptr[TableType], limit_elements: u32) -> ptr[Table]:
    """A table of nulls of the type's minimum size. None: that is over the limit, or out of memory.

    `limit_elements` is the embedder's limit. Free it with `table_release`.
    """
    table = ptr[Table](platform.allocate(sizeof(Table)))
    if table is None:
        return None
    fill(table, 0, sizeof(Table))
    copy(table.type, type, sizeof(TableType))
    table.platform = platform
    table.limit = limit_elements
    most = minimum(type.maximum, u64(limit_elements))
    if most > type.minimum and platform.memory_reservation != 0:
        table_reserve(table, most)
    if table_grow(table, type.minimum, 0) != GROW_FAILED:
        return table
    table_release(table)
    return None


@native(export="table_release")
def table_release(table: ptr[Table]) -> void:
    """Free a table. Nobody may use it any more."""
    if table.watcher is not None:
        forget_table(table)
    platform = table.platform
    if table.reserved != 0:
        platform.unreserve(platform, ptr[u8](table.elements), table.reserved)
    else:
        platform.release(ptr[u8](table.elements))
    platform.release(ptr[u8](table))


@native
def table_reserve(table: ptr[Table], most: u64):
    """Reserve address space for `most` elements, if the platform has it."""
    size = most * sizeof(u32)
    if size == u64(usize(size)):
        elements = table.platform.reserve(table.platform, usize(size))
        if elements is not None:
            table.elements = ptr[u32](elements)
            table.reserved = usize(size)


@native
def table_resize(table: ptr[Table], capacity: u64) -> boolean:
    """Change the room for elements."""
    size = capacity * sizeof(u32)
    if size != u64(usize(size)):
        return False
    platform = table.platform
    if table.reserved != 0:
        old = usize(table.capacity) * sizeof(u32)
        if platform.commit(platform, ptr[u8](table.elements), old, usize(size)) != 0:
            return False
    else:
        elements = platform.resize(ptr[u8](table.elements), usize(size))
        if elements is None:
            return False
        table.elements = ptr[u32](elements)
    table.capacity = u32(capacity)
    return True


@native(export="table_grow")
def table_grow(table: ptr[Table], delta: u64, value: u32) -> u64:
    """Add `delta` elements, all `value`. Returns the size before, or GROW_FAILED."""
    acquire(table.platform, addr(table.lock))
    old = grow(table, delta, value)
    release(table.platform, addr(table.lock))
    return old


@native
def grow(table: ptr[Table], delta: u64, value: u32) -> u64:
    """The same, with the lock held."""
    old = u64(table.size)
    most = minimum(table.type.maximum, u64(table.limit))
    if delta > most - old:
        return GROW_FAILED
    size = old + delta
    if size > u64(table.capacity):
        roomy = maximum(size, minimum(u64(table.capacity) * 2, most))
        if not table_resize(table, roomy) and not table_resize(table, size):
            return GROW_FAILED
    for i in range(old, size):
        table.elements[i] = value
    fence()  # whoever sees the new size finds the elements there
    volatile_store(addr(table.size), u32(size))
    if table.type.flags & LimitsFlag.INDEX_64 == 0:
        volatile_store(addr(table.reach), u32(size))
    return old


@native(export="table_get")
def table_get(table: ptr[Table], i: u64, value: ptr[u32]) -> u32:
    """table.get into `value`: 0 or a trap code."""
    if i >= u64(table.size):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    value[0] = table.elements[i]
    return 0


@native(export="table_set")
def table_set(table: ptr[Table], i: u64, value: u32) -> u32:
    """table.set: 0 or a trap code."""
    if i >= u64(table.size):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    before_table_write(table, i, 1)
    table.elements[i] = value
    return 0


@native(export="table_fill")
def table_fill(table: ptr[Table], d: u64, value: u32, n: u64) -> u32:
    """table.fill: 0 or a trap code, and then nothing is written."""
    if not in_range(u64(table.size), d, n):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    before_table_write(table, d, u32(n))
    for i in range(d, d + n):
        table.elements[i] = value
    return 0


@native(export="table_copy")
def table_copy(to: ptr[Table], source: ptr[Table], d: u64, s: u64, n: u64) -> u32:
    """table.copy, overlapping or not: 0 or a trap code, and then nothing is written."""
    if not (in_range(u64(to.size), d, n) and in_range(u64(source.size), s, n)):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    before_table_write(to, d, u32(n))
    if n != 0:
        copy(to.elements + d, source.elements + s, usize(n) * sizeof(u32))
    return 0


@native
def skip_element(segment: ptr[ElementSegment], r: ptr[Reader]) -> void:
    if segment.functions != 0:
        read_u32(r)
    else:
        const_skip(r)


@native
def next_element(
    instance: ptr[Instance], segment: ptr[ElementSegment], r: ptr[Reader], value: ptr[u32]
) -> u32:
    """Evaluate the item at the reader and move past it. Returns 0 or OUT_OF_MEMORY."""
    if segment.functions == 0:
        return const_evaluate(instance, r, value)
    f = instance_function(instance, read_u32(r))
    if f is None:
        return TrapCode.OUT_OF_MEMORY
    value[0] = f.handle
    return 0


@native(export="table_init")
def table_init(
    instance: ptr[Instance], segment: u32, table: ptr[Table], d: u64, s: u64, n: u64
) -> u32:
    """table.init: 0 or a trap code; out of bounds nothing is written. A dropped segment is empty.

    The items stay encoded: the time it takes is proportional to s + n.
    """
    source = instance.module.elements + segment
    size = u64(0) if instance.dropped_elements[segment] != 0 else u64(source.count)
    if not (in_range(u64(table.size), d, n) and in_range(size, s, n)):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    before_table_write(table, d, u32(n))
    values = instance.element_values[segment]
    if values is not None:
        if n != 0:
            copy(table.elements + d, values + s, usize(n) * sizeof(u32))
        return 0
    r = stack(Reader)
    open_reader(r, source.items, usize(source.items_size), stack(Error))  # no read fails
    for _ in range(s):
        skip_element(source, r)
    value = stack(u32, 4)
    for i in range(d, d + n):
        status = next_element(instance, source, r, value)
        if status != 0:
            return status
        table.elements[i] = value[0]
    return 0


@native(export="elem_drop")
def elem_drop(instance: ptr[Instance], segment: u32) -> void:
    """elem.drop: the segment is empty from now on."""
    lock(instance.store)
    instance.dropped_elements[segment] = 1
    values = instance.element_values[segment]
    instance.element_values[segment] = None
    unlock(instance.store)
    instance.platform.release(ptr[u8](values))
