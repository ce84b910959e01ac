"""The instructions that are not in the loop of `body.py`."""

from wasmote.core.bounds import index_type
from wasmote.core.decode.types import is_reference, read_heap_type, read_value_type
from wasmote.core.loader import (
    UNKNOWN,
    Loader,
    fail_here,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType, GlobalType
from wasmote.core.validate.atomic import atomic_instruction
from wasmote.core.validate.constant import function_reference, is_declared
from wasmote.core.validate.control import (
    begin_block,
    begin_else,
    branch,
    branch_table,
    return_,
    set_unreachable,
)
from wasmote.core.validate.exceptions import Exceptions, exception_instruction
from wasmote.core.validate.gc import gc_instruction
from wasmote.core.validate.misc import misc_instruction, read_memory, read_table
from wasmote.core.validate.operands import (
    apply_signature,
    mismatch,
    pop,
    pop_any,
    pop_reference,
    push,
)
from wasmote.core.validate.references import (
    call_type,
    reference_instruction,
    return_call_type,
)
from wasmote.core.validate.tables import (
    FEATURE,
    NO_FEATURE,
    SIGNATURE,
)
from wasmote.core.validate.vector import vector_instruction
from wasmote.core.value_types import Form, matches
from wasmote.isa import by_name
from wasmote.isa.features import Feature, is_built
from wasmote.isa.instruction import PREFIX_ATOMIC, PREFIX_GC, PREFIX_MISC, PREFIX_SIMD
from wasmote.nativepy import (
    boolean,
    inline,
    native,
    ptr,
    sizeof,
    u32,
    u64,
    usize,
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
    RETURN_CALL = by_name("return_call").opcode
    RETURN_CALL_INDIRECT = by_name("return_call_indirect").opcode
    SELECT_TYPED = by_name("select t").opcode
    GLOBAL_SET = by_name("global.set").opcode
    TABLE_GET = by_name("table.get").opcode
    TABLE_SET = by_name("table.set").opcode
    MEMORY_SIZE = by_name("memory.size").opcode
    MEMORY_GROW = by_name("memory.grow").opcode
    REF_NULL = by_name("ref.null").opcode
    REF_IS_NULL = by_name("ref.is_null").opcode
    REF_FUNC = by_name("ref.func").opcode
    REF_EQ = by_name("ref.eq").opcode
    CALL_REF = by_name("call_ref").opcode
    RETURN_CALL_REF = by_name("return_call_ref").opcode
    REF_AS_NON_NULL = by_name("ref.as_non_null").opcode
    BR_ON_NULL = by_name("br_on_null").opcode
    BR_ON_NON_NULL = by_name("br_on_non_null").opcode
    MISC = PREFIX_MISC >> 16
    VECTOR = PREFIX_SIMD >> 16
    GC = PREFIX_GC >> 16
    ATOMIC = PREFIX_ATOMIC >> 16


@native
def other_instruction(loader: ptr[Loader], opcode: u32) -> boolean:
    """Validate the instruction whose opcode was just read."""
    feature = u32(FEATURE[opcode])
    if feature != NO_FEATURE and (loader.module.features >> u64(feature & 63)) & 1 == 0:
        return unsupported(loader, loader.at, feature)
    match opcode:
        case Opcode.UNREACHABLE:
            set_unreachable(loader)
            return True
        case Opcode.NOP:
            return True
        case Opcode.IF:
            return begin_block(loader, opcode)
        case Opcode.ELSE:
            return begin_else(loader)
        case Opcode.BR:
            return branch(loader)
        case Opcode.BR_TABLE:
            return branch_table(loader)
        case Opcode.RETURN:
            return return_(loader)
        case Opcode.CALL_INDIRECT:
            return call_indirect(loader)
        case Opcode.RETURN_CALL:
            return return_call(loader, function_type(loader))
        case Opcode.RETURN_CALL_INDIRECT:
            return return_call(loader, indirect_type(loader))
        case Opcode.SELECT_TYPED:
            return select_typed(loader)
        case Opcode.GLOBAL_SET:
            return global_set(loader)
        case Opcode.TABLE_GET:
            t = read_table(loader)
            return t is not None and pop(loader, index_type(t.flags)) and push(loader, t.element)
        case Opcode.TABLE_SET:
            t = read_table(loader)
            return t is not None and pop(loader, t.element) and pop(loader, index_type(t.flags))
        case Opcode.MEMORY_SIZE:
            m = read_memory(loader)
            return m is not None and push(loader, index_type(m.flags))
        case Opcode.MEMORY_GROW:
            m = read_memory(loader)
            if m is None or not pop(loader, index_type(m.flags)):
                return False
            return push(loader, index_type(m.flags))
        case Opcode.REF_NULL:
            return push(loader, read_heap_type(loader)) and not failed(loader.reader)
        case Opcode.REF_IS_NULL:
            return reference_is_null(loader)
        case Opcode.REF_FUNC:
            return reference_function(loader)
        case Opcode.REF_EQ:
            eq = u32(ValueType.EQREF)
            return pop(loader, eq) and pop(loader, eq) and push(loader, ValueType.I32)
        case (
            Opcode.CALL_REF
            | Opcode.RETURN_CALL_REF
            | Opcode.REF_AS_NON_NULL
            | Opcode.BR_ON_NULL
            | Opcode.BR_ON_NON_NULL
        ):
            return reference_instruction(loader, opcode)
        case (
            Exceptions.THROW
            | Exceptions.THROW_REF
            | Exceptions.TRY_TABLE
            | Exceptions.TRY
            | Exceptions.CATCH
            | Exceptions.CATCH_ALL
            | Exceptions.RETHROW
            | Exceptions.DELEGATE
        ):
            return exception_instruction(loader, opcode)
        case Opcode.MISC:
            return misc_instruction(loader)
        case Opcode.GC:
            if is_built(Feature.GC):
                return gc_instruction(loader)
            return unsupported(loader, loader.at, Feature.GC.bit)
        case Opcode.VECTOR:
            if is_built(Feature.SIMD):
                return vector_instruction(loader)
            return unsupported(loader, loader.at, Feature.SIMD.bit)
        case Opcode.ATOMIC:
            if is_built(Feature.THREADS):
                return atomic_instruction(loader)
            return unsupported(loader, loader.at, Feature.THREADS.bit)
        case _:
            return apply_signature(loader, SIGNATURE[opcode])  # plain, of a later feature


# -- calls and variables ---------------------------------------------------------------------------


@native
def return_call(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    return t is not None and return_call_type(loader, t)


@native
def function_type(loader: ptr[Loader]) -> ptr[FuncType]:
    """The type of the function whose index follows; None on failure."""
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    m = loader.module
    if index >= m.function_count:
        fail_here(loader, Status.UNKNOWN_FUNCTION, u64(index), 0)
        return None
    return m.types + m.functions[index].type


@native
def call(loader: ptr[Loader]) -> boolean:
    t = function_type(loader)
    return t is not None and call_type(loader, t)


@native
def indirect_type(loader: ptr[Loader]) -> ptr[FuncType]:
    """Read type and table, take the index off; the type, or None on failure."""
    at = loader.reader.pos
    index = read_u32(loader.reader)
    t = read_table(loader)
    if t is None:
        return None
    if index >= loader.module.type_count:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    elif loader.module.types[index].form != Form.FUNCTION:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
    elif not matches(loader.module, t.element, ValueType.FUNCREF):
        mismatch(loader, ValueType.FUNCREF, t.element)
    elif pop(loader, index_type(t.flags)):
        return loader.module.types + index
    return None


@native
def call_indirect(loader: ptr[Loader]) -> boolean:
    t = indirect_type(loader)
    return t is not None and call_type(loader, t)


@native
def read_global(loader: ptr[Loader]) -> ptr[GlobalType]:
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    if index >= loader.module.global_count:
        fail_here(loader, Status.UNKNOWN_GLOBAL, u64(index), 0)
        return None
    return loader.module.globals + index


@native
def global_get(loader: ptr[Loader]) -> boolean:
    g = read_global(loader)
    return g is not None and push(loader, g.content)


@native
def global_set(loader: ptr[Loader]) -> boolean:
    g = read_global(loader)
    if g is None:
        return False
    if g.mutable == 0:
        index = (usize(g) - usize(loader.module.globals)) // sizeof(GlobalType)
        return fail_here(loader, Status.IMMUTABLE_GLOBAL, u64(index), 0)
    return pop(loader, g.content)


# -- select and references -------------------------------------------------------------------------


@inline
def is_number(t: u32) -> boolean:
    """Numbers and vectors: what `select` takes without an annotation."""
    return not is_reference(t)


@native
def select(loader: ptr[Loader]) -> boolean:
    if not pop(loader, ValueType.I32):
        return False
    second = pop_any(loader)
    first = pop_any(loader)
    if failed(loader.reader):
        return False
    if not is_number(second):
        return mismatch(loader, ValueType.I32, second)
    if not is_number(first):
        return mismatch(loader, ValueType.I32, first)
    if first != second and first != UNKNOWN and second != UNKNOWN:
        return mismatch(loader, first, second)
    return push(loader, first if first != UNKNOWN else second)


@native
def select_typed(loader: ptr[Loader]) -> boolean:
    count = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if count != 1:
        return fail_here(loader, Status.RESULT_ARITY, u64(count), 0)
    t = read_value_type(loader)
    if failed(loader.reader):
        return False
    return pop(loader, ValueType.I32) and pop(loader, t) and pop(loader, t) and push(loader, t)


@native
def reference_is_null(loader: ptr[Loader]) -> boolean:
    pop_reference(loader)
    return not failed(loader.reader) and push(loader, ValueType.I32)


@native
def reference_function(loader: ptr[Loader]) -> boolean:
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if index >= loader.module.function_count:
        return fail_here(loader, Status.UNKNOWN_FUNCTION, u64(index), 0)
    if not is_declared(loader, index):
        return fail_here(loader, Status.UNDECLARED_REFERENCE, u64(index), 0)
    return push(loader, function_reference(loader.module, index))
