"""The handler that leaves the fast interpreter for a function's compiled code."""

from wasmote.core.function import instance_function
from wasmote.core.structs import Exec, FuncInst, Instance
from wasmote.nativepy import (
    dispatch,
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

from .handlers_calls import run_for_caller
from .registers import FLOATS, HANDLERS, PROLOGUE_UNITS, RECORD_UNITS, handler


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
