"""Makes a function's side table, in one pass over its validated body, at its first call.

Of operands it matters how they are kept, not their types. What can fail is memory, and a frame of
more than 65535 cells.
"""

from wasmote.core.bounds import LimitsFlag
from wasmote.core.mutex import acquire, release
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Function, FuncType, Module
from wasmote.interp.common.leb import read_kind, read_u32, skip_leb
from wasmote.interp.common.skip import skip_immediates
from wasmote.isa import INSTRUCTIONS, Instruction, by_name
from wasmote.isa.features import Feature, is_built
from wasmote.nativepy import (
    addr,
    constants,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    usize,
)

from .branches import (
    CELLS,
    FLOAT,
    OPERANDS,
    Block,
    Preparation,
    add_branch,
    add_entry,
    apply,
    drop_operands,
    end_block,
    leave,
    open_block,
    pop,
    push,
    push_types,
    start_block,
    start_else,
)
from .exceptions import (
    TRY_TABLE,
    delegate,
    end_try_table,
    exceptions,
    start_catch,
)
from .prepare_gc import gc
from .publish import publish, size_behind, size_in_front, size_of_head
from .registers import HEADER_CELLS, ZEROED_AT_ONCE
from .side_table import FarBranch, LocalKind

BLOCK = by_name("block").opcode


class Prefix:
    GC = 0xFB
    MISC = 0xFC
    VECTOR = 0xFD
    ATOMIC = 0xFE


_KINDS = {
    ValueType.I64: LocalKind.I64,
    ValueType.F32: LocalKind.F32,
    ValueType.F64: LocalKind.F64,
    ValueType.V128: LocalKind.V128,
}
KIND_OPERANDS = constants(u8, [1, 2, 2 | FLOAT, 1 | FLOAT, 4])  # by LocalKind
KINDS = constants(u8, [_KINDS.get(t, LocalKind.I32) for t in range(256)])


#: Their results have the width of indices.
_SIZES = ("memory.size", "memory.grow", "table.size")


def _effect(i: Instruction | None) -> int:
    """How many operands it takes, with what its result is, plus 1, in the upper four bits.

    0 for instructions that `rest` knows, or that do not exist.
    """
    if i is None or i.params is None or i.results is None or i.name in _SIZES or len(i.results) > 1:
        return 0
    return len(i.params) | (sum(OPERANDS[t] for t in i.results) + 1) << 4


MISC_COUNT = 23
EFFECTS = constants(u8, [_effect(INSTRUCTIONS.get(code)) for code in range(256)])
MISC_EFFECTS = constants(
    u8, [_effect(INSTRUCTIONS.get(Prefix.MISC << 16 | c)) for c in range(MISC_COUNT)]
)
_VECTOR = [INSTRUCTIONS.get(Prefix.VECTOR << 16 | code) for code in range(512)]
_ATOMIC = [INSTRUCTIONS.get(Prefix.ATOMIC << 16 | code) for code in range(128)]
ATOMIC_EFFECTS = constants(u8, [_effect(i) for i in _ATOMIC])
VECTOR_EFFECTS = constants(u8, [_effect(i) for i in _VECTOR])


@native(noinline=True)
def prepare_function(module: ptr[Module], index: u32) -> u32:
    """Make a function's side table if nobody has yet: 0 or a trap code. For any number of
    threads.
    """
    acquire(module.platform, addr(module.code_lock))
    code: u32 = TrapCode.NONE
    if module.functions[index].side_table is None:
        p = stack(Preparation)
        prepare(p, module, index)
        if p.failed == 0:
            publish(p)
        code = p.failed
        release_all(p)
    release(module.platform, addr(module.code_lock))
    return code


@native
def side_table_size(module: ptr[Module], index: u32) -> usize:
    """Bytes that a function's side table takes; 0 if it cannot be made."""
    p = stack(Preparation)
    prepare(p, module, index)
    size = size_in_front(p) + size_behind(p) if p.failed == 0 else usize(0)
    release_all(p)
    return size


