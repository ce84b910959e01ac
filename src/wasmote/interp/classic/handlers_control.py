"""Handlers of blocks, branches and returns."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.nativepy import inline, likely, ptr, trap_if, u8, u32, u64, unlikely, usize

from .immediates import cursor, read_index, skip
from .registers import branch, go, handler, top
from .side_table import SideTable

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
        start = past_block_type(pc)
        return go(False, start, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


block("block")
block("loop")


@handler("nop")
def nop(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return go(False, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


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
    return go(False, past_index(pc), sp, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


def conditional(cached: bool) -> None:
    @handler("br_if", cached)
    def br_if(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        holds = top(cached, u32, sp, r, f) != 0
        return branch_if(holds, pc, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)

    @handler("if", cached)
    def if_(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        """Its branch goes to `else`, or to the end."""
        if top(cached, u32, sp, r, f) == 0:
            return branch(pc, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)
        start = past_block_type(pc)
        return go(False, start, sp - 1, fp, mem, size, exec, inst, table, stp + 1, side, r, f)

    @handler("br_table", cached)
    def br_table(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        """One entry for each label, the default last."""
        index = top(cached, u32, sp, r, f)
        count = read_index(cursor(pc + 1))
        index = index if index < count else count
        return branch(pc, sp - 1, fp, mem, size, exec, inst, table, stp + index, side, r, f)


conditional(False)
conditional(True)


@handler("br_on_null")
def br_on_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] == 0:
        return branch(pc, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(False, past_index(pc), sp, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


@handler("br_on_non_null")
def br_on_non_null(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    if sp[-1] != 0:
        return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(False, past_index(pc), sp - 1, fp, mem, size, exec, inst, table, stp + 1, side, r, f)


@inline
def leave(sp, fp, mem, size, exec, inst, table, side, r, f):
    """Return to the caller: the results on top of the stack go where the arguments were."""
    header = fp + u32(side.param_cells)
    many = u32(side.result_cells)
    module = inst.module
    pc = module.binary + header[0]
    frame = fp - header[1]
    caller = ptr[SideTable](module.functions[header[3]].side_table)
    stp = ptr[u32](caller) + header[2]
    source = sp - many
    if likely(many <= 1):
        if many != 0:
            fp[0] = source[0]
    else:
        for i in range(u32(0), many):
            fp[i] = source[i]
    return go(False, pc, fp + many, frame, mem, size, exec, inst, table, stp, caller, r, f)


@handler("end")
def end(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Of a block it does nothing, of a function it returns."""
    if u32(usize(pc)) == side.end:
        return leave(sp, fp, mem, size, exec, inst, table, side, r, f)
    return go(False, pc + 1, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("return")
def return_(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    return leave(sp, fp, mem, size, exec, inst, table, side, r, f)
