"""Validates a function body: the loop over its instructions, with the frequent ones in place.

Most of the time goes into this loop, at load. The state is in a `Cursor`; whatever is not frequent
is a call with the state saved before and taken back after.
"""

from wasmote.core.loader import Loader
from wasmote.core.reader import fail, failed, read_signed
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import Function
from wasmote.core.validate.constant import illegal
from wasmote.core.validate.control import (
    begin_block,
    begin_function,
    branch_if,
    end_block,
    label_arity,
)
from wasmote.core.validate.instructions import (
    call,
    global_get,
    other_instruction,
    select,
)
from wasmote.core.validate.locals import declare_locals, get_local, set_local
from wasmote.core.validate.misc import memory_access
from wasmote.core.validate.operands import (
    Cursor,
    apply_signature,
    fast_pop,
    fast_push,
    pop_any,
    resume,
    save,
)
from wasmote.core.validate.tables import ALIGNMENT, FEATURE, KIND, SIGNATURE, Kind
from wasmote.core.value_types import UNSET
from wasmote.nativepy import (
    boolean,
    const,
    inline,
    likely,
    native,
    ptr,
    stack,
    u16,
    u32,
    u64,
    usize,
)

SATURATED = 0xFFFF


@native
def validate_function(loader: ptr[Loader], f: ptr[Function]) -> boolean:
    """Validate the body that the reader's window is on; notes what engines want to know of it."""
    t = loader.module.types + f.type
    loader.at = loader.reader.pos
    if not declare_locals(loader, t) or not begin_function(loader, t) or not validate_body(loader):
        return False
    f.max_operands = saturate(loader.peak)
    f.max_nesting = saturate(loader.deepest - 1)
    return True


@inline
def saturate(n: u32) -> u16:
    return u16(n if n < SATURATED else u32(SATURATED))


@inline
def skip_signed(loader: ptr[Loader], c: ptr[Cursor], bits: const, opcode: u32) -> boolean:
    """Move past a signed LEB128 immediate."""
    if likely(c.pos != loader.reader.end and c.pos[0] < 0x80):
        c.pos = c.pos + 1
        return True
    save(loader, c, opcode)
    read_signed(loader.reader, bits)
    c.pos = loader.reader.pos
    return not failed(loader.reader)


@inline
def skip_fixed(loader: ptr[Loader], c: ptr[Cursor], size: const) -> boolean:
    if u64(usize(loader.reader.end) - usize(c.pos)) < size:
        return fail(loader.reader, loader.reader.end, Status.UNEXPECTED_END_OF_SECTION, 0, 0)
    c.pos = c.pos + size
    return True


@inline
def read_local(loader: ptr[Loader], c: ptr[Cursor], opcode: u32, access: const) -> u32:
    """The type of the local whose index follows; 0 on failure."""
    if likely(
        c.pos != loader.reader.end
        and c.pos[0] < 0x80
        and u32(c.pos[0]) < loader.expanded
        and loader.locals[c.pos[0]] < UNSET
    ):
        t = loader.locals[c.pos[0]]
        c.pos = c.pos + 1
        return t
    save(loader, c, opcode)
    t = access(loader)
    c.pos = loader.reader.pos
    return t


