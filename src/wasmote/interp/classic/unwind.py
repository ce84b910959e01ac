"""Unwinding: finds the frame that catches an exception, and goes on there."""

from wasmote.core.structs import EXCEPTION, Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.catches import ALL, Catch, deliver, find_catch
from wasmote.interp.common.trace import capture_trace
from wasmote.nativepy import native, ptr, u8, u16, u32, u64, usize

from .exceptions import catches_of
from .registers import offset_of, resume
from .side_table import SideTable, entry_of, index_of


@native(noinline=True)
def find_handler(
    exec: ptr[Exec], inst: ptr[Instance], fp: ptr[u32], index: u32, code: u32
) -> ptr[Catch]:
    """The clause that catches the exception under way at `code` of function `index`, in a frame of
    the innermost entry. None: there is none.

    `Entry.fp` is that frame then, and `Entry.code` its function.
    """
    module = inst.module
    base = exec.entry.base
    while module.catch_tables is not None:
        catches = catches_of(module, index)
        if catches is not None:
            found = find_catch(exec, inst, catches.items, catches.count, code)
            if found is not None:
                exec.entry.fp = fp
                exec.entry.code = index
                return found
        if fp == base:
            return None
        header = fp + module.types[module.functions[index].type].param_cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]
        index = header[3]
    return None


@native
def operands_after(inst: ptr[Instance], c: ptr[Catch]) -> u32:
    """The first free slot once a clause got what it takes."""
    end = c.slot
    if c.tag != ALL:
        end += inst.tags[c.tag].type.param_cells
    return end + 1 if c.reference == end else end


@native(convention="handler", cold=True, noinline=True)
def unwind(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Go on where the exception under way is caught, or leave. `pc` is within the instruction that
    throws it, or calls what does.
    """
    code = offset_of(inst, pc)
    found = find_handler(exec, inst, fp, index_of(side), code)
    if found is None:
        capture_trace(exec, inst, fp, code)
        return u32(EXCEPTION)
    fp = exec.entry.fp
    module = inst.module
    side = ptr[SideTable](module.functions[exec.entry.code].side_table)
    deliver(exec, inst, found, fp)
    sp = fp + operands_after(inst, found)
    pc = module.binary + found.target
    stp = entry_of(side, found.entry)
    return resume(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
