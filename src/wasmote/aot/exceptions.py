"""Exceptions in compiled code: making them, and the backtraces of those that nobody catches.

An exception under way is in `Exec.exception`. A function that it leaves returns as usual, with a
result that means nothing, and adds itself to the backtrace; its caller finds the exception.
"""

from wasmote.aot.leave import leave_compiled
from wasmote.aot.structs import Context
from wasmote.core.gc.exceptions import exception_new
from wasmote.core.structs import Exec
from wasmote.interp.common.trace import add_trace_frame, walk_entries
from wasmote.nativepy import addr, native, ptr, u32, void


@native(convention="c", noinline=True)
def aot_throw(
    exec: ptr[Exec], context: ptr[Context], tag: u32, cells: ptr[u32], frame: ptr[u32]
) -> u32:
    """`throw` with the values at `cells`: the exception is under way. 0 or a trap code."""
    inst = context.instance
    leave_compiled(exec, context, frame)
    code = exception_new(inst.store, exec, inst.tags[tag], cells, addr(exec.exception))
    exec.trap_pending = 0
    exec.trace_count = 0
    return code


@native(convention="c", cold=True, noinline=True)
def aot_unwound(exec: ptr[Exec], context: ptr[Context], index: u32, offset: u32) -> void:
    """An exception leaves a function, in which it came up at an offset of the binary. If it came
    from outside, its backtrace is there already.
    """
    if exec.trap_pending == 0:
        add_trace_frame(exec, context.instance, index, offset, 0)


@native(cold=True, noinline=True)
def finish_trace(exec: ptr[Exec]):
    """An exception leaves the innermost entry."""
    if exec.trap_pending == 0:
        exec.trap_pending = 1
        walk_entries(exec, exec.entry.outer)
