"""Translation of the operations on values: which form of an instruction reads them where they
are.
"""

from wasmote.core.status import ValueType
from wasmote.core.structs import NONE
from wasmote.interp.common.leb import read_kind, read_u32
from wasmote.nativepy import (
    addr,
    boolean,
    constants,
    i32,
    i64,
    inline,
    native,
    ptr,
    store,
    u16,
    u32,
    u64,
)

from .bytecode import BASE, COMMUTATIVE, FAMILY, NEGATED, OPCODES, RESULT, Family
from .handlers_variables import KINDS
from .stack import (
    ACC,
    ACCUMULATOR,
    CONSTANT,
    IMMEDIATE,
    IS_FLOAT,
    KIND,
    TEMPORARY,
    Operand,
    Translator,
    begin,
    emit_constant,
    emit_move,
    emit_save,
    finish,
    form_of,
    in_slot,
    keep_local,
    operand_at,
    pop,
    push,
    push_local,
    push_result,
    release,
    settle,
    written,
)

I32_EQZ = 0x45
#: Forms of binary operations, in the handlers' order.
SS, SI, AS, AI, SA = range(5)
SELECT = constants(u16, [OPCODES[f"select {name} S A"] for name, _ in KINDS])
GLOBAL_GET = constants(u16, [OPCODES[f"global.get {name} A"] for name, _ in KINDS])
GLOBAL_SET = constants(u16, [OPCODES[f"global.set {name} S"] for name, _ in KINDS])


@native
def fits_immediate(o: ptr[Operand]) -> boolean:
    """Whether a constant can stand in an instruction: 64-bit integers are kept in 32 bits."""
    if o.type != ValueType.I64:
        return True
    return u64(i64(i32(u32(o.value)))) == o.value


@inline
def write_immediate(p, o):
    """Write a constant operand; returns its units."""
    if o.type == ValueType.F64:
        store(ptr[u64](p), o.value, align=2)
        return u32(4)
    store(ptr[u32](p), u32(o.value), align=2)
    return u32(2)


@native
def unary(t: ptr[Translator], row: u32):
    o = operand_at(t, 0)
    if row == I32_EQZ and o.where == ACCUMULATOR and t.last_at == t.r_at and t.last_row != NONE:
        opposite = u32(NEGATED[t.last_row])
        if FAMILY[t.last_row] == Family.COMPARE and opposite != 0:
            t.code[t.r_at] = u16(u32(BASE[opposite]) + t.last_form * 2)
            t.last_row = opposite
            return
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    release(t, u32(RESULT[row]))
    at = t.at
    p = begin(t, u32(BASE[row]) + form * 2)
    t.last_row = row
    t.last_form = form
    if form == ACC:
        finish(t, 2)
    else:
        p[2] = u16(slot)
        finish(t, 3)
    push_result(t, u32(RESULT[row]), at)


@native
def binary_form(t: ptr[Translator], row: u32) -> u32:
    """Choose the form for the two topmost operands, bringing them where it reads them."""
    a = operand_at(t, 1)
    b = operand_at(t, 0)
    if a.where == CONSTANT:
        settle(t, a)
    if b.where == CONSTANT and not fits_immediate(b):
        settle(t, b)
    left = form_of(t, a)
    right = form_of(t, b)
    if left == ACC:
        if right == IMMEDIATE:
            return u32(AI)
        if b.where == ACCUMULATOR:  # both: the left one is known to be in its slot too
            return u32(SA)
        return u32(AS)
    if right == IMMEDIATE:
        return u32(SI)
    return u32(SA) if right == ACC else u32(SS)


@native
def binary(t: ptr[Translator], row: u32):
    a = operand_at(t, 1)
    b = operand_at(t, 0)
    if a.where == CONSTANT and b.where != CONSTANT and COMMUTATIVE[row] != 0 and fits_immediate(a):
        swap(t, a, b)
    form = binary_form(t, row)
    right_slot = b.slot
    left_slot = a.slot
    is_constant = b.where == CONSTANT
    pop(t)
    pop(t)
    release(t, u32(RESULT[row]))
    at = t.at
    p = begin(t, u32(BASE[row]) + form * 2)
    t.last_row = row
    t.last_form = form
    units: u32 = 2
    if form == SS or form == SI or form == SA:
        p[2] = u16(left_slot)
        units = 3
    if is_constant:
        units += write_immediate(p + units, b)
    elif form == SS or form == AS:
        p[units] = u16(right_slot)
        units += 1
    finish(t, units)
    push_result(t, u32(RESULT[row]), at)


