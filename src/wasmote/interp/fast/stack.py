"""The translator's picture of the operand stack: where each value is, without moving it.

A value may still be a local, a constant, or only in an accumulator; it goes to its own slot (its
*home*, given by its depth) no sooner than something needs it there.
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE, Function, Module
from wasmote.interp.common.catches import Catches
from wasmote.nativepy import (
    array,
    boolean,
    const,
    constants,
    inline,
    native,
    ptr,
    store,
    struct,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .bytecode import OPCODES

#: Where a value is.
TEMPORARY, LOCAL, CONSTANT, ACCUMULATOR = range(4)
#: What `last_row` says of a move: the next one may join it.
MOVE32, MOVE64 = 1000, 1001
#: Units that any single instruction but br_table needs at most, with room to spare.
ROOM = 24


@struct
class Operand:
    """A value on the operand stack."""

    where: u32
    type: u32
    home: u32
    slot: u32  # TEMPORARY: its home; LOCAL: the local's slot
    local: u32
    value: u64  # CONSTANT: its bits


@struct
class Control:
    """An open block."""

    opcode: u32  # of block, loop, if, else; 0 for the function itself
    height: u32  # operands below its parameters
    home: u32  # home of the first operand above `height`
    params: ptr[u32]
    results: ptr[u32]
    param_count: u32
    result_count: u32
    single: u32  # the result type of a block type that is one
    start: u32  # loop: where its code starts
    patches: u32  # chain of branches that wait for its end, through their distances; 0: none
    otherwise: u32  # if: the branch that skips to `else`; 0: none
    detour: u32  # br_table: chain of entries that need values moved first
    catches: u32  # chain of clauses that wait for its end, through their targets; 0: none
    clauses: ptr[u8]  # try_table: its clauses
    end: u32  # legacy try: where its clauses start


@struct
class Translator:
    module: ptr[Module]
    function: ptr[Function]
    pc: ptr[u8]  # next byte of the body
    instruction: ptr[u8]  # the instruction being translated
    code: ptr[u16]
    at: u32  # next unit
    limit: u32  # units there is memory for
    failed: u32  # a trap code
    operands: ptr[Operand]
    height: u32
    controls: ptr[Control]
    depth: u32
    dead: u32  # nested blocks in unreachable code, plus 1; 0: reachable
    slots: ptr[u32]  # slot of each local
    types: ptr[u8]  # type of each local
    references: ptr[u32]  # how many operands are this local
    plain_memory: u32  # memory 0 has 32-bit addresses
    memory: u32  # of the load or store being translated
    settled: u32  # operands below are certainly not locals
    param_cells: u32
    base: u32  # first temporary's slot
    catches: Catches
    frame: u32  # cells that the frame needs
    # What the accumulators hold: operand number + 1 whose only place it is, and where that was
    # computed; else the slot whose value they share (NONE: none).
    r_operand: u32
    r_at: u32
    r_slot: u32
    f_operand: u32
    f_at: u32
    f_slot: u32
    # The last instruction, if no label came since.
    last_at: u32
    last_row: u32
    last_form: u32
    before_at: u32  # the instruction before that one
    run: u32  # metered: where the open run's cost is; 0: no run is open
    # Backtraces: which instruction made the unit at `probe`.
    probe: u32
    probed: ptr[u8]
    # Compiled code that takes over in a loop: the outermost loop whose code starts at `loop_at`.
    loop_at: u32
    loop: ptr[u8]
    # Descriptions of frames: the last instruction that starts before or at the unit `watch`; or go
    # no further than `until`.
    watch: u32
    watched: ptr[u8]
    until: ptr[u8]
    scrap: array[u16, 32]  # where instructions go once translation failed
    held: array[u16, 8]


CELLS = constants(
    u8, [{ValueType.I64: 2, ValueType.F64: 2, ValueType.V128: 4}.get(t, 1) for t in range(256)]
)
#: Whether a value's accumulator is `f`: floats and vectors.
IS_FLOAT = constants(
    u8, [int(t in (ValueType.F32, ValueType.F64, ValueType.V128)) for t in range(256)]
)
_KINDS = {ValueType.I64: 1, ValueType.F32: 2, ValueType.F64: 3, ValueType.V128: 4}
#: What kind of value it is in `KINDS` of the handlers: i32 and references, i64, f32, f64, v128.
KIND = constants(u8, [_KINDS.get(t, 0) for t in range(256)])
SAVE = constants(u16, [OPCODES[f"save {kind}"] for kind in ("i32", "i64", "f32", "f64", "v128")])
#: By the cells to move.
MOVE = constants(u16, [0, OPCODES["move32"], OPCODES["move64"], 0, OPCODES["move128"]])


@native
def begin(t: ptr[Translator], opcode: u32) -> ptr[u16]:
    """Start an instruction; returns where its units go. `finish` says how many there were."""
    if t.at + ROOM > t.limit and not make_room(t, ROOM):
        t.failed = TrapCode.OUT_OF_MEMORY
        return t.scrap + 0
    if t.at <= t.probe:
        t.probed = t.instruction
    t.before_at = t.last_at
    t.last_at = t.at
    t.last_row = NONE
    p = t.code + t.at
    p[0] = u16(opcode)
    return p


@inline
def finish(t, units):
    if t.failed == 0:
        t.at += units


@native(noinline=True)
def make_room(t: ptr[Translator], units: u32) -> boolean:
    """Commit memory for more code."""
    module = t.module
    if t.probe != NONE:
        return False  # a backtrace's scratch buffer has a fixed size
    wanted = (usize(t.at) + usize(units)) * 2 + 65536
    wanted = wanted - wanted % 65536
    if wanted > module.code_reserved:
        return False
    platform = module.platform
    if platform.commit(platform, ptr[u8](module.code), module.code_committed, wanted) != 0:
        return False
    module.code_committed = wanted
    t.limit = u32(wanted // 2)
    return True


@inline
def forget_accumulators(t):
    """At a label, or after something that clobbers them: nothing is known of the accumulators."""
    t.r_slot = NONE
    t.f_slot = NONE


@inline
def written(t, slot):
    """A slot got a new value from elsewhere."""
    if t.r_slot == slot:
        t.r_slot = NONE
    if t.f_slot == slot:
        t.f_slot = NONE


@inline
def next_home(t):
    """Home of the next operand."""
    home = t.base
    if t.height != 0:
        top = t.operands + (t.height - 1)
        home = top.home + u32(CELLS[top.type])
    return home


@native
def push(t: ptr[Translator], where: u32, type: u32) -> ptr[Operand]:
    """A new operand; of a reference's type only the kind matters."""
    type = type & 0xFF
    home = next_home(t)
    o = t.operands + t.height
    t.height += 1
    o.where = where
    o.type = type
    o.home = home
    o.slot = home
    if home + 4 > t.frame:
        t.frame = home + 4
    return o


