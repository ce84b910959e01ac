"""The instructions that are not in the loop of `body.py`."""

from wasmote.core.decode.types import is_reference, read_reference_type, read_value_type
from wasmote.core.loader import (
    UNKNOWN,
    Loader,
    fail_here,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType, GlobalType
from wasmote.core.validate.constant import is_declared
from wasmote.core.validate.control import (
    begin_else,
    begin_if,
    branch,
    branch_table,
    return_,
    set_unreachable,
)
from wasmote.core.validate.misc import misc_instruction, read_memory, read_table
from wasmote.core.validate.operands import (
    apply_signature,
    mismatch,
    pop,
    pop_any,
    pop_types,
    push,
    push_types,
)
from wasmote.core.validate.tables import (
    FEATURE,
    SIGNATURE,
)
from wasmote.isa import by_name
from wasmote.isa.instruction import PREFIX_MISC
from wasmote.nativepy import (
    boolean,
    inline,
    native,
    ptr,
    u32,
    u64,
)


class Opcode:
    """One-byte opcodes by name."""

    UNREACHABLE = by_name("unreachable").opcode
    NOP = by_name("nop").opcode
    IF = by_name("if").opcode
    ELSE = by_name("else").opcode
    BR = by_name("br").opcode
    BR_TABLE = by_name("br_table").opcode
    RETURN = by_name("return").opcode
    CALL_INDIRECT = by_name("call_indirect").opcode
    SELECT_TYPED = by_name("select t").opcode
    GLOBAL_SET = by_name("global.set").opcode
    TABLE_GET = by_name("table.get").opcode
    TABLE_SET = by_name("table.set").opcode
    MEMORY_SIZE = by_name("memory.size").opcode
    MEMORY_GROW = by_name("memory.grow").opcode
    REF_NULL = by_name("ref.null").opcode
    REF_IS_NULL = by_name("ref.is_null").opcode
    REF_FUNC = by_name("ref.func").opcode
    MISC = PREFIX_MISC >> 16


@native
def other_instruction(l: ptr[Loader], opcode: u32) -> boolean:
    """Validate the instruction whose opcode was just read."""
    feature = u32(FEATURE[opcode])
    if opcode != Opcode.MISC and (l.module.features >> u64(feature & 63)) & 1 == 0:
        return unsupported(l, l.at, feature)
    match opcode:
        case Opcode.UNREACHABLE:
            set_unreachable(l)
            return True
        case Opcode.NOP:
            return True
        case Opcode.IF:
            return begin_if(l, opcode)
        case Opcode.ELSE:
            return begin_else(l)
        case Opcode.BR:
            return branch(l)
        case Opcode.BR_TABLE:
            return branch_table(l)
        case Opcode.RETURN:
            return return_(l)
        case Opcode.CALL_INDIRECT:
            return call_indirect(l)
        case Opcode.SELECT_TYPED:
            return select_typed(l)
        case Opcode.GLOBAL_SET:
            return global_set(l)
        case Opcode.TABLE_GET:
            t = read_table(l)
            return t is not None and pop(l, ValueType.I32) and push(l, t.element)
        case Opcode.TABLE_SET:
            t = read_table(l)
            return t is not None and pop(l, t.element) and pop(l, ValueType.I32)
        case Opcode.MEMORY_SIZE | Opcode.MEMORY_GROW:
            return read_memory(l) and apply_signature(l, SIGNATURE[opcode])
        case Opcode.REF_NULL:
            return push(l, read_reference_type(l)) and not failed(l.reader)
        case Opcode.REF_IS_NULL:
            return reference_is_null(l)
        case Opcode.REF_FUNC:
            return reference_function(l)
        case Opcode.MISC:
            return misc_instruction(l)
        case _:
            return apply_signature(l, SIGNATURE[opcode])  # plain, of a later feature


# -- calls and variables ---------------------------------------------------------------------------


@native
def call_type(l: ptr[Loader], t: ptr[FuncType]) -> boolean:
    """The effect of calling a function of that type."""
    if not pop_types(l, t.types, t.param_count):
        return False
    return push_types(l, t.types + t.param_count, t.result_count)


@native
def call(l: ptr[Loader]) -> boolean:
    index = read_u32(l.reader)
    if failed(l.reader):
        return False
    m = l.module
    if index >= m.function_count:
        return fail_here(l, Status.UNKNOWN_FUNCTION, u64(index), 0)
    return call_type(l, m.types + m.functions[index].type)


@native
def call_indirect(l: ptr[Loader]) -> boolean:
    at = l.reader.pos
    index = read_u32(l.reader)
    t = read_table(l)
    if t is None:
        return False
    if index >= l.module.type_count:
        return fail(l.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    if t.element != ValueType.FUNCREF:
        return mismatch(l, ValueType.FUNCREF, t.element)
    return pop(l, ValueType.I32) and call_type(l, l.module.types + index)


@native
def read_global(l: ptr[Loader]) -> ptr[GlobalType]:
    index = read_u32(l.reader)
    if failed(l.reader):
        return None
    if index >= l.module.global_count:
        fail_here(l, Status.UNKNOWN_GLOBAL, u64(index), 0)
        return None
    return l.module.globals + index


@native
def global_get(l: ptr[Loader]) -> boolean:
    g = read_global(l)
    return g is not None and push(l, g.content)


@native
def global_set(l: ptr[Loader]) -> boolean:
    g = read_global(l)
    if g is None:
        return False
    if g.mutable == 0:
        return fail_here(l, Status.IMMUTABLE_GLOBAL, 0, 0)
    return pop(l, g.content)


# -- select and references -------------------------------------------------------------------------


@inline
def is_number(t: u32) -> boolean:
    """Numbers and vectors: what `select` takes without an annotation."""
    return t >= ValueType.V128 or t == UNKNOWN


@native
def select(l: ptr[Loader]) -> boolean:
    if not pop(l, ValueType.I32):
        return False
    second = pop_any(l)
    first = pop_any(l)
    if failed(l.reader):
        return False
    if not is_number(second):
        return mismatch(l, ValueType.I32, second)
    if not is_number(first):
        return mismatch(l, ValueType.I32, first)
    if first != second and first != UNKNOWN and second != UNKNOWN:
        return mismatch(l, first, second)
    return push(l, first if first != UNKNOWN else second)


@native
def select_typed(l: ptr[Loader]) -> boolean:
    count = read_u32(l.reader)
    if failed(l.reader):
        return False
    if count != 1:
        return fail_here(l, Status.RESULT_ARITY, u64(count), 0)
    t = read_value_type(l)
    if failed(l.reader):
        return False
    return pop(l, ValueType.I32) and pop(l, t) and pop(l, t) and push(l, t)


@native
def reference_is_null(l: ptr[Loader]) -> boolean:
    t = pop_any(l)
    if failed(l.reader):
        return False
    if t != UNKNOWN and not is_reference(t):
        return mismatch(l, ValueType.FUNCREF, t)
    return push(l, ValueType.I32)


@native
def reference_function(l: ptr[Loader]) -> boolean:
    index = read_u32(l.reader)
    if failed(l.reader):
        return False
    if index >= l.module.function_count:
        return fail_here(l, Status.UNKNOWN_FUNCTION, u64(index), 0)
    if not is_declared(l, index):
        return fail_here(l, Status.UNDECLARED_REFERENCE, u64(index), 0)
    return push(l, ValueType.FUNCREF)