@native
def swap(t: ptr[Translator], a: ptr[Operand], b: ptr[Operand]):
    """Exchange a constant below with the operand above it, whose home becomes the lower one."""
    value = a.value
    a.where = b.where
    a.local = b.local
    a.slot = b.slot
    b.where = CONSTANT
    b.value = value
    if a.where == TEMPORARY:
        return  # it stays in its old home's slot, and is read from there at once
    if a.where == ACCUMULATOR:
        if t.r_operand == t.height:
            t.r_operand = t.height - 1
        if t.f_operand == t.height:
            t.f_operand = t.height - 1


@native
def wide(t: ptr[Translator], opcode: u32, operands: u32):
    """[op, dst, operands…]: two i64 from several."""
    p = t.held + 0
    for i in range(u32(0), operands):
        o = t.operands + (t.height - operands + i)
        in_slot(t, o)
        p[i] = u16(o.slot)
    for i in range(u32(0), operands):
        pop(t)
    code = begin(t, opcode)
    first = push(t, TEMPORARY, ValueType.I64).home
    second = push(t, TEMPORARY, ValueType.I64).home
    written(t, first)
    written(t, second)
    code[1] = u16(first)
    for i in range(u32(0), operands):
        code[2 + i] = t.held[i]
    finish(t, 2 + operands)


# -- variables -------------------------------------------------------------------------------------


@native
def local_set(t: ptr[Translator], local: u32):
    slot = t.slots[local]
    top = t.height
    o = operand_at(t, 0)
    type = o.type
    where = o.where
    here = t.r_at if IS_FLOAT[type] == 0 else t.f_at
    pop(t)
    last = t.last_at
    moved = keep_local(t, local)
    if where == ACCUMULATOR:
        if not moved and here == last and last != NONE:
            t.code[here] += 1  # the form that also writes a slot: this one
            t.code[here + 1] = u16(slot)
            written(t, slot)
            share(t, type, slot)
        else:
            emit_save(t, type, slot)
    elif where == CONSTANT:
        emit_constant(t, type, slot, o.value)
    elif where == TEMPORARY or o.local != local:
        emit_move(t, type, slot, o.slot)
    t.height = top - 1


@inline
def share(t, type, slot):
    """An accumulator now holds the same value as a slot."""
    if IS_FLOAT[type] != 0:
        t.f_slot = slot
    else:
        t.r_slot = slot


@native
def local_tee(t: ptr[Translator], local: u32):
    local_set(t, local)
    push_local(t, local)


@native
def drop(t: ptr[Translator]):
    pop(t)


@native
def global_get(t: ptr[Translator], index: u32):
    type = t.module.globals[index].content & 0xFF
    release(t, type)
    at = t.at
    p = begin(t, u32(GLOBAL_GET[KIND[type]]))
    store(ptr[u32](p + 2), index, align=2)
    finish(t, 4)
    push_result(t, type, at)


@native
def global_set(t: ptr[Translator], index: u32):
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    p = begin(t, u32(GLOBAL_SET[KIND[o.type]]) + form)
    store(ptr[u32](p + 1), index, align=2)
    if form == ACC:
        finish(t, 3)
    else:
        p[3] = u16(o.slot)
        finish(t, 4)
    pop(t)


@native
def select(t: ptr[Translator], opcode: u32):
    if opcode == 0x1C:
        read_u32(addr(t.pc))
        read_kind(addr(t.pc))
    a = operand_at(t, 2)
    b = operand_at(t, 1)
    condition = operand_at(t, 0)
    in_slot(t, a)
    in_slot(t, b)
    if condition.where == CONSTANT:
        settle(t, condition)
    form = form_of(t, condition)
    type = a.type
    first = a.slot
    second = b.slot
    slot = condition.slot
    pop(t)
    pop(t)
    pop(t)
    release(t, type)
    at = t.at
    p = begin(t, u32(SELECT[KIND[type]]) + form * 2)
    p[2] = u16(first)
    p[3] = u16(second)
    if form == ACC:
        finish(t, 4)
    else:
        p[4] = u16(slot)
        finish(t, 5)
    push_result(t, type, at)
