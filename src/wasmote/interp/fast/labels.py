"""Branches, labels and the blocks they belong to."""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE
from wasmote.interp.common.catches import land_catches
from wasmote.interp.common.leb import read_s33, read_u32, skip_leb
from wasmote.nativepy import (
    addr,
    boolean,
    constants,
    i16,
    i32,
    inline,
    load,
    native,
    ptr,
    store,
    u16,
    u32,
)

from .bytecode import BRANCH, BRANCH_NOT, FAMILY, NEGATED, OPCODES, STEP, Family
from .handlers_variables import KINDS
from .stack import (
    ACC,
    ACCUMULATOR,
    CELLS,
    CONSTANT,
    KIND,
    SLOT,
    TEMPORARY,
    Control,
    Operand,
    Translator,
    begin,
    emit_constant,
    emit_move,
    emit_save,
    finish,
    forget_accumulators,
    form_of,
    make_room,
    operand_at,
    pop,
    push,
    release_f,
    release_r,
    settle,
    settle_for_block,
    settle_top,
)

BLOCK, LOOP, IF, ELSE, CATCH_CLAUSE = 2, 3, 4, 5, 7
#: First bytes of (ref null …) and (ref …), as signed numbers.
REF_NULL, REF = -29, -28
I32_EQZ, I32_NE, I64_EQZ = 0x45, 0x47, 0x50
RETURN = constants(
    u16, [OPCODES[f"return {name} {form}"] for name, _ in KINDS for form in ("S", "A")]
)


@native
def push_control(t: ptr[Translator], opcode: u32, params: u32) -> ptr[Control]:
    c = t.controls + t.depth
    t.depth += 1
    c.opcode = opcode
    c.height = t.height - params
    c.home = t.base
    if c.height != 0:
        below = t.operands + (c.height - 1)
        c.home = below.home + u32(CELLS[below.type])
    c.start = t.at
    c.patches = 0
    c.otherwise = 0
    c.detour = 0
    c.catches = 0
    return c


@native
def block_type(t: ptr[Translator], c: ptr[Control]):
    """Read a block type into a control record."""
    code = read_s33(addr(t.pc))
    c.param_count = 0
    c.result_count = 0
    if code >= 0:
        type = t.module.types + code
        c.params = type.types
        c.param_count = type.param_count
        c.results = type.types + type.param_count
        c.result_count = type.result_count
    elif code == REF_NULL or code == REF:
        skip_leb(addr(t.pc))
        c.single = ValueType.FUNCREF  # all references are alike
        c.results = addr(c.single)
        c.result_count = 1
    elif code != -64:
        c.single = u32(code + 128)
        c.results = addr(c.single)
        c.result_count = 1


@native
def mark_label(t: ptr[Translator]):
    """Code may be reached from elsewhere here."""
    t.last_at = NONE
    forget_accumulators(t)


@native
def patch(t: ptr[Translator], chain: u32):
    """Let a chain of branches arrive here."""
    while chain != 0:
        p = ptr[u32](t.code + chain)
        following = load(u32, p, align=2)
        store(p, t.at - (chain - 1), align=2)
        chain = following


@inline
def arity(c):
    """How many values a branch to a block carries."""
    return c.param_count if c.opcode == LOOP else c.result_count


@native
def target(t: ptr[Translator], label: u32) -> ptr[Control]:
    return t.controls + (t.depth - 1 - label)


@native
def write_distance(t: ptr[Translator], p: ptr[u16], at: u32, c: ptr[Control]):
    """The distance of the branch at unit `at` to a block, or a place in the block's chain."""
    if t.failed != 0:
        return
    if c.opcode == LOOP:
        store(ptr[u32](p), c.start - at, align=2)
    else:
        store(ptr[u32](p), c.patches, align=2)
        c.patches = at + 1


@native
def in_place(t: ptr[Translator], c: ptr[Control]) -> boolean:
    """Whether the values of a branch to `c` have the homes that it wants them in."""
    count = arity(c)
    return count == 0 or (t.operands + (t.height - count)).home == c.home


@native
def move_values(t: ptr[Translator], c: ptr[Control]):
    """Bring the top values where a block expects them; what follows is unreachable or returns to
    the old state.
    """
    count = arity(c)
    if count == 0:
        return
    if in_place(t, c):
        settle_top(t, count)
        return
    if count == 1:
        move_one(t, operand_at(t, 0), c.home)
        return
    settle_top(t, count)
    to = c.home
    for i in range(t.height - count, t.height):
        o = t.operands + i
        emit_move(t, o.type, to, o.home)
        to += u32(CELLS[o.type])


