"""Translation of vector instructions; those with one operand, loads and stores go the usual way."""

from wasmote.core.status import TrapCode, ValueType
from wasmote.interp.common.leb import read_u32
from wasmote.nativepy import addr, boolean, load_le, native, ptr, store, u8, u16, u32, u64

from .accesses import is_far, load_value, read_offset, store_value, write_far
from .bytecode import (
    BASE,
    COMMUTATIVE,
    FAMILY,
    FAR,
    MIRRORED,
    OPCODES,
    RESULT,
    VECTOR_ROWS,
    Family,
)
from .handlers_vector import Vector
from .operations import unary
from .stack import (
    ACC,
    CONSTANT,
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
)

#: Flips the bit of each of eight lane numbers that tells the two vectors of a shuffle apart.
OTHER_VECTOR = 0x1010_1010_1010_1010


@native
def vector(t: ptr[Translator]):
    """An instruction behind the prefix 0xFD."""
    row = VECTOR_ROWS + read_u32(addr(t.pc))
    match FAMILY[row]:
        case Family.UNARY:
            unary(t, row)
        case Family.LOAD:
            load_value(t, row)
        case Family.STORE:
            store_value(t, row)
        case Vector.BINARY:
            vector_binary(t, row)
        case Vector.SHIFT:
            shift(t, row)
        case Vector.TERNARY:
            ternary(t, row)
        case Vector.CONSTANT:
            vector_constant(t)
        case Vector.EXTRACT:
            extract(t, row)
        case Vector.REPLACE:
            replace(t, row)
        case Vector.SHUFFLE:
            shuffle(t, row)
        case Vector.LOAD_LANE:
            load_lane(t, row)
        case Vector.STORE_LANE:
            store_lane(t, row)
        case _:
            t.failed = TrapCode.UNTRANSLATABLE


@native
def begin_result(t: ptr[Translator], row: u32, form: u32) -> ptr[u16]:
    """Start an instruction with a result, whose operands were popped."""
    release(t, u32(RESULT[row]))
    return begin(t, u32(BASE[row]) + form * 2)


@native
def vector_constant(t: ptr[Translator]):
    release(t, ValueType.V128)
    at = t.at
    p = begin(t, OPCODES["v128.const A"])
    copy_vector(p + 2, t.pc, 0)
    t.pc = t.pc + 16
    finish(t, 10)
    push_result(t, ValueType.V128, at)


@native
def copy_vector(to: ptr[u16], source: ptr[u8], flip: u64):
    """16 bytes of the body to the code, with some bits flipped."""
    store(ptr[u64](to), load_le(u64, source) ^ flip, align=2)
    store(ptr[u64](to + 4), load_le(u64, source + 8) ^ flip, align=2)


@native
def vector_binary(t: ptr[Translator], row: u32):
    a = operand_at(t, 1)
    b = operand_at(t, 0)
    if MIRRORED[row] != 0 or COMMUTATIVE[row] != 0 and form_of(t, b) == ACC:
        a = operand_at(t, 0)
        b = operand_at(t, 1)
    left = form_of(t, a) == ACC
    right = not left and form_of(t, b) == ACC
    form = u32(1) if left else u32(2) if right else 0
    left_slot = u16(a.slot)
    right_slot = u16(b.slot)
    pop(t)
    pop(t)
    at = t.at
    p = begin_result(t, row, form)
    p[2] = right_slot if left else left_slot
    p[3] = right_slot
    finish(t, u32(3) if left or right else 4)
    push_result(t, ValueType.V128, at)


@native
def shift(t: ptr[Translator], row: u32):
    a = operand_at(t, 1)
    amount = operand_at(t, 0)
    immediate = amount.where == CONSTANT
    if not immediate:
        in_slot(t, amount)
    left = form_of(t, a) == ACC
    left_slot = u16(a.slot)
    pop(t)
    pop(t)
    at = t.at
    p = begin_result(t, row, u32(left) + u32(immediate) * 2)
    units = first_operand(p, left, left_slot)
    if immediate:
        store(ptr[u32](p + units), u32(amount.value), align=2)
        units += 2
    else:
        p[units] = u16(amount.slot)
        units += 1
    finish(t, units)
    push_result(t, ValueType.V128, at)


@native
def first_operand(p: ptr[u16], accumulator: boolean, slot: u16) -> u32:
    """Name the first operand, unless it is in the accumulator; returns the units so far."""
    p[2] = slot
    return u32(2) if accumulator else 3


