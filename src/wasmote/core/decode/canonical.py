"""Finds equal recursive groups of types within a module."""

from wasmote.core.structs import FuncType, Module
from wasmote.core.value_types import INDEX_SHIFT, index_of, is_typed
from wasmote.nativepy import boolean, inline, native, ptr, rotl, u32, usize, void

#: Marks a reference into the group; while functions are validated the bit means something else.
RELATIVE = 0x200


@inline
def mix(h: u32, word: u32) -> u32:
    """A step of MurmurHash3."""
    return rotl(h ^ (rotl(word * 0xCC9E2D51, 15) * 0x1B873593), 13) * 5 + 0xE6546B64


@inline
def finish_hash(h: u32) -> u32:
    h = (h ^ (h >> 16)) * 0x85EBCA6B
    h = (h ^ (h >> 13)) * 0xC2B2AE35
    return h ^ (h >> 16)


@inline
def from_start(t: u32, first: u32) -> u32:
    """A value type with references into the group that starts at `first` counted from there."""
    if is_typed(t) and index_of(t) >= first:
        return (t - (first << INDEX_SHIFT)) | RELATIVE
    return t


@inline
def above_from_start(t: ptr[FuncType], first: u32) -> u32:
    """The supertype, likewise."""
    return (t.supertype - first) | 0x8000_0000 if t.supertype > first else t.supertype


@native
def hash_group(m: ptr[Module], first: u32, size: u32) -> u32:
    """The module's address is the seed, so that collisions are hard to prepare."""
    h = u32(usize(m) >> 4) ^ size
    for i in range(first, first + size):
        t = m.types + i
        h = mix(h, t.param_count | (t.form << 28) | (t.extensible << 31))
        h = mix(h, above_from_start(t, first))
        for j in range(t.param_count + t.result_count):
            h = mix(h, from_start(t.types[j], first))
    return finish_hash(h)


@native
def same_shape(a: ptr[FuncType], first: u32, b: ptr[FuncType], other: u32) -> boolean:
    if (
        a.form != b.form
        or a.extensible != b.extensible
        or a.param_count != b.param_count
        or a.result_count != b.result_count
        or above_from_start(a, first) != above_from_start(b, other)
    ):
        return False
    for i in range(a.param_count + a.result_count):
        if from_start(a.types[i], first) != from_start(b.types[i], other):
            return False
    return True


@native
def same_groups(m: ptr[Module], first: u32, size: u32, other: u32) -> boolean:
    if m.types[other].group_size != size:
        return False
    for i in range(size):
        if not same_shape(m.types + (first + i), first, m.types + (other + i), other):
            return False
    return True


@native
def share_equal_group(m: ptr[Module], first: u32, size: u32, table: ptr[u32], mask: u32) -> boolean:
    """If an earlier group is equal, give this one its contents; else remember this one."""
    bucket = table + (hash_group(m, first, size) & mask)
    other = bucket[0]
    while other != 0:
        if same_groups(m, first, size, other - 1):
            copy_group(m, first, size, other - 1)
            return True
        other = m.types[other - 1].chain
    m.types[first].chain = bucket[0]
    bucket[0] = first + 1
    return False


@native
def copy_group(m: ptr[Module], first: u32, size: u32, other: u32) -> void:
    for i in range(size):
        t = m.types + (first + i)
        source = m.types + (other + i)
        t.types = source.types
        t.supertype = source.supertype
        t.depth = source.depth
        t.same = other + i
        t.references[0] = source.references[0]
        t.references[1] = source.references[1]
