"""Translation of loads and stores: how an address is found, and in which memory."""

from wasmote.core.status import ValueType
from wasmote.core.structs import NONE
from wasmote.interp.common.leb import read_u32, read_u64
from wasmote.nativepy import (
    addr,
    constants,
    inline,
    native,
    ptr,
    store,
    u8,
    u16,
    u32,
    u64,
)

from .bytecode import BASE, FAR, RESULT
from .handlers_memory import ADDRESS_FORMS, address_units
from .operations import fits_immediate, write_immediate
from .stack import (
    ACC,
    ACCUMULATOR,
    CONSTANT,
    IMMEDIATE,
    IS_FLOAT,
    Operand,
    Translator,
    begin,
    finish,
    form_of,
    in_slot,
    operand_at,
    pop,
    push_result,
    release,
    settle,
)
from .tables import read_index

I32_ADD = 0x6A
#: Set in the alignment of a load or store: a memory index follows.
MEMORY_INDEX_FLAG = 64
#: By index into ADDRESS_FORMS: units of the operands; whether one is the accumulator.
ADDRESS_UNITS = constants(u8, [address_units(form) for form in ADDRESS_FORMS])
ADDRESS_IN_R = constants(u8, ["A" in form for form in ADDRESS_FORMS])


@native
def read_offset(t: ptr[Translator]) -> u64:
    """Skip the alignment, read the offset and, to `t.memory`, the memory."""
    t.memory = 0
    if read_u32(addr(t.pc)) & MEMORY_INDEX_FLAG != 0:
        t.memory = read_index(t)
    return read_u64(addr(t.pc))


@inline
def is_far(t):
    """Whether memory `t.memory` needs the forms for any memory."""
    return t.memory != 0 or t.plain_memory == 0


@native
def far_load(t: ptr[Translator], row: u32, offset: u64):
    o = operand_at(t, 0)
    in_slot(t, o)
    slot = o.slot
    wide = u32(o.type == ValueType.I64)
    pop(t)
    release(t, u32(RESULT[row]))
    at = t.at
    write_far(t, begin(t, u32(FAR[row]) + wide * 2), slot, offset)
    finish(t, 8)
    push_result(t, u32(RESULT[row]), at)


@native
def far_store(t: ptr[Translator], row: u32, offset: u64):
    address = operand_at(t, 1)
    value = operand_at(t, 0)
    in_slot(t, address)
    in_slot(t, value)
    p = begin(t, u32(FAR[row]) + u32(address.type == ValueType.I64))
    p[1] = u16(value.slot)
    write_far(t, p, address.slot, offset)
    finish(t, 8)
    pop(t)
    pop(t)


@inline
def write_far(t, p, slot, offset):
    """[…, address, memory, offset (4)]"""
    p[2] = u16(slot)
    p[3] = u16(t.memory)
    store(ptr[u64](p + 4), offset, align=2)


@native
def take_address(t: ptr[Translator], o: ptr[Operand]) -> u32:
    """How a load or store reads its address, an index into ADDRESS_FORMS. An addition that just
    computed it is taken back, for the load or store does it; its operands are then in `held`."""
    if o.where == ACCUMULATOR and t.r_at == t.last_at and t.last_row == I32_ADD:
        p = t.code + t.r_at + 2
        for i in range(u32(0), 3):
            t.held[i] = p[i]
        t.at = t.r_at
        t.last_at = t.before_at
        t.before_at = NONE
        t.last_row = NONE
        match t.last_form:
            case 0:  # SS
                return u32(2)
            case 1:  # SI
                return u32(4)
            case 3:  # AI
                return u32(5)
            case _:  # AS, and SA: the same sum
                return u32(3)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    t.held[0] = u16(o.slot)
    return form


@native
def write_address(t: ptr[Translator], p: ptr[u16], form: u32) -> u32:
    """Write what `take_address` found; returns the units."""
    units = u32(ADDRESS_UNITS[form])
    for i in range(u32(0), units):
        p[i] = t.held[i]
    return units


@native
def load_value(t: ptr[Translator], row: u32):
    offset = read_offset(t)
    if is_far(t):
        far_load(t, row, offset)
        return
    form = take_address(t, operand_at(t, 0))
    pop(t)
    release(t, u32(RESULT[row]))
    at = t.at
    p = begin(t, u32(BASE[row]) + form * 2)
    units = 2 + write_address(t, p + 2, form)
    store(ptr[u32](p + units), u32(offset), align=2)
    finish(t, units + 2)
    push_result(t, u32(RESULT[row]), at)


@native
def store_value(t: ptr[Translator], row: u32):
    offset = read_offset(t)
    if is_far(t):
        far_store(t, row, offset)
        return
    address = operand_at(t, 1)
    value = operand_at(t, 0)
    if value.where == CONSTANT and (IS_FLOAT[value.type] != 0 or not fits_immediate(value)):
        settle(t, value)
    if IS_FLOAT[value.type] == 0 and value.where == ACCUMULATOR:
        in_slot(t, address)  # two integers cannot both be in the accumulator
    form = take_address(t, address)
    kind = form_of(t, value)
    if kind == ACC and IS_FLOAT[value.type] == 0 and ADDRESS_IN_R[form] != 0:
        kind = 0
    p = begin(t, u32(BASE[row]) + kind * len(ADDRESS_FORMS) + form)
    units = 1 + write_address(t, p + 1, form)
    if kind == IMMEDIATE:
        units += write_immediate(p + units, value)
    elif kind != ACC:
        p[units] = u16(value.slot)
        units += 1
    store(ptr[u32](p + units), u32(offset), align=2)
    finish(t, units + 2)
    pop(t)
    pop(t)
