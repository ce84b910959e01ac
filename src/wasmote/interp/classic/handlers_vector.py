"""Handlers of vector instructions, made from their definitions.

They are behind the prefix 0xFD and get the address of their first immediate in `r`, so their
operands come from memory. A result is left in the accumulator `f`, as floats are.
"""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, native_params
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.nativepy import f32, load_le, ptr, tail, u8, u16, u32, u64, unlikely, usize, vec

from .handlers_any_memory import any_load, any_store
from .immediates import cursor, read_offset
from .registers import State, below, cells, go, handler, push
from .side_table import SideTable

VECTOR = vec[f32, 4]


def constant(i: Instruction) -> None:
    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = ptr[u8](usize(r))
        value = load_le(VECTOR, at)
        return push(value, at + 16, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


def unary(i: Instruction) -> None:
    """Also the extraction of a lane."""
    meaning, kind = i.semantics, native_params(i)[0]
    lane = Immediate.LANE in i.immediates

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = ptr[u8](usize(r))
        rest = sp - cells(kind)
        if lane:
            picked = meaning(below(kind, sp), u32(at[0]))
            return push(picked, at + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(below(kind, sp))
        return push(value, at, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def binary(i: Instruction) -> None:
    """Also the replacement of a lane, and the shuffle of two vectors."""
    meaning = i.semantics
    left, right = native_params(i)[:2]
    lane, lanes = Immediate.LANE in i.immediates, Immediate.LANES in i.immediates

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = ptr[u8](usize(r))
        second = sp - cells(right)
        rest = second - cells(left)
        a = below(left, second)
        b = below(right, sp)
        if lane:
            replaced = meaning(a, b, u32(at[0]))
            return push(replaced, at + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        if lanes:
            mixed = meaning(a, b, load_le(left, at))
            return push(mixed, at + 16, rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(a, b)
        return push(value, at, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def ternary(i: Instruction) -> None:
    meaning = i.semantics
    first, second, third = native_params(i)

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        c = sp - cells(third)
        b = c - cells(second)
        value = meaning(below(first, b), below(second, c), below(third, sp))
        at = ptr[u8](usize(r))
        rest = b - cells(first)
        return push(value, at, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def load_handler(i: Instruction) -> None:
    """Loads of vectors, and of one lane of the vector on the stack."""
    meaning, access, of_any = i.semantics, i.access, any_load(i)
    lane = Immediate.LANE in i.immediates
    old = VECTOR if not lane else native_params(i)[1]

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        rest = sp - (5 if lane else 1)
        start = u64(rest[0]) + read_offset(at)
        if unlikely(start + access > size):
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        if lane:
            picked = meaning(mem + start, below(old, sp), u32(at[0][0]))
            return push(picked, at[0] + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(mem + start)
        return push(value, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def store_handler(i: Instruction) -> None:
    meaning, access, of_any = i.semantics, i.access, any_store(i)
    kind = native_params(i)[1]
    lane = Immediate.LANE in i.immediates

    @handler(i.name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        rest = sp - 5
        start = u64(rest[0]) + read_offset(at)
        if unlikely(start + access > size):
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = below(kind, sp)
        if lane:
            meaning(mem + start, value, u32(at[0][0]))
            return go(
                State.MEMORY, at[0] + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        meaning(mem + start, value)
        return go(State.MEMORY, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)


_BY_OPERANDS = {1: unary, 2: binary, 3: ternary}
for _instruction in INSTRUCTIONS.values():
    if _instruction.prefix != 0xFD:
        continue
    if Immediate.V128 in _instruction.immediates:
        constant(_instruction)
    elif _instruction.access:
        (load_handler if _instruction.results else store_handler)(_instruction)
    else:
        _BY_OPERANDS[len(_instruction.params or ())](_instruction)