@native
def move_one(t: ptr[Translator], o: ptr[Operand], to: u32):
    if o.where == CONSTANT:
        emit_constant(t, o.type, to, o.value)
    elif o.where == ACCUMULATOR:
        emit_save(t, o.type, to)
    else:
        emit_move(t, o.type, to, o.slot)


@native
def emit_return(t: ptr[Translator]):
    results = t.controls.result_count
    if results > 1:
        settle_top(t, results)
        first = t.operands + (t.height - results)
        last = operand_at(t, 0)
        p = begin(t, OPCODES["return many"])
        p[1] = u16(t.param_cells)
        p[2] = u16(first.home)
        p[3] = u16(last.home + u32(CELLS[last.type]) - first.home)
        finish(t, 4)
    elif results == 0:
        p = begin(t, OPCODES["return"])
        p[1] = u16(t.param_cells)
        finish(t, 2)
    else:
        return_one(t, operand_at(t, 0))


@native
def return_one(t: ptr[Translator], o: ptr[Operand]):
    if o.where == CONSTANT and KIND[o.type] == 0:
        p = begin(t, OPCODES["return i32 I"])
        p[1] = u16(t.param_cells)
        store(ptr[u32](p + 2), u32(o.value), align=2)
        finish(t, 4)
        return
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    p = begin(t, u32(RETURN[u32(KIND[o.type]) * 2 + form]))
    p[1] = u16(t.param_cells)
    if form == ACC:
        finish(t, 2)
    else:
        p[2] = u16(o.slot)
        finish(t, 3)


@native
def emit_br(t: ptr[Translator], c: ptr[Control]):
    """An unconditional branch; the values are in place."""
    at = t.at
    p = begin(t, u32(OPCODES["br back"]) if c.opcode == LOOP else OPCODES["br forward"])
    finish(t, 3)
    write_distance(t, p + 1, at, c)


@native
def branch_to(t: ptr[Translator], c: ptr[Control]):
    """br: carry the values, then go."""
    if c == t.controls:
        emit_return(t)
        return
    move_values(t, c)
    emit_br(t, c)


# -- conditions ------------------------------------------------------------------------------------

#: A condition that was taken off the stack, waiting for its branch: `last_row` of a fused
#: comparison.
PLAIN = 0


@native
def take_condition(t: ptr[Translator]) -> u32:
    """Pop a condition. If a comparison just made it, take the comparison back: its row + 1 is
    returned,
    with its form in `last_form` and its operands in `held`. Else 0: it is in a slot (`held[0]`) or,
    with `last_form` ACC, in the accumulator."""
    o = operand_at(t, 0)
    if o.where == ACCUMULATOR and t.r_at == t.last_at and t.last_row != NONE:
        row = t.last_row
        kind = FAMILY[row]
        if kind == Family.COMPARE or row == I32_EQZ or row == I64_EQZ:
            pop(t)
            p = t.code + t.r_at + 2
            for i in range(u32(0), 6):
                t.held[i] = p[i]
            t.at = t.r_at
            t.last_at = t.before_at
            t.before_at = NONE
            t.last_row = NONE
            return row + 1
    if o.where == CONSTANT:
        settle(t, o)
    t.last_form = form_of(t, o)
    t.held[0] = u16(o.slot)
    pop(t)
    return PLAIN


@native
def emit_condition(t: ptr[Translator], row: u32, form: u32, when: boolean, back: boolean) -> u32:
    """Branch if a taken condition is `when`. Returns where the instruction is; its distance is
    unset.
    """
    if back and when and emit_step(t, row, form):
        return t.last_at
    at = t.at
    opcode: u32 = 0
    units = form_units(row, form)
    if row == PLAIN:
        opcode = u32(OPCODES["br_if S forward"]) if when else OPCODES["br_unless S forward"]
    elif row - 1 == I32_EQZ:
        opcode = u32(OPCODES["br_unless S forward"]) if when else OPCODES["br_if S forward"]
    elif row - 1 == I64_EQZ:
        opcode = u32(OPCODES["br_unless64 S forward"]) if when else OPCODES["br_if64 S forward"]
    elif when:
        opcode = u32(BRANCH[row - 1])
    elif NEGATED[row - 1] != 0:
        opcode = u32(BRANCH[NEGATED[row - 1]])
    else:
        opcode = u32(BRANCH_NOT[row - 1])
    p = begin(t, opcode + form * 2 + u32(back))
    for i in range(u32(0), units):
        p[3 + i] = t.held[i]
    finish(t, 3 + units)
    return at


