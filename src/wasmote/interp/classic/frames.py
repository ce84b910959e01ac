"""How a function comes to run: the outermost frame of an entry."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Entry, Exec, FuncInst, Function, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.outside import close_entry, open_entry
from wasmote.nativepy import address_of, enter, native, ptr, splat, stack, u8, u32, u64, usize

from .describe import describe
from .metering import forget_runs
from .opcodes import HANDLERS
from .prepare import prepare_function
from .registers import HEADER_CELLS, reach
from .side_table import SideTable, entry_of, index_of, param_cells_of, start_of, zero_of
from .trace import walk_frames


@native(export="classic_run")
def classic_run(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`Instance.run`: run a WebAssembly function whose frame starts at `cells` until it returns."""
    inst = target.instance
    function = inst.module.functions + target.index
    if exec.depth >= exec.depth_limit:
        return TrapCode.STACK_OVERFLOW
    code: u32 = TrapCode.NONE
    if function.side_table is None:
        code = prepare_function(inst.module, target.index)
        if code != TrapCode.NONE:
            return code
    side = ptr[SideTable](function.side_table)
    if usize(cells) + usize(side.frame) * 4 > usize(exec.stack_end):
        return TrapCode.STACK_OVERFLOW
    entry = stack(Entry)
    open_entry(exec, entry, cells, address_of(walk_frames), address_of(describe))
    code = run_frame(exec, inst, function, side, cells)
    close_entry(exec, entry)
    return code


@native
def run_frame(
    exec: ptr[Exec],
    inst: ptr[Instance],
    function: ptr[Function],
    side: ptr[SideTable],
    cells: ptr[u32],
) -> u32:
    """Set up the outermost frame and interpret. It returns to offset 0: see `unreachable`."""
    header = cells + param_cells_of(side)
    header[0] = 0
    header[1] = 0
    header[2] = 0
    header[3] = index_of(side)
    local = header + HEADER_CELLS
    zero = zero_of(side)
    for i in range(u32(0), zero):
        local[i] = 0
    mem: ptr[u8] = None
    size: u64 = 0
    if inst.module.memory_count != 0:
        mem = inst.memories[0].data
        size = reach(inst.memories[0])
    pc = function.body + start_of(side)
    handlers = exec.classic_handlers
    if inst.fuel is not None:
        handlers = exec.metered_handlers
        forget_runs(exec)
        if handlers[0] == 0:  # a target where handlers are one switch, which cannot count
            return TrapCode.UNTRANSLATABLE
    return enter(
        HANDLERS, pc[0], pc, local + zero, cells, mem, size, exec, inst, handlers,
        entry_of(side, 0), side, u64(0), splat(FLOATS, 0.0),
    )  # fmt: skip
