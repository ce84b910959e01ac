"""Handlers of wide arithmetic, made from its definitions: two i64 from several.

They are behind the prefix 0xFC and get the address of the next instruction in `r`.
"""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import load, ptr, stack, store, u8, u16, u32, u64, usize

from .registers import State, go, handler
from .side_table import SideTable


def wide(i: Instruction) -> None:
    meaning, count = i.semantics, len(i.params or ())

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        o = sp - 2 * count
        results = stack(u64, 2)
        a = load(u64, o, align=4)
        b = load(u64, o + 2, align=4)
        if count == 4:
            meaning(results, a, b, load(u64, o + 4, align=4), load(u64, o + 6, align=4))
        else:
            meaning(results, a, b)
        store(o, results[0], align=4)
        store(o + 2, results[1], align=4)
        after = ptr[u8](usize(r))
        return go(State.MEMORY, after, o + 4, fp, mem, size, exec, inst, table, stp, side, r, f)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "wide":
        wide(_instruction)
