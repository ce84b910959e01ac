"""The locals of the function that is being validated: parameters, then what its body declares.

A body can declare very many locals in a few bytes, so only the first ones are kept one by one; the
others are runs of equal types, to be searched.
"""

from wasmote.core.decode.types import read_value_type
from wasmote.core.loader import (
    EXPANDED_LOCALS,
    Loader,
    LocalRun,
    fail_here,
    grow_scratch,
    out_of_memory,
)
from wasmote.core.reader import fail, failed, read_count, read_u32
from wasmote.core.status import Status
from wasmote.core.structs import FuncType
from wasmote.core.value_types import UNSET, is_defaultable
from wasmote.nativepy import boolean, fill, native, ptr, sizeof, u8, u32, u64, usize, void

MAXIMUM_LOCALS = 0xFFFF_FFFF  # of the format
MAXIMUM_RUNS = 0xFFFF_FFFF


@native
def declare_locals(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """Read the declarations at the start of a body."""
    loader.run_count = 0
    loader.local_count = 0
    loader.expanded = 0
    loader.set_count = 0
    for i in range(t.param_count):
        add_run(loader, 1, t.types[i])
    late = False
    at = loader.reader.pos
    total = u64(t.param_count)
    runs = read_count(loader.reader, 0, MAXIMUM_RUNS, Status.LIMIT_LOCALS)
    limit = u64(loader.module.limits.locals)
    for _ in range(runs):
        count = read_u32(loader.reader)
        type_ = read_value_type(loader)
        if failed(loader.reader):
            return False
        total += u64(count)
        if total <= limit and count != 0:
            add_run(loader, count, type_ if is_defaultable(type_) else type_ | UNSET)
            if not is_defaultable(type_) and loader.local_count > loader.expanded:
                late = True
    # Beyond the format's bound a module is malformed, whatever this runtime allows.
    if total > MAXIMUM_LOCALS:
        return fail(loader.reader, at, Status.TOO_MANY_LOCALS, total, 0)
    if total > limit:
        return fail(loader.reader, at, Status.LIMIT_LOCALS, total, limit)
    if late and not failed(loader.reader):
        clear_late_sets(loader)
    return not failed(loader.reader)


@native
def add_run(loader: ptr[Loader], count: u32, type_: u32) -> void:
    """Add `count` locals of one type."""
    while count != 0 and loader.expanded < EXPANDED_LOCALS:
        loader.locals[loader.expanded] = type_
        loader.expanded += 1
        loader.local_count += 1
        count -= 1
    if count == 0:
        return
    if loader.run_count == loader.run_capacity:
        made = grow_scratch(
            loader, ptr[u8](loader.runs), 2 * u64(loader.run_capacity) * sizeof(LocalRun)
        )
        if made is None:
            out_of_memory(loader)
            return
        loader.runs = ptr[LocalRun](made)
        loader.run_capacity = 2 * loader.run_capacity
    loader.local_count += count
    loader.runs[loader.run_count].end = loader.local_count
    loader.runs[loader.run_count].type = type_
    loader.run_count += 1


@native
def local_type(loader: ptr[Loader], index: u32) -> u32:
    """The type of any local; 0 after reporting that there is none of that index."""
    if index < loader.expanded:
        return loader.locals[index]
    if index >= loader.local_count:
        fail_here(loader, Status.UNKNOWN_LOCAL, u64(index), 0)
        return 0
    low = u32(0)
    high = loader.run_count - 1
    while low < high:
        middle = (low + high) // 2
        if index < loader.runs[middle].end:
            high = middle
        else:
            low = middle + 1
    return loader.runs[low].type


# -- locals that must be set before they are read ------------------------------------------------
#
# The type of such a local has the bit UNSET until it is set, and again from the end of the block
# where it was. For those beyond the array, a bit set says which are set.


@native
def clear_late_sets(loader: ptr[Loader]) -> void:
    """No local beyond the array is set."""
    size = (loader.local_count + 7) // 8
    if size > loader.late_capacity:
        made = grow_scratch(loader, loader.late_sets, u64(size))
        if made is None:
            out_of_memory(loader)
            return
        loader.late_sets = made
        loader.late_capacity = size
    fill(loader.late_sets, 0, usize(size))


@native
def is_set(loader: ptr[Loader], index: u32, t: u32) -> boolean:
    """Whether the local of that type, as `local_type` has it, may be read."""
    if t & UNSET == 0:
        return True
    return index >= loader.expanded and (u32(loader.late_sets[index // 8]) >> (index % 8)) & 1 != 0


@native
def get_local(loader: ptr[Loader]) -> u32:
    """The type of the local whose index follows, for reading it; 0 on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return 0
    t = local_type(loader, index)
    if t != 0 and not is_set(loader, index, t):
        fail_here(loader, Status.UNINITIALIZED_LOCAL, u64(index), 0)
        return 0
    return t & ~u32(UNSET)


@native
def set_local(loader: ptr[Loader]) -> u32:
    """The type of the local whose index follows, which is set now; 0 on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return 0
    t = local_type(loader, index)
    if t == 0 or is_set(loader, index, t):
        return t & ~u32(UNSET)
    if not note_set(loader, index):
        return 0
    if index < loader.expanded:
        loader.locals[index] = t & ~u32(UNSET)
    else:
        loader.late_sets[index // 8] = loader.late_sets[index // 8] | u8(u32(1) << (index % 8))
    return t & ~u32(UNSET)


@native
def note_set(loader: ptr[Loader], index: u32) -> boolean:
    if loader.set_count == loader.set_capacity:
        capacity = 2 * u64(loader.set_capacity) + 64
        made = grow_scratch(loader, ptr[u8](loader.sets), capacity * sizeof(u32))
        if made is None:
            return out_of_memory(loader)
        loader.sets = ptr[u32](made)
        loader.set_capacity = u32(capacity)
    loader.sets[loader.set_count] = index
    loader.set_count += 1
    return True


@native
def unset_locals(loader: ptr[Loader], count: u32) -> void:
    """A block ends: of the locals that were set, only the first `count` remain so."""
    while loader.set_count > count:
        loader.set_count -= 1
        index = loader.sets[loader.set_count]
        if index < loader.expanded:
            loader.locals[index] = loader.locals[index] | UNSET
        else:
            bits = loader.late_sets[index // 8]
            loader.late_sets[index // 8] = bits & ~u8(u32(1) << (index % 8))