@native
def emit_step(t: ptr[Translator], row: u32, form: u32) -> boolean:
    """Join a backward branch with the addition to a local that it tests, if that is what came
    before.
    """
    at = t.last_at
    compared = row - 1
    immediate = form == 3
    if row == PLAIN and form == ACC:  # not zero
        compared = I32_NE
        immediate = True
        store(ptr[u32](addr(t.held)), u32(0), align=2)
    elif row == PLAIN or STEP[compared] == 0 or form != 2 and form != 3:
        return False
    if at == NONE or t.failed != 0 or at + 5 != t.at or t.code[at] != OPCODES["i32.add SI S"]:
        return False
    p = t.code + at
    amount = load(i32, p + 3, align=2)
    if p[1] != p[2] or amount != i32(i16(amount)):
        return False
    if compared != I32_NE or row != PLAIN:
        if not immediate and t.held[0] == p[1]:
            return False  # compared with itself
    slot = p[1]
    p[0] = u16(STEP[compared]) + (u16(1) if immediate else u16(0))
    p[3] = slot
    p[4] = u16(i16(amount))
    p[5] = t.held[0]
    p[6] = t.held[1]
    t.at = at
    finish(t, u32(7) if immediate else u32(6))
    return True


@native
def form_units(row: u32, form: u32) -> u32:
    """Units of a condition's operands."""
    if row == PLAIN or row - 1 == I32_EQZ or row - 1 == I64_EQZ:
        return u32(1) if form == 0 else u32(0)
    wide = u32(4) if row - 1 >= 0x61 and row - 1 <= 0x66 else 2  # f64 comparisons
    match form:
        case 0:
            return u32(2)
        case 1:
            return wide + 1
        case 3:
            return wide
        case _:
            return u32(1)


@native
def branch_if(t: ptr[Translator], c: ptr[Control]):
    """br_if"""
    row = take_condition(t)
    branch_when(t, c, row, t.last_form, True)


@native
def branch_when(t: ptr[Translator], c: ptr[Control], row: u32, form: u32, when: boolean):
    """Branch if a taken condition is `when`."""
    count = arity(c)
    if count != 0:
        settle_top(t, count)
    if c != t.controls and in_place(t, c):
        at = emit_condition(t, row, form, when, c.opcode == LOOP)
        write_distance(t, t.code + at + 1, at, c)
        return
    at = emit_condition(t, row, form, not when, False)
    saved_r = t.r_slot
    saved_f = t.f_slot
    branch_to(t, c)
    if t.failed == 0:
        store(ptr[u32](t.code + at + 1), t.at - at, align=2)
    t.last_at = NONE
    t.r_slot = saved_r
    t.f_slot = saved_f


@native
def branch_on_null(t: ptr[Translator], c: ptr[Control]):
    """The reference is tested in its home, where it stays for the code after the branch."""
    o = operand_at(t, 0)
    type = o.type
    settle(t, o)
    pop(t)
    t.held[0] = u16(o.home)
    branch_when(t, c, PLAIN, SLOT, False)
    push(t, TEMPORARY, type)


@native
def branch_on_non_null(t: ptr[Translator], c: ptr[Control]):
    """The reference is the last of the branch's values."""
    settle_top(t, arity(c))
    t.held[0] = u16(operand_at(t, 0).home)
    branch_when(t, c, PLAIN, SLOT, True)
    pop(t)


@native
def start_if(t: ptr[Translator]):
    row = take_condition(t)
    form = t.last_form
    scratch = t.controls + t.depth
    block_type(t, scratch)
    settle_for_block(t, scratch.param_count)
    at = emit_condition(t, row, form, False, False)
    c = push_control(t, IF, scratch.param_count)
    c.otherwise = at + 1
    if t.failed == 0:
        store(ptr[u32](t.code + at + 1), u32(0), align=2)
    t.last_at = NONE


