"""LEB128 numbers at a cursor, read in line: handlers have no registers to spare for a call.

Validation has approved of the bytes, so nothing is checked.
"""

from wasmote.nativepy import i32, i64, inline, likely, load, stack, ptr, u8, u16, u32, u64


@inline
def cursor(p):
    """A cursor at `p`; LLVM keeps it in a register."""
    at = stack(ptr[u8])
    at[0] = p
    return at


@inline
def read_index(at):
    """An unsigned 32-bit number."""
    p = at[0]
    value = u32(p[0])
    p = p + 1
    if value >= 0x80:
        value = value & 0x7F
        shift: u32 = 7
        byte: u32 = 0x80
        while byte >= 0x80:
            byte = u32(p[0])
            p = p + 1
            value = value | ((byte & 0x7F) << shift)
            shift = shift + 7
    at[0] = p
    return value


@inline
def skip(at):
    p = at[0] + 1
    while p[-1] >= 0x80:
        p = p + 1
    at[0] = p


@inline
def read_i32(at):
    """A signed 32-bit number, as its bits."""
    p = at[0]
    byte = u32(p[0])
    p = p + 1
    value = u32(i32(byte << 25) >> 25)
    if byte >= 0x80:
        value = byte & 0x7F
        shift: u32 = 7
        while byte >= 0x80:
            byte = u32(p[0])
            p = p + 1
            value = value | ((byte & 0x7F) << shift)
            shift = shift + 7
        if shift < 32:
            value = u32(i32(value << (32 - shift)) >> i32(32 - shift))
    at[0] = p
    return value


@inline
def read_i64(at):
    """A signed 64-bit number, as its bits."""
    p = at[0]
    byte = u64(p[0])
    p = p + 1
    value = u64(i64(byte << 57) >> 57)
    if byte >= 0x80:
        value = byte & 0x7F
        shift: u64 = 7
        while byte >= 0x80:
            byte = u64(p[0])
            p = p + 1
            value = value | ((byte & 0x7F) << shift)
            shift = shift + 7
        if shift < 64:
            value = u64(i64(value << (64 - shift)) >> i64(64 - shift))
    at[0] = p
    return value


@inline
def read_offset(at):
    """The offset of a memory argument; its alignment, which comes first, means nothing here."""
    p = at[0]
    both = u32(load(u16, p))
    if likely(both & 0x8080 == 0):
        at[0] = p + 2
        return both >> 8
    skip(at)
    return read_index(at)
