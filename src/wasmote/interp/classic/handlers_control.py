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
    u32,
    u64,
    unlikely,
    usize,
)

from .immediates import cursor, read_index, skip
from .registers import HELD, State, branch, cells, go, handler, spill
from .side_table import SideTable

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
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
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
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("unreachable")
def unreachable(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
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
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
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
        State.MEMORY, past_index(pc), sp, fp, mem, size, exec, inst, table, stp + 1, side, r, f
    )


@handler("br_if", State.I32)
def br_if(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    holds = u32(r) != 0
    return branch_if(holds, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("if", State.I32)
def if_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Its branch goes to `else`, or to the end."""
    if u32(r) == 0:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    start = past_block_type(pc)
    return go(State.MEMORY, start, sp, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


@handler("br_table", State.I32)
def br_table(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """One entry for each label, the default last."""
    index = u32(r)
    count = read_index(cursor(pc + 1))
    index = index if index < count else count
    return branch(pc, sp, fp, mem, size, exec, inst, table, stp + index, side, r, f)


@handler("br_on_null")
def br_on_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] == 0:
        return branch(pc, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(
        State.MEMORY, past_index(pc), sp, fp, mem, size, exec, inst, table, stp + 1, side, r, f
    )


@handler("br_on_non_null")
def br_on_non_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] != 0:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(
        State.MEMORY, past_index(pc), sp - 1, fp, mem, size, exec, inst, table, stp + 1, side, r, f
    )


@inline
def leave(state: const, many, sp, fp, mem, size, exec, inst, table, side, r, f):
    """Return to the caller; `many` cells of results, which end at `sp`, go where the arguments
    were, and may go over the header.
    """
    header = fp + u32(side.param_cells)
    module = inst.module
    pc = module.binary + header[0]
    frame = fp - header[1]
    caller = ptr[SideTable](module.functions[header[3]].side_table)
    stp = ptr[u32](caller) + header[2]
    source = sp - many
    for i in range(u32(0), many):
        fp[i] = source[i]
    return go(state, pc, fp + many, frame, mem, size, exec, inst, table, stp, caller, r, f)


@native(convention="handler", noinline=True, no_builtins=True)
def leave_with_stored(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Return; the results are on top of the stack."""
    many = u32(side.result_cells)
    return leave(State.MEMORY, many, sp, fp, mem, size, exec, inst, table, side, r, f)


@inline
def is_function_end(pc, side):
    return u32(usize(pc)) == side.end


@handler("end")
def end(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Of a block it does nothing, of a function it returns."""
    if is_function_end(pc, side):
        if side.result_cells == 0:
            return leave(State.MEMORY, u32(0), sp, fp, mem, size, exec, inst, table, side, r, f)
        return tail(leave_with_stored, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("return")
def return_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return tail(leave_with_stored, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def end_with_held(name: str, state: int) -> None:
    """Of a block it does nothing; a single result is returned in its accumulator."""
    always = name == "return"

    @handler(name, state)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        if not always:
            if not is_function_end(pc, side):
                return go(state, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        if likely(side.result_cells == cells(HELD[state])):
            return leave(state, u32(0), sp, fp, mem, size, exec, inst, table, side, r, f)
        sp = spill(state, sp, r, f)
        return tail(leave_with_stored, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


for _state in HELD:
    end_with_held("end", _state)
    end_with_held("return", _state)
