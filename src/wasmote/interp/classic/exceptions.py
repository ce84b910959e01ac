"""What preparing a function notes of exception handling: its clauses, outside of the side table.

The operands of a legacy `catch` clause lie where those of its block do, so the exception that it
caught has a place of its own: behind the locals there is a cell for each nested clause.
"""

from wasmote.core.arena import arena_array
from wasmote.core.status import TrapCode
from wasmote.core.structs import NONE, Module
from wasmote.interp.common.catches import (
    ALL,
    DELEGATES,
    Catch,
    Catches,
    add_catch,
)
from wasmote.interp.common.leb import read_u32
from wasmote.interp.common.skip import skip_catches
from wasmote.isa import by_name
from wasmote.isa.exceptions import CatchKind
from wasmote.nativepy import (
    addr,
    atomic_store,
    boolean,
    copy,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    usize,
)

from .branches import (
    CATCH,
    LOOP,
    Preparation,
    add_entry,
    close_clause,
    drop_operands,
    end_block,
    leave,
    pop,
    push_types,
    start_block,
)

TRY = by_name("try").opcode
TRY_TABLE = by_name("try_table").opcode
#: Set in `Catch.reference` until the function is prepared: it counts from the first operand.
RELATIVE = 0x8000_0000


class Opcode:
    """By name."""

    THROW = by_name("throw").opcode
    THROW_REF = by_name("throw_ref").opcode
    TRY_TABLE = TRY_TABLE
    TRY = TRY
    CATCH = CATCH
    CATCH_ALL = by_name("catch_all").opcode
    RETHROW = by_name("rethrow").opcode
    DELEGATE = by_name("delegate").opcode


@native
def exceptions(p: ptr[Preparation], at: ptr[u8], opcode: u32):
    """Prepare an instruction, if it is one of these."""
    match opcode:
        case Opcode.THROW:
            tag = read_u32(addr(p.pc))
            drop_operands(p, p.module.types[p.module.tags[tag].type].param_count)
            leave(p)
        case Opcode.THROW_REF:
            pop(p)
            leave(p)
        case Opcode.TRY_TABLE:
            start_try_table(p, at)
        case Opcode.TRY:
            start_block(p, at, opcode)
        case Opcode.CATCH | Opcode.CATCH_ALL:
            start_catch(p, at, opcode)
        case Opcode.RETHROW:
            label = read_u32(addr(p.pc))
            add_entry(p, p.blocks[p.depth - 1 - label].exception)
            leave(p)
        case Opcode.DELEGATE:
            delegate(p, at)
        case _:
            pass


@native
def offset_of(p: ptr[Preparation], at: ptr[u8]) -> u32:
    return u32(usize(at) - usize(p.module.binary))


@native
def start_try_table(p: ptr[Preparation], at: ptr[u8]):
    """Its entry is its length."""
    start_block(p, at, TRY_TABLE)
    block = p.blocks + (p.depth - 1)
    block.clauses = p.pc
    skip_catches(addr(p.pc))
    add_entry(p, u32(usize(p.pc) - usize(at)))
    block.start = p.pc


@native
def new_catch(p: ptr[Preparation], end: ptr[u8]) -> ptr[Catch]:
    """A clause of the innermost block, for what was thrown before `end`."""
    made = add_catch(p.module.platform, p.catches)
    if made is None:
        p.failed = TrapCode.OUT_OF_MEMORY
        return None
    made.start = offset_of(p, p.blocks[p.depth - 1].start)
    made.end = offset_of(p, end)
    made.depth = p.depth - 1
    return made


@native
def end_try_table(p: ptr[Preparation], at: ptr[u8]):
    """At the end of the block its clauses are noted, after those of the blocks inside."""
    following = p.pc
    p.pc = p.blocks[p.depth - 1].clauses
    for _ in range(read_u32(addr(p.pc))):
        made = new_catch(p, at)
        if made is None:
            break
        read_clause(p, made)
    p.pc = following
    end_block(p, at)


@native
def read_clause(p: ptr[Preparation], made: ptr[Catch]):
    kind = p.pc[0]
    p.pc = p.pc + 1
    cells: u32 = 0
    if kind < CatchKind.CATCH_ALL:
        made.tag = read_u32(addr(p.pc))
        cells = p.module.types[p.module.tags[made.tag].type].param_cells
    label = p.blocks + (p.depth - 2 - read_u32(addr(p.pc)))  # those outside of the block
    made.slot = label.cells
    if kind == CatchKind.CATCH_REF or kind == CatchKind.CATCH_ALL_REF:
        made.reference = (label.cells + cells) | RELATIVE
    if label.opcode == LOOP:
        made.target = offset_of(p, label.start)
        made.entry = label.start_entry
    else:
        made.target = label.catches
        label.catches = p.catches.count


# -- the legacy form -------------------------------------------------------------------------------


@native
def start_catch(p: ptr[Preparation], at: ptr[u8], opcode: u32):
    block = p.blocks + (p.depth - 1)
    tag = u32(ALL)
    if opcode == CATCH:
        tag = read_u32(addr(p.pc))
    if block.opcode == TRY:
        block.end = at
        block.exception = p.first_exception + p.caught
        p.caught += 1
        if p.caught > p.most_caught:
            p.most_caught = p.caught
    close_clause(p, at, block)
    block.opcode = CATCH
    made = new_catch(p, block.end)
    if made is None:
        return
    made.tag = tag
    made.target = offset_of(p, p.pc)
    made.entry = p.entries.count
    made.slot = block.cells
    made.reference = block.exception
    if tag != ALL:
        type = p.module.types + p.module.tags[tag].type
        push_types(p, type.types, type.param_count)


@native
def delegate(p: ptr[Preparation], at: ptr[u8]):
    """The end of a try that leaves what is thrown in it to another block."""
    made = new_catch(p, at)
    label = read_u32(addr(p.pc))
    if made is not None:
        made.tag = DELEGATES
        made.target = p.depth - 2 - label
        end_block(p, at)


# -- the result ------------------------------------------------------------------------------------


@native
def publish_catches(p: ptr[Preparation], index: u32, operands: u32) -> boolean:
    """Keep a function's clauses with the module; its operands start at the slot `operands`. False:
    out of memory.
    """
    count = p.catches.count
    if count == 0:
        return True
    module = p.module
    tables = ptr[ptr[Catches]](module.catch_tables)
    if tables is None:
        tables = ptr[ptr[Catches]](arena_array(module, module.function_count, sizeof(ptr[Catches])))
    made = ptr[Catches](arena_array(module, 1, sizeof(Catches) + usize(count) * sizeof(Catch)))
    if tables is None or made is None:
        return False
    made.items = ptr[Catch](made + 1)
    made.count = count
    copy(made.items, p.catches.items, usize(count) * sizeof(Catch))
    for i in range(count):
        settle(made.items + i, operands)
    tables[index] = made
    atomic_store(addr(module.catch_tables), ptr[u8](tables))
    return True


@native
def settle(c: ptr[Catch], operands: u32):
    """Slots are counted from the frame's start from now on."""
    c.slot += operands
    if c.reference != NONE and c.reference & RELATIVE != 0:
        c.reference = (c.reference & ~u32(RELATIVE)) + operands


@native
def catches_of(module: ptr[Module], index: u32) -> ptr[Catches]:
    """A prepared function's clauses; None: it has none."""
    tables = ptr[ptr[Catches]](module.catch_tables)
    return None if tables is None else tables[index]
