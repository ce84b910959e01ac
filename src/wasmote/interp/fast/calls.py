"""Translation of calls: arguments go where the callee's frame will start."""

from wasmote.core.structs import FuncType
from wasmote.interp.common.leb import read_u32
from wasmote.nativepy import (
    addr,
    boolean,
    native,
    ptr,
    store,
    u16,
    u32,
)

from .bytecode import OPCODES
from .labels import keep_first
from .operations import share
from .stack import (
    ACC,
    CELLS,
    CONSTANT,
    TEMPORARY,
    Translator,
    begin,
    finish,
    forget_accumulators,
    form_of,
    in_slot,
    operand_at,
    pop,
    push,
    release_f,
    release_r,
    settle,
    settle_top,
)
from .tables import narrow_index, read_index


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
        keep_first(t)
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
    """Replace a call's arguments by its results, which are in their homes; a single one of a call
    within the module is in an accumulator as well."""
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
    table = read_index(t)
    type = t.module.types + index
    o = operand_at(t, 0)
    narrow_index(t, o)
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


@native
def return_call(t: ptr[Translator], index: u32):
    function = t.module.functions + index
    type = t.module.types + function.type
    settle_arguments(t, type.param_count)
    imported = function.body is None
    p = begin(t, u32(OPCODES["return_call import"]) if imported else OPCODES["return_call"])
    p[1] = u16(t.param_cells)
    p[2] = u16(distance(t, type.param_count))
    store(ptr[u32](p + 3), index, align=2)
    finish(t, 5)


@native
def return_call_indirect(t: ptr[Translator]):
    index = read_u32(addr(t.pc))
    table = read_index(t)
    type = t.module.types + index
    o = operand_at(t, 0)
    narrow_index(t, o)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    settle_arguments(t, type.param_count)
    p = begin(t, u32(OPCODES["return_call_indirect S"]) + form)
    p[1] = u16(t.param_cells)
    p[2] = u16(distance(t, type.param_count))
    p[3] = u16(table)
    store(ptr[u32](p + 4), index, align=2)
    if form == ACC:
        finish(t, 6)
    else:
        p[6] = u16(slot)
        finish(t, 7)


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
    # The arguments below may still be anywhere, but not in the accumulator that holds the
    # reference.
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
def return_call_ref(t: ptr[Translator]):
    index = read_u32(addr(t.pc))
    type = t.module.types + index
    o = operand_at(t, 0)
    if o.where == CONSTANT:
        settle(t, o)
    form = form_of(t, o)
    slot = o.slot
    pop(t)
    settle_arguments(t, type.param_count)
    p = begin(t, u32(OPCODES["return_call_ref S"]) + form)
    p[1] = u16(t.param_cells)
    p[2] = u16(distance(t, type.param_count))
    store(ptr[u32](p + 3), index, align=2)
    if form == ACC:
        finish(t, 5)
    else:
        p[5] = u16(slot)
        finish(t, 6)


@native
def as_non_null(t: ptr[Translator]):
    """The reference stays where it is."""
    o = operand_at(t, 0)
    in_slot(t, o)
    p = begin(t, OPCODES["ref.as_non_null"])
    p[1] = u16(o.slot)
    finish(t, 2)
