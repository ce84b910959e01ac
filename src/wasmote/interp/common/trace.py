"""Captures backtraces while the frames still stand: of traps, and of running code."""

from wasmote.core.structs import TRACE_FRAMES, Entry, Exec, Instance, TraceFrame
from wasmote.nativepy import native, ptr, u32


@native(cold=True, noinline=True)
def add_trace_frame(exec: ptr[Exec], inst: ptr[Instance], function: u32, code: u32, extended: u32):
    """Add the next frame out; see `TraceFrame` for the parameters."""
    if exec.trace_count < exec.frame_limit:
        frame = exec.frames + exec.trace_count
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
    walk_entries(exec, entry.outer)


@native(cold=True)
def walk_entries(exec: ptr[Exec], entry: ptr[Entry]):
    """Record the frames of an entry that control has left for the host, and of those around it."""
    while entry is not None:
        if entry.instance is not None:
            entry.walk(exec, entry.instance, entry.base, entry.fp, entry.code)
        entry = entry.outer


@native(noinline=True)
def capture_stack(exec: ptr[Exec], frames: ptr[TraceFrame], limit: u32) -> u32:
    """Record the innermost frames elsewhere than a trap's; returns how many there are in all.

    Control has to be outside the interpreters, in a host function or a poll.
    """
    count = exec.trace_count
    exec.frames = frames
    exec.frame_limit = limit
    exec.trace_count = 0
    walk_entries(exec, exec.entry)
    found = exec.trace_count
    exec.trace_count = count
    use_own_frames(exec)
    return found


@native
def use_own_frames(exec: ptr[Exec]):
    """Let backtraces be those of traps again."""
    exec.frames = exec.trace + 0
    exec.frame_limit = TRACE_FRAMES
