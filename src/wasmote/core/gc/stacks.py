"""Marks what running code holds on its stacks.

Of each frame exactly the references count that its function still uses: which cells these are is
found by `core.frames`, and kept for each place in the code, as recursion comes by the same places
again and again. Compiled code itself writes the references that it still uses to the value stack,
and nothing else. What is on its way between the host and WebAssembly is in `Exec.crossing`.
"""

from wasmote.core.arena import arena_allocate
from wasmote.core.frames import describe_frame, free_description
from wasmote.core.gc.heap import find_object
from wasmote.core.gc.mark import mark, mark_cells
from wasmote.core.mutex import acquire, release
from wasmote.core.structs import (
    NONE,
    Crossing,
    Entry,
    Exec,
    FrameDescription,
    FrameMap,
    Heap,
    Instance,
    Module,
)
from wasmote.core.value_types import cells_of, is_object_reference
from wasmote.nativepy import (
    addr,
    boolean,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u16,
    u32,
    usize,
    void,
)

#: Slots of a module's table of maps at first; a power of two.
FIRST_MAPS = 64


@native
def mark_stack(heap: ptr[Heap], exec: ptr[Exec]) -> void:
    """Mark what the frames of a thread of execution hold; it has left the interpreter."""
    fine = True
    entry = exec.entry
    while entry is not None:
        fine = mark_entry(heap, entry) and fine
        entry = entry.outer
    mark(heap, exec.exception)
    crossing = exec.crossing
    while crossing is not None:
        mark_crossing(heap, crossing)
        crossing = crossing.outer
    if not fine:
        mark_anything(heap, exec)


@native(cold=True)
def mark_anything(heap: ptr[Heap], exec: ptr[Exec]) -> void:
    """There is no memory to tell what is a reference: whatever looks like one may be one."""
    cell = exec.stack
    while cell != exec.stack_end:
        if find_object(heap, cell[0]) is not None:
            mark(heap, cell[0])
        cell = cell + 1


@native
def mark_crossing(heap: ptr[Heap], crossing: ptr[Crossing]) -> void:
    cell = crossing.cells
    for i in range(crossing.count):
        if is_object_reference(crossing.types[i]):
            mark(heap, cell[0])
        cell = cell + cells_of(crossing.types[i])


@native
def mark_entry(heap: ptr[Heap], entry: ptr[Entry]) -> boolean:
    """Mark what the frames of one entry hold, from the innermost out. False: out of memory."""
    inst = entry.instance
    if entry.roots_end is not None:
        mark_cells(heap, entry.base, u32((usize(entry.roots_end) - usize(entry.base)) >> 2))
        return True
    if inst is None or inst.module.holds_objects | inst.module.catching == 0:
        return True
    fp = entry.fp
    code = entry.code
    map: ptr[FrameMap] = None
    calling = entry.calling
    while True:
        if map is None or map.code != code or map.calling != calling:
            map = map_of(entry, inst, code, calling)
            if map is None:
                return False
        cells = ptr[u16](map + 1)
        for i in range(map.count):
            mark(heap, fp[cells[i]])
        if fp == entry.base:
            return True
        header = fp + map.header
        code = header[0] - 1  # within the call instruction
        calling = 1
        fp = fp - header[1]


# -- maps ------------------------------------------------------------------------------------------


@inline
def slot_of(module, code):
    return code * 0x9E37_79B1 & (module.map_capacity - 1)


@native
def map_of(entry: ptr[Entry], inst: ptr[Instance], code: u32, calling: u32) -> ptr[FrameMap]:
    """The map of the frames at a position. None: out of memory."""
    module = inst.module
    if module.map_capacity != 0:
        slot = slot_of(module, code)
        while module.maps[slot] is not None:
            map = module.maps[slot]
            if map.code == code and map.calling == calling and map.engine == usize(entry.describe):
                return map
            slot = (slot + 1) & (module.map_capacity - 1)
    return make_map(entry, inst, code, calling)


@native(cold=True)
def make_map(entry: ptr[Entry], inst: ptr[Instance], code: u32, calling: u32) -> ptr[FrameMap]:
    d = stack(FrameDescription)
    if not describe_frame(entry, inst, code, calling, d):
        return None
    map: ptr[FrameMap] = None
    module = inst.module
    acquire(module.platform, addr(module.code_lock))  # the arena's lock as well
    if module.map_count * 2 < module.map_capacity or grow_maps(module):
        map = condense(module, d)
    if map is not None:
        map.code = code
        map.calling = calling
        map.engine = usize(entry.describe)
        insert(module, map)
        module.map_count += 1
    release(module.platform, addr(module.code_lock))
    free_description(d)
    return map


@native
def condense(module: ptr[Module], d: ptr[FrameDescription]) -> ptr[FrameMap]:
    """A map of the cells that hold references, each once."""
    count: u32 = 0
    for i in range(d.local_count + d.operand_count):
        value = d.values + i
        if is_object_reference(value.type) and value.cell != NONE:
            count += 1
    size = sizeof(FrameMap) + usize(count) * sizeof(u16)
    map = ptr[FrameMap](arena_allocate(module, size))
    if map is None:
        return None
    map.header = d.header
    cells = ptr[u16](map + 1)
    for i in range(d.local_count + d.operand_count):
        value = d.values + i
        if is_object_reference(value.type) and value.cell != NONE:
            cells[map.count] = u16(value.cell)
            map.count += 1
    return map


@native
def insert(module: ptr[Module], map: ptr[FrameMap]) -> void:
    slot = slot_of(module, map.code)
    while module.maps[slot] is not None:
        slot = (slot + 1) & (module.map_capacity - 1)
    module.maps[slot] = map


@native
def grow_maps(module: ptr[Module]) -> boolean:
    """Double the table of maps. The former stays in the module's memory."""
    capacity = module.map_capacity
    doubled = capacity * 2 if capacity != 0 else u32(FIRST_MAPS)
    made = arena_allocate(module, usize(doubled) * sizeof(ptr[u8]))
    if made is None:
        return False
    old = module.maps
    module.maps = ptr[ptr[FrameMap]](made)
    module.map_capacity = doubled
    for i in range(capacity):
        if old[i] is not None:
            insert(module, old[i])
    return True
