"""The instructions that are not in the loop of `body.py`."""

from wasmote.core.decode.types import is_reference, read_reference_type, read_value_type
from wasmote.core.loader import (
    UNKNOWN,
    Loader,
    fail_here,
    has_feature,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_u32, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import NONE, FuncType, GlobalType, TableType
from wasmote.core.validate.constant import illegal, is_declared
from wasmote.core.validate.control import (
    begin_else,
    begin_if,
    branch,
    branch_table,
    return_,
    set_unreachable,
)
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
    ALIGNMENT,
    FEATURE,
    KIND,
    MISC_COUNT,
    MISC_DEFINED,
    MISC_FEATURE,
    MISC_SIGNATURE,
    NO_FEATURE,
    SIGNATURE,
    Kind,
)
from wasmote.isa import INSTRUCTIONS, Instruction, by_name
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC, Immediate
from wasmote.nativepy import (
    boolean,
    const,
    inline,
    native,
    ptr,
    u8,
    u32,
    u64,
    void,
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


class Misc:
    """Sub-opcodes behind the prefix 0xFC by name."""

    MEMORY_INIT = by_name("memory.init").code
    DATA_DROP = by_name("data.drop").code
    MEMORY_COPY = by_name("memory.copy").code
    MEMORY_FILL = by_name("memory.fill").code
    TABLE_INIT = by_name("table.init").code
    ELEM_DROP = by_name("elem.drop").code
    TABLE_COPY = by_name("table.copy").code
    TABLE_GROW = by_name("table.grow").code
    TABLE_SIZE = by_name("table.size").code
    TABLE_FILL = by_name("table.fill").code


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


# -- memories, tables and segments -----------------------------------------------------------------


@native
def memory_argument(l: ptr[Loader], opcode: u32) -> boolean:
    """Alignment and offset of a load or store."""
    at = l.reader.pos
    alignment = read_u32(l.reader)
    offset_at = l.reader.pos
    offset = read_unsigned(l.reader, 64)
    if failed(l.reader):
        return False
    if alignment >= MEMORY_INDEX_FLAG:
        if alignment < 2 * MEMORY_INDEX_FLAG:
            return unsupported(l, at, Feature.MULTI_MEMORY.bit)
        return fail(l.reader, at, Status.MEMARG_FLAGS, u64(alignment), 0)
    if l.module.memory_count == 0:
        return fail_here(l, Status.UNKNOWN_MEMORY, 0, 0)
    if alignment > u32(ALIGNMENT[opcode]):
        return fail(l.reader, at, Status.ALIGNMENT, u64(opcode), u64(alignment))
    if offset > MAXIMUM_OFFSET:
        return fail(l.reader, offset_at, Status.OFFSET_RANGE, offset, 0)
    return True


#: Set in the alignment: a memory index follows.
MEMORY_INDEX_FLAG = 64
MAXIMUM_OFFSET = 0xFFFF_FFFF


@native
def read_memory(l: ptr[Loader]) -> boolean:
    """The index of a memory."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return False
    if index >= l.module.memory_count:
        return fail_here(l, Status.UNKNOWN_MEMORY, u64(index), 0)
    return True


@native
def read_table(l: ptr[Loader]) -> ptr[TableType]:
    """The table whose index follows; None on failure."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return None
    if index >= l.module.table_count:
        fail_here(l, Status.UNKNOWN_TABLE, u64(index), 0)
        return None
    return l.module.tables + index


@native
def read_data_segment(l: ptr[Loader]) -> boolean:
    """Data segments come after the code: their number must have been told before."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return False
    if l.data_count == NONE:
        return fail_here(l, Status.DATA_COUNT_REQUIRED, 0, 0)
    if index >= l.data_count:
        return fail_here(l, Status.UNKNOWN_DATA_SEGMENT, u64(index), 0)
    return True


@native
def read_element_type(l: ptr[Loader]) -> u32:
    """The type of the element segment whose index follows; 0 on failure."""
    index = read_u32(l.reader)
    if failed(l.reader):
        return 0
    if index >= l.module.element_count:
        fail_here(l, Status.UNKNOWN_ELEMENT_SEGMENT, u64(index), 0)
        return 0
    return l.module.elements[index].type


@native
def misc_instruction(l: ptr[Loader]) -> boolean:
    """Instructions behind the prefix 0xFC."""
    code = read_u32(l.reader)
    if failed(l.reader):
        return False
    l.opcode = PREFIX_MISC | code
    if code >= MISC_COUNT:
        return fail_here(l, Status.ILLEGAL_OPCODE, u64(l.opcode), 0)
    feature = MISC_FEATURE[code]
    if MISC_DEFINED[code] == 0:
        return illegal(l, l.opcode, feature)
    if (l.module.features >> u64(feature)) & 1 == 0:
        return unsupported(l, l.at, u32(feature))
    return misc_immediates(l, code) and apply_signature(l, MISC_SIGNATURE[code])


@native
def misc_immediates(l: ptr[Loader], code: u32) -> boolean:
    """Immediates, and the effect of what has no signature in the table."""
    match code:
        case Misc.MEMORY_INIT:
            return read_data_segment(l) and read_memory(l)
        case Misc.DATA_DROP:
            return read_data_segment(l)
        case Misc.MEMORY_COPY:
            return read_memory(l) and read_memory(l)
        case Misc.MEMORY_FILL:
            return read_memory(l)
        case Misc.TABLE_INIT:
            return table_init(l)
        case Misc.ELEM_DROP:
            return read_element_type(l) != 0
        case Misc.TABLE_COPY:
            return table_copy(l)
        case Misc.TABLE_GROW:
            t = read_table(l)
            return (
                t is not None
                and pop(l, ValueType.I32)
                and pop(l, t.element)
                and push(l, ValueType.I32)
            )
        case Misc.TABLE_SIZE:
            return read_table(l) is not None
        case Misc.TABLE_FILL:
            t = read_table(l)
            return (
                t is not None
                and pop(l, ValueType.I32)
                and pop(l, t.element)
                and pop(l, ValueType.I32)
            )
        case _:
            return True


@native
def table_init(l: ptr[Loader]) -> boolean:
    element = read_element_type(l)
    t = read_table(l)
    if t is None:
        return False
    return element == t.element or mismatch(l, t.element, element)


@native
def table_copy(l: ptr[Loader]) -> boolean:
    to = read_table(l)
    source = read_table(l)
    if to is None or source is None:
        return False
    return to.element == source.element or mismatch(l, to.element, source.element)
