"""Translation of the operations on values: which form of an instruction reads them where they are."""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE, FuncType
from wasmote.interp.common.leb import read_kind, read_u32, read_u64
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
    u8,
    u16,
    u32,
    u64,
)

from .bytecode import BASE, COMMUTATIVE, FAMILY, NEGATED, OPCODES, RESULT, Family
from .handlers_memory import ADDRESS_FORMS, address_units
from .handlers_variables import KINDS
from .stack import (
    ACC,
    ACCUMULATOR,
    CELLS,
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
    forget_accumulators,
    form_of,
    in_slot,
    keep_local,
    operand_at,
    pop,
    push,
    push_local,
    push_result,
    push_saved,
    release,
    release_f,
    release_r,
    settle,
    settle_top,
    written,
)

I32_EQZ, I32_ADD = 0x45, 0x6A
#: By index into ADDRESS_FORMS: units of the operands; whether one is the accumulator.
ADDRESS_UNITS = constants(u8, [address_units(form) for form in ADDRESS_FORMS])
ADDRESS_IN_R = constants(u8, ["A" in form for form in ADDRESS_FORMS])
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


# -- memory ----------------------------------------------------------------------------------------


@native
def read_offset(t: ptr[Translator]) -> u32:
    """Skip the alignment, read the offset."""
    read_u32(addr(t.pc))
    return u32(read_u64(addr(t.pc)))


@native
def take_address(t: ptr[Translator], o: ptr[Operand]) -> u32:
    """How a load or store reads its address, an index into ADDRESS_FORMS. An addition that just computed it
    is taken back, for the load or store does it; its operands are then in `held`."""
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
    form = take_address(t, operand_at(t, 0))
    pop(t)
    release(t, u32(RESULT[row]))
    at = t.at
    p = begin(t, u32(BASE[row]) + form * 2)
    units = 2 + write_address(t, p + 2, form)
    store(ptr[u32](p + units), offset, align=2)
    finish(t, units + 2)
    push_result(t, u32(RESULT[row]), at)


@native
def store_value(t: ptr[Translator], row: u32):
    offset = read_offset(t)
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
    store(ptr[u32](p + units), offset, align=2)
    finish(t, units + 2)
    pop(t)
    pop(t)


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


# -- calls -----------------------------------------------------------------------------------------


@native
def call(t: ptr[Translator], index: u32):
    function = t.module.functions + index
    type = t.module.types + function.type
    settle_arguments(t, type.param_count)
    delta = distance(t, type.param_count)
    if function.body is None:
        p = begin(t, OPCODES["call import"])
        p[1] = u16(delta)
        store(ptr[u32](p + 2), index, align=2)
        finish(t, 4)
    else:
        p = begin(t, OPCODES["call first"])
        p[1] = u16(delta)
        store(ptr[u32](p + 2), u32(0), align=2)
        store(ptr[u32](p + 4), index, align=2)
        finish(t, 6)
    push_results(t, type, function.body is not None)


@native
def settle_arguments(t: ptr[Translator], count: u32):
    """Before a call: arguments in consecutive homes, nothing left in the accumulators."""
    settle_top(t, count)
    release_r(t)
    release_f(t)


@native
def distance(t: ptr[Translator], count: u32) -> u32:
    """From this frame to the callee's: the home of the first argument."""
    if count != 0:
        return (t.operands + (t.height - count)).home
    home = t.base
    if t.height != 0:
        top = operand_at(t, 0)
        home = top.home + u32(CELLS[top.type])
    return home


@native
def push_results(t: ptr[Translator], type: ptr[FuncType], shares: boolean):
    """Replace a call's arguments by its results, which are in their homes; a single one of a call within
    the module is in an accumulator as well."""
    for i in range(u32(0), type.param_count):
        pop(t)
    forget_accumulators(t)
    for i in range(u32(0), type.result_count):
        push(t, TEMPORARY, type.types[type.param_count + i])
    if shares and type.result_count == 1:
        o = operand_at(t, 0)
        share(t, o.type, o.home)


@native
def call_indirect(t: ptr[Translator]):
    index = read_u32(addr(t.pc))
    table = read_u32(addr(t.pc))
    type = t.module.types + index
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    # The arguments below may still be anywhere, but not in the accumulator that holds the index.
    settle_arguments(t, type.param_count)
    p = begin(t, u32(OPCODES["call_indirect S"]) + form)
    p[1] = u16(distance(t, type.param_count))
    p[2] = u16(table)
    store(ptr[u32](p + 3), index, align=2)
    if form == ACC:
        finish(t, 5)
    else:
        p[5] = u16(slot)
        finish(t, 6)
    push_results(t, type, False)


# -- typed references ------------------------------------------------------------------------------


