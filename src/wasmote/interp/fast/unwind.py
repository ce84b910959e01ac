"""Unwinding: finds the frame that catches an exception, and goes on there."""

from wasmote.core.structs import EXCEPTION, Exec, Instance
from wasmote.interp.common.catches import deliver, find_catch
from wasmote.interp.common.trace import capture_trace
from wasmote.nativepy import native, ptr, u8, u16, u32, u64, usize

from .functions import catch_count, catches_of, translated_at
from .registers import FLOATS, go, pc_offset


@native(noinline=True)
def find_handler(exec: ptr[Exec], inst: ptr[Instance], fp: ptr[u32], code: u32) -> u32:
    """Where the exception under way at `code` is caught by a frame of the innermost entry.

    The frame is in `Entry.fp` then, and holds the values. 0: nowhere.
    """
    module = inst.module
    base = exec.entry.base
    while module.catching != 0:
        function = translated_at(module, code)
        if function.catching != 0:
            catches = catches_of(module, function)
            found = find_catch(exec, inst, catches, catch_count(module, function), code)
            if found is not None:
                deliver(exec, inst, found, fp)
                exec.entry.fp = fp
                return found.target
        if fp == base:
            return 0
        header = fp + module.code[function.start]  # its parameters' cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]
    return 0


@native(convention="handler", cold=True, noinline=True)
def unwind(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Go on where the exception under way is caught, or leave. `pc` is within the instruction that
    throws it, or calls what does.
    """
    code = u32(pc_offset(exec, pc))
    target = find_handler(exec, inst, fp, code)
    if target == 0:
        capture_trace(exec, inst, fp, code)
        return u32(EXCEPTION)
    fp = exec.entry.fp
    pc = exec.code + target
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(pc, fp, memory.data, memory.size, exec, inst, table, r, f)
    return go(pc, fp, ptr[u8](fp), u64(0), exec, inst, table, r, f)
