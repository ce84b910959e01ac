"""Handlers of branches and returns."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.nativepy import Type, copy, i32, inline, load, ptr, trap_if, u8, u16, u32, u64, usize

from .handlers_variables import KINDS
from .registers import FLOATS, go, handler, jump, new_f, new_r, operand, operand_units, write_slot


@handler("nop")
def nop(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op]"""
    return go(pc + 1, fp, mem, size, exec, inst, table, r, f)


def br(back: bool) -> None:
    """[op, distance (2)]"""

    @handler(f"br {'back' if back else 'forward'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        return jump(back, pc, fp, mem, size, exec, inst, table, r, f)


def br_table(form: str) -> None:
    """[op, count (2), index?, distances (2 each, from the unit before their own)]; the last is the
    default.
    """
    first = 3 + operand_units(form, u32)

    @handler(f"br_table {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        index = operand(form, u32, pc + 3, fp, r, f)
        count = load(u32, pc + 1, align=2)
        index = index if index < count else count
        entry = pc + first + u64(index) * 2
        return go(entry - 1 + load(i32, entry, align=2), fp, mem, size, exec, inst, table, r, f)


@inline
def leave(pc, fp, mem, size, exec, inst, table, r, f):
    """Continue in the caller; the unit after the opcode is the number of parameter cells."""
    header = fp + pc[1]
    back = exec.code + header[0]
    return go(back, fp - header[1], mem, size, exec, inst, table, r, f)


def return_value(name: str, kind: Type, form: str) -> None:
    """[op, parameter cells, value?]"""

    @handler(f"return {name} {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = operand(form, kind, pc + 2, fp, r, f)
        header = fp + pc[1]
        back = exec.code + header[0]
        delta = header[1]
        write_slot(fp, 0, value)
        return go(back, fp - delta, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


br(False)
br(True)
br_table("S")
br_table("A")
for _name, _kind in KINDS:
    for _form in ("S", "A", "I") if _name == "i32" else ("S", "A"):
        return_value(_name, _kind, _form)


@handler("return")
def return_(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, parameter cells]"""
    return leave(pc, fp, mem, size, exec, inst, table, r, f)


@handler("return many")
def return_many(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, parameter cells, first slot, cells]: consecutive results."""
    header = fp + pc[1]
    back = exec.code + header[0]
    delta = header[1]
    copy(ptr[u8](fp), ptr[u8](fp + pc[2]), usize(pc[3]) * 4)
    return go(back, fp - delta, mem, size, exec, inst, table, r, f)


@handler("unreachable")
def unreachable(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    trap_if(True, TrapCode.UNREACHABLE)
    return u32(0)


@handler("leave interpreter")
def leave_interpreter(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """The outermost frame of an entry returns to this instruction, the first of a module's code."""
    return u32(TrapCode.NONE)
