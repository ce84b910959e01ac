"""Calls that leave an interpreter: of host functions and of other instances' functions.

Each instance says which engine runs its functions (`Instance.run`), so engines can be mixed freely.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import TAIL_CALL, Crossing, Exec, FuncInst, Instance
from wasmote.nativepy import inline, native, ptr, stack, u32, usize

from .trace import capture_trace

#: What a call of a native function of the host costs of `Exec.budget`, in loop iterations.
NATIVE_COST = 20


@native(export="call_from_host")
def call_from_host(exec: ptr[Exec], f: ptr[FuncInst], args: ptr[u32]) -> u32:
    """Call a WebAssembly function: arguments at `args`, on the value stack, are replaced by the
    results.

    Returns a TrapCode; `exec.trace` then tells where. `args` must leave room for the larger of
    both.
    """
    exec.trap_pending = 0
    return call_function(exec, f, args)


@native(noinline=True)
def call_function(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Call any function, in its instance's engine, and those it leaves to in tail calls: 0 or a
    trap code.
    """
    while target.instance is not None:
        instance = target.instance
        if instance.module.functions[target.index].body is None:
            target = instance.imported[target.index]  # an import that is exported again
            continue
        if instance.stopped != 0:
            return instance.stopped
        code = instance.run(exec, target, cells)
        if code != TAIL_CALL:
            return code
        target = exec.successor
    return call_host(exec, target, cells)


@native
def call_host(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Call a function of the host: 0 or a trap code."""
    kind = target.type
    room = kind.param_cells if kind.param_cells > kind.result_cells else kind.result_cells
    top = exec.top
    exec.top = cells + room
    code = u32(TrapCode.UNLINKED_IMPORT)
    if usize(cells + room) > usize(exec.stack_end):
        code = TrapCode.STACK_OVERFLOW
    elif target.host is not None:
        crossing = stack(Crossing)
        crossing.outer = exec.crossing
        crossing.types = kind.types
        crossing.count = kind.param_count
        crossing.cells = cells
        exec.crossing = crossing
        if target.native is not None:
            code = target.native(exec, target, cells)
            # Compiled code only polls where a timer finds it: hardly ever if this is all it does.
            exec.budget -= NATIVE_COST
            if exec.budget < 0 and code == 0:
                crossing.types = kind.types + kind.param_count
                crossing.count = kind.result_count
                code = exec.platform.poll(exec)
        else:
            code = exec.platform.call_host(exec, target, cells)
        exec.crossing = crossing.outer
    exec.top = top
    return code


@native(noinline=True)
def call_outside(
    exec: ptr[Exec],
    inst: ptr[Instance],
    target: ptr[FuncInst],
    code: u32,
    fp: ptr[u32],
    cells: ptr[u32],
) -> u32:
    """Call a function that is not this instance's: arguments in and results out at `cells`. 0 or a
    trap code.

    `code` and `fp` tell a backtrace where the interpreter was: a position within the call
    instruction.
    """
    entry = exec.entry
    leave_for(entry, inst, code, fp)
    entry.calling = 1
    trap = call_function(exec, target, cells)
    exec.entry = entry
    return outcome(exec, trap)


@inline
def leave_for(entry, inst, code, fp):
    """Note where control leaves the interpreter, at an instruction, for whoever looks meanwhile."""
    entry.code = code
    entry.calling = 0
    entry.fp = fp
    entry.instance = inst


@native
def outcome(exec: ptr[Exec], code: u32) -> u32:
    """What a call outside ended with; takes the backtrace where the outside did not."""
    if code == TrapCode.NONE:
        exec.trap_pending = 0
        return code
    entry = exec.entry
    capture_trace(exec, entry.instance, entry.fp, entry.code)
    return code


@inline
def open_entry(exec, entry, cells, walk, describe):
    """Begin an entry into an interpreter whose first frame is at `cells`."""
    entry.outer = exec.entry
    entry.base = cells
    entry.instance = None
    entry.roots_end = None
    entry.walk = walk
    entry.describe = describe
    exec.entry = entry
    exec.depth += 1


@inline
def close_entry(exec, entry):
    exec.depth -= 1
    exec.entry = entry.outer


EXPORTS = (call_from_host,)