@native
def push_local(t: ptr[Translator], local: u32):
    o = push(t, LOCAL, u32(t.types[local]))
    o.slot = t.slots[local]
    o.local = local
    t.references[local] += 1


@native
def push_constant(t: ptr[Translator], type: u32, value: u64):
    push(t, CONSTANT, type).value = value


@native
def push_result(t: ptr[Translator], type: u32, at: u32):
    """The result of the instruction at `at`, which left it in its accumulator (its units[1] is set
    here).
    """
    type = type & 0xFF
    o = push(t, ACCUMULATOR, type)
    t.code[at + 1] = u16(o.home)
    if IS_FLOAT[type] != 0:
        t.f_operand = t.height
        t.f_at = at
        t.f_slot = NONE
    else:
        t.r_operand = t.height
        t.r_at = at
        t.r_slot = NONE


@native
def push_saved(t: ptr[Translator], type: u32):
    """A result that its instruction wrote to its home and, an integer, to the accumulator."""
    o = push(t, TEMPORARY, type)
    t.r_slot = o.home


@native
def pop(t: ptr[Translator]) -> ptr[Operand]:
    """Take the top operand; it stays readable until the next push."""
    o = t.operands + (t.height - 1)
    if o.where == LOCAL:
        t.references[o.local] -= 1
    elif o.where == ACCUMULATOR:
        if t.r_operand == t.height:
            t.r_operand = 0
        if t.f_operand == t.height:
            t.f_operand = 0
    t.height -= 1
    if t.settled > t.height:
        t.settled = t.height
    return o


@native
def release_r(t: ptr[Translator]):
    """The integer accumulator is about to be overwritten: let its instruction save the value
    too.
    """
    if t.r_operand != 0:
        o = t.operands + (t.r_operand - 1)
        t.code[t.r_at] += 1
        o.where = TEMPORARY
        t.r_operand = 0
        t.r_slot = o.home


@native
def release_f(t: ptr[Translator]):
    if t.f_operand != 0:
        o = t.operands + (t.f_operand - 1)
        t.code[t.f_at] += 1
        o.where = TEMPORARY
        t.f_operand = 0
        t.f_slot = o.home


