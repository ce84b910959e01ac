"""Handlers that leave the fast interpreter for compiled code: at a function's start, in a loop."""

from wasmote.core.function import instance_function
from wasmote.core.structs import EXCEPTION, Exec, FuncInst, Instance
from wasmote.interp.common.outside import leave_for, outcome
from wasmote.nativepy import (
    dispatch,
    inline,
    load,
    native,
    order_after,
    ptr,
    tail,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .functions import translated_at
from .handlers_calls import code_offset, run_for_caller
from .registers import FLOATS, HANDLERS, PROLOGUE_UNITS, RECORD_UNITS, go, handler
from .unwind import unwind


@handler("enter compiled")
def enter_compiled(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, …] in the place of a function's first instruction; its frame is there already."""
    order_after(pc)  # the instance got its context before
    record = pc - (PROLOGUE_UNITS + RECORD_UNITS)
    if inst.native is None:
        return dispatch(HANDLERS, record[0], pc, fp, mem, size, exec, inst, table, r, f)
    target = instance_function(inst, load(u32, record + 1, align=2))
    if target is None:  # no memory for it: the function stays in the interpreter
        return dispatch(HANDLERS, record[0], pc, fp, mem, size, exec, inst, table, r, f)
    return tail(run_compiled, pc, fp, mem, size, exec, inst, table, u64(usize(target)), f)


@native(convention="handler", noinline=True)
def run_compiled(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Run the function instance in `r` in place of the one whose frame is at `fp`, which has not
    begun. Its arguments are where it takes them and its results go where the caller expects them.
    """
    target = ptr[FuncInst](usize(r))
    header = fp + (pc - PROLOGUE_UNITS)[0]
    return run_for_caller(target, header[0], header[1], pc, fp, mem, size, exec, inst, table, r, f)


@handler("leave loop")
def leave_loop(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """After a poll at `pc`: if that is a loop which compiled code can go on with, it does, in place
    of this frame, and returns for it. No instruction of the code has this opcode.
    """
    module = inst.module
    compiled = module.find_loop(inst, code_offset(exec, pc))
    if compiled is None:
        return stay(pc, fp, mem, size, exec, inst, table, r, f)
    start = module.code + translated_at(module, code_offset(exec, pc)).start
    header = fp + start[0]
    back = header[0]
    delta = header[1]
    entry = exec.entry
    leave_for(entry, inst, back - 1, fp - delta)
    entry.calling = 1
    if delta == 0:  # the entry's only frame, which compiled code has now
        entry.instance = None
    code = module.run_loop(exec, inst, compiled, fp, fp + start[2])
    exec.entry = entry
    if delta == 0:
        return code
    code = outcome(exec, code)
    if code == EXCEPTION:
        call = exec.code + (back - 1)
        return tail(unwind, call, fp - delta, mem, size, exec, inst, table, r, f)
    if code != 0:
        return code
    integer = load(u64, fp, align=4)
    real = load(FLOATS, fp, align=4)
    return stay(exec.code + back, fp - delta, ptr[u8](fp), u64(0), exec, inst, table, integer, real)


@inline
def stay(pc, fp, mem, size, exec, inst, table, r, f):
    """Go on in the interpreter, with the memory as it is now."""
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(pc, fp, memory.data, memory.size, exec, inst, table, r, f)
    return go(pc, fp, mem, size, exec, inst, table, r, f)
