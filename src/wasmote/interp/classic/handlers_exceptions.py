"""Handlers of exception handling: what throws, and blocks that catch, which do nothing."""

from wasmote.core.gc.exceptions import exception_new
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import addr, ptr, tail, trap_if, u8, u16, u32, u64, usize

from .handlers_control import block, branch_always, past_index
from .immediates import cursor, read_index
from .registers import State, go, handler, offset_of, poll_then_go_on
from .side_table import SideTable
from .unwind import unwind

block("try")
branch_always("catch")
branch_always("catch_all")


@handler("try_table")
def try_table(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Its entry is its length."""
    start = pc + stp[0]
    return go(State.MEMORY, start, sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f)


@handler("delegate")
def delegate(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """The end of a block, with a label."""
    return go(State.MEMORY, past_index(pc), sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("throw")
def throw(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """A program can be interrupted here that throws and catches forever."""
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        exec.counted = 0  # it is executed again
        return tail(poll_then_go_on, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    tag = inst.tags[read_index(cursor(pc + 1))]
    leave_for(exec.entry, inst, offset_of(inst, pc), fp)
    values = sp - tag.type.param_cells
    code = exception_new(inst.store, exec, tag, values, addr(exec.exception))
    trap_if(code != 0, code)
    return tail(unwind, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def again(name: str) -> None:
    """Throw an exception that was caught: `throw_ref` an operand, `rethrow` the one whose slot is
    its entry.
    """

    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        budget = exec.budget - 1
        exec.budget = budget
        if budget < 0:
            exec.counted = 0
            return tail(poll_then_go_on, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        exception = sp[-1] if name == "throw_ref" else fp[stp[0]]
        trap_if(exception == 0, TrapCode.NULL_EXCEPTION_REFERENCE)
        exec.exception = exception
        return tail(unwind, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


again("throw_ref")
again("rethrow")
