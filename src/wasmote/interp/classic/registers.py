"""What every handler shares: its parameters, which live in machine registers, and its operands."""

from wasmote.core.bounds import LimitsFlag
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import FLOATS, from_accumulator, new_f, new_r
from wasmote.interp.common.outside import leave_for
from wasmote.interp.common.trace import capture_trace
from wasmote.isa import by_name
from wasmote.nativepy import (
    HandlerSet,
    NativeFunction,
    Type,
    addr,
    const,
    dispatch,
    f32,
    f64,
    inline,
    load,
    native,
    ptr,
    store,
    tail,
    type_of,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)
from wasmote.nativepy.types import Float, Vector

from .side_table import (
    FAR,
    KIND_STEP,
    LocalKind,
    SideTable,
    entry_of,
    far_branches,
    get32,
    locals_of,
    near_distance,
    near_entries,
)

HANDLERS = HandlerSet("classic", table_parameter=7)


class State:
    """Where the topmost operand is: on the stack with all others, or only in its accumulator.

    In a register state `sp` is where the operand would be stored. In the last two, a constant of
    one byte, which is the byte before `pc`, was pushed on top of an operand in its accumulator.
    """

    MEMORY, I32, I64, F32, F64, I32_CONST, I64_CONST = range(7)


#: The types of the operands that are kept in accumulators; references are like i32.
HELD = {State.I32: u32, State.I64: u64, State.F32: f32, State.F64: f64}
#: The states with a constant on top, and what the operand below it is.
CONSTANT = {State.I32_CONST: State.I32, State.I64_CONST: State.I64}
#: Entries of the table of handlers for each state: one for each opcode of a byte.
OPCODES = 256
#: Where the handlers behind prefixes start in the table.
MISC = OPCODES * 7
VECTORS, GC, ATOMICS = MISC + 32, MISC + 320, MISC + 384
BEHIND = {0xFB: GC, 0xFC: MISC, 0xFD: VECTORS, 0xFE: ATOMICS}
#: Cells between parameters and locals: return offset, distance to the caller's frame, position in
#: its side table, its function.
HEADER_CELLS = 4
#: Locals are zeroed by so many cells at a time; a frame has room for that behind them.
ZEROED_AT_ONCE = 4
LOCAL_SET, LOCAL_TEE = by_name("local.set").opcode, by_name("local.tee").opcode
#: What a local's entry says of its type, by the state that holds such a value.
KIND_OF_STATE = {
    State.I32: LocalKind.I32,
    State.I64: LocalKind.I64,
    State.F32: LocalKind.F32,
    State.F64: LocalKind.F64,
}
#: Handlers by their place in the table; see `opcodes`.
PLACES: dict[int, NativeFunction] = {}


