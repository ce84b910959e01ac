"""Reads the primitive encodings of the binary format: bytes, LEB128 integers and names.

A reader is a window into the binary. The first error is kept, with its offset; from then on the
window is empty, so that a caller may read several items before it looks at `failed`.
"""

from wasmote.core.status import Status
from wasmote.core.structs import Error, Name
from wasmote.nativepy import (
    boolean,
    const,
    i64,
    inline,
    load,
    native,
    ptr,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)


@struct
class Reader:
    base: ptr[u8]  # offsets in errors count from here
    pos: ptr[u8]
    end: ptr[u8]
    limit: ptr[u8]  # the end of the whole binary
    end_status: u32  # what reading past the end means: the binary's end, or a section's
    error: ptr[Error]


@inline
def failed(r: ptr[Reader]) -> boolean:
    return r.error.status != 0


@native(cold=True)
def fail(r: ptr[Reader], at: ptr[u8], status: u32, detail: u64, detail2: u64) -> boolean:
    """Keep the first error. Always False, so that callers can return it."""
    if r.error.status == 0:
        r.error.status = status
        r.error.offset = u32(usize(at) - usize(r.base))
        r.error.detail = detail
        r.error.detail2 = detail2
    r.pos = r.end
    return False


@inline
def remaining(r: ptr[Reader]) -> usize:
    return usize(r.end) - usize(r.pos)


@native
def read_byte(r: ptr[Reader]) -> u32:
    if r.pos == r.end:
        fail(r, r.pos, r.end_status, 0, 0)
        return 0
    byte = u32(r.pos[0])
    r.pos = r.pos + 1
    return byte


@native
def in_window(r: ptr[Reader]) -> boolean:
    """Whether what was just read ended before the window did."""
    return usize(r.pos) <= usize(r.end) or fail(r, r.end, r.end_status, 0, 0)


