"""The handlers in the order of their opcodes: those of each state, those behind prefixes."""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.nativepy import NativeFunction, ptr, u8, u16, u32, u64, unreachable, usize

from . import (
    handlers_atomic,
    handlers_bulk,
    handlers_calls,
    handlers_constants,
    handlers_control,
    handlers_exceptions,
    handlers_gc,
    handlers_locals,
    handlers_numeric,
    handlers_tail_calls,
    handlers_variables,
    handlers_vector,
    handlers_wide,
)
from .moves import add_moves
from .registers import HANDLERS, PLACES
from .side_table import SideTable

__all__ = [
    "HANDLERS",
    "handlers_atomic",
    "handlers_bulk",
    "handlers_calls",
    "handlers_constants",
    "handlers_control",
    "handlers_exceptions",
    "handlers_gc",
    "handlers_locals",
    "handlers_numeric",
    "handlers_tail_calls",
    "handlers_variables",
    "handlers_vector",
    "handlers_wide",
]


def never(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Opcodes that `prepare` refuses."""
    unreachable()


_NEVER = NativeFunction(never, convention="handler", name="no opcode")
add_moves()
for _place in range(max(PLACES) + 1):
    HANDLERS.add(PLACES.get(_place, _NEVER))
