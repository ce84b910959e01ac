"""Handlers of blocks, branches and returns."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.isa import by_name
from wasmote.nativepy import (
    const,
    inline,
    likely,
    native,
    ptr,
    tail,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)

from .immediates import cursor, read_index, skip
from .registers import HELD, State, branch, cells, go, handler, spill
from .side_table import (
    SideTable,
    at_position,
    index_of,
    is_wide,
    param_cells_of,
    result_cells_of,
)

#: The block type without parameters and results.
EMPTY = 0x40
BLOCK = by_name("block").opcode
#: The first byte of the type (ref null …); that of (ref …) follows it.
REF_NULL = 0x63


@inline
def past_index(pc):
    """The instruction after one with a single LEB128 immediate."""
    following = pc + 2
    if unlikely(pc[1] >= 0x80):
        at = cursor(following)
        skip(at)
        following = at[0]
    return following


@inline
def past_block_type(pc):
    """The first instruction of a block."""
    if unlikely(u32(pc[1]) - REF_NULL < 2):
        at = cursor(pc + 2)
        skip(at)
        return at[0]
    return past_index(pc)


def block(name: str) -> None:
    """Blocks and loops do nothing; branches know where they go."""

    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if likely(pc[1] == EMPTY):
            if pc[2] == BLOCK and pc[3] == EMPTY:
                return go(
                    State.MEMORY, pc + 4, sp, fp, mem, size, exec, inst, table, stp, side, r, f
                )
            return go(State.MEMORY, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        start = past_block_type(pc)
        return go(State.MEMORY, start, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


block("block")
block("loop")


@handler("nop")
def nop(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("unreachable")
def unreachable(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Also the end of an entry: its outermost frame returns to the start of the binary.

    The first byte there, of the magic number, has the value of this opcode.
    """
    trap_if(pc != inst.module.binary, TrapCode.UNREACHABLE)
    return u32(TrapCode.NONE)


def branch_always(name: str) -> None:
    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


branch_always("br")
branch_always("else")


@inline
def branch_if(condition, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """The `br_if` at `pc`, its condition already taken off the stack."""
    if condition:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(
        State.MEMORY, past_index(pc), sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f
    )


@handler("br_if", State.I32)
def br_if(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    holds = u32(r) != 0
    return branch_if(holds, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("if", State.I32)
def if_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Its branch goes to `else`, or to the end."""
    if u32(r) == 0:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    start = past_block_type(pc)
    return go(State.MEMORY, start, sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f)


@handler("br_table", State.I32)
def br_table(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """One entry for each label, the default last."""
    index = u32(r)
    count = read_index(cursor(pc + 1))
    index = index if index < count else count
    return branch(pc, sp, fp, mem, size, exec, inst, table, stp - index, side, r, f)


@handler("br_on_null")
def br_on_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] == 0:
        return branch(pc, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(
        State.MEMORY, past_index(pc), sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f
    )


@handler("br_on_non_null")
def br_on_non_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] != 0:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(
        State.MEMORY, past_index(pc), sp - 1, fp, mem, size, exec, inst, table, stp - 1, side, r, f
    )


@inline
def leave(state: const, header, many, sp, fp, mem, size, exec, inst, table, r, f):
    """Return to the caller; `many` cells of results, which end at `sp`, go where the arguments
    were, and may go over the header.
    """
    module = inst.module
    pc = module.binary + header[0]
    frame = fp - header[1]
    caller = ptr[SideTable](module.functions[header[3]].side_table)
    stp = at_position(caller, header[2])
    source = sp - many
    for i in range(u32(0), many):
        fp[i] = source[i]
    return go(state, pc, fp + many, frame, mem, size, exec, inst, table, stp, caller, r, f)


@native(convention="handler", noinline=True, no_builtins=True)
def leave_with_stored(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Return; the results are on top of the stack."""
    header = fp + param_cells_of(side)
    many = result_cells_of(side)
    return leave(State.MEMORY, header, many, sp, fp, mem, size, exec, inst, table, r, f)


@native(convention="handler", noinline=True)
def end_wide(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """`end` in a function with a `WideTable`, which may be long: it need not be the last one."""
    function = inst.module.functions + index_of(side)
    if pc + 1 == function.body + function.body_size:
        return tail(leave_with_stored, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def is_function_end(pc, side):
    """True may be wrong for a function with a `WideTable`."""
    return u16(usize(pc)) == side.end


@handler("end")
def end(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Of a block it does nothing, of a function it returns."""
    if is_function_end(pc, side):
        if likely(not is_wide(side) and side.result_cells == 0):
            header = fp + u32(side.param_cells)
            return leave(State.MEMORY, header, u32(0), sp, fp, mem, size, exec, inst, table, r, f)
        return tail(end_wide, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("return")
def return_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return tail(leave_with_stored, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def end_with_held(name: str, state: int) -> None:
    """Of a block it does nothing; a single result is returned in its accumulator."""
    always = name == "return"
    returns = leave_with_stored if always else end_wide

    @handler(name, state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if not always:
            if not is_function_end(pc, side):
                return go(state, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        if likely(not is_wide(side) and side.result_cells == cells(HELD[state])):
            header = fp + u32(side.param_cells)
            return leave(state, header, u32(0), sp, fp, mem, size, exec, inst, table, r, f)
        sp = spill(state, sp, r, f)
        return tail(returns, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


for _state in HELD:
    end_with_held("end", _state)
    end_with_held("return", _state)
