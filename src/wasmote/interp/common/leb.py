"""LEB128 numbers of a body that validation has already approved: nothing is checked."""

from wasmote.nativepy import i32, i64, native, ptr, u8, u32, u64


@native
def read_u64(at: ptr[ptr[u8]]) -> u64:
    """The unsigned number at a cursor, which moves past it."""
    p = at[0]
    byte = u64(p[0])
    p = p + 1
    value = byte & 0x7F
    shift: u64 = 7
    while byte >= 0x80:
        byte = u64(p[0])
        p = p + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    at[0] = p
    return value


@native
def read_u32(at: ptr[ptr[u8]]) -> u32:
    p = at[0]
    if p[0] < 0x80:
        at[0] = p + 1
        return u32(p[0])
    return u32(read_u64(at))


@native
def read_s64(at: ptr[ptr[u8]]) -> i64:
    """The signed number at a cursor, which moves past it."""
    p = at[0]
    value: u64 = 0
    shift: u64 = 0
    byte: u64 = 0x80
    while byte >= 0x80:
        byte = u64(p[0])
        p = p + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    at[0] = p
    if shift < 64:
        return i64(value << (64 - shift)) >> i64(64 - shift)
    return i64(value)


@native
def read_s33(at: ptr[ptr[u8]]) -> i64:
    return read_s64(at)


@native
def read_s32(at: ptr[ptr[u8]]) -> i32:
    return i32(read_s64(at))


@native
def read_kind(at: ptr[ptr[u8]]) -> u32:
    """The first byte of the value type at a cursor, which moves past all of it."""
    byte = u32(at[0][0])
    at[0] = at[0] + 1
    if byte == 0x63 or byte == 0x64:  # (ref null …), (ref …)
        skip_leb(at)
    return byte


@native
def skip_leb(at: ptr[ptr[u8]]):
    p = at[0]
    while p[0] >= 0x80:
        p = p + 1
    at[0] = p + 1
