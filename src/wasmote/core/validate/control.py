"""Structured control: blocks, branches and what `end` closes."""

from wasmote.core.arithmetic import larger
from wasmote.core.decode.types import value_type
from wasmote.core.loader import (
    UNKNOWN,
    ControlFrame,
    Loader,
    fail_here,
    grow_scratch,
    has_feature,
    out_of_memory,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_signed, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.locals import unset_locals
from wasmote.core.validate.operands import (
    NOTHING,
    innermost,
    mismatch,
    pop,
    pop_types,
    push_types,
)
from wasmote.core.validate.tables import BYTES_AS_TYPES
from wasmote.core.value_types import KIND, NON_NULL, Form, index_of, is_typed, matches
from wasmote.isa import by_name
from wasmote.isa.features import Feature
from wasmote.nativepy import (
    addr,
    boolean,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    u64,
    void,
)

BLOCK = by_name("block").opcode
LOOP = by_name("loop").opcode
IF = by_name("if").opcode
CATCH = by_name("catch").opcode
CATCH_ALL = by_name("catch_all").opcode
ELSE = by_name("else").opcode
EMPTY_BLOCK = 0x40
#: "Types" of a mismatch where two lists of types differ in length.
ARITY_MISMATCH = 0xFFFF_FFFF_FFFF_FFFF


@native(noinline=True)
def more_frames(loader: ptr[Loader]) -> boolean:
    limit = u64(loader.module.limits.nesting) + 1  # the function itself is a frame
    if u64(loader.frame_count) >= limit:
        return fail_here(loader, Status.LIMIT_NESTING, limit, limit - 1)
    capacity = 2 * u64(loader.frame_capacity)
    made = grow_scratch(loader, ptr[u8](loader.frames), capacity * sizeof(ControlFrame))
    if made is None:
        return out_of_memory(loader)
    loader.frames = ptr[ControlFrame](made)
    loader.frame_capacity = u32(capacity)
    return True


@native
def open_frame(loader: ptr[Loader], opcode: u32) -> ptr[ControlFrame]:
    """A new innermost frame above the current operands, to be given its types; None on failure."""
    full = (
        loader.frame_count > loader.module.limits.nesting
        or loader.frame_count == loader.frame_capacity
    )
    if full and not more_frames(loader):
        return None
    frame = loader.frames + loader.frame_count
    loader.frame_count += 1
    loader.deepest = larger(loader.deepest, loader.frame_count)
    frame.opcode = opcode
    frame.base = loader.height
    frame.set_count = loader.set_count
    frame.unreachable = 0
    loader.base = loader.height
    return frame


@native
def read_block_type(loader: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """Read a block type: nothing, one result type, or the index of a function type."""
    r = loader.reader
    at = r.pos
    frame.param_count = 0
    frame.result_count = 0
    if r.pos != r.end and r.pos[0] == EMPTY_BLOCK:
        r.pos = r.pos + 1
        return True
    if r.pos != r.end and r.pos[0] > EMPTY_BLOCK and r.pos[0] < 0x80:
        r.pos = r.pos + 1
        result = value_type(loader, at, u32(at[0]), Status.VALUE_TYPE)
        frame.results = type_as_list(loader, result)
        frame.result_count = 1
        return not failed(r)
    index = read_signed(r, 33)
    if failed(r):
        return False
    if index < 0:
        return fail(r, at, Status.VALUE_TYPE, u64(at[0]), 0)
    if u64(index) >= u64(loader.module.type_count):
        return fail(r, at, Status.UNKNOWN_TYPE, u64(index), 0)
    if not has_feature(loader, Feature.MULTI_VALUE):
        return unsupported(loader, at, Feature.MULTI_VALUE.bit)
    t = loader.module.types + u32(index)
    if t.form != Form.FUNCTION:
        return fail(r, at, Status.UNKNOWN_TYPE, u64(index), 0)
    frame.params = t.types
    frame.param_count = t.param_count
    frame.results = t.types + t.param_count
    frame.result_count = t.result_count
    return True


@native
def type_as_list(loader: ptr[Loader], t: u32) -> ptr[u32]:
    """An array, good as long as the module is, of that one type."""
    if is_typed(t):
        return addr(loader.module.types[index_of(t)].references) + ((t & NON_NULL) >> 8)
    return addr(BYTES_AS_TYPES[t & (KIND | NON_NULL)])


@native
def begin_block(loader: ptr[Loader], opcode: u32) -> boolean:
    """`block`, `loop` and `if`."""
    types = stack(ControlFrame)
    if not read_block_type(loader, types):
        return False
    if opcode == IF and not pop(loader, ValueType.I32):
        return False
    if not pop_types(loader, types.params, types.param_count):
        return False
    frame = open_frame(loader, opcode)
    if frame is None:
        return False
    frame.params = types.params
    frame.param_count = types.param_count
    frame.results = types.results
    frame.result_count = types.result_count
    return push_types(loader, types.params, types.param_count)


@native
def finish_frame(loader: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """The innermost block's results, and nothing else, are on the stack; they are taken off."""
    if not pop_types(loader, frame.results, frame.result_count):
        return False
    if loader.height != loader.base:
        return mismatch(loader, NOTHING, loader.operands[loader.height - 1])
    return True


@native
def begin_else(loader: ptr[Loader]) -> boolean:
    frame = innermost(loader)
    if frame.opcode != IF:
        return fail_here(loader, Status.ELSE_WITHOUT_IF, 0, 0)
    if not finish_frame(loader, frame):
        return False
    frame.opcode = ELSE
    frame.unreachable = 0
    unset_locals(loader, frame.set_count)
    return push_types(loader, frame.params, frame.param_count)


@native
def end_block(loader: ptr[Loader]) -> boolean:
    frame = innermost(loader)
    if not finish_frame(loader, frame):
        return False
    if frame.opcode == IF and not if_may_lack_else(loader, frame):
        return False
    if frame.opcode == CATCH or frame.opcode == CATCH_ALL:
        loader.height -= 1  # the caught exception, see validate.exceptions
    unset_locals(loader, frame.set_count)
    loader.frame_count -= 1
    if loader.frame_count == 0:
        return True
    loader.base = innermost(loader).base
    return push_types(loader, frame.results, frame.result_count)


@native
def if_may_lack_else(loader: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """Without `else` the parameters pass through: they must be the results."""
    if frame.param_count != frame.result_count:
        return fail_here(loader, Status.TYPE_MISMATCH, u64(loader.opcode), ARITY_MISMATCH)
    for i in range(frame.param_count):
        if not matches(loader.module, frame.params[i], frame.results[i]):
            return mismatch(loader, frame.results[i], frame.params[i])
    return True


@native
def set_unreachable(loader: ptr[Loader]) -> void:
    """What follows up to the end of the block is never run: its operands may be anything."""
    loader.height = loader.base
    innermost(loader).unreachable = 1


@inline
def label_types(frame: ptr[ControlFrame]) -> ptr[u32]:
    """What a branch to the frame takes: parameters of a loop, results of everything else."""
    return frame.params if frame.opcode == LOOP else frame.results


@inline
def label_arity(frame: ptr[ControlFrame]) -> u32:
    return frame.param_count if frame.opcode == LOOP else frame.result_count


@native
def read_label(loader: ptr[Loader]) -> ptr[ControlFrame]:
    """The frame that a label names; None on failure."""
    depth = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    if depth >= loader.frame_count:
        fail_here(loader, Status.UNKNOWN_LABEL, u64(depth), 0)
        return None
    return loader.frames + (loader.frame_count - 1 - depth)


@native
def branch(loader: ptr[Loader]) -> boolean:
    frame = read_label(loader)
    if frame is None or not pop_types(loader, label_types(frame), label_arity(frame)):
        return False
    set_unreachable(loader)
    return True


@native
def branch_if(loader: ptr[Loader]) -> boolean:
    frame = read_label(loader)
    if frame is None or not pop(loader, ValueType.I32):
        return False
    types = label_types(frame)
    count = label_arity(frame)
    return pop_types(loader, types, count) and push_types(loader, types, count)


@native
def return_(loader: ptr[Loader]) -> boolean:
    if not pop_types(loader, loader.frames.results, loader.frames.result_count):
        return False
    set_unreachable(loader)
    return True


@native
def branch_table(loader: ptr[Loader]) -> boolean:
    """All labels must take the operands that are there, and equally many."""
    if not pop(loader, ValueType.I32):
        return False
    count = read_u32(loader.reader)
    limit = loader.module.limits.br_table
    if count > limit:
        return fail_here(loader, Status.LIMIT_BR_TABLE, u64(count), u64(limit))
    checked = read_label(loader)
    if checked is None or not check_label(loader, checked, label_arity(checked)):
        return False
    for _ in range(count):
        frame = read_label(loader)
        if frame is None:
            return False
        # Tables name the same few labels over and over.
        if frame != checked and not check_label(loader, frame, label_arity(checked)):
            return False
        checked = frame
    set_unreachable(loader)
    return True


@native
def check_label(loader: ptr[Loader], frame: ptr[ControlFrame], arity: u32) -> boolean:
    """The operands on top of the stack, which stay there, fit the label."""
    types = label_types(frame)
    if label_arity(frame) != arity:
        return fail_here(loader, Status.TYPE_MISMATCH, u64(loader.opcode), ARITY_MISMATCH)
    for i in range(arity):
        if loader.height - loader.base <= i:
            if innermost(loader).unreachable != 0:
                return True
            return mismatch(loader, types[arity - 1 - i], NOTHING)
        found = loader.operands[loader.height - 1 - i]
        wanted = types[arity - 1 - i]
        if found != wanted and found != UNKNOWN and not matches(loader.module, found, wanted):
            return mismatch(loader, wanted, found)
    return True


@native
def begin_function(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """The outermost frame."""
    loader.height = 0
    loader.peak = 0
    loader.frame_count = 0
    loader.deepest = 0
    frame = open_frame(loader, BLOCK)
    if frame is None:
        return False
    frame.param_count = 0
    frame.results = t.types + t.param_count
    frame.result_count = t.result_count
    return True
