"""Instructions on typed references: calls through them, tests for null."""

from wasmote.core.loader import Loader, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.control import label_arity, label_types, read_label, set_unreachable
from wasmote.core.validate.operands import (
    NOTHING,
    mismatch,
    pop,
    pop_reference,
    pop_types,
    push,
    push_types,
)
from wasmote.core.value_types import KIND, NON_NULL, Form, matches
from wasmote.isa import by_name
from wasmote.isa.features import Feature
from wasmote.nativepy import boolean, native, ptr, u32, u64


class Opcode:
    CALL_REF = by_name("call_ref").opcode
    RETURN_CALL_REF = by_name("return_call_ref").opcode
    REF_AS_NON_NULL = by_name("ref.as_non_null").opcode
    BR_ON_NULL = by_name("br_on_null").opcode


@native
def reference_instruction(loader: ptr[Loader], opcode: u32) -> boolean:
    match opcode:
        case Opcode.CALL_REF:
            return call_reference(loader)
        case Opcode.RETURN_CALL_REF:
            return return_call_reference(loader)
        case Opcode.REF_AS_NON_NULL:
            t = pop_reference(loader)
            return not failed(loader.reader) and push(loader, t | NON_NULL)
        case Opcode.BR_ON_NULL:
            return branch_on_null(loader)
        case _:
            return branch_on_non_null(loader)


# -- calls -----------------------------------------------------------------------------------------


@native
def call_type(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """The effect of calling a function of that type."""
    if not pop_types(loader, t.types, t.param_count):
        return False
    return push_types(loader, t.types + t.param_count, t.result_count)


@native
def return_call_type(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """The effect of a tail call: the callee's results must do for the caller's."""
    wanted = loader.frames.results
    if t.result_count != loader.frames.result_count:
        return mismatch(loader, NOTHING, NOTHING)
    for i in range(t.result_count):
        found = t.types[t.param_count + i]
        if not matches(loader.module, found, wanted[i]):
            return mismatch(loader, wanted[i], found)
    if not pop_types(loader, t.types, t.param_count):
        return False
    set_unreachable(loader)
    return True


@native
def pop_callee(loader: ptr[Loader]) -> ptr[FuncType]:
    """The function type whose index follows, and a reference to such a function off the stack."""
    at = loader.reader.pos
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    m = loader.module
    if index >= m.type_count or m.types[index].form != Form.FUNCTION:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
        return None
    return m.types + index if pop(loader, m.types[index].references[0]) else None


@native
def call_reference(loader: ptr[Loader]) -> boolean:
    t = pop_callee(loader)
    return t is not None and call_type(loader, t)


@native
def return_call_reference(loader: ptr[Loader]) -> boolean:
    if not has_feature(loader, Feature.TAIL_CALLS):
        return unsupported(loader, loader.at, Feature.TAIL_CALLS.bit)
    t = pop_callee(loader)
    return t is not None and return_call_type(loader, t)


# -- null ------------------------------------------------------------------------------------------


@native
def branch_on_null(loader: ptr[Loader]) -> boolean:
    frame = read_label(loader)
    if frame is None:
        return False
    t = pop_reference(loader)
    if failed(loader.reader):
        return False
    types = label_types(frame)
    count = label_arity(frame)
    if not pop_types(loader, types, count) or not push_types(loader, types, count):
        return False
    return push(loader, t | NON_NULL)


@native
def branch_on_non_null(loader: ptr[Loader]) -> boolean:
    """The label takes the reference as its last operand."""
    frame = read_label(loader)
    if frame is None:
        return False
    types = label_types(frame)
    count = label_arity(frame)
    if count == 0:
        return mismatch(loader, NOTHING, ValueType.FUNCREF)
    last = types[count - 1]
    if last & KIND > ValueType.NULLEXNREF:
        return mismatch(loader, ValueType.FUNCREF, last)
    if not pop(loader, last & ~u32(NON_NULL)):
        return False
    return pop_types(loader, types, count - 1) and push_types(loader, types, count - 1)