@inline
def on_trap(code, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Leave with a trap code; on entry to a handler `pc` is the instruction's own."""
    exec.trap = u32(code)
    return tail(trap, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@native(convention="handler", cold=True, noinline=True)
def trap(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """End the run with the trap code in `exec.trap`."""
    capture_trace(exec, inst, fp, offset_of(inst, pc))
    return exec.trap


@inline
def offset_of(inst, pc):
    """A position in the module's binary."""
    return u32(usize(pc) - usize(inst.module.binary))


def handler(name: str, *states: int, **options: bool):
    """Decorator: the handler of an instruction, in the states given, by default in `MEMORY` only.

    From another state control comes to it by way of `moves`. The options are those of `native`.
    """
    instruction = by_name(name)

    def register(function):
        made = NativeFunction(
            function,
            convention="handler",
            on_trap=on_trap,
            name=f"{name}{_suffix(states)}",
            **options,
        )
        if instruction.prefix:
            PLACES[BEHIND[instruction.prefix] + instruction.code] = made
        else:
            for state in states or (State.MEMORY,):
                PLACES[state * OPCODES + instruction.code] = made
        return made

    return register


def _suffix(states: tuple[int, ...]) -> str:
    """What tells the handlers of one instruction apart in a profile."""
    if len(states) != 1 or states[0] == State.MEMORY:
        return ""
    return f" {HELD[states[0]]}" if states[0] in HELD else " const"


def state_of(kind: Type) -> int:
    """The state after a value of that type was pushed."""
    if isinstance(kind, Vector):
        return State.MEMORY
    if isinstance(kind, Float):
        return State.F32 if kind.bits == 32 else State.F64
    return State.I64 if kind.bits == 64 else State.I32


def long_form(name: str, function) -> NativeFunction:
    """What an instruction's handler leaves immediates of several bytes to."""
    return NativeFunction(
        function, convention="handler", on_trap=on_trap, name=f"{name} long", noinline=True
    )


def cells(kind: Type) -> int:
    """Cells of a value."""
    return kind.size(8) // 4


@inline
def below(kind: const, sp):
    """The value that ends at `sp`."""
    return load(kind, sp - cells(kind), align=4)


@inline
def spill(state: const, sp, r, f):
    """Store the topmost operand on the stack; returns where that ends now."""
    if state == State.MEMORY:
        return sp
    store(sp, from_accumulator(HELD[state], r, f), align=4)
    return sp + cells(HELD[state])


@inline
def go(state: const, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc` in a state."""
    return dispatch(
        HANDLERS, usize(pc[0]) + state * OPCODES, pc, sp, fp, mem, size, exec, inst, table, stp,
        side, r, f,
    )  # fmt: skip


@inline
def reach(memory):
    """The bytes of memory 0 that handlers access at once: none if its addresses have 64 bits."""
    return memory.size if memory.type.flags & LimitsFlag.INDEX_64 == 0 else u64(0)


@inline
def resume(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc` after control was elsewhere, where memory may have grown."""
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        mem = memory.data
        size = reach(memory)
    return go(State.MEMORY, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def go_again(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Execute the instruction at `pc` once more; metered, it is not counted again."""
    exec.counted = 0
    return go(State.MEMORY, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc` with a value pushed, where the topmost operand before is on the stack."""
    if isinstance(type_of(value), Vector):
        store(sp, value, align=4)
        sp = sp + cells(type_of(value))
    return go(
        state_of(type_of(value)), pc, sp, fp, mem, size, exec, inst, table, stp, side,
        new_r(value, r), new_f(value, f),
    )  # fmt: skip


@inline
def push_or_set(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """`push`; if `local.set` or `local.tee` follows, that is done at once."""
    if pc[0] == LOCAL_TEE and pc[1] < 0x80:
        set_local(state_of(type_of(value)), value, side, fp, pc[1])
        return push(value, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    if pc[0] == LOCAL_SET and pc[1] < 0x80:
        set_local(state_of(type_of(value)), value, side, fp, pc[1])
        return go(State.MEMORY, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def set_local(state: const, value, side, fp, index):
    """Store a value in a local of its type whose index is below 128."""
    slot = u32(locals_of(side)[index]) - KIND_OF_STATE[state] * KIND_STEP
    store(fp + slot, value, align=4)


@native(convention="handler", cold=True, noinline=True)
def poll_then_go_on(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """The budget ran out: let the host look at the world, then continue at `pc`."""
    leave_for(exec.entry, inst, offset_of(inst, pc), fp)
    code = exec.platform.poll(exec)
    if code != TrapCode.NONE:
        capture_trace(exec, inst, fp, offset_of(inst, pc))
        return code
    return resume(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def go_counted(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc`, at the places where a program that does not end can be interrupted."""
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Take the branch at `pc` whose entry is at `stp`."""
    entry = u32(stp[0])
    if unlikely(entry & FAR != 0):
        return tail(branch_far, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    distance = near_distance(entry)
    target = stp - near_entries(entry)
    if distance <= 0:  # to a loop; 0 if it has nothing else
        return go_counted(pc + distance, sp, fp, mem, size, exec, inst, table, target, side, r, f)
    return go(State.MEMORY, pc + distance, sp, fp, mem, size, exec, inst, table, target, side, r, f)


@native(convention="handler", noinline=True)
def branch_far(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """A branch that drops operands from below those it keeps, or that goes far."""
    far = far_branches(side) + (u32(stp[0]) >> 1)
    drop = u32(far.drop)
    if drop != 0:
        keep = u32(far.keep)
        source = sp - keep
        for i in range(u32(0), keep):
            (source - drop)[i] = source[i]
        sp = sp - drop
    target = inst.module.binary + get32(addr(far.target))
    stp = entry_of(side, get32(addr(far.entry)))
    if target <= pc:
        return go_counted(target, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(State.MEMORY, target, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
