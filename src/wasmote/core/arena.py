"""A module's memory: blocks that live exactly as long as the module."""

from wasmote.core.arithmetic import larger, smaller
from wasmote.core.structs import Chunk, Module
from wasmote.nativepy import copy, fill, inline, native, ptr, u8, u32, u64, usize, void

HEADER = 16  # at least sizeof(Chunk), and what follows is aligned for everything
SMALLEST_CHUNK = 512
LARGEST_CHUNK = 64 * 1024
MAXIMUM = 0xFFFF_0000


@inline
def align8(size):
    return (size + 7) & ~usize(7)


@native
def arena_allocate(m: ptr[Module], size: usize) -> ptr[u8]:
    """`size` zeroed bytes, aligned to 8; None when out of memory."""
    if size > MAXIMUM:
        return None
    if m.arena is not None:
        m.arena.used = u32(align8(usize(m.arena.used)))
    return allocate(m, align8(size))


@native
def arena_allocate_even(m: ptr[Module], size: usize) -> ptr[u8]:
    """`size` zeroed bytes, aligned to 2; None when out of memory."""
    return None if size > MAXIMUM else allocate(m, (size + 1) & ~usize(1))


@native
def allocate(m: ptr[Module], needed: usize) -> ptr[u8]:
    """Zeroed bytes where the last ones end."""
    chunk = m.arena
    if chunk is None or usize(chunk.capacity) - usize(chunk.used) < needed:
        chunk = add_chunk(m, needed)
        if chunk is None:
            return None
    start = ptr[u8](chunk) + HEADER + chunk.used
    chunk.used += u32(needed)
    fill(start, 0, needed)
    return start


@native
def add_chunk(m: ptr[Module], needed: usize) -> ptr[Chunk]:
    """A chunk with room for `needed` bytes; chunks grow with the module, to stay few."""
    capacity = smaller(larger(m.arena_bytes, SMALLEST_CHUNK), LARGEST_CHUNK)
    capacity = align8(larger(capacity, needed))
    chunk = ptr[Chunk](m.platform.allocate(capacity + HEADER))
    if chunk is None:
        return None
    chunk.next = m.arena
    chunk.used = 0
    chunk.capacity = u32(capacity)
    m.arena = chunk
    m.arena_bytes += capacity + HEADER
    return chunk


@native
def arena_array(m: ptr[Module], count: u32, item: usize) -> ptr[u8]:
    """Zeroed room for `count` items of `item` bytes (at least one, so that None means failure)."""
    size = u64(count) * u64(item)
    if size > MAXIMUM:
        return None
    return arena_allocate(m, usize(size) if size != 0 else item)


@native
def arena_extend(m: ptr[Module], old: ptr[u8], used: u32, count: u32, item: usize) -> ptr[u8]:
    """Room for `count` items that begin with the `used` items at `old`."""
    made = arena_array(m, count, item)
    if made is not None and used != 0:
        copy(made, old, usize(used) * item)
    return made


@native
def arena_free(m: ptr[Module]) -> void:
    chunk = m.arena
    while chunk is not None:
        following = chunk.next
        m.platform.release(ptr[u8](chunk))
        chunk = following
    m.arena = None
    m.arena_bytes = 0
