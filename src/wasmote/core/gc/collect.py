"""When garbage is collected: a little with each allocation, so that the program never waits long.

A collection has three parts. It begins with the roots, which takes as long as there are frames on
the stacks and globals, but not as the heap is large (`roots.py`). Then marking and sweeping take
turns with the program: whenever it has allocated `Heap.allowance` bytes, the collector does work of
about `Heap.step` bytes. The allowance is such that this is done before the heap is full. Should the
heap be full all the same, the program waits for the rest, and for another collection if need be.
"""

from enum import IntEnum

from wasmote.core.gc.heap import create_heap, heap_of, new_object, set_credit
from wasmote.core.gc.mark import mark_slice
from wasmote.core.gc.sweep import BLOCK_WORK, sweep_slice
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import Exec, Heap, HeapObject, Store
from wasmote.nativepy import boolean, i64, native, ptr, sizeof, u32, u64, unlikely, void

#: Bytes that may be allocated when a collection could not begin, before it is tried again.
RETRY = 1 << 20
#: Bytes that may at least be allocated during a collection, if the limit allows.
LEAST_ROOM = 1 << 20
#: Slices that one allocation may have to wait for.
MOST_SLICES = 4
#: Work without end.
ALL = 1 << 62


class Phase(IntEnum):
    """What the collector is doing."""

    IDLE = 0
    MARK = 1
    SWEEP = 2


@native
def allocate_object(s: ptr[Store], exec: ptr[Exec], type: u32, length: u32, size: u64) -> u32:
    """A new object's handle; 0: out of memory.

    `exec` must have left the interpreter for this (`leave_for`), so that its frames can be looked
    at. Without it no collection begins: the caller holds references where nobody sees them.
    """
    lock(s)
    handle = u32(0)
    if (s.heap is not None or create_heap(s)) and size <= 0xFFFF_0000:
        heap = heap_of(s)
        full = False
        if unlikely(heap.credit < i64(size) + sizeof(HeapObject)):
            take_turn(heap, exec)
            full = heap.bytes > heap.limit  # the limit has been lowered
        if not full:
            handle = new_object(heap, type, length, size)
        if unlikely(handle == 0):
            handle = allocate_last(heap, exec, type, length, size)
    unlock(s)
    return handle


@native(cold=True)
def allocate_last(heap: ptr[Heap], exec: ptr[Exec], type: u32, length: u32, size: u64) -> u32:
    """The heap is full: try again when all garbage is gone."""
    start(heap)
    handle: u32 = 0
    finish(heap)
    if heap.bytes <= heap.limit:
        handle = new_object(heap, type, length, size)
    if handle == 0 and begin(heap, exec):
        finish(heap)
        if heap.bytes <= heap.limit:
            handle = new_object(heap, type, length, size)
    stop(heap)
    return handle


# -- the collector's turns -------------------------------------------------------------------------


@native(noinline=True)
def take_turn(heap: ptr[Heap], exec: ptr[Exec]) -> void:
    """The program has used up its credit: do what is due."""
    start(heap)
    if heap.phase == Phase.IDLE:
        if not begin(heap, exec):
            heap.credit += RETRY
    else:
        slices: u32 = 0
        while heap.credit <= 0 and slices < MOST_SLICES and heap.phase != Phase.IDLE:
            heap.credit += i64(heap.allowance)
            go_on(heap, i64(heap.step))
            slices += 1
    stop(heap)


@native
def work_at_poll(s: ptr[Store]) -> void:
    """A program that makes no objects should not be stuck in a collection either."""
    heap = heap_of(s)
    if heap is not None and heap.phase != Phase.IDLE:
        lock(s)
        start(heap)
        go_on(heap, i64(heap.step))
        stop(heap)
        unlock(s)


@native
def begin(heap: ptr[Heap], exec: ptr[Exec]) -> boolean:
    """Let the host begin a collection. False: it cannot now, or nobody may.

    The lock is given back for it: the host may have to wait for its own.
    """
    s = heap.store
    if exec is None or exec.platform.collect is None or s.paused != 0:
        return False
    unlock(s)
    exec.platform.collect(exec)
    lock(s)
    return heap.phase == Phase.MARK


@native
def go_on(heap: ptr[Heap], work: i64) -> void:
    """Go on marking and sweeping."""
    if heap.phase == Phase.MARK:
        work = mark_slice(heap, work)
        if work > 0:
            heap.phase = Phase.SWEEP
            heap.marking = 0
            heap.cursor = 1
    if heap.phase == Phase.SWEEP:
        work = sweep_slice(heap, work)
        if work > 0:
            heap.phase = Phase.IDLE
            heap.collections += 1
            set_credit(heap)


@native
def finish(heap: ptr[Heap]) -> void:
    """Do the rest of the collection that is under way."""
    while heap.phase != Phase.IDLE:
        go_on(heap, ALL)


@native
def set_allowance(heap: ptr[Heap]) -> void:
    """A collection begins: how much may be allocated from one slice of work to the next."""
    room = heap.limit - heap.bytes if heap.limit > heap.bytes else u64(0)
    most = heap.bytes >> 1 if heap.bytes >> 1 > LEAST_ROOM else u64(LEAST_ROOM)
    if most > room >> 1:
        most = room >> 1
    marking = heap.bytes * 2 + heap.scan_work
    sweeping = u64(heap.top) * BLOCK_WORK
    work = marking + sweeping + u64(heap.step)
    heap.allowance = 0
    if heap.growth != 0:
        heap.allowance = u64(heap.step) * (most >> 10) // ((work >> 10) + 1)
    heap.credit = i64(heap.allowance)


# -- pauses ----------------------------------------------------------------------------------------


@native
def now(heap: ptr[Heap]) -> u64:
    platform = heap.store.platform
    return platform.clock(platform) if platform.clock is not None else u64(0)


@native
def start(heap: ptr[Heap]) -> void:
    """The program begins to wait for the collector."""
    heap.began = now(heap)


@native
def stop(heap: ptr[Heap]) -> void:
    pause = now(heap) - heap.began
    heap.paused += pause
    if pause > heap.longest:
        heap.longest = pause


# -- when no collection may begin ------------------------------------------------------------------


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


# -- settings --------------------------------------------------------------------------------------


@native(export="heap_configure")
def heap_configure(s: ptr[Store], limit: u64, step: u32, growth: u32, minimum: u64) -> boolean:
    """Set `Heap.limit` and so on. False: out of memory."""
    lock(s)
    s.heap_limit = limit
    fine = s.heap is not None or create_heap(s)
    if fine:
        heap = heap_of(s)
        heap.limit = limit
        heap.step = step
        heap.growth = growth
        heap.minimum = minimum
        heap.credit = 0
        if heap.phase == Phase.IDLE:
            set_credit(heap)
    unlock(s)
    return fine
