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
from wasmote.nativepy import boolean, native, ptr, sizeof, u8, u32, u64, void

MAXIMUM_LOCALS = 0xFFFF_FFFF  # of the format
MAXIMUM_RUNS = 0xFFFF_FFFF


@native
def declare_locals(l: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """Read the declarations at the start of a body."""
    l.run_count = 0
    l.local_count = 0
    l.expanded = 0
    for i in range(t.param_count):
        add_run(l, 1, t.types[i])
    at = l.reader.pos
    total = u64(t.param_count)
    runs = read_count(l.reader, 0, MAXIMUM_RUNS, Status.LIMIT_LOCALS)
    limit = u64(l.module.limits.locals)
    for _ in range(runs):
        count = read_u32(l.reader)
        type_ = read_value_type(l)
        if failed(l.reader):
            return False
        total += u64(count)
        if total <= limit and count != 0:
            add_run(l, count, type_)
    # Beyond the format's bound a module is malformed, whatever this runtime allows.
    if total > MAXIMUM_LOCALS:
        return fail(l.reader, at, Status.TOO_MANY_LOCALS, total, 0)
    if total > limit:
        return fail(l.reader, at, Status.LIMIT_LOCALS, total, limit)
    return not failed(l.reader)


@native
def add_run(l: ptr[Loader], count: u32, type_: u32) -> void:
    """Add `count` locals of one type."""
    while count != 0 and l.expanded < EXPANDED_LOCALS:
        l.locals[l.expanded] = type_
        l.expanded += 1
        l.local_count += 1
        count -= 1
    if count == 0:
        return
    if l.run_count == l.run_capacity:
        made = grow_scratch(l, ptr[u8](l.runs), 2 * u64(l.run_capacity) * sizeof(LocalRun))
        if made is None:
            out_of_memory(l)
            return
        l.runs = ptr[LocalRun](made)
        l.run_capacity = 2 * l.run_capacity
    l.local_count += count
    l.runs[l.run_count].end = l.local_count
    l.runs[l.run_count].type = type_
    l.run_count += 1


@native
def local_type(l: ptr[Loader], index: u32) -> u32:
    """The type of any local; 0 after reporting that there is none of that index."""
    if index < l.expanded:
        return l.locals[index]
    if index >= l.local_count:
        fail_here(l, Status.UNKNOWN_LOCAL, u64(index), 0)
        return 0
    low = u32(0)
    high = l.run_count - 1
    while low < high:
        middle = (low + high) // 2
        if index < l.runs[middle].end:
            high = middle
        else:
            low = middle + 1
    return l.runs[low].type
