"""Captures the backtrace of a trap while the frames still stand."""

from wasmote.core.structs import TRACE_FRAMES, Exec, Instance
from wasmote.nativepy import native, ptr, u32, usize


@native(cold=True, noinline=True)
def add_trace_frame(exec: ptr[Exec], inst: ptr[Instance], function: u32, code: u32):
    if exec.trace_count < TRACE_FRAMES:
        frame = exec.trace + exec.trace_count
        frame.instance = inst
        frame.function = function
        frame.code = code
    exec.trace_count += 1


@native(cold=True, noinline=True)
def walk_frames(exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32):
    """Add the frames of one entry, from the innermost out."""
    module = inst.module
    while exec.trace_count < TRACE_FRAMES:
        function = function_at(exec, inst, fp, code)
        add_trace_frame(exec, inst, function, code)
        if fp == base:
            return
        header = fp + module.types[module.functions[function].type].param_cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]


@native(cold=True)
def function_at(exec: ptr[Exec], inst: ptr[Instance], fp: ptr[u32], code: u32) -> u32:
    """Index of the function whose extended code contains a position: the nearest start below it."""
    module = inst.module
    best: u32 = 0
    start: u32 = 0
    for i in range(module.imported_functions, module.function_count):
        begin = module.functions[i].code
        if begin != 0 and begin <= code and begin >= start:
            start = begin
            best = i
    return best


@native(cold=True, noinline=True)
def capture_trace(exec: ptr[Exec], inst: ptr[Instance], fp: ptr[u32], code: u32):
    """Record the innermost frames; `code` is the trapping instruction's offset in its module's code."""
    if exec.trap_pending != 0:
        return  # an inner entry already told the story of this trap
    exec.trap_pending = 1
    exec.trace_count = 0
    entry = exec.entry
    walk_frames(exec, inst, entry.base, fp, code)
    entry = entry.outer
    while entry is not None:
        if entry.instance is not None:
            caller = entry.instance
            offset = (usize(entry.pc) - usize(caller.module.code)) >> 1
            walk_frames(exec, caller, entry.base, entry.fp, u32(offset))
        entry = entry.outer
