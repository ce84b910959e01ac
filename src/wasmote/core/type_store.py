"""Defined types that are the same for all modules of the process.

`FuncType.id` is equal for equal types of all modules, so call_indirect compares two integers. Types
come in recursive groups, and a group lives as long as somebody holds a reference to one of its ids:
a module, a host function, another group that names one. `Store.types` points to one block:
`type_capacity` pointers to `TypeEntry` by id (0 is unused), then as many hash buckets (chains of
`TypeGroup`), then as many u32 links (the list of free ids, which starts at link 0). Former blocks
stay until the store goes, as running code looks types up without the lock.
"""

from wasmote.core.decode.canonical import finish_hash, mix
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import FIRST_CAPACITY, lock, unlock
from wasmote.core.structs import NONE, FuncType, Module, Store
from wasmote.core.value_types import (
    INDEX_SHIFT,
    KIND,
    MAXIMUM_TYPES,
    MUTABLE,
    NON_NULL,
    Form,
    abstract_matches,
    cells_of,
    index_of,
    is_function_reference,
    is_reference,
    is_typed,
)
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
    stack,
    struct,
    u8,
    u32,
    usize,
    void,
)

#: Ids fit value types.
LAST_TYPES = MAXIMUM_TYPES
#: In a group's words: a place in the group itself.
OWN = 0x8000_0000


@struct
class TypeGroup:
    """A canonical recursive group. Its arrays follow."""

    next: ptr["TypeGroup"]
    hash: u32
    references: u32
    size: u32
    word_count: u32
    outside_count: u32
    ids: ptr[u32]
    words: ptr[u32]
    outside: ptr[u32]  # ids of types in other groups, as often as named


@struct
class TypeEntry:
    """A canonical type."""

    group: ptr[TypeGroup]
    form: u32  # value_types.Form
    depth: u32
    size: u32  # bytes: of a structure's fields, of an array's element
    reference_count: u32  # references among the fields
    object_count: u32  # of these, to what may be an object
    above: ptr[u32]  # ids of the supertypes from the top down, then its own
    references: ptr[u32]  # byte offsets of the references, those to functions last


@struct
class Definition:
    """A group that is being looked for."""

    module: ptr[Module]  # None: a single function type with ids in its value types
    types: ptr[FuncType]
    first: u32  # index of the first type
    size: u32
    words: ptr[u32]
    count: u32
    outside: ptr[u32]
    outside_count: u32


@native
def free_types(s: ptr[Store]) -> void:
    """Give back the memory of all types."""
    release = s.platform.release
    for id in range(1, s.type_capacity):
        entry = ptr[TypeEntry](s.types[id])
        if entry is not None:
            entry.group.size -= 1
            if entry.group.size == 0:
                release(ptr[u8](entry.group))
            release(ptr[u8](entry))
    release(ptr[u8](s.types))
    capacity = s.type_capacity // 2
    while s.retired_types is not None:
        block = ptr[ptr[u8]](s.retired_types)
        s.retired_types = block[capacity]
        capacity = capacity // 2
        release(ptr[u8](block))


@inline
def group_buckets(s: ptr[Store]) -> ptr[ptr[TypeGroup]]:
    return ptr[ptr[TypeGroup]](s.types + s.type_capacity)


@inline
def type_links(s: ptr[Store]) -> ptr[u32]:
    return ptr[u32](group_buckets(s) + s.type_capacity)


@inline
def type_entry(s: ptr[Store], id: u32) -> ptr[TypeEntry]:
    return ptr[TypeEntry](s.types[id])


@inline
def link_group(s: ptr[Store], group: ptr[TypeGroup]):
    """Put a group at the head of its bucket's chain."""
    bucket = group_buckets(s) + (group.hash & (s.type_capacity - 1))
    group.next = bucket[0]
    bucket[0] = group


