"""Exceptions: objects of the heap that carry a tag and values (spec: Exception Instances)."""

from wasmote.core.gc.collect import allocate_object
from wasmote.core.gc.heap import fields_of, object_at
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Exec, Store, Tag
from wasmote.nativepy import copy, native, ptr, sizeof, u32, u64, usize


@native(export="exception_new")
def exception_new(
    s: ptr[Store], exec: ptr[Exec], tag: ptr[Tag], cells: ptr[u32], result: ptr[u32]
) -> u32:
    """Make an exception of the values at `cells`: 0 or a trap code.

    As in `allocate_object`, `exec` has left the interpreter for this, or there is none.
    """
    size = (usize(tag.type.param_cells) + 1) * sizeof(u32)
    handle = allocate_object(s, exec, tag.type.id, 0, u64(size))
    if handle == 0:
        return TrapCode.OUT_OF_MEMORY
    fields = ptr[u32](fields_of(object_at(s, handle)))
    lock(s)
    tag.references += 1
    fields[0] = tag.handle
    unlock(s)
    copy(fields + 1, cells, size - sizeof(u32))
    result[0] = handle
    return 0


@native(export="exception_fields")
def exception_fields(s: ptr[Store], handle: u32) -> ptr[u32]:
    """The handle of its tag, then the cells of its values. The handle is known to be one's."""
    return ptr[u32](fields_of(object_at(s, handle)))
