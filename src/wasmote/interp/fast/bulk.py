"""The shape of instructions that work on whole ranges of memories and tables."""

from wasmote.core.structs import Exec, Instance
from wasmote.nativepy import NativeFunction, ptr, trap_if, u8, u16, u32, u64, usize

from .registers import FLOATS, go, handler


def bulk(name: str, units: int, perform: NativeFunction) -> None:
    """[op, first operand's slot, index…]: an instruction that may only trap."""

    @handler(name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        code = perform(pc, fp + pc[1], inst)
        trap_if(code != 0, code)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)
