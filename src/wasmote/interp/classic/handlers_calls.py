"""Handlers of calls and references.

A call between functions of one instance only moves the frame pointer. Calls of the host and of
other instances leave the interpreter through `call_outside`.
"""

from wasmote.core.function import instance_function
from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, Exec, FuncInst, Instance
from wasmote.core.type_store import store_defined_matches
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.outside import call_outside
from wasmote.nativepy import (
    inline,
    likely,
    native,
    ptr,
    splat,
    store,
    tail,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)

from .handlers_any_memory import pop_index, stack_below
from .immediates import cursor, read_index, skip
from .prepare import prepare_function
from .registers import (
    HEADER_CELLS,
    ZEROED_AT_ONCE,
    State,
    go,
    go_again,
    go_counted,
    handler,
    offset_of,
    on_trap,
    push,
    resume,
    spill,
)
from .side_table import (
    SideTable,
    entry_of,
    index_of,
    is_wide,
    param_cells_of,
    position_of,
    start_of,
    zero_of,
)
from .unwind import unwind


@native(convention="handler", noinline=True)
def zero_the_rest(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Start a function at `pc` whose locals end at `sp`; those in front are zero already.

    Cells behind the locals, of which a frame has enough, may become zero too.
    """
    local = fp + (u32(side.param_cells) + HEADER_CELLS + ZEROED_AT_ONCE)
    while local < sp:
        store(local, splat(FLOATS, 0.0), align=4)
        local = local + ZEROED_AT_ONCE
    return go_counted(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def enter_function(
    index, function, callee, back, sp, fp, mem, size, exec, inst, table, stp, side, r, f
):
    """Go on in a function that has a side table, to return to `back`."""
    if unlikely(is_wide(callee) or is_wide(side)):
        r = u64(index)
        return tail(enter_wide, back - 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    frame = sp - u32(callee.param_cells)
    trap_if(usize(frame) + usize(callee.frame) * 4 > usize(exec.stack_end), TrapCode.STACK_OVERFLOW)
    sp[0] = offset_of(inst, back)
    sp[1] = u32((usize(frame) - usize(fp)) >> 2)
    sp[2] = position_of(side, stp)
    sp[3] = u32(side.index)
    local = sp + HEADER_CELLS
    zero = u32(callee.zero)
    store(local, splat(FLOATS, 0.0), align=4)
    start = function.body + callee.start
    rest = local + zero
    stp = ptr[u16](callee) - 1
    r = u64(zero)  # means nothing, but frees a register
    if zero > ZEROED_AT_ONCE:
        return tail(
            zero_the_rest, start, rest, frame, mem, size, exec, inst, table, stp, callee, r, f
        )
    return go_counted(start, rest, frame, mem, size, exec, inst, table, stp, callee, r, f)


@native(convention="handler", noinline=True, no_builtins=True, on_trap=on_trap)
def enter_wide(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """`enter_function`, where one of the two functions has a `WideTable`."""
    function = inst.module.functions + u32(r)
    callee = ptr[SideTable](function.side_table)
    frame = sp - param_cells_of(callee)
    trap_if(usize(frame) + usize(callee.frame) * 4 > usize(exec.stack_end), TrapCode.STACK_OVERFLOW)
    sp[0] = offset_of(inst, pc + 1)
    sp[1] = u32((usize(frame) - usize(fp)) >> 2)
    sp[2] = position_of(side, stp)
    sp[3] = index_of(side)
    local = sp + HEADER_CELLS
    zero = zero_of(callee)
    for i in range(u32(0), zero):
        local[i] = 0
    start = function.body + start_of(callee)
    stp = entry_of(callee, 0)
    return go_counted(start, local + zero, frame, mem, size, exec, inst, table, stp, callee, r, f)


@handler("call")
def call(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Indices of one or two bytes; others go by way of `call_long`."""
    index = u32(pc[1])
    back = pc + 2
    if index >= 0x80:
        if unlikely(pc[2] >= 0x80):
            return tail(call_long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        index = index + ((u32(pc[2]) - 1) << 7)
        back = pc + 3
    function = inst.module.functions + index
    callee = ptr[SideTable](function.side_table)
    if unlikely(callee is None):
        return tail(call_first, pc, sp, fp, mem, size, exec, inst, table, stp, side, u64(index), f)
    return enter_function(
        index, function, callee, back, sp, fp, mem, size, exec, inst, table, stp, side, r, f
    )


@native(convention="handler", noinline=True, on_trap=on_trap)
def enter_target(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Call the function of this instance whose number is in `r`; `pc` is a call's last byte."""
    index = u32(r)
    function = inst.module.functions + index
    callee = ptr[SideTable](function.side_table)
    if unlikely(callee is None):
        return tail(prepare_target, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return enter_function(
        index, function, callee, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f
    )


@native(convention="handler", noinline=True, on_trap=on_trap)
def prepare_target(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    code = prepare_function(inst.module, u32(r))
    trap_if(code != 0, code)
    return tail(enter_target, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@native(convention="handler", noinline=True)
def call_long(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    index = u64(read_index(at))
    if index < u64(inst.module.imported_functions):
        return tail(call_first, pc, sp, fp, mem, size, exec, inst, table, stp, side, index, f)
    return tail(enter_target, at[0] - 1, sp, fp, mem, size, exec, inst, table, stp, side, index, f)


@native(convention="handler", noinline=True, on_trap=on_trap)
def call_first(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Call function number `r`, which is imported or has no side table yet."""
    index = u32(r)
    if index < inst.module.imported_functions:
        target = u64(usize(inst.imported[index]))
        at = cursor(pc + 1)
        skip(at)
        return tail(outside, at[0], sp, fp, mem, size, exec, inst, table, stp, side, target, f)
    code = prepare_function(inst.module, index)
    trap_if(code != 0, code)
    return go_again(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@native(convention="handler", noinline=True)
def outside(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Call the function instance at address `r`; `pc` is the next instruction."""
    target = ptr[FuncInst](usize(r))
    base = sp - target.type.param_cells
    code = call_outside(exec, inst, target, offset_of(inst, pc) - 1, fp, base)
    if code == EXCEPTION:
        return tail(unwind, pc - 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    if code != 0:
        return code
    sp = base + target.type.result_cells
    return resume(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def check_type(inst, target, wanted):
    """A function must have the type of that id, or one below it."""
    if unlikely(target.type_id != wanted):
        fine = store_defined_matches(inst.store, target.type_id, wanted)
        trap_if(not fine, TrapCode.INDIRECT_CALL_TYPE_MISMATCH)


@inline
def call_target(target, wanted, back, rest, fp, mem, size, exec, inst, table, stp, side, f):
    """Call a function instance, whose type must match the one of that id.

    `rest` is the stack without the reference or index.
    """
    check_type(inst, target, wanted)
    if unlikely(target.instance != inst):
        address = u64(usize(target))
        return tail(outside, back, rest, fp, mem, size, exec, inst, table, stp, side, address, f)
    number = u64(target.index)
    return tail(
        enter_target, back - 1, rest, fp, mem, size, exec, inst, table, stp, side, number, f
    )


@native(convention="handler", noinline=True, on_trap=on_trap)
def call_any_table(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """call_indirect through a table whose indices may have 64 bits."""
    at = cursor(pc + 1)
    wanted = inst.module.types[read_index(at)].id
    o = stack_below(sp)
    target = function_in(inst, inst.tables[read_index(at)], o)
    return call_target(target, wanted, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, f)


@inline
def function_in(inst, functions, o):
    """The function at the index in a table that is taken off the stack ending at `o[0]`."""
    index = pop_index(o, functions.type.flags)
    trap_if(index >= u64(functions.size), TrapCode.UNDEFINED_ELEMENT)
    handle = functions.elements[index]
    trap_if(handle == 0, TrapCode.UNINITIALIZED_ELEMENT)
    return inst.store.functions[handle]


@inline
def call_at(type, number, last, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Call the function of this instance at index `r` of a table, if it has just this type. All
    else goes by way of `call_any_table`.
    """
    functions = inst.tables[number]
    if likely(r < u64(functions.reach)):
        handle = functions.elements[r]
        if likely(handle != 0):
            target = inst.store.functions[handle]
            if likely(target.type_id == inst.module.types[type].id and target.instance == inst):
                r = u64(target.index)
                return tail(
                    enter_target, last, sp, fp, mem, size, exec, inst, table, stp, side, r, f
                )
    sp = spill(State.I32, sp, r, f)
    return tail(call_any_table, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@native(convention="handler", noinline=True)
def call_indirect_long(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    type = read_index(at)
    number = read_index(at)
    last = at[0] - 1
    return call_at(type, number, last, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("call_indirect", State.I32)
def call_indirect(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Indices of one byte; others go by way of `call_indirect_long`."""
    if (pc[1] | pc[2]) >= 0x80:
        return tail(call_indirect_long, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return call_at(pc[1], pc[2], pc + 2, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("call_ref", State.I32)
def call_ref(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    handle = u32(r)
    trap_if(handle == 0, TrapCode.NULL_FUNCTION_REFERENCE)
    at = cursor(pc + 1)
    wanted = inst.module.types[read_index(at)].id
    target = inst.store.functions[handle]
    return call_target(target, wanted, at[0], sp, fp, mem, size, exec, inst, table, stp, side, f)


@native(convention="handler", noinline=True, on_trap=on_trap)
def prepare_first(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Prepare function number `r`, then try again."""
    code = prepare_function(inst.module, u32(r))
    trap_if(code != 0, code)
    return go_again(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("ref.null")
def ref_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    skip(at)
    return push(u32(0), at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("ref.as_non_null")
def ref_as_non_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    trap_if(sp[-1] == 0, TrapCode.NULL_REFERENCE)
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("ref.is_null")
def ref_is_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    null = u32(sp[-1] == 0)
    return push(null, pc + 1, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("ref.func")
def ref_func(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    target = instance_function(inst, read_index(at))
    trap_if(target is None, TrapCode.OUT_OF_MEMORY)
    return push(target.handle, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)