@native(cold=True)
def grow_types(s: ptr[Store]) -> boolean:
    """Double the table of types. It has no free id before; the new ids are free after."""
    old = s.type_capacity
    if old >= LAST_TYPES:
        return False
    capacity = FIRST_CAPACITY if old == 0 else old * 2
    size = usize(capacity) * (2 * sizeof(ptr[u8]) + sizeof(u32))
    types = ptr[ptr[u8]](s.platform.allocate(size))
    if types is None:
        return False
    fill(types, 0, size)
    former = s.types
    if old != 0:
        copy(types, former, usize(old) * sizeof(ptr[u8]))
    atomic_store(addr(s.types), types)
    s.type_capacity = capacity
    for id in range(1, old):
        entry = type_entry(s, id)
        if entry.group.ids[0] == id:
            link_group(s, entry.group)
    if old != 0:  # running code may still look types up there
        buckets = ptr[ptr[u8]](former + old)
        buckets[0] = s.retired_types
        s.retired_types = ptr[u8](former)
    first = old if old != 0 else 1
    links = type_links(s)
    for id in range(first, capacity - 1):
        links[id] = id + 1
    links[0] = first
    return True


@native
def hash_words(s: ptr[Store], words: ptr[u32], count: u32) -> u32:
    """The store's address is the seed, so that collisions are hard to prepare."""
    h = u32(usize(s) >> 4) ^ count
    for i in range(count):
        h = mix(h, words[i])
    return finish_hash(h)


@native
def find_group(s: ptr[Store], hash: u32, words: ptr[u32], count: u32) -> ptr[TypeGroup]:
    group = group_buckets(s)[hash & (s.type_capacity - 1)]
    while group is not None:
        if group.hash == hash and group.word_count == count:
            i = u32(0)
            while i < count and group.words[i] == words[i]:
                i += 1
            if i == count:
                return group
        group = group.next
    return None


@native
def add_group(s: ptr[Store], g: ptr[Definition], hash: u32) -> ptr[TypeGroup]:
    """A new group of canonical types with one reference. None: out of memory."""
    cells = usize(g.size) + usize(g.count) + usize(g.outside_count)
    size = sizeof(TypeGroup) + cells * sizeof(u32)
    group = ptr[TypeGroup](s.platform.allocate(size))
    if group is None:
        return None
    group.hash = hash
    group.references = 1
    group.size = g.size
    group.word_count = g.count
    group.ids = ptr[u32](group + 1)
    group.words = group.ids + g.size
    group.outside = group.words + g.count
    group.outside_count = g.outside_count
    copy(group.words, g.words, usize(g.count) * sizeof(u32))
    copy(group.outside, g.outside, usize(g.outside_count) * sizeof(u32))
    made = u32(0)
    while made < g.size and add_type(s, g, group, made):
        if made == 0:  # from now on a larger table of types would find it, and link it anew
            link_group(s, group)
        made += 1
    if made != g.size:
        if made != 0:
            unlink_group(s, group)
        for i in range(made):
            remove_type(s, group.ids[i])
        s.platform.release(ptr[u8](group))
        return None
    for i in range(group.outside_count):
        other = type_entry(s, group.outside[i]).group
        other.references += 1
    return group


@native
def add_type(s: ptr[Store], g: ptr[Definition], group: ptr[TypeGroup], i: u32) -> boolean:
    """Make the entry of a group's type number `i`."""
    t = g.types + i
    if type_links(s)[0] == 0 and not grow_types(s):
        return False
    objects = list_references(t, False, None)
    references = objects + list_references(t, True, None)
    cells = usize(t.depth + 1 + references)
    entry = ptr[TypeEntry](s.platform.allocate(sizeof(TypeEntry) + cells * sizeof(u32)))
    if entry is None:
        return False
    id = type_links(s)[0]
    type_links(s)[0] = type_links(s)[id]
    s.types[id] = ptr[u8](entry)
    s.type_count += 1
    group.ids[i] = id
    entry.group = group
    entry.form = t.form
    entry.depth = t.depth
    entry.size = t.size
    entry.above = ptr[u32](entry + 1)
    entry.reference_count = references
    entry.references = entry.above + (t.depth + 1)
    entry.above[t.depth] = id
    if t.supertype != 0:
        above = t.supertype - 1
        parent = group.ids[above - g.first] if above >= g.first else g.module.types[above].id
        copy(entry.above, type_entry(s, parent).above, usize(t.depth) * sizeof(u32))
    entry.object_count = objects
    list_references(t, False, entry.references)
    list_references(t, True, entry.references + objects)
    return True


