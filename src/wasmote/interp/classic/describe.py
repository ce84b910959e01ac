"""Where a frame of the classic interpreter has its values: in order, with the header between the
parameters and the other locals.
"""

from wasmote.core.frames import describe_types
from wasmote.core.structs import FrameDescription, Instance
from wasmote.core.value_types import CAUGHT, cells_of
from wasmote.nativepy import boolean, native, ptr, u32, usize

from .registers import HEADER_CELLS
from .side_table import SideTable, zero_of
from .trace import function_at, instruction_at


@native(convention="c", cold=True, noinline=True)
def describe(inst: ptr[Instance], code: u32, d: ptr[FrameDescription]) -> boolean:
    """`Entry.describe`; `code` is an offset in the binary."""
    module = inst.module
    d.function = function_at(module, module.binary + code)
    function = module.functions + d.function
    start = instruction_at(function, module.binary + code)
    d.offset = u32(usize(start) - usize(module.binary))
    type = module.types + function.type
    d.header = type.param_cells
    if not describe_types(d):
        return False
    cell: u32 = 0
    for i in range(d.local_count):
        if i == type.param_count:
            cell += HEADER_CELLS
        d.values[i].cell = cell
        cell += cells_of(d.values[i].type)
    # What legacy clauses have caught is behind the locals, whose cells are counted with these.
    caught = cell if d.local_count != type.param_count else cell + HEADER_CELLS
    cell = type.param_cells + HEADER_CELLS + zero_of(ptr[SideTable](function.side_table))
    for i in range(d.local_count, d.local_count + d.operand_count):
        if d.values[i].type & CAUGHT != 0:
            d.values[i].cell = caught
            caught += 1
        else:
            d.values[i].cell = cell
            cell += cells_of(d.values[i].type)
    return True
