"""The store: what all instances of a process have in common (spec: Runtime Structure, Store).

Function handles. A function reference in WebAssembly code, tables and globals is a 32-bit handle,
an index into `Store.functions`; 0 is null. Entry 0 holds a function that is nobody's: its type
equals no type, and it has neither instance nor host. Entries without a function point to it as
well, so a handle that outlived its function leads to a trap, never to freed memory. The entries are
followed, in the same block, by a u32 each that chains the free ones.

Function types. `FuncType.id` is the same for equal types of all modules, so call_indirect compares
two integers. A canonical type lives as long as somebody holds a reference to its id. `Store.types`
points to one block: `type_capacity` pointers to `TypeEntry` by id (0 is unused), then as many u32
hash buckets (the first id of a chain, 0: empty), then as many u32 links (the next id of the chain,
or of the list of free ids, which starts at link 0).

Threads. Functions here may be called by several threads at once; a spin lock guards the few
instructions of each. Running code looks handles up without it, so a block of functions that has
become too small stays until the store goes (together they are smaller than the one in use).
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import NONE, FuncInst, FuncType, Module, Platform, Store
from wasmote.nativepy import (
    addr,
    atomic_exchange,
    atomic_store,
    boolean,
    copy,
    fill,
    inline,
    native,
    ptr,
    rotl,
    sizeof,
    struct,
    u8,
    u32,
    usize,
    void,
    volatile_load,
)

#: Entries of the first block of either table.
FIRST_CAPACITY = 64
#: No table grows past this: its bytes are counted in 32 bits on small targets.
LAST_CAPACITY = 1 << 27


@struct
class TypeEntry:
    """A canonical function type; its value types (u32: parameters, then results) follow."""

    hash: u32
    references: u32
    param_count: u32
    result_count: u32


@struct
class Shared:
    """What entry 0 of the functions points to. It never moves, so it also has the store's lock."""

    nobody: FuncInst
    lock: u32
    retired: ptr[u8]  # former block of functions; its own predecessor is in `Retired`


@struct
class Retired:
    """What a former block of functions has in place of its links."""

    block: ptr[u8]


@inline
def shared(s: ptr[Store]) -> ptr[Shared]:
    return ptr[Shared](s.functions[0])


@inline
def lock(s: ptr[Store]):
    word = addr(shared(s).lock)
    while atomic_exchange(word, 1) != 0:
        while volatile_load(word) != 0:
            pass


@inline
def unlock(s: ptr[Store]):
    atomic_store(addr(shared(s).lock), u32(0))


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
    for id in range(1, s.type_capacity):
        release(s.types[id])
    release(ptr[u8](s.types))
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


# -- function types ----------------------------------------------------------------------------


@inline
def type_buckets(s: ptr[Store]) -> ptr[u32]:
    return ptr[u32](s.types + s.type_capacity)


@inline
def type_links(s: ptr[Store]) -> ptr[u32]:
    return type_buckets(s) + s.type_capacity


@inline
def type_entry(s: ptr[Store], id: u32) -> ptr[TypeEntry]:
    return ptr[TypeEntry](s.types[id])


@native
def hash_type(s: ptr[Store], ft: ptr[FuncType]) -> u32:
    """MurmurHash3. The store's address is the seed, so that collisions are hard to prepare."""
    h = u32(usize(s) >> 4) ^ ft.param_count
    for i in range(ft.param_count + ft.result_count):
        h = rotl(h ^ (rotl(ft.types[i] * 0xCC9E2D51, 15) * 0x1B873593), 13) * 5 + 0xE6546B64
    h = (h ^ (h >> 16)) * 0x85EBCA6B
    h = (h ^ (h >> 13)) * 0xC2B2AE35
    return h ^ (h >> 16)


@native
def same_type(known: ptr[TypeEntry], ft: ptr[FuncType]) -> boolean:
    if known.param_count != ft.param_count or known.result_count != ft.result_count:
        return False
    types = ptr[u32](known + 1)
    for i in range(ft.param_count + ft.result_count):
        if types[i] != ft.types[i]:
            return False
    return True


@inline
def link_type(s: ptr[Store], id: u32):
    """Put the type at the head of its bucket's chain."""
    bucket = type_buckets(s) + (type_entry(s, id).hash & (s.type_capacity - 1))
    type_links(s)[id] = bucket[0]
    bucket[0] = id


