"""The store: what all instances of a process have in common (spec: Runtime Structure, Store).

Function handles. A function reference in WebAssembly code, tables and globals is a 32-bit handle,
an index into `Store.functions`; 0 is null. Entry 0 holds a function that is nobody's: its type
equals no type, and it has neither instance nor host. Entries without a function point to it as
well, so a handle that outlived its function leads to a trap, never to freed memory. The entries are
followed, in the same block, by a u32 each that chains the free ones.

Defined types are in `core.type_store`.

Threads. Functions here may be called by several threads at once; a spin lock guards the few
instructions of each. Running code looks handles up without it, so a block of functions that has
become too small stays until the store goes (together they are smaller than the one in use).
"""

from wasmote.core.gc.heap import free_heap
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import FIRST_CAPACITY, Retired, Shared, lock, shared, unlock
from wasmote.core.structs import NONE, FuncInst, Platform, Store
from wasmote.core.tags import free_tags
from wasmote.core.type_store import free_types, grow_types
from wasmote.nativepy import (
    addr,
    atomic_store,
    boolean,
    copy,
    fill,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    usize,
    void,
)

__all__ = ["lock", "unlock"]

#: The table of functions never grows past this: its bytes are counted in 32 bits on small targets.
LAST_CAPACITY = 1 << 27


@native(export="store_init")
def store_init(s: ptr[Store], platform: ptr[Platform]) -> u32:
    """Make an empty store in uninitialised memory. 0, or OUT_OF_MEMORY with nothing to free."""
    fill(s, 0, sizeof(Store))
    s.platform = platform
    first = ptr[Shared](platform.allocate(sizeof(Shared)))
    if first is None:
        return TrapCode.OUT_OF_MEMORY
    fill(first, 0, sizeof(Shared))
    first.nobody.type_id = NONE
    if grow_functions(s, first) and grow_types(s):
        return 0
    platform.release(ptr[u8](s.functions))
    platform.release(ptr[u8](first))
    return TrapCode.OUT_OF_MEMORY


@native(export="store_free")
def store_free(s: ptr[Store]) -> void:
    """Give back the store's memory. Its instances and modules must be gone before."""
    release = s.platform.release
    free_heap(s)
    free_tags(s)
    free_types(s)
    first = shared(s)
    capacity = s.function_capacity // 2
    while first.retired is not None:
        block = first.retired
        first.retired = retired(block, capacity).block
        capacity = capacity // 2
        release(block)
    release(ptr[u8](s.functions))
    release(ptr[u8](first))


# -- function handles --------------------------------------------------------------------------


@inline
def free_links(s: ptr[Store]) -> ptr[u32]:
    return ptr[u32](s.functions + s.function_capacity)


@inline
def retired(block: ptr[u8], capacity: u32) -> ptr[Retired]:
    return ptr[Retired](ptr[ptr[FuncInst]](block) + capacity)


@native(cold=True)
def grow_functions(s: ptr[Store], first: ptr[Shared]) -> boolean:
    """Double the table of functions, all in use; the new entries become the list of free ones."""
    old = s.function_capacity
    if old >= LAST_CAPACITY:
        return False
    capacity = FIRST_CAPACITY if old == 0 else old * 2
    size = usize(capacity) * (sizeof(ptr[FuncInst]) + sizeof(u32))
    functions = ptr[ptr[FuncInst]](s.platform.allocate(size))
    if functions is None:
        return False
    links = ptr[u32](functions + capacity)
    if old != 0:
        copy(functions, s.functions, usize(old) * sizeof(ptr[FuncInst]))
        retired(ptr[u8](s.functions), old).block = first.retired
        first.retired = ptr[u8](s.functions)
    for handle in range(old, capacity):
        functions[handle] = first.nobody
        links[handle] = handle + 1
    links[capacity - 1] = 0
    atomic_store(addr(s.functions), functions)
    s.function_capacity = capacity
    s.free_function = old if old != 0 else 1
    return True


@native
def assign_handle(s: ptr[Store], f: ptr[FuncInst]) -> boolean:
    """Give a function without handle one; the lock is held. False: out of memory."""
    if s.free_function == 0 and not grow_functions(s, shared(s)):
        return False
    handle = s.free_function
    s.free_function = free_links(s)[handle]
    s.functions[handle] = f
    s.function_count += 1
    f.handle = handle
    return True


@native(export="store_add_function")
def store_add_function(s: ptr[Store], f: ptr[FuncInst]) -> u32:
    """The function's handle, given to it now if it has none. 0: out of memory.

    Whoever frees the `FuncInst` calls `store_remove_function` before.
    """
    if f.handle == 0:
        lock(s)
        if f.handle == 0:
            assign_handle(s, f)
        unlock(s)
    return f.handle


@native(export="store_remove_function")
def store_remove_function(s: ptr[Store], f: ptr[FuncInst]) -> void:
    """Take the function's handle away, if it has one. It may name another function later."""
    lock(s)
    handle = f.handle
    if handle != 0:
        s.functions[handle] = s.functions[0]
        free_links(s)[handle] = s.free_function
        s.free_function = handle
        s.function_count -= 1
        f.handle = 0
    unlock(s)