@native
def list_references(t: ptr[FuncType], of_functions: boolean, offsets: ptr[u32]) -> u32:
    """How many fields of an object of the type refer to functions, or to anything else. Writes
    their byte offsets, unless `offsets` is None.

    Objects of a function type are exceptions: 32 bits for the tag, then the parameters' cells.
    """
    count = u32(0)
    behind = u32(4)
    for i in range(t.param_count):
        each = t.types[i]
        if is_reference(each) and is_function_reference(each) == of_functions:
            if offsets is not None:
                own = t.form == Form.FUNCTION
                offsets[count] = behind if own else t.types[t.param_count + i]
            count += 1
        behind += cells_of(each) * 4
    return count


@native
def remove_type(s: ptr[Store], id: u32) -> void:
    links = type_links(s)
    s.platform.release(s.types[id])
    s.types[id] = None
    links[id] = links[0]
    links[0] = id
    s.type_count -= 1


# A group's words: for each type its form, supertype and counts, then the value types; a reference
# to a defined type is followed by its id, or its place in the group with OWN.


@native
def describe_group(g: ptr[Definition]) -> void:
    """Write the words of a group."""
    g.count = 0
    g.outside_count = 0
    for i in range(g.size):
        t = g.types + i
        add_word(g, t.form | (t.extensible << 8) | (u32(t.supertype != 0) << 9))
        if t.supertype != 0:
            add_target(g, t.supertype - 1)
        add_word(g, t.param_count)
        add_word(g, t.result_count)
        for j in range(t.param_count + t.result_count):
            each = t.types[j]
            if is_typed(each):
                add_word(g, each & (KIND | NON_NULL | MUTABLE))
                add_target(g, index_of(each))
            else:
                add_word(g, each)


@inline
def add_word(g: ptr[Definition], word: u32):
    g.words[g.count] = word
    g.count += 1


@native
def add_target(g: ptr[Definition], index: u32) -> void:
    """A reference to a type. Without a module, value types have ids already."""
    if g.module is not None and index >= g.first:
        add_word(g, (index - g.first) | OWN)
        return
    id = index if g.module is None else g.module.types[index].id
    add_word(g, id)
    g.outside[g.outside_count] = id
    g.outside_count += 1


@native
def words_needed(g: ptr[Definition]) -> usize:
    """An upper bound of the words that a group takes."""
    count = usize(g.size) * 4
    for i in range(g.size):
        count += (usize(g.types[i].param_count) + usize(g.types[i].result_count)) * 2
    return count


@native
def define_group(s: ptr[Store], g: ptr[Definition]) -> ptr[TypeGroup]:
    """The canonical group that equals `g`; the caller holds one reference. None: out of memory."""
    room = words_needed(g)
    g.words = ptr[u32](s.platform.allocate(2 * room * sizeof(u32)))
    if g.words is None:
        return None
    g.outside = g.words + room
    describe_group(g)
    hash = hash_words(s, g.words, g.count)
    group = find_group(s, hash, g.words, g.count)
    if group is not None:
        group.references += 1
    else:
        group = add_group(s, g, hash)
    s.platform.release(ptr[u8](g.words))
    return group


@native(export="store_type_id")
def store_type_id(s: ptr[Store], ft: ptr[FuncType]) -> u32:
    """The id of all types equal to `ft`, a function type with ids in its value types.

    The caller holds one reference to it. 0: out of memory, or one of its ids is none.
    """
    g = stack(Definition)
    g.module = None
    g.types = ft
    g.first = 0
    g.size = 1
    id = u32(0)
    lock(s)
    if has_valid_ids(s, ft):
        group = define_group(s, g)
        if group is not None:
            id = group.ids[0]
    unlock(s)
    return id


@native
def has_valid_ids(s: ptr[Store], ft: ptr[FuncType]) -> boolean:
    for i in range(ft.param_count + ft.result_count):
        id = index_of(ft.types[i])
        if is_typed(ft.types[i]) and (id >= s.type_capacity or s.types[id] is None):
            return False
    return True


@native(export="store_release_type")
def store_release_type(s: ptr[Store], id: u32) -> void:
    """Give back one reference to a type; without any left, its group's ids are free again."""
    lock(s)
    drop_group(s, type_entry(s, id).group)
    unlock(s)