@native
def read_unsigned(r: ptr[Reader], bits: const) -> u64:
    """An unsigned LEB128 integer of at most `bits` bits (spec: Binary Format, Integers).

    One that is malformed is reported as such even if the window ends inside it.
    """
    start = r.pos
    result = u64(0)
    shift = u64(0)
    while True:
        if r.pos == r.limit:
            fail(r, r.pos, r.end_status, 0, 0)
            return 0
        byte = u64(r.pos[0])
        r.pos = r.pos + 1
        if shift == (bits - 1) // 7 * 7:  # the last byte that may follow
            if byte >= 0x80:
                fail(r, start, Status.INTEGER_TOO_LONG, 0, 0)
                return 0
            if byte >> (bits - (bits - 1) // 7 * 7) != 0:
                fail(r, start, Status.INTEGER_TOO_LARGE, 0, 0)
                return 0
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result if in_window(r) else u64(0)
        shift += 7


@native
def read_signed(r: ptr[Reader], bits: const) -> i64:
    """A signed LEB128 integer of at most `bits` bits."""
    start = r.pos
    result = u64(0)
    shift = u64(0)
    while True:
        if r.pos == r.limit:
            fail(r, r.pos, r.end_status, 0, 0)
            return 0
        byte = u64(r.pos[0])
        r.pos = r.pos + 1
        if shift == (bits - 1) // 7 * 7:
            if byte >= 0x80:
                fail(r, start, Status.INTEGER_TOO_LONG, 0, 0)
                return 0
            # The unused bits, and the sign bit below them, must all be equal.
            signs = byte >> (bits - 1 - (bits - 1) // 7 * 7)
            if signs != 0 and signs != 0x7F >> (bits - 1 - (bits - 1) // 7 * 7):
                fail(r, start, Status.INTEGER_TOO_LARGE, 0, 0)
                return 0
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if shift < 64 and byte & 0x40 != 0:
                result |= ~u64(0) << shift
            return i64(result) if in_window(r) else i64(0)


@native
def read_u32(r: ptr[Reader]) -> u32:
    """Most integers are small: one byte."""
    if r.pos != r.end and r.pos[0] < 0x80:
        r.pos = r.pos + 1
        return u32((r.pos - 1)[0])
    return u32(read_unsigned(r, 32))


@native
def skip_bytes(r: ptr[Reader], size: u32) -> ptr[u8]:
    """Move past `size` bytes; returns where they start."""
    start = r.pos
    if usize(size) > remaining(r):
        fail(r, r.pos, r.end_status, 0, 0)
        return start
    r.pos = r.pos + size
    return start


@native
def read_size(r: ptr[Reader]) -> u32:
    """The byte size of something that follows and must fit what is left."""
    at = r.pos
    size = read_u32(r)
    if usize(size) > remaining(r):
        whole = r.end_status == Status.UNEXPECTED_END
        status = u32(Status.LENGTH_OUT_OF_BOUNDS) if whole else r.end_status
        fail(r, at, status, u64(size), u64(remaining(r)))
        return 0
    return size


@native
def read_count(r: ptr[Reader], used: u32, limit: u32, status: u32) -> u32:
    """The number of items that follow; `used` items exist already and count for the limit.

    An item takes at least a byte: what this returns is no more than the bytes left.
    """
    at = r.pos
    count = read_u32(r)
    if u64(count) + u64(used) > u64(limit):
        fail(r, at, status, u64(count) + u64(used), u64(limit))
        return 0
    if usize(count) > remaining(r):
        fail(r, at, r.end_status, 0, 0)
        return 0
    return count


@native
def read_name(r: ptr[Reader], name: ptr[Name], limit: u32) -> boolean:
    at = r.pos
    size = read_size(r)
    if failed(r):
        return False
    if size > limit:
        return fail(r, at, Status.LIMIT_NAME_SIZE, u64(size), u64(limit))
    name.data = r.pos
    name.size = size
    r.pos = r.pos + size
    wrong = invalid_utf8(name.data, size)
    if wrong != size:
        return fail(r, name.data + wrong, Status.UTF8, 0, 0)
    return True


@native
def invalid_utf8(text: ptr[u8], size: u32) -> u32:
    """Index of the first byte that does not belong to valid UTF-8; `size` if there is none."""
    i = u32(0)
    while i < size:
        if size - i >= 8 and load(u64, text + i, align=1) & 0x8080_8080_8080_8080 == 0:
            i += 8
            continue
        if text[i] < 0x80:
            i += 1
            continue
        length = sequence_length(text + i, size - i)
        if length == 0:
            return i
        i += length
    return size


@native
def sequence_length(text: ptr[u8], size: u32) -> u32:
    """Bytes of the multi-byte UTF-8 sequence at `text` (at least one byte left), 0 if malformed.

    What the second byte may be excludes overlong forms, surrogates and what lies past U+10FFFF.
    """
    lead = text[0]
    length = u32(0)
    low: u8 = 0x80
    high: u8 = 0xBF
    if lead >= 0xC2 and lead <= 0xDF:
        length = 2
    elif lead >= 0xE0 and lead <= 0xEF:
        length = 3
        if lead == 0xE0:
            low = 0xA0
        elif lead == 0xED:
            high = 0x9F
    elif lead >= 0xF0 and lead <= 0xF4:
        length = 4
        if lead == 0xF0:
            low = 0x90
        elif lead == 0xF4:
            high = 0x8F
    if length == 0 or length > size or text[1] < low or text[1] > high:
        return 0
    for i in range(2, length):
        if text[i] & 0xC0 != 0x80:
            return 0
    return length


@native
def same_name(a: ptr[Name], b: ptr[Name]) -> boolean:
    return compare_names(a, b) == 0


@native
def compare_names(a: ptr[Name], b: ptr[Name]) -> i64:
    """Below zero, zero or above: any total order will do, so shorter names come first."""
    if a.size != b.size:
        return i64(a.size) - i64(b.size)
    for i in range(a.size):
        if a.data[i] != b.data[i]:
            return i64(a.data[i]) - i64(b.data[i])
    return 0


@native
def open_reader(r: ptr[Reader], start: ptr[u8], size: usize, error: ptr[Error]) -> void:
    """Read `size` bytes at `start`, the whole binary."""
    r.base = start
    r.pos = start
    r.end = start + size
    r.limit = r.end
    r.end_status = Status.UNEXPECTED_END
    r.error = error