@inline
def plain_access(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    """Whether memory 0 is accessed, with a small offset; then moves past alignment and offset."""
    p = c.pos
    if likely(
        u64(usize(loader.reader.end) - usize(p)) >= 2
        and p[0] <= ALIGNMENT[opcode]
        and p[1] < 0x80
        and loader.plain_memory != 0
    ):
        c.pos = p + 2
        return True
    return False


@inline
def other_access(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    save(loader, c, opcode)
    fine = memory_access(loader, u32(ALIGNMENT[opcode]), SIGNATURE[opcode])
    resume(loader, c)
    return fine


@native
def validate_body(loader: ptr[Loader]) -> boolean:
    """The instructions up to the body's `end`, which must be its last byte."""
    c = stack(Cursor)
    resume(loader, c)
    while True:
        if c.pos == loader.reader.end:
            save(loader, c, 0)  # for core.frames, which ends the window where it wants to look
            last = loader.code_count + 1 == loader.body_count  # the section ends with it
            status = loader.reader.end_status if last else u32(Status.END_EXPECTED)
            return fail(loader.reader, c.pos, status, 0, 0)
        c.at = c.pos
        opcode = u32(c.pos[0])
        c.pos = c.pos + 1
        match KIND[opcode]:
            case Kind.LOCAL_GET:
                t = read_local(loader, c, opcode, get_local)
                if t == 0 or not fast_push(loader, c, opcode, t):
                    return False
            case Kind.LOCAL_SET:
                t = read_local(loader, c, opcode, set_local)
                if t == 0 or not fast_pop(loader, c, opcode, t):
                    return False
            case Kind.LOCAL_TEE:
                t = read_local(loader, c, opcode, set_local)
                if (
                    t == 0
                    or not fast_pop(loader, c, opcode, t)
                    or not fast_push(loader, c, opcode, t)
                ):
                    return False
            case Kind.I32_CONST:
                if not skip_signed(loader, c, 32, opcode):
                    return False
                if not fast_push(loader, c, opcode, u32(ValueType.I32)):
                    return False
            case Kind.I64_CONST:
                if not skip_signed(loader, c, 64, opcode):
                    return False
                if not fast_push(loader, c, opcode, u32(ValueType.I64)):
                    return False
            case Kind.F32_CONST:
                if not skip_fixed(loader, c, 4) or not fast_push(
                    loader, c, opcode, u32(ValueType.F32)
                ):
                    return False
            case Kind.F64_CONST:
                if not skip_fixed(loader, c, 8) or not fast_push(
                    loader, c, opcode, u32(ValueType.F64)
                ):
                    return False
            case Kind.UNARY:
                if not unary(loader, c, opcode):
                    return False
            case Kind.BINARY:
                if not binary(loader, c, opcode):
                    return False
            case Kind.LOAD:
                if likely(plain_access(loader, c, opcode)):
                    if not unary(loader, c, opcode):
                        return False
                elif not other_access(loader, c, opcode):
                    return False
            case Kind.STORE:
                if likely(plain_access(loader, c, opcode)):
                    if not store_operands(loader, c, opcode):
                        return False
                elif not other_access(loader, c, opcode):
                    return False
            case Kind.DROP:
                if likely(c.height > c.base):
                    c.height -= 1
                elif not elsewhere(loader, c, opcode, drop):
                    return False
            case Kind.SELECT:
                if not elsewhere(loader, c, opcode, select):
                    return False
            case Kind.BR_IF:
                if not fast_branch_if(loader, c, opcode):
                    return False
            case Kind.CALL:
                if not elsewhere(loader, c, opcode, call):
                    return False
            case Kind.GLOBAL_GET:
                if not elsewhere(loader, c, opcode, global_get):
                    return False
            case Kind.BLOCK:
                save(loader, c, opcode)
                if not begin_block(loader, opcode):
                    return False
                resume(loader, c)
            case Kind.END:
                if not elsewhere(loader, c, opcode, end_block):
                    return False
                if loader.frame_count == 0:
                    return at_end(loader)
            case Kind.OTHER:
                save(loader, c, opcode)
                if not other_instruction(loader, opcode):
                    return False
                resume(loader, c)
            case _:
                save(loader, c, opcode)
                return illegal(loader, opcode, FEATURE[opcode])


@inline
def elsewhere(loader: ptr[Loader], c: ptr[Cursor], opcode: u32, validate: const) -> boolean:
    """Leave the instruction to a function on the loader's state."""
    save(loader, c, opcode)
    fine = validate(loader)
    resume(loader, c)
    return fine


@native
def drop(loader: ptr[Loader]) -> boolean:
    pop_any(loader)
    return not failed(loader.reader)


@native
def at_end(loader: ptr[Loader]) -> boolean:
    r = loader.reader
    return r.pos == r.end or fail(r, r.pos, Status.FUNCTION_SIZE, 0, 0)


@inline
def unary(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    """[t] -> [r]: the operand's type is replaced."""
    signature = SIGNATURE[opcode]
    if likely(c.height > c.base and c.operands[c.height - 1] == signature & 0xFF):
        c.operands[c.height - 1] = signature >> 24
        return True
    return elsewhere_plain(loader, c, opcode)


@inline
def binary(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    """[t t] -> [r]"""
    signature = SIGNATURE[opcode]
    if likely(two_operands(c, signature)):
        c.height -= 1
        c.operands[c.height - 1] = signature >> 24
        return True
    return elsewhere_plain(loader, c, opcode)


@inline
def store_operands(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    """[address value] -> []"""
    if likely(two_operands(c, SIGNATURE[opcode])):
        c.height -= 2
        return True
    return elsewhere_plain(loader, c, opcode)


@inline
def two_operands(c: ptr[Cursor], signature: u32) -> boolean:
    """Whether the two topmost operands have the signature's types."""
    return (
        c.height - c.base >= 2
        and c.operands[c.height - 1] == signature & 0xFF
        and c.operands[c.height - 2] == (signature >> 8) & 0xFF
    )


@inline
def elsewhere_plain(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    save(loader, c, opcode)
    fine = apply_signature(loader, SIGNATURE[opcode])
    resume(loader, c)
    return fine


@inline
def fast_branch_if(loader: ptr[Loader], c: ptr[Cursor], opcode: u32) -> boolean:
    """A near label without operands is what compilers emit."""
    if likely(
        c.pos != loader.reader.end
        and u32(c.pos[0]) < 0x80
        and u32(c.pos[0]) < loader.frame_count
        and label_arity(loader.frames + (loader.frame_count - 1 - u32(c.pos[0]))) == 0
    ):
        c.pos = c.pos + 1
        return fast_pop(loader, c, opcode, u32(ValueType.I32))
    return elsewhere(loader, c, opcode, branch_if)