@native
def ternary(t: ptr[Translator], row: u32):
    form: u32 = 0
    for i in range(u32(0), 3):
        if form == 0 and form_of(t, t.operands + (t.height - 3 + i)) == ACC:
            form = i + 1
    units: u32 = 2
    for i in range(u32(0), 3):
        t.held[i] = u16((t.operands + (t.height - 3 + i)).slot)
    for i in range(u32(0), 3):
        pop(t)
    at = t.at
    p = begin_result(t, row, form)
    for i in range(u32(0), 3):
        if form != i + 1:
            p[units] = t.held[i]
            units += 1
    finish(t, units)
    push_result(t, ValueType.V128, at)


@native
def read_lane(t: ptr[Translator]) -> u16:
    lane = u16(t.pc[0])
    t.pc = t.pc + 1
    return lane


@native
def extract(t: ptr[Translator], row: u32):
    a = operand_at(t, 0)
    left = form_of(t, a) == ACC
    slot = u16(a.slot)
    pop(t)
    at = t.at
    p = begin_result(t, row, u32(left))
    units = first_operand(p, left, slot)
    p[units] = read_lane(t)
    finish(t, units + 1)
    push_result(t, u32(RESULT[row]), at)


@native
def replace(t: ptr[Translator], row: u32):
    a = operand_at(t, 1)
    value = operand_at(t, 0)
    in_slot(t, value)
    left = form_of(t, a) == ACC
    slot = u16(a.slot)
    value_slot = u16(value.slot)
    pop(t)
    pop(t)
    at = t.at
    p = begin_result(t, row, u32(left))
    units = first_operand(p, left, slot)
    p[units] = value_slot
    p[units + 1] = read_lane(t)
    finish(t, units + 2)
    push_result(t, ValueType.V128, at)


@native
def shuffle(t: ptr[Translator], row: u32):
    a = operand_at(t, 1)
    b = operand_at(t, 0)
    flip: u64 = 0
    if form_of(t, b) == ACC:  # it comes first, and the lanes are numbered the other way
        a = operand_at(t, 0)
        b = operand_at(t, 1)
        flip = OTHER_VECTOR
    left = form_of(t, a) == ACC
    slot = u16(a.slot)
    second_slot = u16(b.slot)
    pop(t)
    pop(t)
    at = t.at
    p = begin_result(t, row, u32(left))
    units = first_operand(p, left, slot)
    p[units] = second_slot
    copy_vector(p + (units + 1), t.pc, flip)
    t.pc = t.pc + 16
    finish(t, units + 9)
    push_result(t, ValueType.V128, at)


# -- lanes in memory -------------------------------------------------------------------------------


@native
def lane_operands(t: ptr[Translator], far: boolean) -> boolean:
    """Bring the address to a slot; says whether the vector is in the accumulator."""
    in_slot(t, operand_at(t, 1))
    if far:
        in_slot(t, operand_at(t, 0))
    return not far and form_of(t, operand_at(t, 0)) == ACC


@native
def write_lane(
    t: ptr[Translator],
    p: ptr[u16],
    address: ptr[Operand],
    a: ptr[Operand],
    offset: u64,
    left: boolean,
):
    """[…, address, offset (2), lane, a?], or [address, memory, offset (4), lane, a] in the far
    forms.
    """
    at: u32 = 5
    if is_far(t):
        write_far(t, p, address.slot, offset)
        at = 8
    else:
        p[2] = u16(address.slot)
        store(ptr[u32](p + 3), u32(offset), align=2)
    p[at] = read_lane(t)
    p[at + 1] = u16(a.slot)
    finish(t, at + 1 if left else at + 2)


@native
def load_lane(t: ptr[Translator], row: u32):
    offset = read_offset(t)
    left = lane_operands(t, is_far(t))
    a = pop(t)
    address = pop(t)
    release(t, ValueType.V128)
    at = t.at
    form = u32(BASE[row]) + u32(left) * 2
    if is_far(t):
        form = u32(FAR[row]) + u32(address.type == ValueType.I64) * 2
    write_lane(t, begin(t, form), address, a, offset, left)
    push_result(t, ValueType.V128, at)


@native
def store_lane(t: ptr[Translator], row: u32):
    offset = read_offset(t)
    left = lane_operands(t, is_far(t))
    a = pop(t)
    address = pop(t)
    form = u32(BASE[row]) + u32(left)
    if is_far(t):
        form = u32(FAR[row]) + u32(address.type == ValueType.I64)
    write_lane(t, begin(t, form), address, a, offset, left)
