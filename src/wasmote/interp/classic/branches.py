"""The state of a pass over a body: operands' kinds, open blocks, and branches that wait for a
target.
"""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE, Module
from wasmote.interp.common.catches import Catches, land_catches
from wasmote.interp.common.leb import read_s33, skip_leb
from wasmote.isa import by_name
from wasmote.nativepy import (
    addr,
    boolean,
    constants,
    i32,
    native,
    ptr,
    sizeof,
    struct,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .side_table import (
    DISTANCE,
    ENTRIES,
    FAR,
    FarBranch,
    get32,
    near_distance,
    near_entries,
    set32,
)

#: Cells of a value by its type.
CELLS = constants(
    u8, [{ValueType.I64: 2, ValueType.F64: 2, ValueType.V128: 4}.get(t, 1) for t in range(256)]
)
#: What an operand is: its cells, plus FLOAT for a float.
FLOAT, CELLS_MASK = 8, 7
OPERANDS = constants(
    u8, [CELLS[t] | FLOAT * (t in (ValueType.F32, ValueType.F64)) for t in range(256)]
)
#: How many of the last far branches are looked through for one to share.
SHARED_FAR = 8
LOOP = by_name("loop").opcode
IF = by_name("if").opcode
CATCH = by_name("catch").opcode
#: The block type without parameters and results, as a signed number.
EMPTY = -64
#: First bytes of (ref null …) and (ref …), as signed numbers.
REF_NULL, REF = -29, -28


@struct
class Block:
    """An open block; the function itself is the outermost."""

    opcode: u32
    height: u32  # operands below its parameters
    cells: u32  # and their cells
    params: ptr[u32]
    results: ptr[u32]
    param_count: u32
    result_count: u32
    single: u32  # the result type of a block type that is one
    start: ptr[u8]  # the first instruction, where branches to a loop go
    start_entry: u32
    waiting: u32  # branches to its end: the first of a chain, NONE for none
    otherwise: u32  # if: the branch that skips to `else`
    catches: u32  # clauses that go to its end: a chain through their targets, 0 for none
    clauses: ptr[u8]  # try_table: its clauses
    end: ptr[u8]  # legacy try: where its clauses start
    exception: u32  # legacy catch: the slot of the exception


@struct
class Branch:
    """A branch whose target is not known yet."""

    source: ptr[u8]  # its opcode
    entry: u32
    drop: u32
    keep: u32
    next: u32  # of the chain


@struct
class Growing:
    """An array that grows."""

    items: ptr[u8]
    count: u32
    capacity: u32


@struct
class Preparation:
    module: ptr[Module]
    pc: ptr[u8]
    failed: u32  # a trap code
    index: u32  # of the function
    start: u32  # first instruction, in bytes from the start of the body
    param_cells: u32
    zero: u32
    frame: u32
    locals: ptr[u32]  # slots, with the kinds in the upper halves
    local_count: u32
    far_base: u32  # the position of the first far branch
    operands: ptr[u8]  # what each operand is
    height: u32
    cells: u32  # of all operands
    peak: u32
    blocks: ptr[Block]
    depth: u32
    dead: u32  # nested blocks in unreachable code, plus 1; 0: reachable
    entries: Growing
    far: Growing
    branches: Growing
    catches: Catches
    first_exception: u32  # slot behind the locals
    caught: u32  # open catch clauses
    most_caught: u32


@native(noinline=True)
def grow(p: ptr[Preparation], array: ptr[Growing], item: usize) -> boolean:
    """Make room for one more item."""
    capacity = u64(array.capacity) * 2 + 16
    made: ptr[u8] = None
    if capacity * u64(item) < 0x4000_0000:
        made = p.module.platform.resize(array.items, usize(capacity) * item)
    if made is None:
        p.failed = TrapCode.OUT_OF_MEMORY
        return False
    array.items = made
    array.capacity = u32(capacity)
    return True


@native
def reserve(p: ptr[Preparation], array: ptr[Growing], item: usize) -> boolean:
    """Count one more item, which is not set. False: out of memory."""
    if array.count == array.capacity and not grow(p, array, item):
        return False
    array.count += 1
    return True


@native
def add_entry(p: ptr[Preparation], value: u32):
    if value > 0xFFFF:
        p.failed = TrapCode.UNTRANSLATABLE
    elif reserve(p, p.entries, sizeof(u16)):
        ptr[u16](p.entries.items)[p.entries.count - 1] = u16(value)


@native
def push(p: ptr[Preparation], operand: u32):
    p.operands[p.height] = u8(operand)
    p.height += 1
    p.cells += operand & CELLS_MASK
    if p.cells > p.peak:
        p.peak = p.cells


@native
def pop(p: ptr[Preparation]) -> u32:
    """Take an operand off; returns what it is."""
    p.height -= 1
    operand = u32(p.operands[p.height])
    p.cells -= operand & CELLS_MASK
    return operand


@native
def drop_operands(p: ptr[Preparation], count: u32):
    for _ in range(count):
        pop(p)


@native
def apply(p: ptr[Preparation], effect: u32):
    """Take operands off, as many as the lower four bits say, and push a result that is what the
    others say, less 1; there may be none.
    """
    drop_operands(p, effect & 15)
    if effect >> 4 > 1:
        push(p, (effect >> 4) - 1)


@native
def set_entry(p: ptr[Preparation], b: ptr[Branch], target: ptr[u8], target_entry: u32):
    """Settle a branch: in its entry if it fits, else in one that is far."""
    distance = i32(u32(usize(target) - usize(b.source)))
    entries = i32(target_entry - b.entry)
    entry = (u32(distance) << (16 - DISTANCE)) | (u32(entries) & ((1 << ENTRIES) - 1)) << 1
    entry = entry & 0xFFFF
    if b.drop != 0 or near_distance(entry) != distance or near_entries(entry) != entries:
        position = p.far_base + far_branch(p, b, target, target_entry)
        entry = position << 1 | FAR
        if entry > 0xFFFF:
            p.failed = TrapCode.UNTRANSLATABLE
    ptr[u16](p.entries.items)[b.entry] = u16(entry)


@native
def far_branch(p: ptr[Preparation], b: ptr[Branch], target: ptr[u8], target_entry: u32) -> u32:
    """The number of the far branch to a target: one of the last ones, or a new one."""
    offset = u32(usize(target) - usize(p.module.binary))
    number = p.far.count
    while number > 0 and p.far.count - number < SHARED_FAR:
        number -= 1
        far = ptr[FarBranch](p.far.items) + number
        if get32(addr(far.target)) == offset and u32(far.drop) == b.drop:
            return number
    if reserve(p, p.far, sizeof(FarBranch)):
        made = ptr[FarBranch](p.far.items) + (p.far.count - 1)
        set32(addr(made.target), offset)
        set32(addr(made.entry), target_entry)
        made.drop = u16(b.drop)
        made.keep = u16(b.keep)
        return p.far.count - 1
    return 0


@native
def wait(p: ptr[Preparation], source: ptr[u8], keep: u32, drop: u32) -> u32:
    """A branch with an entry; returns its number, NONE when out of memory."""
    if not reserve(p, p.branches, sizeof(Branch)):
        return NONE
    b = ptr[Branch](p.branches.items) + (p.branches.count - 1)
    b.source = source
    b.entry = p.entries.count
    b.keep = keep
    b.drop = drop
    b.next = NONE
    add_entry(p, 0)
    return p.branches.count - 1 if p.failed == 0 else NONE


@native
def add_branch(p: ptr[Preparation], source: ptr[u8], label: u32):
    """An entry for a branch to a label, with the present operands."""
    block = p.blocks + (p.depth - 1 - label)
    loop = block.opcode == LOOP
    keep = cells_of(block.params, block.param_count)
    if not loop:
        keep = cells_of(block.results, block.result_count)
    drop = p.cells - keep - block.cells
    if label + 1 == p.depth:
        drop = 0  # to the end of the function, which looks only at the results
    number = wait(p, source, keep, drop)
    if number == NONE:
        return
    b = ptr[Branch](p.branches.items) + number
    if loop:
        set_entry(p, b, block.start, block.start_entry)
        p.branches.count -= 1
    else:
        b.next = block.waiting
        block.waiting = number


@native
def land(p: ptr[Preparation], chain: u32, target: ptr[u8]):
    """All branches of a chain go to `target`, at the present entry."""
    while chain != NONE and p.failed == 0:
        b = ptr[Branch](p.branches.items) + chain
        set_entry(p, b, target, p.entries.count)
        chain = b.next


# -- blocks ----------------------------------------------------------------------------------------


@native
def cells_of(types: ptr[u32], count: u32) -> u32:
    total: u32 = 0
    for i in range(count):
        total += u32(CELLS[types[i] & 0xFF])
    return total


@native
def push_types(p: ptr[Preparation], types: ptr[u32], count: u32):
    for i in range(count):
        push(p, u32(OPERANDS[types[i] & 0xFF]))


@native
def leave(p: ptr[Preparation]):
    """What follows, up to the end of the block, is never run."""
    p.dead = 1


@native
def open_block(p: ptr[Preparation], opcode: u32) -> ptr[Block]:
    """A new innermost block, without parameters and results."""
    block = p.blocks + p.depth
    p.depth += 1
    block.opcode = opcode
    block.waiting = NONE
    block.otherwise = NONE
    block.catches = 0
    block.param_count = 0
    block.result_count = 0
    return block


@native
def read_block_type(p: ptr[Preparation], block: ptr[Block]):
    type = read_s33(addr(p.pc))
    if type >= 0:
        known = p.module.types + u32(type)
        block.params = known.types
        block.param_count = known.param_count
        block.results = known.types + known.param_count
        block.result_count = known.result_count
    elif type == REF_NULL or type == REF:
        skip_leb(addr(p.pc))
        block.single = ValueType.FUNCREF  # all references are alike
        block.results = addr(block.single)
        block.result_count = 1
    elif type != EMPTY:
        block.single = u32(type) & 0x7F
        block.results = addr(block.single)
        block.result_count = 1


@native
def start_block(p: ptr[Preparation], source: ptr[u8], opcode: u32):
    """block, loop or if."""
    if opcode == IF:
        pop(p)
    block = open_block(p, opcode)
    read_block_type(p, block)
    block.height = p.height - block.param_count
    block.cells = p.cells - cells_of(block.params, block.param_count)
    if opcode == IF:
        block.otherwise = wait(p, source, 0, 0)
    block.start = p.pc
    block.start_entry = p.entries.count


@native
def start_else(p: ptr[Preparation], source: ptr[u8]):
    block = p.blocks + (p.depth - 1)
    close_clause(p, source, block)
    land(p, block.otherwise, p.pc)
    block.otherwise = NONE
    push_types(p, block.params, block.param_count)


@native
def close_clause(p: ptr[Preparation], source: ptr[u8], block: ptr[Block]):
    """What came before in a block goes to its end; what follows starts with the operands below."""
    if p.dead == 0:
        number = wait(p, source, 0, 0)
        if number == NONE:
            return
        ptr[Branch](p.branches.items)[number].next = block.waiting
        block.waiting = number
    restart(p, block)


@native
def restart(p: ptr[Preparation], block: ptr[Block]):
    """Only the operands below the block are there; what follows can be reached."""
    p.dead = 0
    p.height = block.height
    p.cells = block.cells


@native
def end_block(p: ptr[Preparation], source: ptr[u8]):
    block = p.blocks + (p.depth - 1)
    p.depth -= 1
    target = source if p.depth == 0 else p.pc
    land(p, block.otherwise, target)
    land(p, block.waiting, target)
    offset = u32(usize(target) - usize(p.module.binary))
    land_catches(p.catches, block.catches, offset, p.entries.count)
    if block.opcode == CATCH:
        p.caught -= 1
    restart(p, block)
    push_types(p, block.results, block.result_count)
