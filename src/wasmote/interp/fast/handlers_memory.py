"""Handlers of loads and stores, and of what works on whole memories.

An address is checked in 64 bits, where it cannot wrap: 32-bit address plus 32-bit offset.
"""

from wasmote.core.memory import data_drop, memory_copy, memory_fill, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import Type, inline, load, ptr, trap_if, u8, u16, u32, u64, usize

from .bulk import bulk
from .handlers_numeric import native_params
from .registers import FLOATS, go, handler, new_f, new_r, operand, operand_units, read_slot, write_if

#: Addresses: a slot, the accumulator, the sum of two slots, of the accumulator and a slot.
ADDRESS_FORMS = {"S": 1, "A": 0, "SS": 2, "AS": 1}
STORE_FORMS = ("SS", "SA", "SI", "AS", "AI")


def load_handler(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, address…, offset (2)]"""
    meaning, access = i.semantics, i.access
    at = 2 + ADDRESS_FORMS[form]

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        address = u32(r) if form[0] == "A" else read_slot(u32, fp, pc[2])
        if len(form) == 2:
            address = address + read_slot(u32, fp, pc[at - 1])
        start = u64(address) + u64(load(u32, pc + at, align=2))
        trap_if(start + access > size, TrapCode.MEMORY_OUT_OF_BOUNDS)
        value = meaning(mem + start)
        write_if(saved, fp, pc[1], value)
        return go(pc + at + 2, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def store_handler(i: Instruction, form: str) -> None:
    """[op, address?, value?, offset (2)]"""
    meaning, access = i.semantics, i.access
    kind: Type = native_params(i)[1]
    second = 1 + operand_units(form[0], u32)
    at = second + operand_units(form[1], kind)

    @handler(f"{i.name} {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        address = u32(r) if form[0] == "A" else read_slot(u32, fp, pc[1])
        start = u64(address) + u64(load(u32, pc + at, align=2))
        trap_if(start + access > size, TrapCode.MEMORY_OUT_OF_BOUNDS)
        meaning(mem + start, operand(form[1], kind, pc + second, fp, r, f))
        return go(pc + at + 2, fp, mem, size, exec, inst, table, r, f)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "load":
        for _form in ADDRESS_FORMS:
            for _saved in (False, True):
                load_handler(_instruction, _form, _saved)
    elif _instruction.family == "store":
        for _form in STORE_FORMS:
            store_handler(_instruction, _form)


@handler("memory.size")
def memory_size(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, memory]"""
    pages = u32(inst.memories[pc[2]].pages)
    fp[pc[1]] = pages
    return go(pc + 3, fp, mem, size, exec, inst, table, u64(pages), f)


@handler("memory.grow")
def memory_grow_(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, memory, pages]"""
    old = u32(memory_grow(inst.memories[pc[2]], u64(fp[pc[3]])))
    fp[pc[1]] = old
    now = inst.memories[0]
    return go(pc + 4, fp, now.data, now.size, exec, inst, table, u64(old), f)


@inline
def fill_(pc, o, inst):
    return memory_fill(inst.memories[pc[2]], u64(o[0]), u8(o[1]), u64(o[2]))


@inline
def copy_(pc, o, inst):
    return memory_copy(inst.memories[pc[2]], inst.memories[pc[3]], u64(o[0]), u64(o[1]), u64(o[2]))


@inline
def init_(pc, o, inst):
    segment = load(u32, pc + 2, align=2)
    return memory_init(inst, segment, inst.memories[pc[4]], u64(o[0]), u64(o[1]), u64(o[2]))


@inline
def drop_(pc, o, inst):
    data_drop(inst, load(u32, pc + 2, align=2))
    return u32(0)


bulk("memory.fill", 3, fill_)
bulk("memory.copy", 4, copy_)
bulk("memory.init", 5, init_)
bulk("data.drop", 4, drop_)
