"""Handlers of numeric instructions, loads and stores, made from their definitions.

A comparison looks whether a `br_if` follows, as it mostly does, and branches then at once; an
operation with an integer result looks for `local.set` and `local.tee`.
"""

from wasmote.core.status import ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, native_params
from wasmote.isa import INSTRUCTIONS, Instruction, by_name
from wasmote.nativepy import Type, likely, ptr, tail, u8, u32, u64, unlikely, usize

from .handlers_any_memory import any_load, any_store
from .handlers_control import branch_if
from .immediates import cursor, read_offset
from .registers import below, cells, go, handler, push, push_or_set, top
from .side_table import SideTable

INTEGER = ((ValueType.I32,), (ValueType.I64,))
BR_IF = by_name("br_if").opcode


def unary(i: Instruction, cached: bool) -> None:
    (kind,), meaning = native_params(i), i.semantics
    behind_prefix = i.prefix != 0
    fuses = i.family == "test"

    @handler(i.name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = meaning(top(cached, kind, sp, r, f))
        rest = sp - cells(kind)
        if behind_prefix:
            return push(
                value, ptr[u8](usize(r)), rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        if fuses:
            if likely(pc[1] == BR_IF):
                return branch_if(
                    value != 0, pc + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f
                )
        return push(value, pc + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def binary(i: Instruction, cached: bool) -> None:
    (left, right), meaning = native_params(i), i.semantics
    fuses = i.family == "compare"
    sets = i.results in INTEGER and not fuses

    @handler(i.name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        second = sp - cells(right)
        value = meaning(below(left, second), top(cached, right, sp, r, f))
        rest = second - cells(left)
        if fuses:
            if likely(pc[1] == BR_IF):
                return branch_if(
                    value != 0, pc + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f
                )
        if sets:
            return push_or_set(
                value, pc + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        return push(value, pc + 1, rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def load_handler(i: Instruction, cached: bool) -> None:
    """Of memory 0 with 32-bit addresses; what is out of its bounds is left to `any_load`.

    An address is checked in 64 bits, where it cannot wrap: 32-bit address plus 32-bit offset.
    """
    meaning, access, of_any = i.semantics, i.access, any_load(i)
    sets = i.results in INTEGER

    @handler(i.name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        start = u64(top(cached, u32, sp, r, f)) + read_offset(at)
        if unlikely(start + access > size):
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        value = meaning(mem + start)
        if sets:
            return push_or_set(
                value, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f
            )
        return push(value, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


def store_handler(i: Instruction, cached: bool) -> None:
    meaning, access, of_any = i.semantics, i.access, any_store(i)
    kind: Type = native_params(i)[1]

    @handler(i.name, cached)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(pc + 1)
        rest = sp - cells(kind) - 1
        start = u64(rest[0]) + read_offset(at)
        if unlikely(start + access > size):
            return tail(of_any, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        meaning(mem + start, top(cached, kind, sp, r, f))
        return go(False, at[0], rest, fp, mem, size, exec, inst, table, stp, side, r, f)


def _make(i: Instruction, cached: bool) -> None:
    if i.family == "load":
        load_handler(i, cached)
    elif i.family == "store":
        store_handler(i, cached)
    elif len(i.params or ()) == 1:
        unary(i, cached)
    else:
        binary(i, cached)


for _instruction in INSTRUCTIONS.values():
    if _instruction.semantics is not None and _instruction.prefix == 0:
        for _cached in (False, True):
            _make(_instruction, _cached)
    elif _instruction.family == "convert":  # behind the prefix 0xFC
        unary(_instruction, False)
