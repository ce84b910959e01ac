"""Compiled code that has no polls of its own: says when a thread is in it, so that the platform can
let it poll (`Platform.watch`).

Loops and calls of such code cost nothing, and its functions are as LLVM likes them best.
"""

from wasmote.aot.structs import Context
from wasmote.core.structs import Exec
from wasmote.nativepy import addr, inline, native, ptr, u32, unlikely, volatile_load, volatile_store


@native
def begin_code(exec: ptr[Exec], context: ptr[Context]) -> u32:
    """Control enters compiled code, or returns to it: 0 or a trap code."""
    if context.watched == 0:
        return 0
    if unlikely(exec.watch is None):
        return exec.platform.watch(exec)
    # In this order: who stops watching looks at `running` last.
    volatile_store(addr(exec.watch.running), u32(1))
    if unlikely(volatile_load(addr(exec.watch.armed)) == 0):
        return exec.platform.watch(exec)
    return 0


@inline
def end_code(exec):
    """Control leaves compiled code."""
    if exec.watch is not None:
        volatile_store(addr(exec.watch.running), u32(0))
