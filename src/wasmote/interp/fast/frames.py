"""Leaving the interpreter for a while: to translate a function, to call the host or another instance."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Entry, Exec, FuncInst, Function, Instance
from wasmote.nativepy import enter, native, ptr, splat, stack, u8, u16, u32, u64, usize

from .registers import FLOATS, HANDLERS, PROLOGUE_UNITS
from .trace import capture_trace

#: Extended code starts with the instruction that ends an entry.
LEAVE_OFFSET = 0


@native(noinline=True)
def translated(exec: ptr[Exec], inst: ptr[Instance], function: ptr[Function]) -> u32:
    """Make sure that a function has extended code: 0 or a trap code."""
    if function.code != 0:
        return TrapCode.NONE
    return exec.translate(inst.module, function)


@native(noinline=True)
def call_outside(
    exec: ptr[Exec], inst: ptr[Instance], target: ptr[FuncInst], pc: ptr[u16], fp: ptr[u32], cells: ptr[u32]
) -> u32:
    """Call a function that is not this instance's: arguments in and results out at `cells`. 0 or a trap code."""
    entry = exec.entry
    entry.pc = pc - 1  # within the call instruction
    entry.fp = fp
    entry.instance = inst
    if target.instance is not None:
        return outcome(exec, run_function(exec, target, cells))
    kind = target.type
    room = kind.param_cells if kind.param_cells > kind.result_cells else kind.result_cells
    top = exec.top
    exec.top = cells + room
    code = u32(TrapCode.UNLINKED_IMPORT)
    if usize(cells + room) > usize(exec.stack_end):
        code = TrapCode.STACK_OVERFLOW
    elif target.host is not None:
        code = exec.platform.call_host(exec, target, cells)
    exec.top = top
    exec.code = inst.module.code
    exec.entry = entry
    return outcome(exec, code)


@native
def outcome(exec: ptr[Exec], code: u32) -> u32:
    """What a call outside ended with; takes the backtrace where the outside did not."""
    if code == TrapCode.NONE:
        exec.trap_pending = 0
        return code
    from_here(exec)
    return code


@native(cold=True, noinline=True)
def from_here(exec: ptr[Exec]):
    """Backtrace of a trap that a host function reported."""
    entry = exec.entry
    offset = (usize(entry.pc) - usize(exec.code)) >> 1
    capture_trace(exec, entry.instance, entry.fp, u32(offset))


@native
def run_function(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Run a WebAssembly function whose frame starts at `cells`, until it returns: 0 or a trap code."""
    inst = target.instance
    module = inst.module
    function = module.functions + target.index
    if function.body is None:  # an import that is exported again
        return call_again(exec, inst.imported[target.index], cells)
    if exec.depth >= exec.depth_limit:
        return TrapCode.STACK_OVERFLOW
    code = translated(exec, inst, function)
    if code != TrapCode.NONE:
        return code
    start = module.code + function.code
    if usize(cells) + usize(start[2]) * 4 > usize(exec.stack_end):
        return TrapCode.STACK_OVERFLOW
    entry = stack(Entry)
    entry.outer = exec.entry
    entry.base = cells
    entry.instance = None
    outer_code = exec.code
    exec.entry = entry
    exec.depth += 1
    exec.code = module.code
    code = run_frame(exec, inst, start, cells)
    exec.depth -= 1
    exec.code = outer_code
    exec.entry = entry.outer
    return code


@native(noinline=True)
def call_again(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Call what an instance imported; imports of imports end at a host function or a body."""
    if target.instance is not None:
        return run_function(exec, target, cells)
    if target.host is None:
        return TrapCode.UNLINKED_IMPORT
    return exec.platform.call_host(exec, target, cells)


@native
def run_frame(exec: ptr[Exec], inst: ptr[Instance], start: ptr[u16], cells: ptr[u32]) -> u32:
    """Set up the outermost frame of an entry and interpret."""
    header = cells + start[0]
    header[0] = LEAVE_OFFSET
    header[1] = 0
    for i in range(u16(0), start[1]):
        header[2 + u32(i)] = 0
    mem: ptr[u8] = None
    size: u64 = 0
    if inst.module.memory_count != 0:
        mem = inst.memories[0].data
        size = inst.memories[0].size
    pc = start + PROLOGUE_UNITS
    zero = splat(FLOATS, 0.0)
    return enter(HANDLERS, pc[0], pc, cells, mem, size, exec, inst, exec.handlers, u64(0), zero)
