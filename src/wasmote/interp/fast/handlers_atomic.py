"""Handlers of the atomic instructions, all of one shape: operands and result are in slots.

[op, dst, 64-bit address, memory, offset (4), address, operands…]
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.core.waiting import memory_notify, memory_wait
from wasmote.interp.common.accumulators import native_params
from wasmote.interp.common.outside import leave_for
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import (
    const,
    fence,
    i64,
    inline,
    load,
    ptr,
    stack,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .registers import FLOATS, go, handler, pc_offset, read_slot, write_slot

#: Where the slot of the address is, and the first of the others.
ADDRESS, OPERANDS = 8, 9


@inline
def checked_address(access: const, pc, fp, memory):
    """The address, aligned and with `access` bytes in the memory."""
    slot = fp + pc[ADDRESS]
    address = load(u64, slot, align=4) if pc[2] != 0 else u64(slot[0])
    offset = load(u64, pc + 4, align=2)
    start = address + offset
    trap_if(start & (access - 1) != 0, TrapCode.UNALIGNED_ATOMIC)
    size = memory.size  # of pages of one byte, maybe, so an aligned access may go beyond it
    outside = start < offset or start >= size or size - start < access
    trap_if(outside, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return start


def access_handler(i: Instruction) -> None:
    """Loads, stores, and what does both at once."""
    meaning, access = i.semantics, i.access
    kinds, has_result = native_params(i)[1:], bool(i.results)
    units = OPERANDS + len(kinds)

    @handler(i.name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        memory = inst.memories[pc[3]]
        p = memory.data + checked_address(access, pc, fp, memory)
        if len(kinds) == 0:
            value = meaning(p)
        elif len(kinds) == 2:
            expected = read_slot(kinds[0], fp, pc[OPERANDS])
            value = meaning(p, expected, read_slot(kinds[1], fp, pc[OPERANDS + 1]))
        elif has_result:
            value = meaning(p, read_slot(kinds[0], fp, pc[OPERANDS]))
        else:
            meaning(p, read_slot(kinds[0], fp, pc[OPERANDS]))
        if has_result:
            write_slot(fp, pc[1], value)
            return go(pc + units, fp, mem, size, exec, inst, table, u64(value), f)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


def wait_handler(i: Instruction) -> None:
    access = i.access
    kind = u64 if i.params[1] == ValueType.I64 else u32

    @handler(i.name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        memory = inst.memories[pc[3]]
        start = checked_address(access, pc, fp, memory)
        expected = u64(read_slot(kind, fp, pc[OPERANDS]))
        timeout = read_slot(i64, fp, pc[OPERANDS + 1])
        leave_for(exec.entry, inst, u32(pc_offset(exec, pc)), fp)
        result = stack(u32)
        code = memory_wait(exec, memory, start, expected, access * 8, timeout, result)
        trap_if(code != 0, code)
        write_slot(fp, pc[1], result[0])
        now = inst.memories[0]  # may have grown meanwhile
        after = pc + OPERANDS + 2
        return go(after, fp, now.data, now.size, exec, inst, table, u64(result[0]), f)


@handler("memory.atomic.notify")
def notify(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    memory = inst.memories[pc[3]]
    start = checked_address(4, pc, fp, memory)
    woken = memory_notify(memory, start, fp[pc[OPERANDS]])
    write_slot(fp, pc[1], woken)
    return go(pc + OPERANDS + 1, fp, mem, size, exec, inst, table, u64(woken), f)


@handler("atomic.fence")
def fence_(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op]"""
    fence()
    return go(pc + 1, fp, mem, size, exec, inst, table, r, f)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "atomic":
        access_handler(_instruction)
    elif _instruction.name.startswith("memory.atomic.wait"):
        wait_handler(_instruction)
