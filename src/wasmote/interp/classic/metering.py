"""Handlers that count instructions (core.fuel), in a table of their own.

Where that table has one of them, the table that follows it in memory has the handler of the
instruction. Handlers do not know which table led to them, and may execute instructions that follow
at once, up to one that ends a run. So a run is known by its addresses: an instruction that is
neither behind the one counted last nor in the run that is paid for starts a new run. Runs do not
overlap, and each is gone through forward, so this cannot be mistaken.
"""

from wasmote.core.fuel import cost_class, spend
from wasmote.core.status import TrapCode
from wasmote.core.structs import RUNS, Exec, Instance, Run
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.skip import skip_immediates
from wasmote.isa.fuel import COSTS, ENDS_RUN
from wasmote.nativepy import (
    HandlerSet,
    NativeFunction,
    boolean,
    constants,
    dispatch,
    handler_offset,
    i64,
    native,
    ptr,
    stack,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .moves import BY_TABLE
from .opcodes import HANDLERS
from .registers import MISC, OPCODES, on_trap
from .side_table import SideTable

COUNT = len(HANDLERS.handlers)
COUNTING = HandlerSet("counting", table_parameter=7)


@native(noinline=True)
def pay(exec: ptr[Exec], inst: ptr[Instance], pc: ptr[u8]) -> boolean:
    """Pay for the run that starts with the instruction at `pc`, which costs something."""
    position = usize(pc)
    run = exec.runs + ((position ^ (position >> 6)) & (RUNS - 1))
    if run.start != position:
        measure(run, pc)
    exec.paid_until = run.end
    return spend(inst.fuel, i64(run.cost))


@native(noinline=True)
def measure(run: ptr[Run], pc: ptr[u8]):
    """Find out how far a run goes and what it costs."""
    at = stack(ptr[u8])
    at[0] = pc
    cost: u32 = 0
    kind: u32 = 0
    end = pc
    while kind & ENDS_RUN == 0:
        kind = cost_class(at[0])
        end = at[0]
        if kind & COSTS != 0:
            cost += 1
            end = end + 1
        opcode = u32(at[0][0])
        at[0] = at[0] + 1
        skip_immediates(at, opcode)
    run.start = usize(pc)
    run.end = usize(end)
    run.cost = cost


@native
def forget_runs(exec: ptr[Exec]):
    """Before anything runs: the addresses may have belonged to another module."""
    exec.paid_until = 0
    for i in range(u32(0), RUNS):
        exec.runs[i].start = 0


def counting(state: int) -> NativeFunction:
    """Counts the instruction at `pc`, then goes on with its handler in the table that follows."""

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if cost_class(pc) & COSTS != 0:
            position = usize(pc)
            if position <= exec.counted or position >= exec.paid_until:
                paid = pay(exec, inst, pc)
                trap_if(not paid, TrapCode.OUT_OF_FUEL)
            exec.counted = position
        return dispatch(
            HANDLERS, usize(pc[0]) + (COUNT + state * OPCODES), pc, sp, fp, mem, size, exec, inst,
            table, stp, side, r, f,
        )  # fmt: skip

    return NativeFunction(run, convention="handler", on_trap=on_trap, name=f"count {state}")


for _state in range(MISC // OPCODES):
    COUNTING.add(counting(_state))
#: The places of handlers that are no instructions of their own.
UNCOUNTED = constants(u8, [int(each in BY_TABLE) for each in HANDLERS.handlers[:MISC]])


@native
def metered_handler(place: u32) -> usize:
    """What belongs at a place of the table."""
    if place >= MISC:  # behind a prefix, which was counted
        return handler_offset(HANDLERS, place)
    if UNCOUNTED[place] != 0:
        return handler_offset(HANDLERS, place)
    return handler_offset(COUNTING, place // OPCODES)
