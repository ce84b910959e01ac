"""Handlers of vector instructions that `handlers_numeric` and `handlers_memory` have no form for.

A vector lives in the accumulator `f`, like floats. Instructions that only differ in their name, or
in the order of their operands, share the handlers of one of them: its *model*.
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction, by_name
from wasmote.nativepy import Type, inline, load, ptr, trap_if, u8, u16, u32, u64, usize

from .handlers_memory import far_address
from .handlers_numeric import UNARY_FORMS, binary, native_params, unary
from .handlers_variables import VECTOR
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
)

#: Forms by family, in the translator's order. An operand that no form reads from an accumulator has
#: to be in a slot.
COMMUTATIVE_FORMS = ("SS", "AS")
BINARY_FORMS = ("SS", "AS", "SA")
SHIFT_FORMS = ("SS", "AS", "SI", "AI")
TERNARY_FORMS = ("SSS", "ASS", "SAS", "SSA")


class Vector:
    """How the translator treats a vector instruction; goes on where `bytecode.Family` ends."""

    BINARY, SHIFT, TERNARY, EXTRACT, REPLACE = range(6, 11)
    SHUFFLE, LOAD_LANE, STORE_LANE, CONSTANT = range(11, 15)


def vector_family(i: Instruction) -> int | None:
    """None: treated as an instruction on single numbers is."""
    if i.family in ("load lane", "store lane"):
        return Vector.LOAD_LANE if i.family == "load lane" else Vector.STORE_LANE
    if Immediate.LANES in i.immediates:
        return Vector.SHUFFLE
    if Immediate.V128 in i.immediates:
        return Vector.CONSTANT
    params = i.params or ()
    if Immediate.LANE in i.immediates:
        return Vector.EXTRACT if len(params) == 1 else Vector.REPLACE
    if i.access or len(params) == 1:
        return None
    if len(params) == 3:
        return Vector.TERNARY
    return Vector.BINARY if params[1] == ValueType.V128 else Vector.SHIFT


_FIRST_WITH: dict[int, Instruction] = {}
for _instruction in INSTRUCTIONS.values():
    if _instruction.semantics is not None:
        _FIRST_WITH.setdefault(id(_instruction.semantics), _instruction)


def is_mirrored(i: Instruction) -> bool:
    """Whether an instruction is its model with the operands exchanged: a > b is b < a."""
    return i.prefix == 0xFD and i.name.partition(".")[2][:2] in ("gt", "ge")


def model(i: Instruction) -> Instruction:
    """The instruction whose handlers an instruction uses."""
    if is_mirrored(i):
        shape, _, operation = i.name.partition(".")
        return by_name(f"{shape}.{operation.replace('gt', 'lt').replace('ge', 'le')}")
    return _FIRST_WITH.get(id(i.semantics), i)


def ternary(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, slots of those not in the accumulator]"""
    first, second, third = native_params(i)
    meaning = i.semantics
    b_at = 2 + operand_units(form[0], first)
    c_at = b_at + operand_units(form[1], second)
    units = c_at + operand_units(form[2], third)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = operand(form[0], first, pc + 2, fp, r, f)
        b = operand(form[1], second, pc + b_at, fp, r, f)
        value = meaning(a, b, operand(form[2], third, pc + c_at, fp, r, f))
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, r, new_f(value, f))


def extract(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, a?, lane]"""
    meaning, kind = i.semantics, native_params(i)[0]
    at = 2 + operand_units(form, kind)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(operand(form, kind, pc + 2, fp, r, f), u32(pc[at]))
        write_if(saved, fp, pc[1], value)
        return go(pc + at + 1, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def replace(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, a?, value, lane]"""
    meaning, (kind, number, _) = i.semantics, native_params(i)
    at = 2 + operand_units(form, kind)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = operand(form, kind, pc + 2, fp, r, f)
        value = meaning(a, read_slot(number, fp, pc[at]), u32(pc[at + 1]))
        write_if(saved, fp, pc[1], value)
        return go(pc + at + 2, fp, mem, size, exec, inst, table, r, new_f(value, f))