@native
def release_all(p: ptr[Preparation]):
    free = p.module.platform.release
    free(p.operands)
    free(ptr[u8](p.locals))
    free(p.entries.items)
    free(p.far.items)
    free(p.branches.items)
    free(ptr[u8](p.catches.items))


@native
def prepare(p: ptr[Preparation], module: ptr[Module], index: u32):
    """Go through a function. What its side table will say is in `p` then, or `p.failed` is set."""
    function = module.functions + index
    begin(p, module, function)
    p.index = index
    type = module.types + function.type
    count = count_locals(p, type)
    p.local_count = count
    p.locals = ptr[u32](module.platform.allocate(usize(count) * 4 + 4))
    if p.operands is None or p.locals is None:
        p.failed = TrapCode.OUT_OF_MEMORY
        return
    p.far_base = (size_of_head(p) + sizeof(FarBranch) - 1) // sizeof(FarBranch)
    describe_locals(p, type)
    p.start = u32(usize(p.pc) - usize(function.body))
    p.first_exception = p.param_cells + HEADER_CELLS + p.zero
    body(p, type, function.body + function.body_size)
    p.zero += p.most_caught
    peak = p.peak if p.peak > ZEROED_AT_ONCE else ZEROED_AT_ONCE
    p.frame = p.first_exception + p.most_caught + peak
    if p.frame > 65535 or count > 65535 or p.peak > 65535 or type.result_cells > 65535:
        p.failed = TrapCode.UNTRANSLATABLE


@native
def begin(p: ptr[Preparation], module: ptr[Module], function: ptr[Function]):
    """Allocate what one function needs, by what validation noted of it."""
    limits = module.limits
    operands = u32(function.max_operands) if function.max_operands != 65535 else limits.operands
    nesting = u32(function.max_nesting) if function.max_nesting != 65535 else limits.nesting
    p.module = module
    p.pc = function.body
    p.locals = None
    p.failed = TrapCode.NONE
    p.height = 0
    p.cells = 0
    p.peak = 0
    p.depth = 0
    p.dead = 0
    clear(p.entries)
    clear(p.far)
    clear(p.branches)
    clear(p.catches)
    p.caught = 0
    p.most_caught = 0
    room = usize(operands) + 8 & ~usize(7)
    p.operands = module.platform.allocate(room + (usize(nesting) + 2) * sizeof(Block))
    p.blocks = ptr[Block](p.operands + room)


@inline
def clear(array):
    array.items = None
    array.count = 0
    array.capacity = 0


# -- locals ----------------------------------------------------------------------------------------


@native
def count_locals(p: ptr[Preparation], type: ptr[FuncType]) -> u32:
    """Parameters and locals; the position stays."""
    start = p.pc
    total = type.param_count
    for _ in range(read_u32(addr(p.pc))):
        total += read_u32(addr(p.pc))
        read_kind(addr(p.pc))
    p.pc = start
    return total


@native
def describe_locals(p: ptr[Preparation], type: ptr[FuncType]):
    """Give each parameter and local its slot."""
    index: u32 = 0
    slot: u32 = 0
    for i in range(type.param_count):
        slot = describe(p, index, slot, type.types[i])
        index += 1
    p.param_cells = slot
    slot += HEADER_CELLS
    first = slot
    for _ in range(read_u32(addr(p.pc))):
        count = read_u32(addr(p.pc))
        kind = read_kind(addr(p.pc))
        for _ in range(count):
            slot = describe(p, index, slot, kind)
            index += 1
    p.zero = slot - first
    if slot > 65535:
        p.failed = TrapCode.UNTRANSLATABLE


@native
def describe(p: ptr[Preparation], index: u32, slot: u32, type: u32) -> u32:
    """Returns the slot after the local's."""
    p.locals[index] = u32(KINDS[type & 0xFF]) << 16 | slot
    return slot + u32(CELLS[type & 0xFF])


