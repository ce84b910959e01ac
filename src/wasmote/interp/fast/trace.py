"""Finds the frames of the fast interpreter for a backtrace."""

from wasmote.core.structs import MOST_FRAMES, Exec, Instance
from wasmote.interp.common.trace import add_trace_frame
from wasmote.nativepy import native, ptr, u32, void

from .functions import translated_at


@native(convention="c", cold=True, noinline=True)
def walk_frames(
    exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32
) -> void:
    """Add the frames of one entry, from the innermost out; `code` is an offset in the extended
    code.
    """
    module = inst.module
    while exec.trace_count < MOST_FRAMES:
        function = translated_at(module, code).function
        add_trace_frame(exec, inst, function, code, 1)
        if fp == base:
            return
        header = fp + module.types[module.functions[function].type].param_cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]
