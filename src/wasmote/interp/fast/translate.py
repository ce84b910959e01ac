"""Translates validated function bodies to extended bytecode, in one pass.

Nothing here checks the module: validation did. What can fail is memory, and a frame that needs more
than 65535 cells.
"""

from wasmote.core.bounds import index_type
from wasmote.core.mutex import acquire, release
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import NONE, Function, FuncType, Module
from wasmote.interp.common.leb import read_kind, read_s32, read_s64, read_u32, skip_leb
from wasmote.interp.common.skip import skip_immediates
from wasmote.isa.features import Feature, is_built
from wasmote.nativepy import (
    addr,
    atomic_store,
    boolean,
    fill,
    load_le,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .accesses import load_value, store_value
from .atomics import atomic
from .bytecode import FAMILY, OPCODES, Family
from .calls import (
    as_non_null,
    call,
    call_indirect,
    call_ref,
    return_call,
    return_call_indirect,
    return_call_ref,
)
from .exceptions import (
    TRY_TABLE,
    delegate,
    end_try_table,
    rethrow,
    return_caught,
    start_catch,
    start_try,
    throw,
    throw_ref,
    write_catches,
)
from .functions import note_translated
from .labels import (
    branch_if,
    branch_on_non_null,
    branch_on_null,
    branch_table,
    branch_to,
    emit_return,
    end_block,
    mark_label,
    push_control,
    start_block,
    start_else,
    start_if,
    target,
)
from .metering import count
from .operations import (
    binary,
    drop,
    global_get,
    global_set,
    local_set,
    local_tee,
    select,
    unary,
)
from .operations_gc import gc
from .registers import HEADER_CELLS, PROLOGUE_UNITS, RECORD_UNITS
from .stack import (
    CELLS,
    Control,
    Operand,
    Translator,
    begin,
    finish,
    make_room,
    push_constant,
    push_local,
)
from .tables import memory_size, misc, ref_func, table_get, table_set
from .tier import write_record
from .vectors import vector

#: Units behind a position that belong to other instructions for certain: an instruction may take
#: the place of the two before it.
WATCH_MARGIN = 128


@native(convention="c", noinline=True)
def translate_function(module: ptr[Module], function: ptr[Function]) -> u32:
    """Translate a function if nobody has yet: 0 or a trap code. Safe to call from several
    threads.
    """
    acquire(module.platform, addr(module.code_lock))
    code: u32 = TrapCode.NONE
    if function.code == 0:
        code = prepare_code(module)
        if code == TrapCode.NONE:
            t = stack(Translator)
            t.probe = NONE
            t.code = module.code
            t.at = module.code_used + RECORD_UNITS
            t.limit = u32(module.code_committed // 2)
            code = translate(t, module, function)
            if code == TrapCode.NONE:
                code = publish(t, module, function)
    release(module.platform, addr(module.code_lock))
    return code


@native
def publish(t: ptr[Translator], module: ptr[Module], function: ptr[Function]) -> u32:
    """Let threads run the code that was translated: 0 or a trap code."""
    start = module.code_used + RECORD_UNITS
    index = index_of(module, function)
    if not note_translated(module, index, start, t.at, t.catches.count != 0):
        return TrapCode.OUT_OF_MEMORY
    write_record(module, index, start)
    module.code_used = t.at
    atomic_store(addr(function.code), start)
    return TrapCode.NONE


@native
def index_of(module: ptr[Module], function: ptr[Function]) -> u32:
    return u32((usize(function) - usize(module.functions)) // sizeof(Function))


@native
def prepare_code(module: ptr[Module]) -> u32:
    """Reserve address space for a module's extended code; its first unit ends an entry."""
    if module.code is not None:
        return TrapCode.NONE
    reserved = (usize(module.code_section_size) * 24 + 1048576) // 65536 * 65536
    platform = module.platform
    code = platform.reserve(platform, reserved)
    if code is None:
        return TrapCode.OUT_OF_MEMORY
    if platform.commit(platform, code, 0, 65536) != 0:
        platform.unreserve(platform, code, reserved)
        return TrapCode.OUT_OF_MEMORY
    module.code_reserved = reserved
    module.code_committed = 65536
    ptr[u16](code)[0] = OPCODES["leave interpreter"]
    module.code_used = 1
    module.code = ptr[u16](code)
    return TrapCode.NONE


@native
def translate(t: ptr[Translator], module: ptr[Module], function: ptr[Function]) -> u32:
    """Translate one function at `t.at`, in memory that `t.code`, `t.at` and `t.limit` describe."""
    t.watch = NONE
    code = begin_translation(t, module, function)
    if code != TrapCode.NONE:
        return code
    body(t, module.types + function.type, function.body + function.body_size)
    write_catches(t)
    end_translation(t)
    return t.failed


@native
def begin_translation(t: ptr[Translator], module: ptr[Module], function: ptr[Function]) -> u32:
    """Make room for the translator's picture: 0, or OUT_OF_MEMORY. `end_translation` frees it."""
    platform = module.platform
    t.module = module
    t.function = function
    t.failed = TrapCode.NONE
    t.loop_at = NONE
    t.loop = None
    t.plain_memory = u32(
        module.memory_count != 0 and index_type(module.memories[0].flags) == ValueType.I32
    )
    t.pc = function.body
    t.instruction = function.body
    t.catches.items = None
    t.catches.count = 0
    t.catches.capacity = 0
    t.operands = None
    type = module.types + function.type
    locals = count_locals(t, type)
    operands = usize(function.max_operands) + 8
    nesting = usize(function.max_nesting) + 8
    if function.max_operands == 65535:
        operands = usize(module.limits.operands) + 8
    if function.max_nesting == 65535:
        nesting = usize(module.limits.nesting) + 8
    size = operands * sizeof(Operand) + nesting * sizeof(Control) + usize(locals) * 9
    scratch = platform.allocate(size)
    if scratch is None:
        return TrapCode.OUT_OF_MEMORY
    t.operands = ptr[Operand](scratch)
    t.controls = ptr[Control](scratch + operands * sizeof(Operand))
    t.slots = ptr[u32](ptr[u8](t.controls) + nesting * sizeof(Control))
    t.references = t.slots + locals
    t.types = ptr[u8](t.references + locals)
    fill(ptr[u8](t.references), 0, usize(locals) * 4)
    return TrapCode.NONE


@native
def end_translation(t: ptr[Translator]):
    t.module.platform.release(ptr[u8](t.catches.items))
    t.module.platform.release(ptr[u8](t.operands))


@native
def count_locals(t: ptr[Translator], type: ptr[FuncType]) -> u32:
    """Parameters and locals of the function at `t.pc`, which stays."""
    start = t.pc
    total = type.param_count
    groups = read_u32(addr(t.pc))
    for i in range(u32(0), groups):
        total += read_u32(addr(t.pc))
        read_kind(addr(t.pc))
    t.pc = start
    return total


@native
def place_locals(t: ptr[Translator], type: ptr[FuncType]) -> u32:
    """Give each parameter and local its slot; returns how many cells of locals start as zero."""
    slot: u32 = 0
    n: u32 = 0
    for i in range(u32(0), type.param_count):
        t.types[n] = u8(type.types[i])
        t.slots[n] = slot
        slot += u32(CELLS[type.types[i] & 0xFF])
        n += 1
    t.param_cells = slot
    slot += HEADER_CELLS
    groups = read_u32(addr(t.pc))
    for i in range(u32(0), groups):
        count = read_u32(addr(t.pc))
        kind = read_kind(addr(t.pc))
        for j in range(u32(0), count):
            t.types[n] = u8(kind)
            t.slots[n] = slot
            slot += u32(CELLS[kind])
            n += 1
    # Results are written over the parameters, where the caller expects them: they must not reach
    # the header.
    t.base = slot
    return slot - t.param_cells - HEADER_CELLS


@native
def body(t: ptr[Translator], type: ptr[FuncType], end: ptr[u8]):
    module = t.module
    zero = place_locals(t, type)
    t.height = 0
    t.depth = 0
    t.dead = 0
    t.settled = 0
    t.r_operand = 0
    t.f_operand = 0
    t.run = 0
    mark_label(t)
    t.frame = t.base + 4 if t.base + 4 > type.result_cells else type.result_cells
    start = t.at
    t.at += PROLOGUE_UNITS
    if t.at + 64 > t.limit and not make_room(t, 64):
        t.failed = TrapCode.OUT_OF_MEMORY
        return
    c = push_control(t, 0, 0)
    c.results = type.types + type.param_count
    c.result_count = type.result_count
    c.param_count = 0
    while t.pc < end and t.failed == 0:
        if t.watch != NONE and watch(t):
            break
        t.instruction = t.pc
        if module.metered != 0:
            count(t)
        one(t)
    if t.frame > 65535 or t.base > 60000:
        t.failed = TrapCode.UNTRANSLATABLE
    if t.failed == 0:
        t.code[start] = u16(t.param_cells)
        t.code[start + 1] = u16(zero)
        t.code[start + 2] = u16(t.frame)


@native(cold=True)
def watch(t: ptr[Translator]) -> boolean:
    """Whether the translation has come far enough; see `describe`."""
    if t.until is not None:
        return t.pc == t.until
    if t.at <= t.watch and t.dead == 0:
        t.watched = t.pc
    return t.at > t.watch + WATCH_MARGIN


@native
def one(t: ptr[Translator]):
    """Translate one instruction."""
    opcode = u32(t.pc[0])
    t.pc = t.pc + 1
    if t.dead != 0:
        dead(t, opcode)
        return
    match FAMILY[opcode]:
        case Family.BINARY | Family.COMPARE:
            binary(t, opcode)
        case Family.LOAD:
            load_value(t, opcode)
        case Family.STORE:
            store_value(t, opcode)
        case Family.UNARY:
            unary(t, opcode)
        case _:
            other(t, opcode)


@native
def dead(t: ptr[Translator], opcode: u32):
    """Unreachable code: only the blocks matter, and where they end."""
    match opcode:
        case 0x02 | 0x03 | 0x04 | 0x06 | 0x1F:
            t.dead += 1
            skip_immediates(addr(t.pc), opcode)
        case 0x05:
            if t.dead == 1:
                start_else(t)
        case 0x07 | 0x19:
            if t.dead == 1:
                start_catch(t, opcode)
            else:
                skip_immediates(addr(t.pc), opcode)
        case 0x18:
            if t.dead == 1:
                delegate(t)
            else:
                t.dead -= 1
                skip_immediates(addr(t.pc), opcode)
        case 0x0B:
            if t.dead == 1:
                end(t)
            else:
                t.dead -= 1
        case _:
            skip_immediates(addr(t.pc), opcode)


@native
def end(t: ptr[Translator]):
    if t.depth > 1:
        if t.controls[t.depth - 1].opcode == TRY_TABLE:
            end_try_table(t)
        else:
            end_block(t)
        return
    c = t.controls
    if t.dead == 0:
        emit_return(t)
    return_caught(t)
    t.depth = 0
    t.failed = t.failed if c.patches == 0 else u32(TrapCode.UNTRANSLATABLE)


@native
def leave(t: ptr[Translator], label: u32):
    branch_to(t, target(t, label))
    t.dead = 1


@native
def other(t: ptr[Translator], opcode: u32):
    """Everything that is not a plain operation on values."""
    match opcode:
        case 0x20:
            push_local(t, read_u32(addr(t.pc)))
        case 0x21:
            local_set(t, read_u32(addr(t.pc)))
        case 0x22:
            local_tee(t, read_u32(addr(t.pc)))
        case 0x41:
            push_constant(t, ValueType.I32, u64(u32(read_s32(addr(t.pc)))))
        case 0x0B:
            end(t)
        case 0x0D:
            branch_if(t, target(t, read_u32(addr(t.pc))))
        case 0x10:
            call(t, read_u32(addr(t.pc)))
        case 0x02 | 0x03:
            start_block(t, opcode)
        case _:
            rarer(t, opcode)


@native
def rarer(t: ptr[Translator], opcode: u32):
    match opcode:
        case 0x00:
            begin(t, OPCODES["unreachable"])
            finish(t, 1)
            t.dead = 1
        case 0x01:
            pass
        case 0x04:
            start_if(t)
        case 0x05:
            start_else(t)
        case 0x0C:
            leave(t, read_u32(addr(t.pc)))
        case 0x0E:
            branch_table(t)
            t.dead = 1
        case 0x0F:
            leave(t, t.depth - 1)
        case 0x11:
            call_indirect(t)
        case 0x12:
            return_call(t, read_u32(addr(t.pc)))
            t.dead = 1
        case 0x13:
            return_call_indirect(t)
            t.dead = 1
        case 0x1A:
            drop(t)
        case 0x1B | 0x1C:
            select(t, opcode)
        case 0x23:
            global_get(t, read_u32(addr(t.pc)))
        case 0x24:
            global_set(t, read_u32(addr(t.pc)))
        case 0x42:
            push_constant(t, ValueType.I64, u64(read_s64(addr(t.pc))))
        case 0x43:
            push_constant(t, ValueType.F32, u64(load_le(u32, t.pc)))
            t.pc = t.pc + 4
        case 0x44:
            push_constant(t, ValueType.F64, load_le(u64, t.pc))
            t.pc = t.pc + 8
        case 0x06 | 0x1F:
            start_try(t, opcode)
        case 0x07 | 0x19:
            start_catch(t, opcode)
        case 0x08:
            throw(t)
        case 0x09:
            rethrow(t, target(t, read_u32(addr(t.pc))))
        case 0x0A:
            throw_ref(t)
        case 0x18:
            delegate(t)
        case _:
            references(t, opcode)


@native
def references(t: ptr[Translator], opcode: u32):
    match opcode:
        case 0x25:
            table_get(t)
        case 0x26:
            table_set(t)
        case 0x3F:
            memory_size(t, OPCODES["memory.size i32"], 0)
        case 0x40:
            memory_size(t, OPCODES["memory.grow i32"], 1)
        case 0xD0:
            skip_leb(addr(t.pc))
            push_constant(t, ValueType.FUNCREF, 0)  # of any heap type: all are alike
        case 0xD1:
            unary(t, 0x45)  # a handle is null when it is zero
        case 0xD2:
            ref_func(t, read_u32(addr(t.pc)))
        case 0x14:
            call_ref(t)
        case 0x15:
            return_call_ref(t)
            t.dead = 1
        case 0xD4:
            as_non_null(t)
        case 0xD5:
            branch_on_null(t, target(t, read_u32(addr(t.pc))))
        case 0xD6:
            branch_on_non_null(t, target(t, read_u32(addr(t.pc))))
        case 0xD3:
            binary(t, 0x46)  # handles of the same object are equal
        case 0xFB:
            if is_built(Feature.GC):
                gc(t)
        case 0xFC:
            misc(t)
        case 0xFD:
            if is_built(Feature.SIMD):
                vector(t)
        case 0xFE:
            if is_built(Feature.THREADS):
                atomic(t)
        case _:
            t.failed = TrapCode.UNTRANSLATABLE
