"""Handlers of loads and stores, and of what works on whole memories.

An address is checked in 64 bits, where it cannot wrap: 32-bit address plus 32-bit offset. That is
for memory 0 with 32-bit addresses; the `far` forms serve all other memories.
"""

from wasmote.core.memory import data_drop, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import native_params
from wasmote.interp.common.bulk import copy_memory, fill_memory
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import Type, const, inline, load, ptr, trap_if, u8, u16, u32, u64, usize
from wasmote.nativepy.types import Int

from .bulk import bulk, range_operand
from .registers import (
    FLOATS,
    go,
    handler,
    new_f,
    new_r,
    operand,
    operand_units,
    read_slot,
    write_if,
    write_slot,
)

#: Addresses: a slot or the accumulator, alone or plus a slot or an immediate (the sum wraps at 32
#: bits).
ADDRESS_FORMS = ("S", "A", "SS", "AS", "SI", "AI")
#: Values of a store: a slot, the accumulator; integers also an immediate.
VALUE_FORMS = ("S", "A", "I")


def address_units(form: str) -> int:
    return sum(operand_units(part, u32) for part in form)


@inline
def effective_address(form: const, p, at, fp, r):
    """The sum of an address's parts, named from unit `p`, and the offset at unit `at`."""
    address = operand(form[0], u32, p, fp, r, r)
    if len(form) == 2:
        address = address + operand(form[1], u32, p + operand_units(form[0], u32), fp, r, r)
    return u64(address) + u64(load(u32, p + at, align=2))


def load_handler(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, address…, offset (2)]"""
    meaning, access = i.semantics, i.access
    units = address_units(form)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        start = effective_address(form, pc + 2, units, fp, r)
        trap_if(start + access > size, TrapCode.MEMORY_OUT_OF_BOUNDS)
        value = meaning(mem + start)
        write_if(saved, fp, pc[1], value)
        return go(
            pc + 4 + units, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f)
        )


def store_handler(i: Instruction, form: str, value_form: str) -> None:
    """[op, address…, value?, offset (2)]"""
    meaning, access = i.semantics, i.access
    kind: Type = native_params(i)[1]
    second = 1 + address_units(form)
    at = second + operand_units(value_form, kind)

    @handler(f"{i.name} {form} {value_form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        start = effective_address(form, pc + 1, at - 1, fp, r)
        trap_if(start + access > size, TrapCode.MEMORY_OUT_OF_BOUNDS)
        meaning(mem + start, operand(value_form, kind, pc + second, fp, r, f))
        return go(pc + at + 2, fp, mem, size, exec, inst, table, r, f)


@inline
def far_address(kind: const, access: const, p, fp, memory):
    """The checked address for [address, memory, offset (4)] at `p`, which may be any 64-bit
    numbers.
    """
    address = u64(read_slot(kind, fp, p[0]))
    offset = load(u64, p + 2, align=2)
    size = memory.size
    trap_if(size < access, TrapCode.MEMORY_OUT_OF_BOUNDS)
    room = size - access
    trap_if(offset > room or address > room - offset, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return memory.data + (address + offset)


def far_load(i: Instruction, name: str, kind: Type, saved: bool) -> None:
    """[op, dst, address, memory, offset (4)]"""
    meaning, access = i.semantics, i.access

    @handler(f"{i.name} far {name} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(far_address(kind, access, pc + 2, fp, inst.memories[pc[3]]))
        write_if(saved, fp, pc[1], value)
        return go(pc + 8, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def far_store(i: Instruction, name: str, kind: Type) -> None:
    """[op, value, address, memory, offset (4)]"""
    meaning, access = i.semantics, i.access
    value: Type = native_params(i)[1]

    @handler(f"{i.name} far {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        p = far_address(kind, access, pc + 2, fp, inst.memories[pc[3]])
        meaning(p, read_slot(value, fp, pc[1]))
        return go(pc + 8, fp, mem, size, exec, inst, table, r, f)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family in ("load", "store"):
        for _name, _kind in (("i32", u32), ("i64", u64)):
            if _instruction.family == "store":
                far_store(_instruction, _name, _kind)
            else:
                far_load(_instruction, _name, _kind, False)
                far_load(_instruction, _name, _kind, True)
    if _instruction.family == "load":
        for _form in ADDRESS_FORMS:
            for _saved in (False, True):
                load_handler(_instruction, _form, _saved)
    elif _instruction.family == "store":
        _integer = isinstance(native_params(_instruction)[1], Int)
        for _value in VALUE_FORMS if _integer else VALUE_FORMS[:2]:
            for _form in ADDRESS_FORMS:
                store_handler(_instruction, _form, _value)


def memory_size(name: str, kind: Type) -> None:
    """[op, dst, memory]"""

    @handler(f"memory.size {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        pages = kind(inst.memories[pc[2]].pages)
        write_slot(fp, pc[1], pages)
        return go(pc + 3, fp, mem, size, exec, inst, table, u64(pages), f)


def memory_grow_(name: str, kind: Type) -> None:
    """[op, dst, memory, pages]"""

    @handler(f"memory.grow {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        pages = read_slot(kind, fp, pc[3])
        old = kind(memory_grow(inst.memories[pc[2]], u64(pages)))
        write_slot(fp, pc[1], old)
        now = inst.memories[0]
        return go(pc + 4, fp, now.data, now.size, exec, inst, table, u64(old), f)


for _name, _kind in (("i32", u32), ("i64", u64)):
    memory_size(_name, _kind)
    memory_grow_(_name, _kind)


@inline
def fill_(pc, fp, exec, inst):
    start = range_operand(pc, fp, 0)
    return fill_memory(exec, inst.memories[pc[5]], start, u8(fp[pc[3]]), range_operand(pc, fp, 2))


@inline
def copy_(pc, fp, exec, inst):
    to = range_operand(pc, fp, 0)
    source = range_operand(pc, fp, 1)
    count = range_operand(pc, fp, 2)
    return copy_memory(exec, inst.memories[pc[5]], inst.memories[pc[6]], to, source, count)


@inline
def init_(pc, fp, exec, inst):
    segment = load(u32, pc + 6, align=2)
    to = range_operand(pc, fp, 0)
    return memory_init(inst, segment, inst.memories[pc[5]], to, u64(fp[pc[3]]), u64(fp[pc[4]]))


@inline
def drop_(pc, fp, exec, inst):
    data_drop(inst, load(u32, pc + 1, align=2))
    return u32(0)


bulk("memory.fill", 6, fill_)
bulk("memory.copy", 7, copy_)
bulk("memory.init", 8, init_)
bulk("data.drop", 3, drop_, ranges=False)
