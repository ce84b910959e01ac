"""Captures the backtrace of a trap while the frames still stand."""

from wasmote.core.structs import TRACE_FRAMES, Exec, Instance
from wasmote.nativepy import native, ptr, u32


@native(cold=True, noinline=True)
def add_trace_frame(exec: ptr[Exec], inst: ptr[Instance], function: u32, code: u32, extended: u32):
    """Add the next frame out; see `TraceFrame` for the parameters."""
    if exec.trace_count < TRACE_FRAMES:
        frame = exec.trace + exec.trace_count
        frame.instance = inst
        frame.function = function
        frame.code = code
        frame.extended = extended
    exec.trace_count += 1


@native(cold=True, noinline=True)
def capture_trace(exec: ptr[Exec], inst: ptr[Instance], fp: ptr[u32], code: u32):
    """Record the innermost frames; `code` is where the trap is, as the entry's `walk` takes it."""
    if exec.trap_pending != 0:
        return  # an inner entry already told the story of this trap
    exec.trap_pending = 1
    exec.trace_count = 0
    entry = exec.entry
    entry.walk(exec, inst, entry.base, fp, code)
    entry = entry.outer
    while entry is not None:
        if entry.instance is not None:
            entry.walk(exec, entry.instance, entry.base, entry.fp, entry.code)
        entry = entry.outer
