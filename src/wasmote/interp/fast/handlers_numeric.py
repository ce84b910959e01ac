"""Handlers of numeric instructions, made from their definitions in every form of operands.

Forms are named by their operands: S slot, A accumulator, I immediate; then A or S for the result.
"""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import native_params
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import Type, i16, i32, ptr, stack, u8, u16, u32, u64, usize
from wasmote.nativepy.types import Int

from .registers import (
    FLOATS,
    go,
    handler,
    jump,
    new_f,
    new_r,
    operand,
    operand_units,
    read_slot,
    write_if,
    write_slot,
)

UNARY_FORMS = ("S", "A")
BINARY_FORMS = ("SS", "SI", "AS", "AI", "SA")
#: The name of an operation's first form, by `bytecode.Family`.
FIRST_FORM = ("", "S A", "SS A", "SS A", "S A", "S S")


def unary(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, a?]"""
    (kind,), meaning = native_params(i), i.semantics
    units = 2 + operand_units(form, kind)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(operand(form, kind, pc + 2, fp, r, f))
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def binary(i: Instruction, form: str, saved: bool) -> None:
    """[op, dst, a?, b?]"""
    (left, right), meaning = native_params(i), i.semantics
    second = 2 + operand_units(form[0], left)
    units = second + operand_units(form[1], right)

    @handler(f"{i.name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = operand(form[0], left, pc + 2, fp, r, f)
        value = meaning(a, operand(form[1], right, pc + second, fp, r, f))
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def branch(i: Instruction, form: str, when: bool, back: bool) -> None:
    """[op, distance (2), a?, b?]: compare and branch in one."""
    (left, right), meaning = native_params(i), i.semantics
    second = 3 + operand_units(form[0], left)
    units = second + operand_units(form[1], right)

    @handler(f"{'br_if' if when else 'br_unless'} {i.name} {form} {'back' if back else 'forward'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = operand(form[0], left, pc + 3, fp, r, f)
        holds = meaning(a, operand(form[1], right, pc + second, fp, r, f)) != 0
        if holds == when:
            return jump(back, pc, fp, mem, size, exec, inst, table, r, f)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


def step(i: Instruction, form: str) -> None:
    """[op, distance (2), slot, step, b…]: the end of a counting loop. Add to a local, compare,
    branch back.
    """
    (left, right), meaning = native_params(i), i.semantics
    units = 5 + operand_units(form, right)

    @handler(f"step {i.name} {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        count = fp[pc[3]] + u32(i32(i16(pc[4])))
        fp[pc[3]] = count
        if meaning(left(count), operand(form, right, pc + 5, fp, r, f)) != 0:
            return jump(True, pc, fp, mem, size, exec, inst, table, u64(count), f)
        return go(pc + units, fp, mem, size, exec, inst, table, u64(count), f)


def wide(i: Instruction) -> None:
    """[op, dst, operands…]: two results, in slots that follow each other."""
    meaning, count = i.semantics, len(i.params or ())

    @handler(i.name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        results = stack(u64, 2)
        a = read_slot(u64, fp, pc[2])
        b = read_slot(u64, fp, pc[3])
        if count == 2:
            meaning(results, a, b)
        else:
            meaning(results, a, b, read_slot(u64, fp, pc[4]), read_slot(u64, fp, pc[5]))
        write_slot(fp, pc[1], results[0])
        write_slot(fp, pc[1] + 2, results[1])
        return go(pc + (2 + count), fp, mem, size, exec, inst, table, r, f)


def branch_on_zero(kind: Type, name: str, form: str, when_zero: bool, back: bool) -> None:
    """[op, distance (2), a?]: branch on an integer being zero or not."""
    units = 3 + operand_units(form, kind)

    @handler(f"{name} {form} {'back' if back else 'forward'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        if (operand(form, kind, pc + 3, fp, r, f) == 0) == when_zero:
            return jump(back, pc, fp, mem, size, exec, inst, table, r, f)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


def _make(i: Instruction) -> None:
    if len(i.params or ()) == 1:
        for form in UNARY_FORMS:
            for saved in (False, True):
                unary(i, form, saved)
        return
    for form in BINARY_FORMS:
        for saved in (False, True):
            binary(i, form, saved)
    if i.family == "compare":
        polarities = (True,) if isinstance(native_params(i)[0], Int) else (True, False)
        for when in polarities:
            for form in BINARY_FORMS:
                for back in (False, True):
                    branch(i, form, when, back)
    if i.family == "compare" and native_params(i)[0] in (i32, u32):
        for form in ("S", "I"):
            step(i, form)


for _instruction in INSTRUCTIONS.values():
    if _instruction.family == "wide":
        wide(_instruction)
    elif (
        _instruction.semantics is not None
        and not _instruction.access
        and _instruction.prefix != 0xFD
    ):
        _make(_instruction)
for _kind, _name, _when_zero in (
    (u32, "br_if", False),
    (u32, "br_unless", True),
    (u64, "br_if64", False),
    (u64, "br_unless64", True),
):
    for _form in UNARY_FORMS:
        for _back in (False, True):
            branch_on_zero(_kind, _name, _form, _when_zero, _back)
