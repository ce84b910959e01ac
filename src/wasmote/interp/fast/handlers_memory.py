"""Handlers of loads and stores, and of what works on whole memories.

An address is checked in 64 bits, where it cannot wrap: 32-bit address plus 32-bit offset.
"""

from wasmote.core.memory import data_drop, memory_copy, memory_fill, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import native_params
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import Type, const, inline, load, ptr, trap_if, u8, u16, u32, u64, usize
from wasmote.nativepy.types import Int

from .bulk import bulk
from .registers import FLOATS, go, handler, new_f, new_r, operand, operand_units, write_if

#: Addresses: a slot or the accumulator, alone or plus a slot or an immediate (the sum wraps at 32 bits).
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
        return go(pc + 4 + units, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


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


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "load":
        for _form in ADDRESS_FORMS:
            for _saved in (False, True):
                load_handler(_instruction, _form, _saved)
    elif _instruction.family == "store":
        _integer = isinstance(native_params(_instruction)[1], Int)
        for _value in VALUE_FORMS if _integer else VALUE_FORMS[:2]:
            for _form in ADDRESS_FORMS:
                store_handler(_instruction, _form, _value)


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
