"""The operand stack: types by height.

`Cursor` holds the hot part of the state while the loop in `body.py` runs. Only inline functions
may take a cursor: then LLVM keeps it in registers. `save` and `resume` move it to and from the
loader for everything that is not inline.
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
from wasmote.core.status import Status, ValueType
from wasmote.core.value_types import BOTTOM, NON_NULL, is_reference, matches
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
def save(loader: ptr[Loader], c: ptr[Cursor], opcode: u32):
    loader.reader.pos = c.pos
    loader.at = c.at
    loader.opcode = opcode
    loader.height = c.height
    loader.peak = c.peak


@inline
def resume(loader: ptr[Loader], c: ptr[Cursor]):
    c.pos = loader.reader.pos
    c.operands = loader.operands
    c.height = loader.height
    c.base = loader.base
    c.peak = loader.peak


@native(cold=True)
def mismatch(loader: ptr[Loader], expected: u32, found: u32) -> boolean:
    return fail_here(
        loader, Status.TYPE_MISMATCH, u64(loader.opcode), u64(expected) | (u64(found) << 32)
    )


@native(cold=True)
def mismatch_at(
    loader: ptr[Loader], at: ptr[u8], opcode: u32, expected: u32, found: u32
) -> boolean:
    types = u64(expected) | (u64(found) << 32)
    return fail(loader.reader, at, Status.TYPE_MISMATCH, u64(opcode), types)


@native(noinline=True)
def raise_peak(loader: ptr[Loader], needed: u32) -> boolean:
    """Reserve room for `needed` operands."""
    limit = loader.module.limits.operands
    if needed > limit:
        return fail_here(loader, Status.LIMIT_OPERANDS, u64(needed), u64(limit))
    if needed > loader.operand_capacity:
        capacity = 2 * u64(loader.operand_capacity)
        capacity = larger(capacity, u64(needed))
        made = grow_scratch(loader, ptr[u8](loader.operands), capacity * sizeof(u32))
        if made is None:
            return out_of_memory(loader)
        loader.operands = ptr[u32](made)
        loader.operand_capacity = u32(capacity)
    loader.peak = needed
    return True


@native
def push(loader: ptr[Loader], t: u32) -> boolean:
    if loader.height == loader.peak and not raise_peak(loader, loader.height + 1):
        return False
    loader.operands[loader.height] = t
    loader.height += 1
    return True


@native
def innermost(loader: ptr[Loader]) -> ptr[ControlFrame]:
    return loader.frames + (loader.frame_count - 1)


@native
def pop(loader: ptr[Loader], expected: u32) -> boolean:
    """Take an operand of that type off the stack."""
    if loader.height == loader.base:
        if innermost(loader).unreachable != 0:
            return True
        return mismatch(loader, expected, NOTHING)
    loader.height -= 1
    found = loader.operands[loader.height]
    if found != expected and found != UNKNOWN and not matches(loader.module, found, expected):
        return mismatch(loader, expected, found)
    return True


@native
def pop_any(loader: ptr[Loader]) -> u32:
    """Take an operand off the stack; returns its type (an error leaves the reader failed)."""
    if loader.height == loader.base:
        if innermost(loader).unreachable == 0:
            mismatch(loader, UNKNOWN, NOTHING)
        return UNKNOWN
    loader.height -= 1
    return loader.operands[loader.height]


@native
def pop_reference(loader: ptr[Loader]) -> u32:
    """Take a reference off the stack; returns its type (an error leaves the reader failed)."""
    found = pop_any(loader)
    if found == UNKNOWN:
        return BOTTOM | NON_NULL
    if not is_reference(found):
        mismatch(loader, ValueType.FUNCREF, found)
    return found


@native
def pop_types(loader: ptr[Loader], types: ptr[u32], count: u32) -> boolean:
    """Take operands of these types off; the last is on top."""
    i = count
    while i != 0:
        i -= 1
        if not pop(loader, types[i]):
            return False
    return True


@native
def push_types(loader: ptr[Loader], types: ptr[u32], count: u32) -> boolean:
    height = loader.height + count
    if height > loader.peak and not raise_peak(loader, height):
        return False
    for i in range(count):
        loader.operands[loader.height + i] = types[i]
    loader.height = height
    return True


@native
def apply_signature(loader: ptr[Loader], signature: u32) -> boolean:
    """The effect of a plain instruction; see `tables.SIGNATURE`."""
    params = signature & 0xFF_FFFF
    while params != 0:
        if not pop(loader, params & 0xFF):
            return False
        params = params >> 8
    return signature >> 24 == 0 or push(loader, signature >> 24)


@inline
def fast_push(loader: ptr[Loader], c: ptr[Cursor], opcode: u32, t: u32) -> boolean:
    if unlikely(c.height == c.peak):
        save(loader, c, opcode)
        if not raise_peak(loader, c.height + 1):
            return False
        c.operands = loader.operands
        c.peak = loader.peak
    c.operands[c.height] = t
    c.height += 1
    return True


@inline
def fast_pop(loader: ptr[Loader], c: ptr[Cursor], opcode: u32, expected: u32) -> boolean:
    if likely(c.height > c.base and c.operands[c.height - 1] == expected):
        c.height -= 1
        return True
    save(loader, c, opcode)
    fine = pop(loader, expected)
    c.height = loader.height
    return fine