@native
def drop_group(s: ptr[Store], group: ptr[TypeGroup]) -> void:
    """Give back one reference; a group that goes gives back those to others, one by one."""
    group.references -= 1
    pending = group if group.references == 0 else None
    if pending is not None:
        unlink_group(s, group)
    while pending is not None:
        gone = pending
        pending = gone.next
        for i in range(gone.outside_count):
            other = type_entry(s, gone.outside[i]).group
            other.references -= 1
            if other.references == 0:
                unlink_group(s, other)
                other.next = pending
                pending = other
        for i in range(gone.size):
            remove_type(s, gone.ids[i])
        s.platform.release(ptr[u8](gone))


@native
def unlink_group(s: ptr[Store], group: ptr[TypeGroup]) -> void:
    """Take a group out of its bucket's chain."""
    bucket = group_buckets(s) + (group.hash & (s.type_capacity - 1))
    if bucket[0] == group:
        bucket[0] = group.next
    else:
        before = bucket[0]
        while before.next != group:
            before = before.next
        before.next = group.next
    group.next = None


# -- types of modules --------------------------------------------------------------------------


@native(export="store_add_types")
def store_add_types(s: ptr[Store], module: ptr[Module]) -> u32:
    """Give each type of a loaded module its id; once, before the module's first instance.

    Value types outside of function bodies have ids from then on. Returns 0 or OUT_OF_MEMORY, and
    then the module holds no ids.
    """
    g = stack(Definition)
    g.module = module
    i = u32(0)
    while i < module.type_count:
        t = module.types + i
        size = t.group_size
        if t.same != i:
            for j in range(i, i + size):
                module.types[j].id = module.types[module.types[j].same].id
        elif not add_module_group(s, g, i, size):
            store_remove_types(s, module)
            return TrapCode.OUT_OF_MEMORY
        i += size
    use_ids(module)
    module.has_ids = 1
    return 0


@native
def add_module_group(s: ptr[Store], g: ptr[Definition], first: u32, size: u32) -> boolean:
    g.types = g.module.types + first
    g.first = first
    g.size = size
    lock(s)
    group = define_group(s, g)
    unlock(s)
    if group is None:
        return False
    for i in range(size):
        g.types[i].id = group.ids[i]
    return True


@native(export="store_remove_types")
def store_remove_types(s: ptr[Store], module: ptr[Module]) -> void:
    """Give back the ids of a module that is about to be freed; fine if it has none."""
    i = module.type_count
    while i != 0:
        i -= 1
        t = module.types + i
        if t.id != 0 and t.same == i and t.group_size != 0:
            store_release_type(s, t.id)
        t.id = 0


@native
def use_ids(module: ptr[Module]) -> void:
    """Replace indices by ids in the value types of all that other modules may see."""
    types = module.types
    for i in range(module.type_count):
        t = types + i
        if t.same == i:
            for j in range(t.param_count + t.result_count):
                t.types[j] = with_id(types, t.types[j])
    for i in range(module.type_count):
        types[i].references[0] = with_id(types, types[i].references[0])
        types[i].references[1] = with_id(types, types[i].references[1])
    for i in range(module.table_count):
        module.tables[i].element = with_id(types, module.tables[i].element)
    for i in range(module.global_count):
        module.globals[i].content = with_id(types, module.globals[i].content)
    for i in range(module.element_count):
        module.elements[i].type = with_id(types, module.elements[i].type)


@native
def with_id(types: ptr[FuncType], t: u32) -> u32:
    if not is_typed(t):
        return t
    return (t & (KIND | NON_NULL | MUTABLE)) | (types[index_of(t)].id << INDEX_SHIFT)


# -- matching, by ids --------------------------------------------------------------------------


@native(export="store_defined_matches")
def store_defined_matches(s: ptr[Store], id: u32, wanted: u32) -> boolean:
    """Whether the type `id` is `wanted` or below it. Both ids are held by somebody."""
    if id == wanted:
        return True
    if id == NONE:
        return False  # the function that is nobody's
    above = type_entry(s, wanted)
    entry = type_entry(s, id)
    return entry.depth > above.depth and entry.above[above.depth] == wanted


@native
def store_matches(s: ptr[Store], t: u32, wanted: u32) -> boolean:
    """Whether a value type, with ids, may stand where another is wanted."""
    if t == wanted:
        return True
    if not is_reference(t) or not is_reference(wanted):
        return False
    if t & NON_NULL == 0 and wanted & NON_NULL != 0:
        return False
    if is_typed(t) and is_typed(wanted):
        return store_defined_matches(s, index_of(t), index_of(wanted))
    return abstract_matches(t, wanted)