# -- the body --------------------------------------------------------------------------------------


@native
def body(p: ptr[Preparation], type: ptr[FuncType], end: ptr[u8]):
    outermost = open_block(p, BLOCK)
    outermost.height = 0
    outermost.cells = 0
    outermost.results = type.types + type.param_count
    outermost.result_count = type.result_count
    while p.pc < end and p.failed == 0:
        at = p.pc
        opcode = u32(at[0])
        p.pc = at + 1
        effect = u32(EFFECTS[opcode])
        if p.dead != 0:
            dead(p, at, opcode)
        elif effect != 0:
            plain(p, opcode, effect)
        else:
            rest(p, at, opcode)


@native
def plain(p: ptr[Preparation], opcode: u32, effect: u32):
    """An instruction that takes and gives operands of fixed types."""
    skip_immediates(addr(p.pc), opcode)
    apply(p, effect)


@native
def dead(p: ptr[Preparation], at: ptr[u8], opcode: u32):
    """Unreachable code: only the blocks matter, and where they end."""
    match opcode:
        case 0x02 | 0x03 | 0x04 | 0x06 | 0x1F:
            p.dead += 1
            skip_immediates(addr(p.pc), opcode)
        case 0x05:
            if p.dead == 1:
                start_else(p, at)
        case 0x07 | 0x19:
            if p.dead == 1:
                start_catch(p, at, opcode)
            else:
                skip_immediates(addr(p.pc), opcode)
        case 0x18:
            if p.dead == 1:
                delegate(p, at)
            else:
                p.dead -= 1
                skip_immediates(addr(p.pc), opcode)
        case 0x0B:
            if p.dead == 1:
                end(p, at)
            else:
                p.dead -= 1
        case _:
            skip_immediates(addr(p.pc), opcode)


@native
def end(p: ptr[Preparation], at: ptr[u8]):
    if p.blocks[p.depth - 1].opcode == TRY_TABLE:
        end_try_table(p, at)
    else:
        end_block(p, at)


@native
def rest(p: ptr[Preparation], at: ptr[u8], opcode: u32):
    """What is not plain: control, variables, parametric instructions, references."""
    match opcode:
        case 0x20:
            push(p, operand_of_local(p, read_u32(addr(p.pc))))
        case 0x21:
            skip_leb(addr(p.pc))
            pop(p)
        case 0x22:
            skip_leb(addr(p.pc))
        case 0x02 | 0x03 | 0x04:
            start_block(p, at, opcode)
        case 0x05:
            start_else(p, at)
        case 0x0B:
            end(p, at)
        case 0x0D:
            pop(p)
            add_branch(p, at, read_u32(addr(p.pc)))
        case 0x10:
            function = read_u32(addr(p.pc))
            call(p, p.module.types + p.module.functions[function].type)
        case 0x41 | 0xD0 | 0xD2:
            skip_leb(addr(p.pc))
            push(p, 1)
        case 0x42:
            skip_leb(addr(p.pc))
            push(p, 2)
        case 0x43:
            p.pc = p.pc + 4
            push(p, 1 | FLOAT)
        case 0x44:
            p.pc = p.pc + 8
            push(p, 2 | FLOAT)
        case _:
            rarer(p, at, opcode)


