"""The shape of instructions that work on whole ranges of memories and tables."""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.bulk import begin_bulk
from wasmote.nativepy import (
    NativeFunction,
    const,
    inline,
    load,
    ptr,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .registers import FLOATS, go, handler, pc_offset


@inline
def range_operand(pc, fp, i: const):
    """Operand `i`, an index or a size: its slot is unit 2 + i; bit i of unit 1 says that it has 64
    bits.
    """
    p = fp + pc[2 + i]
    if u32(pc[1]) & (1 << i) != 0:
        return load(u64, p, align=4)
    return u64(p[0])


def bulk(name: str, units: int, perform: NativeFunction, ranges: bool = True) -> None:
    """[op, wide operands, three slots, indices…]: an instruction that may only trap.

    The last operand is a number of bytes or elements. Without `ranges` there are no operands.
    """

    @handler(name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        code: u32 = 0
        if ranges:
            code = begin_bulk(exec, inst, u32(pc_offset(exec, pc)), fp, range_operand(pc, fp, 2))
        if code == 0:
            code = perform(pc, fp, exec, inst)
        trap_if(code != 0, code)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)
