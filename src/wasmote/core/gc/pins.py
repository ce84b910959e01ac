"""Objects that the host holds: a hash table of their handles, with how often each is held."""

from wasmote.core.gc.heap import heap_of
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Heap, Pin, Store
from wasmote.nativepy import boolean, fill, inline, native, ptr, sizeof, u8, u32, usize, void

FIRST_PINS = 64


@inline
def slot_of(heap, handle):
    """Where to start looking for a handle."""
    return (handle >> 2) * 0x9E37_79B1 & (heap.pin_capacity - 1)


@native
def find_pin(heap: ptr[Heap], handle: u32) -> u32:
    """The slot that a handle has or may take; there is at least one free."""
    slot = slot_of(heap, handle)
    while heap.pins[slot].handle != 0 and heap.pins[slot].handle != handle:
        slot = (slot + 1) & (heap.pin_capacity - 1)
    return slot


@native(cold=True)
def grow_pins(heap: ptr[Heap]) -> boolean:
    """Double the table."""
    old = heap.pins
    capacity = heap.pin_capacity
    heap.pin_capacity = capacity * 2 if capacity != 0 else u32(FIRST_PINS)
    size = usize(heap.pin_capacity) * sizeof(Pin)
    made = ptr[Pin](heap.store.platform.allocate(size))
    if made is None:
        heap.pin_capacity = capacity
        return False
    fill(made, 0, size)
    heap.pins = made
    for i in range(capacity):
        if old[i].handle != 0:
            slot = find_pin(heap, old[i].handle)
            made[slot].handle = old[i].handle
            made[slot].count = old[i].count
    heap.store.platform.release(ptr[u8](old))
    return True


@native(export="heap_pin")
def heap_pin(s: ptr[Store], handle: u32) -> boolean:
    """Keep an object, which must be reachable now, until `heap_unpin`. False: out of memory."""
    lock(s)
    heap = heap_of(s)
    fine = heap.pin_count * 2 < heap.pin_capacity or grow_pins(heap)
    if fine:
        pin = heap.pins + find_pin(heap, handle)
        if pin.handle == 0:
            pin.handle = handle
            pin.count = 0
            heap.pin_count += 1
        pin.count += 1
    unlock(s)
    return fine


@native(export="heap_unpin")
def heap_unpin(s: ptr[Store], handle: u32) -> void:
    lock(s)
    heap = heap_of(s)
    slot = find_pin(heap, handle)
    pin = heap.pins + slot
    pin.count -= 1
    if pin.count == 0:
        remove_pin(heap, slot)
    unlock(s)


@native
def remove_pin(heap: ptr[Heap], slot: u32) -> void:
    """Free a slot; those behind it move up so that looking for them still finds them."""
    last = heap.pin_capacity - 1
    heap.pin_count -= 1
    heap.pins[slot].handle = 0
    next = (slot + 1) & last
    while heap.pins[next].handle != 0:
        wanted = slot_of(heap, heap.pins[next].handle)
        if (next - wanted) & last >= (next - slot) & last:
            heap.pins[slot].handle = heap.pins[next].handle
            heap.pins[slot].count = heap.pins[next].count
            heap.pins[next].handle = 0
            slot = next
        next = (next + 1) & last
