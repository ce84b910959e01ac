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
from wasmote.core.validate.operands import (
    NOTHING,
    innermost,
    mismatch,
    pop,
    pop_types,
    push_types,
)
from wasmote.core.validate.tables import BYTES_AS_TYPES
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
ELSE = by_name("else").opcode
EMPTY_BLOCK = 0x40
#: "Types" of a mismatch where two lists of types differ in length.
ARITY_MISMATCH = 0xFFFF_FFFF_FFFF_FFFF


@native(noinline=True)
def more_frames(l: ptr[Loader]) -> boolean:
    limit = u64(l.module.limits.nesting) + 1  # the function itself is a frame
    if u64(l.frame_count) >= limit:
        return fail_here(l, Status.LIMIT_NESTING, limit, limit - 1)
    capacity = 2 * u64(l.frame_capacity)
    made = grow_scratch(l, ptr[u8](l.frames), capacity * sizeof(ControlFrame))
    if made is None:
        return out_of_memory(l)
    l.frames = ptr[ControlFrame](made)
    l.frame_capacity = u32(capacity)
    return True


@native
def open_frame(l: ptr[Loader], opcode: u32) -> ptr[ControlFrame]:
    """A new innermost frame above the current operands, to be given its types; None on failure."""
    full = l.frame_count > l.module.limits.nesting or l.frame_count == l.frame_capacity
    if full and not more_frames(l):
        return None
    frame = l.frames + l.frame_count
    l.frame_count += 1
    l.deepest = larger(l.deepest, l.frame_count)
    frame.opcode = opcode
    frame.base = l.height
    frame.unreachable = 0
    l.base = l.height
    return frame


