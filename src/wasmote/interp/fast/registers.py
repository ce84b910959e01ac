"""What every handler shares: its parameters, which live in machine registers, and its operands."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.interp.common.accumulators import (
    FLOATS,
    from_accumulator,
    new_f,  # noqa: F401 - for the handlers
    new_r,  # noqa: F401 - for the handlers
)
from wasmote.interp.common.outside import leave_for
from wasmote.interp.common.trace import capture_trace
from wasmote.nativepy import (
    HandlerSet,
    NativeFunction,
    Type,
    addr,
    const,
    dispatch,
    f64,
    i32,
    i64,
    inline,
    load,
    native,
    ptr,
    store,
    tail,
    u8,
    u16,
    u32,
    u64,
    usize,
    volatile_load,
)
from wasmote.nativepy.types import Float

HANDLERS = HandlerSet("fast", table_parameter=6)
HEADER_CELLS = 2
#: Units before a function's first instruction: parameter cells, cells to zero, frame cells.
PROLOGUE_UNITS = 3
#: Units before those: the first instruction's opcode, for which `enter compiled` may stand in the
#: code, and the function's index (2).
RECORD_UNITS = 3


@inline
def on_trap(code, pc, fp, mem, size, exec, inst, table, r, f):
    """Leave the interpreter with a trap code; on entry to a handler `pc` is the instruction's
    own.
    """
    exec.trap = u32(code)
    return tail(trap, pc, fp, mem, size, exec, inst, table, r, f)


@native(convention="handler", cold=True, noinline=True)
def trap(
    pc: ptr[u16],
    fp: ptr[u32],
    mem: ptr[u8],
    size: u64,
    exec: ptr[Exec],
    inst: ptr[Instance],
    table: ptr[usize],
    r: u64,
    f: FLOATS,
) -> u32:
    """End the run with the trap code in `exec.trap`.

    Unless an access just missed that another thread has let the memory grow: it is tried again.
    """
    code = exec.trap
    if code == TrapCode.MEMORY_OUT_OF_BOUNDS and inst.module.memory_count != 0:
        memory = inst.memories[0]
        now = volatile_load(addr(memory.size))
        if now > size:
            return dispatch(HANDLERS, pc[0], pc, fp, memory.data, now, exec, inst, table, r, f)
    capture_trace(exec, inst, fp, u32(pc_offset(exec, pc)))
    return code


@inline
def pc_offset(exec, pc):
    return (usize(pc) - usize(exec.code)) >> 1


def handler(name: str):
    """Decorator: register a handler under a name; see `bytecode` for its number."""

    def register(function):
        made = NativeFunction(
            function, convention="handler", on_trap=on_trap, name=name, no_builtins=True
        )
        OPCODES[name] = HANDLERS.add(made)
        return made

    return register


#: Extended opcodes by name.
OPCODES: dict[str, int] = {}


@inline
def read_immediate(kind: const, p):
    """An immediate of a value's type at an instruction's unit; integers are 32 bits, sign-
    extended.
    """
    if isinstance(kind, Float):
        return load(kind, p, align=2)
    if kind.bits == 64:
        return kind(i64(load(i32, p, align=2)))
    return load(kind, p, align=2)


@inline
def read_slot(kind: const, fp, unit):
    """A value of a type in the frame slot that `unit` numbers."""
    return load(kind, fp + unit, align=4)


@inline
def operand(form: const, kind: const, p, fp, r, f):
    """An operand: S a slot, I an immediate (both named at `p`), A the accumulator."""
    if form == "S":
        return read_slot(kind, fp, p[0])
    if form == "I":
        return read_immediate(kind, p)
    return from_accumulator(kind, r, f)


def operand_units(form: str, kind: Type) -> int:
    """Units that an operand takes in an instruction."""
    if form == "I":
        return 4 if kind is f64 else 2
    return 1 if form == "S" else 0


@inline
def write_slot(fp, unit, value):
    store(fp + unit, value, align=4)


@inline
def write_if(saved: const, fp, unit, value):
    """Write the result to its slot too, in the forms that do."""
    if saved:
        write_slot(fp, unit, value)


@native(convention="handler", cold=True, noinline=True)
def poll_then_go_on(
    pc: ptr[u16],
    fp: ptr[u32],
    mem: ptr[u8],
    size: u64,
    exec: ptr[Exec],
    inst: ptr[Instance],
    table: ptr[usize],
    r: u64,
    f: FLOATS,
) -> u32:
    """The budget ran out: let the host look at the world, then continue at `pc`."""
    leave_for(exec.entry, inst, u32(pc_offset(exec, pc)), fp)
    code = exec.platform.poll(exec)
    if code != TrapCode.NONE:
        capture_trace(exec, inst, fp, u32(pc_offset(exec, pc)))
        return code
    if inst.native is not None and inst.module.compiled is not None:
        opcode = u16(OPCODES["leave loop"])
        return dispatch(HANDLERS, opcode, pc, fp, mem, size, exec, inst, table, r, f)
    memory = inst.memories
    if inst.module.memory_count != 0:
        return dispatch(
            HANDLERS, pc[0], pc, fp, memory[0].data, memory[0].size, exec, inst, table, r, f
        )
    return dispatch(HANDLERS, pc[0], pc, fp, mem, size, exec, inst, table, r, f)


@inline
def go(pc, fp, mem, size, exec, inst, table, r, f):
    """Continue at `pc`."""
    return dispatch(HANDLERS, pc[0], pc, fp, mem, size, exec, inst, table, r, f)


@inline
def go_back(pc, fp, mem, size, exec, inst, table, r, f):
    """Continue at `pc`, an earlier instruction: the places where a loop can be interrupted."""
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, pc, fp, mem, size, exec, inst, table, r, f)
    return dispatch(HANDLERS, pc[0], pc, fp, mem, size, exec, inst, table, r, f)


@inline
def jump(back: const, pc, fp, mem, size, exec, inst, table, r, f):
    """Take the branch whose distance, in units from the instruction, follows its opcode."""
    target = pc + load(i32, pc + 1, align=2)
    if back:
        return go_back(target, fp, mem, size, exec, inst, table, r, f)
    return go(target, fp, mem, size, exec, inst, table, r, f)
