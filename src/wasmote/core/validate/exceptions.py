"""Exception handling: `throw`, `try_table`, and the legacy form's `try`.

While a legacy `catch` or `catch_all` clause is open, the exception that it caught is an operand
below the clause's own (`CAUGHT`), out of its reach: that is where engines may keep it.
"""

from wasmote.core.loader import (
    ControlFrame,
    Loader,
    fail_here,
    has_exceptions,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_byte, read_count, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.control import (
    ARITY_MISMATCH,
    CATCH,
    CATCH_ALL,
    end_block,
    finish_frame,
    label_arity,
    label_types,
    open_frame,
    read_block_type,
    read_label,
    set_unreachable,
)
from wasmote.core.validate.locals import unset_locals
from wasmote.core.validate.operands import innermost, mismatch, pop, pop_types, push, push_types
from wasmote.core.value_types import CAUGHT, NON_NULL, matches
from wasmote.isa import by_name
from wasmote.isa.exceptions import CatchKind
from wasmote.isa.features import Feature
from wasmote.nativepy import boolean, native, ptr, stack, u32, u64


class Exceptions:
    """Opcodes by name."""

    THROW = by_name("throw").opcode
    THROW_REF = by_name("throw_ref").opcode
    TRY_TABLE = by_name("try_table").opcode
    TRY = by_name("try").opcode
    CATCH = CATCH
    CATCH_ALL = CATCH_ALL
    RETHROW = by_name("rethrow").opcode
    DELEGATE = by_name("delegate").opcode


@native
def exception_instruction(loader: ptr[Loader], opcode: u32) -> boolean:
    match opcode:
        case Exceptions.THROW:
            return throw(loader)
        case Exceptions.THROW_REF:
            if not pop(loader, ValueType.EXNREF):
                return False
            set_unreachable(loader)
            return True
        case Exceptions.TRY_TABLE | Exceptions.TRY:
            return begin_try(loader, opcode)
        case Exceptions.CATCH | Exceptions.CATCH_ALL:
            return begin_catch(loader, opcode)
        case Exceptions.RETHROW:
            return rethrow(loader)
        case _:
            return delegate(loader)


@native
def read_tag(loader: ptr[Loader]) -> ptr[FuncType]:
    """The type of the tag whose index follows; None on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    m = loader.module
    if index >= m.tag_count:
        fail_here(loader, Status.UNKNOWN_TAG, u64(index), 0)
        return None
    return m.types + m.tags[index].type


@native
def throw(loader: ptr[Loader]) -> boolean:
    if not has_exceptions(loader):
        return unsupported(loader, loader.at, Feature.EXCEPTIONS.bit)
    t = read_tag(loader)
    if t is None or not pop_types(loader, t.types, t.param_count):
        return False
    set_unreachable(loader)
    return True


@native
def begin_try(loader: ptr[Loader], opcode: u32) -> boolean:
    """`try_table` and `try`. The labels of clauses are those outside of the block."""
    types = stack(ControlFrame)
    if not read_block_type(loader, types):
        return False
    if opcode == Exceptions.TRY_TABLE and not catch_clauses(loader):
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
def catch_clauses(loader: ptr[Loader]) -> boolean:
    r = loader.reader
    limit = loader.module.limits.br_table
    count = read_count(r, 0, limit, Status.LIMIT_BR_TABLE)
    for _ in range(count):
        at = r.pos
        kind = read_byte(r)
        if kind > CatchKind.CATCH_ALL_REF:
            fail(r, at, Status.CATCH_KIND, u64(kind), 0)
        t: ptr[FuncType] = None
        if kind < CatchKind.CATCH_ALL and not failed(r):
            t = read_tag(loader)
        if failed(r):
            return False
        with_reference = kind == CatchKind.CATCH_REF or kind == CatchKind.CATCH_ALL_REF
        frame = read_label(loader)
        if frame is None or not label_takes(loader, frame, t, with_reference):
            return False
    return not failed(r)


@native
def label_takes(
    loader: ptr[Loader], frame: ptr[ControlFrame], t: ptr[FuncType], with_reference: boolean
) -> boolean:
    """The label takes what a clause brings: what the tag carries, then perhaps a reference."""
    types = label_types(frame)
    carried = u32(0) if t is None else t.param_count
    if label_arity(frame) != carried + u32(with_reference):
        return fail_here(loader, Status.TYPE_MISMATCH, u64(loader.opcode), ARITY_MISMATCH)
    for i in range(carried):
        if not matches(loader.module, t.types[i], types[i]):
            return mismatch(loader, types[i], t.types[i])
    exception = u32(ValueType.EXNREF | NON_NULL)
    if with_reference and not matches(loader.module, exception, types[carried]):
        return mismatch(loader, types[carried], exception)
    return True


# -- the legacy form -------------------------------------------------------------------------------


@native
def begin_catch(loader: ptr[Loader], opcode: u32) -> boolean:
    """A clause takes the place of the block that comes before it, and has its results."""
    frame = innermost(loader)
    before = frame.opcode
    if before != Exceptions.TRY and before != CATCH:
        return fail_here(loader, Status.CATCH_WITHOUT_TRY, u64(opcode), 0)
    t: ptr[FuncType] = None
    if opcode == CATCH:
        t = read_tag(loader)
        if t is None:
            return False
    if not finish_frame(loader, frame):
        return False
    frame.opcode = opcode
    frame.unreachable = 0
    unset_locals(loader, frame.set_count)
    if before == Exceptions.TRY:
        if not push(loader, ValueType.EXNREF | NON_NULL | CAUGHT):
            return False
        frame.base = loader.height
        loader.base = loader.height
    return t is None or push_types(loader, t.types, t.param_count)


@native
def rethrow(loader: ptr[Loader]) -> boolean:
    at = loader.reader.pos
    frame = read_label(loader)
    if frame is None:
        return False
    if frame.opcode != CATCH and frame.opcode != CATCH_ALL:
        return fail(loader.reader, at, Status.RETHROW_LABEL, u64(at[0]), 0)
    set_unreachable(loader)
    return True


@native
def delegate(loader: ptr[Loader]) -> boolean:
    """The end of a `try` without clauses; its label is one outside of the block."""
    frame = innermost(loader)
    if frame.opcode != Exceptions.TRY:
        return fail_here(loader, Status.CATCH_WITHOUT_TRY, u64(loader.opcode), 0)
    return end_block(loader) and read_label(loader) is not None
