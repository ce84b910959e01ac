"""How a function comes to run: translation at its first call, and the outermost frame of an
entry.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Entry, Exec, FuncInst, Function, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.outside import close_entry, open_entry
from wasmote.nativepy import (
    addr,
    address_of,
    atomic_load,
    enter,
    native,
    ptr,
    splat,
    stack,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .registers import HANDLERS, PROLOGUE_UNITS
from .trace import walk_frames

#: Extended code starts with the instruction that ends an entry.
LEAVE_OFFSET = 0


@native(noinline=True)
def translated(exec: ptr[Exec], inst: ptr[Instance], function: ptr[Function]) -> u32:
    """Make sure that a function has extended code: 0 or a trap code."""
    if atomic_load(addr(function.code)) != 0:
        return TrapCode.NONE
    return exec.translate(inst.module, function)


@native(export="fast_run")
def fast_run(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`Instance.run`: run a WebAssembly function whose frame starts at `cells` until it returns."""
    inst = target.instance
    module = inst.module
    function = module.functions + target.index
    if exec.depth >= exec.depth_limit:
        return TrapCode.STACK_OVERFLOW
    code = translated(exec, inst, function)
    if code != TrapCode.NONE:
        return code
    start = module.code + function.code
    if usize(cells) + usize(start[2]) * 4 > usize(exec.stack_end):
        return TrapCode.STACK_OVERFLOW
    entry = stack(Entry)
    open_entry(exec, entry, cells, address_of(walk_frames), exec.describe)
    outer_code = exec.code
    exec.code = module.code
    code = run_frame(exec, inst, start, cells)
    exec.code = outer_code
    close_entry(exec, entry)
    return code


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
