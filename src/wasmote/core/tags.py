"""Tag instances: what exceptions are told apart by (spec: Tag Instances).

A tag has owners: the instance or host that made it, and each exception of it. So a tag's handle,
which an exception names it by, means no other tag as long as there is such an exception.
`Store.tags` is only for the host and the collector; running code compares handles.
"""

from wasmote.core.store_lock import FIRST_CAPACITY, lock, unlock
from wasmote.core.structs import FuncType, Store, Tag
from wasmote.core.type_store import drop_group, type_entry
from wasmote.nativepy import boolean, copy, fill, native, ptr, sizeof, u8, u32, usize, void

#: Handles are indices below this.
LAST_CAPACITY = 1 << 27


@native(export="tag_create")
def tag_create(s: ptr[Store], type: ptr[FuncType]) -> ptr[Tag]:
    """A new tag for a function type without results that has ids; None: out of memory.

    The caller is its first owner, and the tag takes a reference to the type of its own.
    """
    size = usize(type.param_count) * sizeof(u32)
    tag = ptr[Tag](s.platform.allocate(sizeof(Tag) + size))
    if tag is None:
        return None
    fill(tag, 0, sizeof(Tag))
    tag.store = s
    tag.references = 1
    tag.type.types = ptr[u32](tag + 1)
    copy(tag.type.types, type.types, size)
    tag.type.param_count = type.param_count
    tag.type.param_cells = type.param_cells
    tag.type.id = type.id
    lock(s)
    made = assign_tag_handle(s, tag)
    if made:
        group = type_entry(s, type.id).group
        group.references += 1
    unlock(s)
    if not made:
        s.platform.release(ptr[u8](tag))
        return None
    return tag


@native
def assign_tag_handle(s: ptr[Store], tag: ptr[Tag]) -> boolean:
    """Give a new tag a handle; the lock is held. False: out of memory."""
    if s.free_tag == 0 and not grow_tags(s):
        return False
    tag.handle = s.free_tag
    s.free_tag = u32(usize(s.tags[tag.handle]) >> 1)
    s.tags[tag.handle] = tag
    return True


@native(cold=True)
def grow_tags(s: ptr[Store]) -> boolean:
    """Double the table of tags, all in use; the new entries become the list of free ones."""
    old = s.tag_capacity if s.tag_capacity != 0 else u32(1)  # entry 0 is none
    capacity = old * 2 if old != 1 else u32(FIRST_CAPACITY)
    if capacity > LAST_CAPACITY:
        return False
    made = s.platform.resize(ptr[u8](s.tags), usize(capacity) * sizeof(ptr[Tag]))
    if made is None:
        return False
    s.tags = ptr[ptr[Tag]](made)
    s.tag_capacity = capacity
    for handle in range(old, capacity):
        release_tag_handle(s, handle)
    return True


@native
def release_tag_handle(s: ptr[Store], handle: u32) -> void:
    s.tags[handle] = ptr[Tag]((usize(s.free_tag) << 1) | 1)
    s.free_tag = handle


@native
def drop_tag(s: ptr[Store], tag: ptr[Tag]) -> void:
    """An owner lets go of a tag; the lock is held."""
    tag.references -= 1
    if tag.references == 0:
        release_tag_handle(s, tag.handle)
        drop_group(s, type_entry(s, tag.type.id).group)
        s.platform.release(ptr[u8](tag))


@native(export="tag_retain")
def tag_retain(s: ptr[Store], handle: u32) -> ptr[Tag]:
    """The tag of an exception that the caller holds, which the caller owns, too, from now on."""
    lock(s)
    tag = s.tags[handle]
    tag.references += 1
    unlock(s)
    return tag


@native(export="tag_release")
def tag_release(tag: ptr[Tag]) -> void:
    """What `tag_create` and `tag_retain` gave."""
    s = tag.store
    lock(s)
    drop_tag(s, tag)
    unlock(s)


@native
def free_tags(s: ptr[Store]) -> void:
    """Give back all tags, together with the store."""
    release = s.platform.release
    for handle in range(u32(1), s.tag_capacity):
        if usize(s.tags[handle]) & 1 == 0:
            release(ptr[u8](s.tags[handle]))
    release(ptr[u8](s.tags))
