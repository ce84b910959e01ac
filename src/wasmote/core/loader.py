"""What lives only while a module is loaded: the reading window and the validator's stacks.

The stacks are shared by all functions of a module and grow, up to `Limits`, with the largest.
"""

from wasmote.core.arena import arena_array, arena_extend
from wasmote.core.reader import Reader, fail, open_reader
from wasmote.core.status import Status
from wasmote.core.structs import NONE, Module
from wasmote.isa.features import Feature
from wasmote.nativepy import (
    addr,
    boolean,
    const,
    inline,
    native,
    ptr,
    sizeof,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Types of this many locals are kept in an array, further ones as runs. It bounds what an
#: adversary's function costs that declares many locals in few bytes.
EXPANDED_LOCALS = 1024
FIRST_OPERANDS = 256
FIRST_FRAMES = 64
FIRST_RUNS = 64
#: The type of an operand in unreachable code: any (spec: Appendix, Validation Algorithm).
UNKNOWN = 0


@struct
class ControlFrame:
    """An open block of the function that is being validated."""

    params: ptr[u32]
    results: ptr[u32]
    param_count: u32
    result_count: u32
    base: u32  # operands below this height belong to outer blocks
    opcode: u32  # block, loop, if, else; a function counts as a block
    unreachable: u32  # the rest of the block cannot be reached: operands appear as needed
    set_count: u32  # of the loader, when the block began


@struct
class LocalRun:
    """Consecutive locals of one type."""

    end: u32  # index after the last
    type: u32


@struct
class Loader:
    module: ptr[Module]
    reader: Reader
    rank: u32  # of the last section, see decode.module
    data_count: u32  # from the data count section, or NONE
    body_count: u32  # functions that the function section declared
    code_count: u32  # bodies that the code section had
    plain_memory: u32  # there is a memory 0 and its addresses have 32 bits
    # The instruction that is being validated, for errors.
    at: ptr[u8]
    opcode: u32
    # Operand types, by height; frames; the current function's locals.
    operands: ptr[u32]
    operand_capacity: u32
    height: u32
    peak: u32  # the function's greatest height so far, rounded up by what was reserved
    base: u32  # of the innermost frame
    frames: ptr[ControlFrame]
    frame_capacity: u32
    frame_count: u32
    deepest: u32
    locals: ptr[u32]
    expanded: u32  # how many of the locals are in the array
    local_count: u32
    runs: ptr[LocalRun]
    run_capacity: u32
    run_count: u32
    # Locals that had to be set before they are read, and were: in this order; see validate.locals.
    sets: ptr[u32]
    set_capacity: u32
    set_count: u32
    late_sets: ptr[u8]  # bit set of those that are not in the array
    late_capacity: u32  # bytes
    visible_types: u32  # that may be named: all, or those up to the current recursive group's end


@native(cold=True)
def fail_here(loader: ptr[Loader], status: u32, detail: u64, detail2: u64) -> boolean:
    """An error of the instruction that is being validated."""
    return fail(loader.reader, loader.at, status, detail, detail2)


@native(cold=True)
def out_of_memory(loader: ptr[Loader]) -> boolean:
    return fail(loader.reader, loader.reader.pos, Status.OUT_OF_MEMORY, 0, 0)


@inline
def has_feature(loader: ptr[Loader], feature: const) -> boolean:
    return loader.module.features & Feature(feature).mask != 0


@inline
def has_exceptions(loader: ptr[Loader]) -> boolean:
    """Whether either form of exception handling is on: both have tags and `throw`."""
    return has_feature(loader, Feature.EXCEPTIONS) or has_feature(loader, Feature.LEGACY_EXCEPTIONS)


@native(cold=True)
def unsupported(loader: ptr[Loader], at: ptr[u8], bit: u32) -> boolean:
    """The module needs the feature with that bit number, which is off."""
    return fail(loader.reader, at, Status.UNSUPPORTED_FEATURE, u64(bit), 0)


@native
def allocate_array(loader: ptr[Loader], count: u32, item: usize) -> ptr[u8]:
    """Zeroed room in the module for `count` items; None after reporting that memory ran out."""
    made = arena_array(loader.module, count, item)
    if made is None:
        out_of_memory(loader)
    return made


@native
def grow_scratch(loader: ptr[Loader], old: ptr[u8], size: u64) -> ptr[u8]:
    """A scratch block made larger; None (and the old block is still there) when memory ran out."""
    if size > 0xFFFF_0000:
        return None
    return loader.module.platform.resize(old, usize(size))


@native
def loader_open(loader: ptr[Loader], m: ptr[Module]) -> boolean:
    loader.module = m
    open_reader(loader.reader, m.binary, m.binary_size, addr(m.error))
    loader.rank = 0
    loader.data_count = NONE
    loader.body_count = 0
    loader.code_count = 0
    loader.plain_memory = 0
    loader.at = m.binary
    loader.opcode = 0
    loader.height = 0
    loader.base = 0
    loader.peak = 0
    loader.frame_count = 0
    loader.deepest = 0
    loader.expanded = 0
    loader.local_count = 0
    loader.run_count = 0
    loader.sets = None
    loader.set_capacity = 0
    loader.set_count = 0
    loader.late_sets = None
    loader.late_capacity = 0
    loader.visible_types = 0
    loader.operand_capacity = FIRST_OPERANDS
    loader.frame_capacity = FIRST_FRAMES
    loader.run_capacity = FIRST_RUNS
    allocate = m.platform.allocate
    loader.operands = ptr[u32](allocate(FIRST_OPERANDS * sizeof(u32)))
    loader.frames = ptr[ControlFrame](allocate(FIRST_FRAMES * sizeof(ControlFrame)))
    loader.runs = ptr[LocalRun](allocate(FIRST_RUNS * sizeof(LocalRun)))
    loader.locals = ptr[u32](allocate(EXPANDED_LOCALS * sizeof(u32)))
    if (
        loader.operands is None
        or loader.frames is None
        or loader.runs is None
        or loader.locals is None
    ):
        return out_of_memory(loader)
    return True


@native
def loader_close(loader: ptr[Loader]) -> void:
    release = loader.module.platform.release
    release(ptr[u8](loader.operands))
    release(ptr[u8](loader.frames))
    release(ptr[u8](loader.runs))
    release(ptr[u8](loader.locals))
    release(ptr[u8](loader.sets))
    release(loader.late_sets)


@native
def append_room(loader: ptr[Loader], items: ptr[u8], used: u32, item: usize) -> ptr[u8]:
    """Room for one more item after `used`: an array that doubles whenever it is a power of two."""
    if used & (used - 1) != 0:
        return items
    made = arena_extend(loader.module, items, used, 2 * used if used != 0 else 1, item)
    if made is None:
        out_of_memory(loader)
    return made


@native
def extend_array(loader: ptr[Loader], items: ptr[u8], used: u32, more: u32, item: usize) -> ptr[u8]:
    """The index space at `items`, which holds its imports, with room for `more` definitions."""
    made = arena_extend(loader.module, items, used, used + more, item)
    if made is None:
        out_of_memory(loader)
    return made