@native
def start_block(t: ptr[Translator], opcode: u32):
    scratch = t.controls + t.depth
    block_type(t, scratch)
    settle_for_block(t, scratch.param_count)
    if opcode == LOOP:
        keep_first(t)
    push_control(t, opcode, scratch.param_count)
    if opcode == LOOP:
        mark_label(t)
        if t.at == t.loop_at and t.loop is None:
            t.loop = t.instruction


@native
def keep_first(t: ptr[Translator]):
    """Before an instruction that branches lead to, or that changes once it has run: it must not be
    a function's first, which compiled code takes the place of.
    """
    if t.at == t.controls[0].start:
        begin(t, OPCODES["nop"])
        finish(t, 1)


@native
def reset_stack(t: ptr[Translator], c: ptr[Control], types: ptr[u32], count: u32):
    """Forget what a block left; its values are in their homes."""
    while t.height > c.height:
        pop(t)
    for i in range(u32(0), count):
        push(t, TEMPORARY, types[i])


@native
def start_else(t: ptr[Translator]):
    c = t.controls + (t.depth - 1)
    if t.dead == 0:
        settle_top(t, c.result_count)
        emit_br(t, c)
    t.dead = 0
    t.r_operand = 0
    t.f_operand = 0
    patch(t, c.otherwise)
    c.otherwise = 0
    c.opcode = ELSE
    mark_label(t)
    reset_stack(t, c, c.params, c.param_count)
    t.settled = t.height


@native
def end_block(t: ptr[Translator]):
    c = t.controls + (t.depth - 1)
    joined = c.patches != 0 or c.otherwise != 0 or c.catches != 0 or c.opcode == CATCH_CLAUSE
    if t.dead == 0 and joined:
        release_r(t)
        release_f(t)
        move_values(t, c)
    if t.dead != 0 or joined:
        t.r_operand = 0
        t.f_operand = 0
        patch(t, c.patches)
        patch(t, c.otherwise)
        place_catches(t, c)
        mark_label(t)
        reset_stack(t, c, c.results, c.result_count)
    t.dead = 0
    t.depth -= 1


@native
def place_catches(t: ptr[Translator], c: ptr[Control]):
    """Let the clauses that wait for a block's end arrive here."""
    land_catches(t.catches, c.catches, t.at, 0)
    c.catches = 0


# -- br_table --------------------------------------------------------------------------------------


@native
def branch_table(t: ptr[Translator]):
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    labels = t.pc
    count = read_u32(addr(t.pc))
    # All targets carry the same number of values.
    first_label = t.pc
    for i in range(u32(0), count):
        skip_leb(addr(t.pc))
    default = read_u32(addr(t.pc))
    settle_top(t, arity(target(t, default)))
    room = count * 2 + 32
    if t.at + room > t.limit and not make_room(t, room):
        t.failed = TrapCode.OUT_OF_MEMORY
        return
    p = begin(t, u32(OPCODES["br_table S"]) + form)
    store(ptr[u32](p + 1), count, align=2)
    entries: u32 = 3
    if form != ACC:
        p[3] = u16(slot)
        entries = 4
    t.pc = first_label
    base = t.at
    for i in range(u32(0), count + 1):
        table_entry(t, target(t, read_u32(addr(t.pc))), base + entries + i * 2)
    finish(t, entries + (count + 1) * 2)
    t.pc = first_label
    for i in range(u32(0), count + 1):
        take_detour(t, target(t, read_u32(addr(t.pc))))
    t.pc = labels
    skip_table(t)


@native
def skip_table(t: ptr[Translator]):
    count = read_u32(addr(t.pc))
    for i in range(u32(0), count + 1):
        skip_leb(addr(t.pc))


@native
def table_entry(t: ptr[Translator], c: ptr[Control], at: u32):
    """An entry at unit `at`: straight to the block's end, or to a detour."""
    p = ptr[u32](t.code + at)
    if c != t.controls and c.opcode != LOOP and in_place(t, c):
        store(p, c.patches, align=2)
        c.patches = at
    else:
        store(p, c.detour, align=2)
        c.detour = at


@native
def take_detour(t: ptr[Translator], c: ptr[Control]):
    """Code that carries the values of a br_table to a block, or back to a loop where it can be
    interrupted.
    """
    if c.detour == 0 or t.failed != 0:
        return
    patch(t, c.detour)
    c.detour = 0
    mark_label(t)
    branch_to(t, c)