@native
def call_ref(t: ptr[Translator]):
    index = read_u32(addr(t.pc))
    type = t.module.types + index
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    # The arguments below may still be anywhere, but not in the accumulator that holds the reference.
    settle_arguments(t, type.param_count)
    p = begin(t, u32(OPCODES["call_ref S"]) + form)
    p[1] = u16(distance(t, type.param_count))
    store(ptr[u32](p + 2), index, align=2)
    if form == ACC:
        finish(t, 4)
    else:
        p[4] = u16(slot)
        finish(t, 5)
    push_results(t, type, False)


@native
def as_non_null(t: ptr[Translator]):
    """The reference stays where it is."""
    o = operand_at(t, 0)
    in_slot(t, o)
    p = begin(t, OPCODES["ref.as_non_null"])
    p[1] = u16(o.slot)
    finish(t, 2)


# -- references, tables, bulk operations -------------------------------------------------------------


@native
def saved_result(t: ptr[Translator], opcode: u32, index: u32, operands: u32):
    """An instruction [op, dst, index, first operand?] that writes an i32 to its slot and the accumulator."""
    settle_top(t, operands)
    release_r(t)
    first = u32(0)
    if operands != 0:
        first = (t.operands + (t.height - operands)).home
    for i in range(u32(0), operands):
        pop(t)
    p = begin(t, opcode)
    p[2] = u16(index)
    p[3] = u16(first)
    finish(t, u32(3) if operands == 0 else u32(4))
    push_saved(t, ValueType.I32)
    p[1] = u16(operand_at(t, 0).home)


@native
def ref_func(t: ptr[Translator], index: u32):
    release_r(t)
    p = begin(t, OPCODES["ref.func"])
    store(ptr[u32](p + 2), index, align=2)
    finish(t, 4)
    push_saved(t, ValueType.FUNCREF)
    p[1] = u16(operand_at(t, 0).home)


@native
def table_get(t: ptr[Translator]):
    table = read_u32(addr(t.pc))
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    type = t.module.tables[table].element
    release_r(t)
    at = t.at
    p = begin(t, u32(OPCODES["table.get S A"]) + form * 2)
    p[2] = u16(table)
    p[3] = u16(slot)
    finish(t, u32(3) if form == ACC else u32(4))
    push_result(t, type, at)


@native
def table_set(t: ptr[Translator]):
    table = read_u32(addr(t.pc))
    in_slot(t, operand_at(t, 1))
    in_slot(t, operand_at(t, 0))
    p = begin(t, OPCODES["table.set"])
    p[1] = u16(table)
    p[2] = u16(operand_at(t, 1).slot)
    p[3] = u16(operand_at(t, 0).slot)
    finish(t, 4)
    pop(t)
    pop(t)


@native
def bulk(t: ptr[Translator], opcode: u32, operands: u32, segment: u32, has_segment: boolean, indices: u32):
    """[op, first operand, segment (2)?, index…]; the indices were read into `held`."""
    settle_top(t, operands)
    p = begin(t, opcode)
    p[1] = 0
    if operands != 0:
        p[1] = u16((t.operands + (t.height - operands)).home)
    units: u32 = 2
    if has_segment:
        store(ptr[u32](p + 2), segment, align=2)
        units = 4
    for i in range(u32(0), indices):
        p[units + i] = t.held[i]
    finish(t, units + indices)
    for i in range(u32(0), operands):
        pop(t)


@native
def read_index(t: ptr[Translator], i: u32):
    t.held[i] = u16(read_u32(addr(t.pc)))


@native
def misc(t: ptr[Translator]):
    """Instructions behind the prefix 0xFC."""
    code = read_u32(addr(t.pc))
    segment: u32 = 0
    match code:
        case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7:
            unary(t, 256 + code)
        case 8:
            segment = read_u32(addr(t.pc))
            read_index(t, 0)
            bulk(t, OPCODES["memory.init"], 3, segment, True, 1)
        case 9:
            bulk(t, OPCODES["data.drop"], 0, read_u32(addr(t.pc)), True, 0)
        case 10:
            read_index(t, 0)
            read_index(t, 1)
            bulk(t, OPCODES["memory.copy"], 3, 0, False, 2)
        case 11:
            read_index(t, 0)
            bulk(t, OPCODES["memory.fill"], 3, 0, False, 1)
        case 12:
            segment = read_u32(addr(t.pc))
            read_index(t, 0)
            bulk(t, OPCODES["table.init"], 3, segment, True, 1)
        case 13:
            bulk(t, OPCODES["elem.drop"], 0, read_u32(addr(t.pc)), True, 0)
        case 14:
            read_index(t, 0)
            read_index(t, 1)
            bulk(t, OPCODES["table.copy"], 3, 0, False, 2)
        case 15:
            saved_result(t, OPCODES["table.grow"], read_u32(addr(t.pc)), 2)
        case 16:
            saved_result(t, OPCODES["table.size"], read_u32(addr(t.pc)), 0)
        case 17:
            read_index(t, 0)
            bulk(t, OPCODES["table.fill"], 3, 0, False, 1)
        case _:
            t.failed = TrapCode.UNTRANSLATABLE
