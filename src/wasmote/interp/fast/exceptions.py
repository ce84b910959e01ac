"""Translation of exception handling. Blocks that catch emit nothing: a function's clauses follow
its code (see `functions`), and a clause brings values to the homes where its label wants them.
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE
from wasmote.interp.common.catches import ALL, DELEGATES, Catch, add_catch
from wasmote.interp.common.leb import read_u32
from wasmote.interp.common.skip import skip_catches
from wasmote.isa import by_name
from wasmote.isa.exceptions import CatchKind
from wasmote.nativepy import (
    addr,
    copy,
    native,
    ptr,
    sizeof,
    store,
    u8,
    u16,
    u32,
    usize,
)

from .bytecode import OPCODES
from .calls import distance, settle_arguments
from .functions import CATCH_UNITS
from .labels import (
    CATCH_CLAUSE,
    LOOP,
    block_type,
    emit_br,
    emit_return,
    end_block,
    mark_label,
    move_values,
    place_catches,
    push_control,
    reset_stack,
    target,
)
from .stack import (
    TEMPORARY,
    Control,
    Translator,
    begin,
    finish,
    in_slot,
    make_room,
    next_home,
    operand_at,
    push,
    settle_for_block,
)

TRY_TABLE = by_name("try_table").opcode
TRY = by_name("try").opcode


@native
def throw(t: ptr[Translator]):
    tag = read_u32(addr(t.pc))
    count = t.module.types[t.module.tags[tag].type].param_count
    settle_arguments(t, count)
    p = begin(t, OPCODES["throw"])
    p[1] = u16(distance(t, count))
    p[2] = u16(next_home(t))
    store(ptr[u32](p + 3), tag, align=2)
    finish(t, 5)
    t.dead = 1


@native
def throw_ref(t: ptr[Translator]):
    o = operand_at(t, 0)
    in_slot(t, o)
    settle_arguments(t, 0)
    emit_throw_ref(t, o.slot)


@native
def emit_throw_ref(t: ptr[Translator], slot: u32):
    p = begin(t, OPCODES["throw_ref"])
    p[1] = u16(slot)
    finish(t, 2)
    t.dead = 1


@native
def start_try(t: ptr[Translator], opcode: u32):
    """try_table, and the legacy try. The clauses of a try_table wait for its end."""
    scratch = t.controls + t.depth
    block_type(t, scratch)
    scratch.clauses = t.pc
    if opcode == TRY_TABLE:
        skip_catches(addr(t.pc))
    settle_for_block(t, scratch.param_count)
    push_control(t, opcode, scratch.param_count)
    t.last_at = NONE  # no instruction before it is joined with one that is protected


@native
def new_catch(t: ptr[Translator], c: ptr[Control], end: u32) -> ptr[Catch]:
    """A clause of a block, which is the innermost, for what was thrown before `end`."""
    made = add_catch(t.module.platform, t.catches)
    if made is None:
        t.failed = TrapCode.OUT_OF_MEMORY
        return None
    made.start = c.start
    made.end = end
    made.depth = t.depth - 1
    return made


@native
def end_try_table(t: ptr[Translator]):
    """At the end of the block its clauses are noted, after those of the blocks inside."""
    c = t.controls + (t.depth - 1)
    following = t.pc
    t.pc = c.clauses
    for _ in range(read_u32(addr(t.pc))):
        made = new_catch(t, c, t.at)
        if made is None:
            break
        read_clause(t, made)
    t.pc = following
    end_block(t)


@native
def read_clause(t: ptr[Translator], made: ptr[Catch]):
    kind = t.pc[0]
    t.pc = t.pc + 1
    cells: u32 = 0
    if kind < CatchKind.CATCH_ALL:
        made.tag = read_u32(addr(t.pc))
        cells = t.module.types[t.module.tags[made.tag].type].param_cells
    label = target(t, read_u32(addr(t.pc)) + 1)  # those outside of the block
    made.slot = label.home
    if kind == CatchKind.CATCH_REF or kind == CatchKind.CATCH_ALL_REF:
        made.reference = label.home + cells
    if label.opcode == LOOP:
        made.target = label.start
    else:
        made.target = label.catches
        label.catches = t.catches.count


@native
def return_caught(t: ptr[Translator]):
    """After a function's code: clauses that return what they catch."""
    c = t.controls
    if c.catches != 0:
        t.r_operand = 0
        t.f_operand = 0
        mark_label(t)
        reset_stack(t, c, c.results, c.result_count)
        place_catches(t, c)
        emit_return(t)


@native
def write_catches(t: ptr[Translator]):
    """Put the clauses and their number behind the code."""
    count = t.catches.count
    if count == 0 or t.failed != 0:
        return
    units = count * CATCH_UNITS + 2
    if count > 65535:
        t.failed = TrapCode.UNTRANSLATABLE
    elif t.at + units > t.limit and not make_room(t, units):
        t.failed = TrapCode.OUT_OF_MEMORY
    else:
        t.at += t.at & 1  # aligned
        copy(ptr[u8](t.code + t.at), t.catches.items, usize(count) * sizeof(Catch))
        t.at += count * CATCH_UNITS
        t.code[t.at] = u16(count)
        t.at += 1


# -- the legacy form -------------------------------------------------------------------------------


@native
def start_catch(t: ptr[Translator], opcode: u32):
    """catch or catch_all: what came before goes to the end. The clause keeps the exception below
    its operands.
    """
    c = t.controls + (t.depth - 1)
    tag = u32(ALL)
    if opcode == CATCH_CLAUSE:
        tag = read_u32(addr(t.pc))
    if c.opcode == TRY:
        c.end = t.at
    if t.dead == 0:
        move_values(t, c)
        emit_br(t, c)
    t.dead = 0
    t.r_operand = 0
    t.f_operand = 0
    c.opcode = CATCH_CLAUSE
    mark_label(t)
    reset_stack(t, c, c.results, 0)
    made = new_catch(t, c, c.end)
    if made is None:
        return
    made.tag = tag
    made.target = t.at
    made.reference = push(t, TEMPORARY, ValueType.EXNREF).home
    made.slot = made.reference + 1
    if tag != ALL:
        type = t.module.types + t.module.tags[tag].type
        for i in range(type.param_count):
            push(t, TEMPORARY, type.types[i])
    t.settled = t.height


@native
def rethrow(t: ptr[Translator], c: ptr[Control]):
    """The exception is in the clause's first home."""
    settle_arguments(t, 0)
    emit_throw_ref(t, c.home)


@native
def delegate(t: ptr[Translator]):
    """The end of a try that leaves what is thrown in it to another block."""
    made = new_catch(t, t.controls + (t.depth - 1), t.at)
    label = read_u32(addr(t.pc))
    if made is not None:
        made.tag = DELEGATES
        made.target = t.depth - 2 - label
        end_block(t)
