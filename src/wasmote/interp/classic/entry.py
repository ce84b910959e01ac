"""What the host may ask of the classic interpreter, besides running a function."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Module
from wasmote.nativepy import native, ptr, u32

from .frames import classic_run
from .prepare import prepare_function, side_table_size
from .side_table import SideTable


@native(export="classic_prepare_module")
def classic_prepare_module(module: ptr[Module]) -> u32:
    """Make all side tables now instead of at the functions' first calls.

    0 or a trap code, of the last function that cannot be prepared.
    """
    failed: u32 = TrapCode.NONE
    for i in range(module.imported_functions, module.function_count):
        code = prepare_function(module, i)
        if code != TrapCode.NONE:
            failed = code
    return failed


@native(export="classic_side_table_size")
def classic_side_table_size(module: ptr[Module], index: u32) -> u32:
    """Bytes of a function's side table; 0 if it has none."""
    if module.functions[index].side_table is None:
        return 0
    return u32(side_table_size(module, index))


@native(export="classic_frame_size")
def classic_frame_size(module: ptr[Module], index: u32) -> u32:
    """Bytes of a function's frame; 0: it has no side table."""
    side = ptr[SideTable](module.functions[index].side_table)
    return 0 if side is None else u32(side.frame) * 4


EXPORTS = (classic_run, classic_prepare_module, classic_side_table_size)
