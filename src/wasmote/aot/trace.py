"""Finds the frames of compiled code for a backtrace, by following the frame pointers."""

from wasmote.aot.structs import Context
from wasmote.core.structs import MOST_FRAMES, NONE, Exec, FrameDescription, Instance
from wasmote.interp.common.trace import add_trace_frame, capture_trace
from wasmote.nativepy import boolean, native, ptr, u32, usize, void


@native(convention="c", cold=True, noinline=True)
def aot_walk(exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32) -> void:
    """`Entry.walk`: add the frames of one entry. `fp` is the frame of what compiled code called."""
    context = ptr[Context](inst.native)
    frame = ptr[usize](fp)
    while exec.trace_count < MOST_FRAMES and frame[1] != context.entered:
        index = function_at(context, frame[1] - 1)
        if index != NONE:
            function = inst.module.imported_functions + index
            body = inst.module.functions[function].body
            offset = u32(usize(body) - usize(inst.module.binary))
            add_trace_frame(exec, inst, function, offset, 0)
        frame = ptr[usize](frame[0])


@native(convention="c", cold=True, noinline=True)
def aot_describe(inst: ptr[Instance], code: u32, d: ptr[FrameDescription]) -> boolean:
    """`Entry.describe`: nothing is known of the values. A collection then keeps whatever the value
    stack has a reference to, which is where compiled code puts its references.
    """
    return False


@native(cold=True)
def function_at(context: ptr[Context], address: usize) -> u32:
    """The number of the module's own function whose code contains an address, or NONE."""
    module = context.instance.module
    offset = address - usize(context.code)
    for i in range(u32(0), module.function_count - module.imported_functions):
        start = usize(context.functions[2 * i])
        if offset >= start and offset - start < usize(context.functions[2 * i + 1]):
            return i
    return NONE


@native(convention="c", cold=True, noinline=True)
def aot_capture(exec: ptr[Exec], context: ptr[Context], code: u32, frame: ptr[u32]) -> void:
    """Take the backtrace of a trap in compiled code, which leaves its entry afterwards."""
    capture_trace(exec, context.instance, frame, 0)
