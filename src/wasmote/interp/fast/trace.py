"""Finds the frames of the fast interpreter for a backtrace."""

from wasmote.core.structs import TRACE_FRAMES, Exec, Instance
from wasmote.interp.common.trace import add_trace_frame
from wasmote.nativepy import native, ptr, u32, void


@native(convention="c", cold=True, noinline=True)
def walk_frames(
    exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32
) -> void:
    """Add the frames of one entry, from the innermost out; `code` is an offset in the extended
    code.
    """
    module = inst.module
    while exec.trace_count < TRACE_FRAMES:
        function = function_at(inst, code)
        add_trace_frame(exec, inst, function, code, 1)
        if fp == base:
            return
        header = fp + module.types[module.functions[function].type].param_cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]


@native(cold=True)
def function_at(inst: ptr[Instance], code: u32) -> u32:
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
