"""Skips the immediates of instructions, where only the next opcode matters."""

from wasmote.isa import INSTRUCTIONS, Immediate
from wasmote.isa.exceptions import CatchKind
from wasmote.nativepy import constants, native, ptr, u8, u32

from .leb import read_kind, read_u32, skip_leb

#: How an immediate is skipped: so many LEB128 numbers, then so many bytes; or one of the special
#: ones.
TRY_TABLE, BLOCK_TYPE, LABEL_TABLE, VALUE_TYPES, PREFIX = 251, 252, 253, 254, 255
#: In place of the count of numbers: alignment, perhaps a memory, and offset of a load or store.
MEMARG = 6
#: Set in the alignment: a memory index follows.
MEMORY_INDEX_FLAG = 64
_LEB = {
    Immediate.LABEL, Immediate.FUNCTION, Immediate.TYPE, Immediate.TYPE_INDEX, Immediate.TABLE,
    Immediate.LOCAL, Immediate.GLOBAL, Immediate.MEMORY, Immediate.DATA, Immediate.ELEMENT,
    Immediate.I32, Immediate.TAG,
    Immediate.I64, Immediate.REF_TYPE, Immediate.FIELD, Immediate.COUNT, Immediate.CAST,
}  # fmt: skip
_BYTES = {
    Immediate.F32: 4,
    Immediate.F64: 8,
    Immediate.V128: 16,
    Immediate.LANE: 1,
    Immediate.ZERO: 1,
    Immediate.LANES: 16,
}


def _rule(immediates: tuple[Immediate, ...]) -> int:
    """LEB128 numbers in the upper three bits, bytes in the lower five."""
    if Immediate.CATCHES in immediates:
        return TRY_TABLE
    if Immediate.BLOCK_TYPE in immediates:
        return BLOCK_TYPE
    if Immediate.LABEL_TABLE in immediates:
        return LABEL_TABLE
    if Immediate.VALUE_TYPES in immediates:
        return VALUE_TYPES
    numbers = MEMARG if Immediate.MEMARG in immediates else sum(i in _LEB for i in immediates)
    return numbers << 5 | sum(_BYTES.get(i, 0) for i in immediates)


_ONE_BYTE = {i.code: _rule(i.immediates) for i in INSTRUCTIONS.values() if not i.prefix}
_MISC = {i.code: _rule(i.immediates) for i in INSTRUCTIONS.values() if i.prefix == 0xFC}
_GC = {i.code: _rule(i.immediates) for i in INSTRUCTIONS.values() if i.prefix == 0xFB}
_VECTOR = {i.code: _rule(i.immediates) for i in INSTRUCTIONS.values() if i.prefix == 0xFD}
_ATOMIC = {i.code: _rule(i.immediates) for i in INSTRUCTIONS.values() if i.prefix == 0xFE}
RULES = constants(
    u8,
    [PREFIX if code in (0xFB, 0xFC, 0xFD, 0xFE) else _ONE_BYTE.get(code, 0) for code in range(256)],
)
MISC_RULES = constants(u8, [_MISC.get(code, 0) for code in range(256)])
GC_RULES = constants(u8, [_GC.get(code, 0) for code in range(32)])
VECTOR_RULES = constants(u8, [_VECTOR.get(code, 0) for code in range(512)])
ATOMIC_RULES = constants(u8, [_ATOMIC.get(code, 0) for code in range(128)])


@native
def skip_immediates(at: ptr[ptr[u8]], opcode: u32):
    """Move past the immediates of the instruction whose opcode was just read."""
    rule = u32(RULES[opcode])
    if rule == PREFIX:
        code = read_u32(at)
        if opcode == 0xFB:
            rule = u32(GC_RULES[code & 31])
        elif opcode == 0xFE:
            rule = u32(ATOMIC_RULES[code & 127])
        else:
            rule = u32(MISC_RULES[code & 255]) if opcode == 0xFC else u32(VECTOR_RULES[code & 511])
    if rule == LABEL_TABLE:
        count = read_u32(at)
        for i in range(u32(0), count + 1):
            skip_leb(at)
    elif rule == VALUE_TYPES:
        count = read_u32(at)
        for i in range(u32(0), count):
            read_kind(at)
    elif rule == BLOCK_TYPE:
        skip_block_type(at)
    elif rule == TRY_TABLE:
        skip_block_type(at)
        skip_catches(at)
    else:
        numbers = rule >> 5
        if numbers == MEMARG:
            numbers = u32(2) if read_u32(at) & MEMORY_INDEX_FLAG != 0 else 1
        for i in range(u32(0), numbers):
            skip_leb(at)
        at[0] = at[0] + (rule & 31)


@native
def skip_block_type(at: ptr[ptr[u8]]):
    if at[0][0] == 0x63 or at[0][0] == 0x64:
        read_kind(at)
    else:
        skip_leb(at)


@native
def skip_catches(at: ptr[ptr[u8]]):
    """The clauses of a try_table."""
    for _ in range(read_u32(at)):
        kind = at[0][0]
        at[0] = at[0] + 1
        if kind < CatchKind.CATCH_ALL:
            skip_leb(at)
        skip_leb(at)
