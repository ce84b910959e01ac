"""Handlers of instructions that throw. Those that catch have none: see `unwind`."""

from wasmote.core.gc.exceptions import exception_new
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import addr, load, ptr, tail, trap_if, u8, u16, u32, u64, usize

from .registers import FLOATS, handler, pc_offset, poll_then_go_on
from .unwind import unwind


@handler("throw")
def throw(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, first value, first free slot, tag (2)]; the values are in consecutive slots.

    A program can be interrupted here that throws and catches forever.
    """
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, pc, fp, mem, size, exec, inst, table, r, f)
    leave_for(exec.entry, inst, u32(pc_offset(exec, pc)), fp)
    tag = inst.tags[load(u32, pc + 3, align=2)]
    code = exception_new(inst.store, exec, tag, fp + pc[1], addr(exec.exception))
    trap_if(code != 0, code)
    return tail(unwind, pc, fp, mem, size, exec, inst, table, r, f)


@handler("throw_ref")
def throw_ref(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, reference]"""
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, pc, fp, mem, size, exec, inst, table, r, f)
    exception = fp[pc[1]]
    trap_if(exception == 0, TrapCode.NULL_EXCEPTION_REFERENCE)
    exec.exception = exception
    return tail(unwind, pc, fp, mem, size, exec, inst, table, r, f)
