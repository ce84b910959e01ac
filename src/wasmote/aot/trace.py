"""Finds the frames of compiled code for a backtrace, by following the frame pointers."""

from wasmote.aot.structs import Context
from wasmote.core.structs import MOST_FRAMES, NATIVE_FRAME, NONE, Exec, FrameDescription, Instance
from wasmote.interp.common.trace import add_trace_frame, capture_trace
from wasmote.nativepy import boolean, inline, native, ptr, target_machine, u32, usize, void

#: ELF's numbers of machines.
RISCV, MIPS, XTENSA = 243, 8, 94


@inline
def return_address(frame):
    """Where the function of a frame returns to; frames are where their frame pointers point."""
    return (frame - 1)[0] if target_machine() == RISCV else frame[1]


@inline
def outer(frame):
    """The frame of a function's caller."""
    return ptr[usize]((frame - 2)[0] if target_machine() == RISCV else frame[0])


@native(convention="c", cold=True, noinline=True)
def aot_walk(exec: ptr[Exec], inst: ptr[Instance], base: ptr[u32], fp: ptr[u32], code: u32) -> void:
    """`Entry.walk`: add the frames of one entry. `fp` is the frame of what compiled code called."""
    if target_machine() == MIPS or target_machine() == XTENSA:
        return  # its frame pointers lead nowhere: the caller's is at another place in each frame
    context = ptr[Context](inst.native)
    frame = ptr[usize](fp)
    if return_address(frame) != context.entered and not is_function(
        context, return_address(frame) - 1
    ):
        frame = outer(frame)  # a helper, which has trapped
    # The last frame before the entry's is that of the function that converts arguments.
    while exec.trace_count < MOST_FRAMES and return_address(frame) != context.entered:
        if return_address(outer(frame)) == context.entered:
            return
        place = u32(return_address(frame) - 1 - usize(context.code))
        add_trace_frame(exec, inst, NATIVE_FRAME | place, 0, 0)
        frame = outer(frame)


@native(convention="c", cold=True, noinline=True)
def aot_describe(inst: ptr[Instance], code: u32, d: ptr[FrameDescription]) -> boolean:
    """`Entry.describe`: nothing is known of the values. Collections do not ask: see
    `Entry.roots_end`.
    """
    return False


@native(cold=True)
def is_function(context: ptr[Context], address: usize) -> boolean:
    """Whether an address is in the code of one of the module's own functions, or of a loop."""
    module = context.instance.module
    offset = address - usize(context.code)
    for i in range(u32(0), module.function_count - module.imported_functions):
        start = usize(context.functions[2 * i])
        if offset >= start and offset - start < usize(context.functions[2 * i + 1]):
            return True
    if context.loops is None:
        return False
    loop = context.loops + 1
    while loop[0] != NONE:
        if offset >= usize(loop[2]) and offset - usize(loop[2]) < usize(loop[3]):
            return True
        loop = loop + 4
    return False


@native(convention="c", cold=True, noinline=True)
def aot_capture(exec: ptr[Exec], context: ptr[Context], code: u32, frame: ptr[u32]) -> void:
    """Take the backtrace of a trap in compiled code, which leaves its entry afterwards."""
    capture_trace(exec, context.instance, frame, 0)
