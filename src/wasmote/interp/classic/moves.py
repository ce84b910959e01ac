"""Moves the topmost operand between the stack and its accumulator, for all instructions.

An instruction has a handler for the state that suits it. In other states control comes to one of
these first, which moves the operand and goes on with the same instruction.
"""

from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, new_f, new_r
from wasmote.isa import by_name
from wasmote.nativepy import NativeFunction, ptr, tail, u8, u16, u32, u64, usize

from .immediates import short_number
from .registers import CONSTANT, HELD, OPCODES, PLACES, State, below, cells, go, push, spill
from .side_table import SideTable

#: Instructions so frequent that the move goes on with their handler itself, not by the table.
DIRECT = (
    "block", "loop", "br", "call", "local.get",
    "i32.const", "i64.const", "f32.const", "f64.const", "global.get",
)  # fmt: skip


#: The moves that go on with the same instruction by the table: they are no instructions themselves.
BY_TABLE: set[NativeFunction] = set()


def _made(function, name: str, by_table: bool = True) -> NativeFunction:
    made = NativeFunction(function, convention="handler", name=name)
    if by_table:
        BY_TABLE.add(made)
    return made


def _to_stack(state: int) -> NativeFunction:
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        sp = spill(state, sp, r, f)
        return go(State.MEMORY, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(run, f"store {HELD[state]}")


def _to_stack_then(state: int, then: NativeFunction) -> NativeFunction:
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        sp = spill(state, sp, r, f)
        return tail(then, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(run, f"store {HELD[state]} {then.name}", by_table=False)


def _from_stack(state: int) -> NativeFunction:
    kind = HELD[state]

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        value = below(kind, sp)
        return go(
            state, pc, sp - cells(kind), fp, mem, size, exec, inst, table, stp, side,
            new_r(value, r), new_f(value, f),
        )  # fmt: skip

    return _made(run, f"load {kind}")


def _push_constant(state: int, held: int) -> NativeFunction:
    """The operand below goes to the stack, the constant to its accumulator."""
    kind = HELD[held]

    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        sp = spill(held, sp, r, f)
        value = short_number(kind, pc[-1])
        return push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)

    return _made(run, f"push {kind} constant")


def add_moves() -> None:
    """Fill the places of opcodes in the states that have no handler of their own."""
    direct = {by_name(name).opcode for name in DIRECT}
    for state in HELD:
        store, load = _to_stack(state), _from_stack(state)
        for opcode in range(OPCODES):
            here, plain = PLACES.get(state * OPCODES + opcode), PLACES.get(opcode)
            if here is None and plain is not None:
                through = _to_stack_then(state, plain) if opcode in direct else store
                PLACES[state * OPCODES + opcode] = through
            elif here is not None and plain is None:
                PLACES[opcode] = load
    for state, held in CONSTANT.items():
        push_constant = _push_constant(state, held)
        for opcode in range(OPCODES):
            PLACES.setdefault(state * OPCODES + opcode, push_constant)