@native
def rarer(p: ptr[Preparation], at: ptr[u8], opcode: u32):
    match opcode:
        case 0x00:
            leave(p)
        case 0x0C:
            add_branch(p, at, read_u32(addr(p.pc)))
            leave(p)
        case 0x0E:
            pop(p)
            for _ in range(read_u32(addr(p.pc)) + 1):
                add_branch(p, at, read_u32(addr(p.pc)))
            leave(p)
        case 0x0F:
            leave(p)
        case 0x11:
            type = read_u32(addr(p.pc))
            skip_leb(addr(p.pc))
            pop(p)
            call(p, p.module.types + type)
        case 0x1A:
            add_entry(p, (u32(1) << 4) | pop(p))
        case 0x1B | 0x1C:
            skip_immediates(addr(p.pc), opcode)
            pop(p)
            add_entry(p, (u32(usize(p.pc) - usize(at)) << 4) | pop(p))
        case 0x23:
            push(p, u32(OPERANDS[p.module.globals[read_u32(addr(p.pc))].content & 0xFF]))
        case 0x24:
            skip_leb(addr(p.pc))
            pop(p)
        case 0x25 | 0xD1:
            skip_immediates(addr(p.pc), opcode)
            pop(p)
            push(p, 1)
        case 0x26:
            skip_leb(addr(p.pc))
            drop_operands(p, 2)
        case 0x3F:
            push_size(p, p.module.memories[read_u32(addr(p.pc))].flags)
        case 0x40:
            pop(p)
            push_size(p, p.module.memories[read_u32(addr(p.pc))].flags)
        case 0x12 | 0x13 | 0x15:
            skip_immediates(addr(p.pc), opcode)
            leave(p)
        case 0x14:
            type = read_u32(addr(p.pc))
            pop(p)
            call(p, p.module.types + type)
        case 0xD3:
            drop_operands(p, 2)
            push(p, 1)
        case 0xD5:
            pop(p)
            add_branch(p, at, read_u32(addr(p.pc)))
            push(p, 1)
        case 0xD6:
            add_branch(p, at, read_u32(addr(p.pc)))
            pop(p)
        case Prefix.MISC:
            misc(p)
        case Prefix.VECTOR:
            if is_built(Feature.SIMD):
                vector(p)
        case Prefix.ATOMIC:
            if is_built(Feature.THREADS):
                atomic(p)
        case Prefix.GC:
            if is_built(Feature.GC):
                gc(p, at)
        case _:
            exceptions(p, at, opcode)


@native
def operand_of_local(p: ptr[Preparation], index: u32) -> u32:
    return u32(KIND_OPERANDS[p.locals[index] >> 16])


@native
def call(p: ptr[Preparation], type: ptr[FuncType]):
    drop_operands(p, type.param_count)
    push_types(p, type.types + type.param_count, type.result_count)


@native
def misc(p: ptr[Preparation]):
    """Instructions behind the prefix 0xFC."""
    start = p.pc
    code = read_u32(addr(p.pc))
    at = stack(ptr[u8])
    at[0] = p.pc
    p.pc = start
    skip_immediates(addr(p.pc), Prefix.MISC)
    match code:
        case 15 | 16:  # table.grow, table.size
            drop_operands(p, u32(2) if code == 15 else 0)
            push_size(p, p.module.tables[read_u32(at)].flags)
        case 17:  # table.fill
            drop_operands(p, 3)
        case 19 | 20 | 21 | 22:  # wide arithmetic
            drop_operands(p, u32(4) if code < 21 else 2)
            push(p, 2)
            push(p, 2)
        case _:
            apply(p, u32(MISC_EFFECTS[code]))


@native
def push_size(p: ptr[Preparation], flags: u32):
    """An index or size, whose width limits flags say."""
    push(p, u32(1) if flags & LimitsFlag.INDEX_64 == 0 else u32(2))


@native
def vector(p: ptr[Preparation]):
    """Instructions behind the prefix 0xFD."""
    start = p.pc
    code = read_u32(addr(p.pc)) & 511
    p.pc = start
    skip_immediates(addr(p.pc), Prefix.VECTOR)
    apply(p, u32(VECTOR_EFFECTS[code]))


@native
def atomic(p: ptr[Preparation]):
    """Instructions behind the prefix 0xFE."""
    start = p.pc
    code = read_u32(addr(p.pc)) & 127
    p.pc = start
    skip_immediates(addr(p.pc), Prefix.ATOMIC)
    apply(p, u32(ATOMIC_EFFECTS[code]))
