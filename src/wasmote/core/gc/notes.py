"""Looks through all objects for the host, which has references of its own in them."""

from wasmote.core.gc.blocks import BLOCK_SHIFT, Kind, block_at
from wasmote.core.gc.heap import CELL_SIZE, CELLS, at_handle, fields_of, type_of_object
from wasmote.core.structs import Heap, HeapObject
from wasmote.core.type_store import type_entry
from wasmote.core.value_types import Form
from wasmote.nativepy import load, native, ptr, u8, u32, void


@native
def note_fields(heap: ptr[Heap], found: ptr[u8], size: u32) -> void:
    """Set `found[handle]` for what the fields of objects refer to, handles below `size`."""
    if heap is None:
        return
    index: u32 = 1
    while index < heap.top:
        block = block_at(heap, index)
        handle = index << (BLOCK_SHIFT - 2)
        if block.kind == Kind.LARGE:
            note_object(heap, at_handle(heap, handle), found, size)
        elif block.kind >= Kind.SMALL:
            for _ in range(u32(CELLS[block.kind - Kind.SMALL])):
                note_object(heap, at_handle(heap, handle), found, size)
                handle += u32(CELL_SIZE[block.kind - Kind.SMALL]) >> 2
        index += u32(1) if block.kind >= Kind.SMALL else block.count


@native
def note_object(heap: ptr[Heap], object: ptr[HeapObject], found: ptr[u8], size: u32) -> void:
    if object.head == 0:
        return  # a free cell
    entry = type_entry(heap.store, type_of_object(object))
    fields = fields_of(object)
    count = entry.reference_count
    if entry.form == Form.ARRAY and count != 0:
        count = object.length
    for i in range(count):
        offset = i * 4 if entry.form == Form.ARRAY else entry.references[i]
        handle = load(u32, fields + offset, align=4)
        if handle < size:
            found[handle] = 1
