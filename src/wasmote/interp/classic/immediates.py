"""LEB128 numbers at a cursor, read in line: handlers have no registers to spare for a call.

Validation has approved of the bytes, so nothing is checked.
"""

from wasmote.nativepy import (
    const,
    i32,
    i64,
    inline,
    likely,
    load_le,
    ptr,
    stack,
    u8,
    u32,
    u64,
    unlikely,
)

#: In the alignment of a memory argument: the index of a memory follows.
MEMORY_INDEX = 0x40
#: Farther than a memory with addresses of 32 bits has bytes.
ELSEWHERE = 1 << 40


@inline
def cursor(p):
    """A cursor at `p`; LLVM keeps it in a register."""
    at = stack(ptr[u8])
    at[0] = p
    return at


@inline
def read_index(at):
    """An unsigned 32-bit number.

    A byte with its top bit set stands for 0x80 less and a further byte: hence `second - 1`.
    """
    p = at[0]
    first = u32(p[0])
    if likely(first < 0x80):
        at[0] = p + 1
        return first
    second = u32(p[1])
    if second < 0x80:
        at[0] = p + 2
        return first + ((second - 1) << 7)
    return read_long(at)


@inline
def read_long(at):
    """An unsigned 32-bit number of three to five bytes; linkers pad those they fill in to five.

    Four bytes can be read, as at least one instruction follows, and shifts by constants need no
    registers.
    """
    p = at[0]
    word = load_le(u32, p)
    value = (word & 0x7F) | ((word >> 1) & 0x3F80) | ((word >> 2) & 0x1F_C000)
    if word & 0x80_0000 == 0:
        at[0] = p + 3
        return value
    value = value | ((word >> 3) & 0xFE0_0000)
    if word < 0x8000_0000:
        at[0] = p + 4
        return value
    at[0] = p + 5
    return value | (u32(p[4]) << 28)


@inline
def skip(at):
    p = at[0] + 1
    while p[-1] >= 0x80:
        p = p + 1
    at[0] = p


@inline
def short_i32(byte):
    """The signed number that is one byte."""
    return u32(i32(byte << 25) >> 25)


@inline
def short_number(kind: const, byte):
    """The signed number that is one byte, as the bits of a u32 or u64."""
    if kind.bits == 64:
        return u64(i64(i32(short_i32(u32(byte)))))
    return short_i32(u32(byte))


@inline
def read_i32(at):
    """A signed 32-bit number, as its bits."""
    p = at[0]
    first = u32(p[0])
    if first < 0x80:
        at[0] = p + 1
        return short_i32(first)
    second = u32(p[1])
    if second < 0x80:
        at[0] = p + 2
        return u32(i32((first + ((second - 1) << 7)) << 18) >> 18)
    value = read_long(at)
    if p[2] < 0x80:
        return u32(i32(value << 11) >> 11)
    return value if p[3] >= 0x80 else u32(i32(value << 4) >> 4)


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
    """The offset of a memory argument; its alignment, which comes first, means nothing here.

    Where it names a memory, or the alignment is not written the usual way, an offset that is out of
    bounds, so that the access comes to `handlers_any_memory`.
    """
    p = at[0]
    if unlikely(p[0] >= MEMORY_INDEX):
        return u64(ELSEWHERE)
    at[0] = p + 1
    return u64(read_index(at))