@inline
def release(t, type):
    """Make an accumulator free for a result of a type."""
    if IS_FLOAT[type & 0xFF] != 0:
        release_f(t)
    else:
        release_r(t)


@native
def emit_constant(t: ptr[Translator], type: u32, slot: u32, value: u64):
    written(t, slot)
    if CELLS[type] == 1:
        p = begin(t, OPCODES["constant32"])
        p[1] = u16(slot)
        store(ptr[u32](p + 2), u32(value), align=2)
        finish(t, 4)
    else:
        p = begin(t, OPCODES["constant64"])
        p[1] = u16(slot)
        store(ptr[u64](p + 2), value, align=2)
        finish(t, 6)


@native
def emit_move(t: ptr[Translator], type: u32, to: u32, source: u32):
    """Copy a slot; through the accumulator if it already holds the value."""
    if t.r_slot == source and IS_FLOAT[type] == 0 or t.f_slot == source and IS_FLOAT[type] != 0:
        emit_save(t, type, to)
        return
    written(t, to)
    cells = u32(CELLS[type])
    mark = u32(MOVE32) if cells == 1 else u32(MOVE64) if cells == 2 else NONE
    if t.last_at != NONE and t.last_row == mark and mark != NONE and t.failed == 0:
        t.code[t.last_at] = OPCODES["move32 twice"] if cells == 1 else u16(OPCODES["move64 twice"])
        t.code[t.at] = u16(to)
        t.code[t.at + 1] = u16(source)
        t.last_row = NONE
        finish(t, 2)
        return
    p = begin(t, u32(MOVE[cells]))
    p[1] = u16(to)
    p[2] = u16(source)
    t.last_row = mark
    finish(t, 3)


@native
def emit_save(t: ptr[Translator], type: u32, to: u32):
    """Write the accumulator of a type to a slot, whose value it then shares."""
    p = begin(t, u32(SAVE[KIND[type]]))
    p[1] = u16(to)
    finish(t, 2)
    written(t, to)
    if IS_FLOAT[type] != 0:
        t.f_slot = to
    else:
        t.r_slot = to


@native
def settle(t: ptr[Translator], o: ptr[Operand]):
    """Bring an operand to its home."""
    if o.where == LOCAL:
        t.references[o.local] -= 1
        emit_move(t, o.type, o.home, o.slot)
    elif o.where == CONSTANT:
        emit_constant(t, o.type, o.home, o.value)
    elif o.where == ACCUMULATOR:
        if IS_FLOAT[o.type] != 0:
            release_f(t)
        else:
            release_r(t)
    o.where = TEMPORARY
    o.slot = o.home


@native
def settle_top(t: ptr[Translator], count: u32):
    """Bring the `count` topmost operands to their homes."""
    for i in range(t.height - count, t.height):
        settle(t, t.operands + i)


@native
def settle_for_block(t: ptr[Translator], params: u32):
    """Before a block: its parameters go home, and below them nothing may depend on a local or an
    accumulator.
    """
    release_r(t)
    release_f(t)
    for i in range(t.settled, t.height - params):
        o = t.operands + i
        if o.where == LOCAL:
            settle(t, o)
    settle_top(t, params)
    t.settled = t.height


@native
def keep_local(t: ptr[Translator], local: u32) -> boolean:
    """Before a local changes: operands that still are that local go home. Says whether there were
    any.
    """
    if t.references[local] == 0:
        return False
    i = t.height
    while t.references[local] != 0:
        i -= 1
        o = t.operands + i
        if o.where == LOCAL and o.local == local:
            settle(t, o)
    return True


#: Forms of an operand.
SLOT, ACC, IMMEDIATE = range(3)


@native
def form_of(t: ptr[Translator], o: ptr[Operand]) -> u32:
    """How an instruction can read an operand now."""
    if o.where == CONSTANT:
        return IMMEDIATE
    if o.where == ACCUMULATOR:
        return ACC
    if IS_FLOAT[o.type] != 0:
        return u32(ACC) if t.f_slot == o.slot else SLOT
    return u32(ACC) if t.r_slot == o.slot else SLOT


@inline
def in_slot(t, o):
    """Make sure an operand is in a slot, its own or a local's."""
    if o.where == CONSTANT or o.where == ACCUMULATOR:
        settle(t, o)


@inline
def operand_at(t, depth: const):
    """The operand `depth` below the top."""
    return t.operands + (t.height - 1 - depth)
