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
    const,
    dispatch,
    i32,
    inline,
    load,
    native,
    ptr,
    store,
    tail,
    type_of,
    u8,
    u32,
    u64,
    unlikely,
    usize,
)

from .side_table import FAR, FarBranch, SideTable, local_at

HANDLERS = HandlerSet("classic", table_parameter=7)
#: Where the cached handlers and those behind prefixes start in the table.
CACHED, MISC, VECTORS, GC, ATOMICS = 256, 512, 544, 832, 896
BEHIND = {0xFB: GC, 0xFC: MISC, 0xFD: VECTORS, 0xFE: ATOMICS}
#: Cells between parameters and locals: return offset, distance to the caller's frame, position in
#: its side table, its function.
HEADER_CELLS = 4
#: `local.tee` follows it.
LOCAL_SET = by_name("local.set").opcode
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
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """End the run with the trap code in `exec.trap`."""
    capture_trace(exec, inst, fp, offset_of(inst, pc))
    return exec.trap


@inline
def offset_of(inst, pc):
    """A position in the module's binary."""
    return u32(usize(pc) - usize(inst.module.binary))


def handler(name: str, cached: bool | None = None):
    """Decorator: the handler of an instruction; `cached` None: of both kinds, operands from
    memory.
    """
    instruction = by_name(name)

    def register(function):
        made = NativeFunction(
            function,
            convention="handler",
            on_trap=on_trap,
            name=f"{name}{' cached' * bool(cached)}",
        )
        if instruction.prefix:
            PLACES[BEHIND[instruction.prefix] + instruction.code] = made
            return made
        if not cached:
            PLACES[instruction.code] = made
        if cached in (True, None):
            PLACES[CACHED + instruction.code] = made
        return made

    return register


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
def top(cached: const, kind: const, sp, r, f):
    """The topmost operand, which stays on the stack."""
    if cached:
        return from_accumulator(kind, r, f)
    return below(kind, sp)


@inline
def go(cached: const, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc`; `cached`: the topmost operand is in its accumulator too."""
    if cached:
        return dispatch(
            HANDLERS,
            usize(pc[0]) + CACHED,
            pc,
            sp,
            fp,
            mem,
            size,
            exec,
            inst,
            table,
            stp,
            side,
            r,
            f,
        )
    return dispatch(
        HANDLERS, usize(pc[0]), pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f
    )


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
    return go(False, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc` with a value pushed."""
    store(sp, value, align=4)
    return go(
        True, pc, sp + cells(type_of(value)), fp, mem, size, exec, inst, table, stp, side,
        new_r(value, r), new_f(value, f),
    )  # fmt: skip


@inline
def push_or_set(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue with an integer pushed; if `local.set` or `local.tee` follows, that is done at
    once.
    """
    if u32(pc[0]) - LOCAL_SET < 2 and pc[1] < 0x80:
        slot = fp + u32(local_at(side, u32(pc[1])).slot)
        if type_of(value).bits == 64:
            store(slot, u64(value), align=4)
        else:
            slot[0] = u32(value)
        if pc[0] == LOCAL_SET:
            return go(False, pc + 2, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        pc = pc + 2
    return push(value, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@native(convention="handler", cold=True, noinline=True)
def poll_then_go_on(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
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
    return go(False, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Take the branch at `pc` whose entry is at `stp`."""
    entry = i32(stp[0])
    if unlikely(entry & FAR != 0):
        return tail(branch_far, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    distance = entry >> 16
    target = stp + (i32(entry << 16) >> 17)
    if distance <= 0:  # to a loop; 0 if it has nothing else
        return go_counted(pc + distance, sp, fp, mem, size, exec, inst, table, target, side, r, f)
    return go(False, pc + distance, sp, fp, mem, size, exec, inst, table, target, side, r, f)


@native(convention="handler", noinline=True)
def branch_far(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u32], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """A branch that drops operands from below those it keeps, or that goes far."""
    far = ptr[FarBranch](stp + (stp[0] >> 1))
    source = sp - far.keep
    target = source - far.drop
    for i in range(u32(0), far.keep):
        target[i] = source[i]
    sp = target + far.keep
    pc = pc + far.distance
    stp = stp + far.entry_distance
    if far.distance <= 0:
        return go_counted(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    return go(False, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
