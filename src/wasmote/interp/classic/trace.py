"""Finds the frames of the classic interpreter for a backtrace."""

from wasmote.core.structs import MOST_FRAMES, Exec, Function, Instance, Module
from wasmote.interp.common.skip import skip_immediates
from wasmote.interp.common.trace import add_trace_frame
from wasmote.nativepy import native, ptr, stack, u8, u32, usize, void

from .side_table import SideTable, start_of


@native(convention="c", cold=True, noinline=True)
def walk_frames(
    exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32
) -> void:
    """Add the frames of one entry, from the innermost out; `code` is an offset in the binary."""
    module = inst.module
    while exec.trace_count < MOST_FRAMES:
        index = function_at(module, module.binary + code)
        start = module.binary + code
        if exec.trace_count < exec.frame_limit:
            start = instruction_at(module.functions + index, start)
        add_trace_frame(exec, inst, index, u32(usize(start) - usize(module.binary)), 0)
        if fp == base:
            return
        header = fp + module.types[module.functions[index].type].param_cells
        code = header[0] - 1  # within the call instruction
        fp = fp - header[1]


@native(cold=True)
def instruction_at(function: ptr[Function], position: ptr[u8]) -> ptr[u8]:
    """Where the instruction starts that a position is within."""
    at = stack(ptr[u8])
    at[0] = function.body + start_of(ptr[SideTable](function.side_table))
    start = at[0]
    while at[0] <= position:
        start = at[0]
        at[0] = start + 1
        skip_immediates(at, u32(start[0]))
    return start


@native(cold=True)
def function_at(module: ptr[Module], code: ptr[u8]) -> u32:
    """Index of the function whose body contains a position."""
    low = module.imported_functions
    high = module.function_count - 1
    while low < high:
        middle = low + (high - low + 1) // 2
        if module.functions[middle].body <= code:
            low = middle
        else:
            high = middle - 1
    return low
