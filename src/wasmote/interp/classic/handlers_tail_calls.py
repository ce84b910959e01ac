"""Handlers of tail calls: the function called takes the place of the one that runs.

Its arguments go where those of the present frame are, and the frame's header, which says where the
caller goes on, behind them.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, TAIL_CALL, Exec, FuncInst, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.outside import call_outside
from wasmote.nativepy import (
    copy,
    inline,
    native,
    ptr,
    stack,
    tail,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .handlers_any_memory import stack_below
from .handlers_calls import check_type, function_in, prepare_first
from .immediates import cursor, read_index
from .registers import HEADER_CELLS, go_counted, handler, poll_then_go_on, resume
from .side_table import SideTable, at_position, entry_of, param_cells_of, start_of, zero_of
from .unwind import unwind


@inline
def replace_by(target, rest, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Tail call of a function instance whose arguments end at `rest`."""
    if target.instance != inst:
        # As in a loop, this is where a program can be interrupted whose functions call each other
        # forever.
        budget = exec.budget - 1
        exec.budget = budget
        if budget < 0:
            exec.counted = 0  # it is executed again
            return tail(poll_then_go_on, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        address = u64(usize(target))
        return tail(
            replace_outside, pc, rest, fp, mem, size, exec, inst, table, stp, side, address, f
        )
    index = target.index
    return replace_function(index, rest, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def replace_function(index, rest, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Tail call of a function of this module whose arguments end at `rest`."""
    function = inst.module.functions + index
    callee = ptr[SideTable](function.side_table)
    if callee is None:
        number = u64(index)
        return tail(prepare_first, pc, sp, fp, mem, size, exec, inst, table, stp, side, number, f)
    trap_if(usize(fp) + usize(callee.frame) * 4 > usize(exec.stack_end), TrapCode.STACK_OVERFLOW)
    saved = stack(u32, HEADER_CELLS)
    copy(saved, fp + param_cells_of(side), HEADER_CELLS * 4)
    params = param_cells_of(callee)
    copy(fp, rest - params, usize(params) * 4)
    header = fp + params
    copy(header, saved, HEADER_CELLS * 4)
    local = header + HEADER_CELLS
    zero = zero_of(callee)
    for i in range(u32(0), zero):
        local[i] = 0
    start = function.body + start_of(callee)
    return go_counted(
        start, local + zero, fp, mem, size, exec, inst, table, entry_of(callee, 0), callee, r, f
    )


@native(convention="handler", noinline=True)
def replace_outside(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Tail call of the function instance at address `r`, not of this module; `sp` ends its
    arguments.

    Once they are in this frame's place, it is as if the caller had called it. Where the caller is
    not of this instance either, control goes back to `call_function`, so that instances which tail
    call each other forever need no stack for it.
    """
    target = ptr[FuncInst](usize(r))
    header = fp + param_cells_of(side)
    back = header[0]
    delta = header[1]
    position = header[2]
    function = inst.module.functions + header[3]
    params = target.type.param_cells
    copy(fp, sp - params, usize(params) * 4)
    if delta == 0:
        exec.successor = target
        return u32(TAIL_CALL)
    code = call_outside(exec, inst, target, back - 1, fp - delta, fp)
    caller = ptr[SideTable](function.side_table)
    pc = inst.module.binary + back
    stp = at_position(caller, position)
    sp = fp + target.type.result_cells
    fp = fp - delta
    if code == EXCEPTION:
        return tail(unwind, pc - 1, sp, fp, mem, size, exec, inst, table, stp, caller, r, f)
    if code != 0:
        return code
    return resume(pc, sp, fp, mem, size, exec, inst, table, stp, caller, r, f)


@handler("return_call")
def return_call(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    index = read_index(cursor(pc + 1))
    if index < inst.module.imported_functions:
        target = inst.imported[index]
        return replace_by(target, sp, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return replace_function(index, sp, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("return_call_indirect")
def return_call_indirect(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(pc + 1)
    wanted = inst.module.types[read_index(at)].id
    o = stack_below(sp)
    target = function_in(inst, inst.tables[read_index(at)], o)
    check_type(inst, target, wanted)
    return replace_by(target, o[0], pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("return_call_ref")
def return_call_ref(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    trap_if(sp[-1] == 0, TrapCode.NULL_FUNCTION_REFERENCE)
    target = inst.store.functions[sp[-1]]
    check_type(inst, target, inst.module.types[read_index(cursor(pc + 1))].id)
    return replace_by(target, sp - 1, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
