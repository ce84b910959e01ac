"""The operand stack: types by height.

`Cursor` holds the hot part of the state while the loop in `body.py` runs. Only inline functions may
take a cursor: then LLVM keeps it in registers. `save` and `resume` move it to and from the loader for
everything that is not inline.
"""

from wasmote.core.arithmetic import larger
from wasmote.core.loader import (
    UNKNOWN,
    ControlFrame,
    Loader,
    fail_here,
    grow_scratch,
    out_of_memory,
)
from wasmote.core.reader import fail
from wasmote.core.status import Status
from wasmote.nativepy import (
    boolean,
    inline,
    likely,
    native,
    ptr,
    sizeof,
    struct,
    u8,
    u32,
    u64,
    unlikely,
)

#: "Opcode" of a mismatch outside of instructions.
NO_INSTRUCTION = 0xFFFF_FFFF
#: "Found" of a mismatch at an empty stack; "expected" where the stack should be empty.
NOTHING = 0


@struct
class Cursor:
    pos: ptr[u8]
    at: ptr[u8]  # the current instruction
    operands: ptr[u32]
    height: u32
    base: u32
    peak: u32  # operands up to here are reserved


@inline
def save(l: ptr[Loader], c: ptr[Cursor], opcode: u32):
    l.reader.pos = c.pos
    l.at = c.at
    l.opcode = opcode
    l.height = c.height
    l.peak = c.peak


@inline
def resume(l: ptr[Loader], c: ptr[Cursor]):
    c.pos = l.reader.pos
    c.operands = l.operands
    c.height = l.height
    c.base = l.base
    c.peak = l.peak


@native(cold=True)
def mismatch(l: ptr[Loader], expected: u32, found: u32) -> boolean:
    return fail_here(l, Status.TYPE_MISMATCH, u64(l.opcode), u64(expected) | (u64(found) << 32))


@native(cold=True)
def mismatch_at(l: ptr[Loader], at: ptr[u8], opcode: u32, expected: u32, found: u32) -> boolean:
    types = u64(expected) | (u64(found) << 32)
    return fail(l.reader, at, Status.TYPE_MISMATCH, u64(opcode), types)


@native(noinline=True)
def raise_peak(l: ptr[Loader], needed: u32) -> boolean:
    """Reserve room for `needed` operands."""
    limit = l.module.limits.operands
    if needed > limit:
        return fail_here(l, Status.LIMIT_OPERANDS, u64(needed), u64(limit))
    if needed > l.operand_capacity:
        capacity = 2 * u64(l.operand_capacity)
        capacity = larger(capacity, u64(needed))
        made = grow_scratch(l, ptr[u8](l.operands), capacity * sizeof(u32))
        if made is None:
            return out_of_memory(l)
        l.operands = ptr[u32](made)
        l.operand_capacity = u32(capacity)
    l.peak = needed
    return True


@native
def push(l: ptr[Loader], t: u32) -> boolean:
    if l.height == l.peak and not raise_peak(l, l.height + 1):
        return False
    l.operands[l.height] = t
    l.height += 1
    return True


@native
def innermost(l: ptr[Loader]) -> ptr[ControlFrame]:
    return l.frames + (l.frame_count - 1)


@native
def pop(l: ptr[Loader], expected: u32) -> boolean:
    """Take an operand of that type off the stack."""
    if l.height == l.base:
        if innermost(l).unreachable != 0:
            return True
        return mismatch(l, expected, NOTHING)
    l.height -= 1
    found = l.operands[l.height]
    if found == expected or found == UNKNOWN:
        return True
    return mismatch(l, expected, found)


@native
def pop_any(l: ptr[Loader]) -> u32:
    """Take an operand off the stack; returns its type (an error leaves the reader failed)."""
    if l.height == l.base:
        if innermost(l).unreachable == 0:
            mismatch(l, UNKNOWN, NOTHING)
        return UNKNOWN
    l.height -= 1
    return l.operands[l.height]


@native
def pop_types(l: ptr[Loader], types: ptr[u32], count: u32) -> boolean:
    """Take operands of these types off; the last is on top."""
    i = count
    while i != 0:
        i -= 1
        if not pop(l, types[i]):
            return False
    return True


@native
def push_types(l: ptr[Loader], types: ptr[u32], count: u32) -> boolean:
    height = l.height + count
    if height > l.peak and not raise_peak(l, height):
        return False
    for i in range(count):
        l.operands[l.height + i] = types[i]
    l.height = height
    return True


@native
def apply_signature(l: ptr[Loader], signature: u32) -> boolean:
    """The effect of a plain instruction; see `tables.SIGNATURE`."""
    params = signature & 0xFF_FFFF
    while params != 0:
        if not pop(l, params & 0xFF):
            return False
        params = params >> 8
    return signature >> 24 == 0 or push(l, signature >> 24)


@inline
def fast_push(l: ptr[Loader], c: ptr[Cursor], opcode: u32, t: u32) -> boolean:
    if unlikely(c.height == c.peak):
        save(l, c, opcode)
        if not raise_peak(l, c.height + 1):
            return False
        c.operands = l.operands
        c.peak = l.peak
    c.operands[c.height] = t
    c.height += 1
    return True


@inline
def fast_pop(l: ptr[Loader], c: ptr[Cursor], opcode: u32, expected: u32) -> boolean:
    if likely(c.height > c.base and c.operands[c.height - 1] == expected):
        c.height -= 1
        return True
    save(l, c, opcode)
    fine = pop(l, expected)
    c.height = l.height
    return fine