@native(cold=True)
def grow_types(s: ptr[Store]) -> boolean:
    """Double the table of types. It has no free id before; the new ids are free after."""
    old = s.type_capacity
    if old >= LAST_CAPACITY:
        return False
    capacity = FIRST_CAPACITY if old == 0 else old * 2
    size = usize(capacity) * (sizeof(ptr[u8]) + 2 * sizeof(u32))
    types = ptr[ptr[u8]](s.platform.allocate(size))
    if types is None:
        return False
    fill(types, 0, size)
    if old != 0:
        copy(types, s.types, usize(old) * sizeof(ptr[u8]))
        s.platform.release(ptr[u8](s.types))
    s.types = types
    s.type_capacity = capacity
    for id in range(1, old):
        link_type(s, id)
    first = old if old != 0 else 1
    links = type_links(s)
    for id in range(first, capacity - 1):
        links[id] = id + 1
    links[0] = first
    return True


@native
def add_type(s: ptr[Store], ft: ptr[FuncType], hash: u32) -> u32:
    """A new canonical type with one reference. 0: out of memory."""
    if type_links(s)[0] == 0 and not grow_types(s):
        return 0
    size = usize(ft.param_count + ft.result_count) * sizeof(u32)
    entry = ptr[TypeEntry](s.platform.allocate(sizeof(TypeEntry) + size))
    if entry is None:
        return 0
    entry.hash = hash
    entry.references = 1
    entry.param_count = ft.param_count
    entry.result_count = ft.result_count
    copy(entry + 1, ft.types, size)
    id = type_links(s)[0]
    type_links(s)[0] = type_links(s)[id]
    s.types[id] = ptr[u8](entry)
    s.type_count += 1
    link_type(s, id)
    return id


@native
def find_or_add_type(s: ptr[Store], ft: ptr[FuncType]) -> u32:
    hash = hash_type(s, ft)
    id = type_buckets(s)[hash & (s.type_capacity - 1)]
    while id != 0:
        entry = type_entry(s, id)
        if entry.hash == hash and same_type(entry, ft):
            entry.references += 1
            return id
        id = type_links(s)[id]
    return add_type(s, ft, hash)


@native(export="store_type_id")
def store_type_id(s: ptr[Store], ft: ptr[FuncType]) -> u32:
    """The id of all types equal to `ft`; the caller holds one reference to it. 0: out of memory."""
    lock(s)
    id = find_or_add_type(s, ft)
    unlock(s)
    return id


@native(export="store_release_type")
def store_release_type(s: ptr[Store], id: u32) -> void:
    """Give back one reference that `store_type_id` gave; without any left, the id is free again."""
    lock(s)
    drop_reference(s, id)
    unlock(s)


@native
def drop_reference(s: ptr[Store], id: u32) -> void:
    entry = type_entry(s, id)
    entry.references -= 1
    if entry.references != 0:
        return
    links = type_links(s)
    at = type_buckets(s) + (entry.hash & (s.type_capacity - 1))
    while at[0] != id:
        at = links + at[0]
    at[0] = links[id]
    links[id] = links[0]
    links[0] = id
    s.types[id] = None
    s.type_count -= 1
    s.platform.release(ptr[u8](entry))


@native(export="store_add_types")
def store_add_types(s: ptr[Store], module: ptr[Module]) -> u32:
    """Give each type of a loaded module its id; once, before the module's first instance.

    Returns 0 or OUT_OF_MEMORY, and then the module holds no ids.
    """
    for i in range(module.type_count):
        id = store_type_id(s, module.types + i)
        if id == 0:
            for j in range(i):
                store_release_type(s, module.types[j].id)
                module.types[j].id = 0
            return TrapCode.OUT_OF_MEMORY
        module.types[i].id = id
    return 0


@native(export="store_remove_types")
def store_remove_types(s: ptr[Store], module: ptr[Module]) -> void:
    """Give back the ids of a module that is about to be freed; fine if it has none."""
    for i in range(module.type_count):
        if module.types[i].id != 0:
            store_release_type(s, module.types[i].id)
            module.types[i].id = 0