@native
def read_block_type(l: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """Read a block type: nothing, one result type, or the index of a function type."""
    r = l.reader
    at = r.pos
    frame.param_count = 0
    frame.result_count = 0
    if r.pos != r.end and r.pos[0] == EMPTY_BLOCK:
        r.pos = r.pos + 1
        return True
    if r.pos != r.end and r.pos[0] > EMPTY_BLOCK and r.pos[0] < 0x80:
        r.pos = r.pos + 1
        result = value_type(l, at, u32(at[0]), Status.VALUE_TYPE)
        frame.results = addr(BYTES_AS_TYPES[result])
        frame.result_count = 1
        return not failed(r)
    index = read_signed(r, 33)
    if failed(r):
        return False
    if index < 0:
        return fail(r, at, Status.VALUE_TYPE, u64(at[0]), 0)
    if u64(index) >= u64(l.module.type_count):
        return fail(r, at, Status.UNKNOWN_TYPE, u64(index), 0)
    if not has_feature(l, Feature.MULTI_VALUE):
        return unsupported(l, at, Feature.MULTI_VALUE.bit)
    t = l.module.types + u32(index)
    frame.params = t.types
    frame.param_count = t.param_count
    frame.results = t.types + t.param_count
    frame.result_count = t.result_count
    return True


@native
def begin_block(l: ptr[Loader], opcode: u32) -> boolean:
    """`block`, `loop`, and `if` after its condition."""
    types = stack(ControlFrame)
    if not read_block_type(l, types):
        return False
    if not pop_types(l, types.params, types.param_count):
        return False
    frame = open_frame(l, opcode)
    if frame is None:
        return False
    frame.params = types.params
    frame.param_count = types.param_count
    frame.results = types.results
    frame.result_count = types.result_count
    return push_types(l, types.params, types.param_count)


@native
def begin_if(l: ptr[Loader], opcode: u32) -> boolean:
    return pop(l, ValueType.I32) and begin_block(l, opcode)


@native
def finish_frame(l: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """The innermost block's results, and nothing else, are on the stack; they are taken off."""
    if not pop_types(l, frame.results, frame.result_count):
        return False
    if l.height != l.base:
        return mismatch(l, NOTHING, l.operands[l.height - 1])
    return True


@native
def begin_else(l: ptr[Loader]) -> boolean:
    frame = innermost(l)
    if frame.opcode != IF:
        return fail_here(l, Status.ELSE_WITHOUT_IF, 0, 0)
    if not finish_frame(l, frame):
        return False
    frame.opcode = ELSE
    frame.unreachable = 0
    return push_types(l, frame.params, frame.param_count)


@native
def end_block(l: ptr[Loader]) -> boolean:
    frame = innermost(l)
    if not finish_frame(l, frame):
        return False
    if frame.opcode == IF and not if_may_lack_else(l, frame):
        return False
    l.frame_count -= 1
    if l.frame_count == 0:
        return True
    l.base = innermost(l).base
    return push_types(l, frame.results, frame.result_count)


@native
def if_may_lack_else(l: ptr[Loader], frame: ptr[ControlFrame]) -> boolean:
    """Without `else` the parameters pass through: they must be the results."""
    if frame.param_count != frame.result_count:
        return fail_here(l, Status.TYPE_MISMATCH, u64(l.opcode), ARITY_MISMATCH)
    for i in range(frame.param_count):
        if frame.params[i] != frame.results[i]:
            return mismatch(l, frame.results[i], frame.params[i])
    return True


@native
def set_unreachable(l: ptr[Loader]) -> void:
    """What follows up to the end of the block is never run: its operands may be anything."""
    l.height = l.base
    innermost(l).unreachable = 1


@inline
def label_types(frame: ptr[ControlFrame]) -> ptr[u32]:
    """What a branch to the frame takes: parameters of a loop, results of everything else."""
    return frame.params if frame.opcode == LOOP else frame.results


@inline
def label_arity(frame: ptr[ControlFrame]) -> u32:
    return frame.param_count if frame.opcode == LOOP else frame.result_count


@native
def read_label(l: ptr[Loader]) -> ptr[ControlFrame]:
    """The frame that a label names; None on failure."""
    depth = read_u32(l.reader)
    if failed(l.reader):
        return None
    if depth >= l.frame_count:
        fail_here(l, Status.UNKNOWN_LABEL, u64(depth), 0)
        return None
    return l.frames + (l.frame_count - 1 - depth)


@native
def branch(l: ptr[Loader]) -> boolean:
    frame = read_label(l)
    if frame is None or not pop_types(l, label_types(frame), label_arity(frame)):
        return False
    set_unreachable(l)
    return True


@native
def branch_if(l: ptr[Loader]) -> boolean:
    frame = read_label(l)
    if frame is None or not pop(l, ValueType.I32):
        return False
    types = label_types(frame)
    count = label_arity(frame)
    return pop_types(l, types, count) and push_types(l, types, count)


@native
def return_(l: ptr[Loader]) -> boolean:
    if not pop_types(l, l.frames.results, l.frames.result_count):
        return False
    set_unreachable(l)
    return True


@native
def branch_table(l: ptr[Loader]) -> boolean:
    """All labels must take the operands that are there, and equally many."""
    if not pop(l, ValueType.I32):
        return False
    count = read_u32(l.reader)
    limit = l.module.limits.br_table
    if count > limit:
        return fail_here(l, Status.LIMIT_BR_TABLE, u64(count), u64(limit))
    checked = read_label(l)
    if checked is None or not check_label(l, checked, label_arity(checked)):
        return False
    for _ in range(count):
        frame = read_label(l)
        if frame is None:
            return False
        # Tables name the same few labels over and over.
        if frame != checked and not check_label(l, frame, label_arity(checked)):
            return False
        checked = frame
    set_unreachable(l)
    return True


@native
def check_label(l: ptr[Loader], frame: ptr[ControlFrame], arity: u32) -> boolean:
    """The operands on top of the stack, which stay there, fit the label."""
    types = label_types(frame)
    if label_arity(frame) != arity:
        return fail_here(l, Status.TYPE_MISMATCH, u64(l.opcode), ARITY_MISMATCH)
    for i in range(arity):
        if l.height - l.base <= i:
            if innermost(l).unreachable != 0:
                return True
            return mismatch(l, types[arity - 1 - i], NOTHING)
        found = l.operands[l.height - 1 - i]
        if found != types[arity - 1 - i] and found != UNKNOWN:
            return mismatch(l, types[arity - 1 - i], found)
    return True


@native
def begin_function(l: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """The outermost frame."""
    l.height = 0
    l.peak = 0
    l.frame_count = 0
    l.deepest = 0
    frame = open_frame(l, BLOCK)
    if frame is None:
        return False
    frame.param_count = 0
    frame.results = t.types + t.param_count
    frame.result_count = t.result_count
    return True