def shuffle(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, a?, b, lanes (8)]"""
    meaning, kind = i.semantics, native_params(i)[0]
    at = 2 + operand_units(form, kind)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = operand(form, kind, pc + 2, fp, r, f)
        value = meaning(a, read_slot(kind, fp, pc[at]), load(kind, pc + at + 1, align=2))
        write_if(saved, fp, pc[1], value)
        return go(pc + at + 9, fp, mem, size, exec, inst, table, r, new_f(value, f))


@inline
def lane_address(access, pc, fp, size):
    """The checked address of one lane; its slot and the offset are at `pc`."""
    start = u64(read_slot(u32, fp, pc[0])) + u64(load(u32, pc + 1, align=2))
    trap_if(start + access > size, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return start


def load_lane(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, address, offset (2), lane, a?]"""
    meaning, access, kind = i.semantics, i.access, native_params(i)[1]
    units = 6 + operand_units(form, kind)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        start = lane_address(access, pc + 2, fp, size)
        value = meaning(mem + start, operand(form, kind, pc + 6, fp, r, f), u32(pc[5]))
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, r, new_f(value, f))


def store_lane(i: Instruction, form: str) -> None:
    """[op, unused, address, offset (2), lane, a?]"""
    meaning, access, kind = i.semantics, i.access, native_params(i)[1]
    units = 6 + operand_units(form, kind)

    @handler(f"{i.name} {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        start = lane_address(access, pc + 2, fp, size)
        meaning(mem + start, operand(form, kind, pc + 6, fp, r, f), u32(pc[5]))
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


def far_load_lane(i: Instruction, name: str, index: Type, saved: bool) -> None:
    """[op, dst, address, memory, offset (4), lane, a]"""
    meaning, access, kind = i.semantics, i.access, native_params(i)[1]

    @handler(f"{i.name} far {name} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        p = far_address(index, access, pc + 2, fp, inst.memories[pc[3]])
        value = meaning(p, read_slot(kind, fp, pc[9]), u32(pc[8]))
        write_if(saved, fp, pc[1], value)
        return go(pc + 10, fp, mem, size, exec, inst, table, r, new_f(value, f))


def far_store_lane(i: Instruction, name: str, index: Type) -> None:
    """[op, unused, address, memory, offset (4), lane, a]"""
    meaning, access, kind = i.semantics, i.access, native_params(i)[1]

    @handler(f"{i.name} far {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        p = far_address(index, access, pc + 2, fp, inst.memories[pc[3]])
        meaning(p, read_slot(kind, fp, pc[9]), u32(pc[8]))
        return go(pc + 10, fp, mem, size, exec, inst, table, r, f)


def constant(saved: bool) -> None:
    """[op, dst, value (8)]"""

    @handler(f"v128.const {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = load(VECTOR, pc + 2, align=2)
        write_if(saved, fp, pc[1], value)
        return go(pc + 10, fp, mem, size, exec, inst, table, r, new_f(value, f))


#: What makes the handlers of a family, and in which forms.
MAKERS = {
    None: (unary, UNARY_FORMS),
    Vector.SHIFT: (binary, SHIFT_FORMS),
    Vector.TERNARY: (ternary, TERNARY_FORMS),
    Vector.EXTRACT: (extract, UNARY_FORMS),
    Vector.REPLACE: (replace, UNARY_FORMS),
    Vector.SHUFFLE: (shuffle, UNARY_FORMS),
    Vector.LOAD_LANE: (load_lane, UNARY_FORMS),
}


def first_form(i: Instruction) -> str:
    """The name of the first of an instruction's handlers."""
    found = vector_family(i)
    if found == Vector.CONSTANT:
        return f"{i.name} A"
    if found == Vector.STORE_LANE:
        return f"{i.name} S"
    if found == Vector.BINARY:
        return f"{model(i).name} SS A"
    return f"{model(i).name} {MAKERS[found][1][0]} A"


def _make(i: Instruction) -> None:
    found = vector_family(i)
    if found == Vector.STORE_LANE:
        for form in UNARY_FORMS:
            store_lane(i, form)
        return
    if found == Vector.BINARY:
        make, forms = binary, COMMUTATIVE_FORMS if i.commutative else BINARY_FORMS
    else:
        make, forms = MAKERS[found]
    for form in forms:
        for saved in (False, True):
            make(i, form, saved)


for _instruction in INSTRUCTIONS.values():
    _plain_access = _instruction.family in ("load", "store")
    if _instruction.prefix == 0xFD and _instruction.semantics is not None and not _plain_access:
        if model(_instruction) is _instruction:
            _make(_instruction)
for _instruction in INSTRUCTIONS.values():
    for _name, _kind in (("i32", u32), ("i64", u64)):
        if _instruction.family == "store lane":
            far_store_lane(_instruction, _name, _kind)
        elif _instruction.family == "load lane":
            for _saved in (False, True):
                far_load_lane(_instruction, _name, _kind, _saved)
constant(False)
constant(True)
