"""Instructions behind the prefix 0xFB: fields, elements, casts. Those that make references are in
`aggregates.py`.
"""

from wasmote.core.decode.types import read_heap_type
from wasmote.core.loader import Loader, fail_here, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.aggregates import Gc, makes_reference, read_defined, reference_maker
from wasmote.core.validate.control import label_arity, label_types, read_label
from wasmote.core.validate.misc import check_data_index, check_element_index, read_data_index
from wasmote.core.validate.operands import (
    NOTHING,
    mismatch,
    pop,
    pop_types,
    push,
    push_types,
)
from wasmote.core.value_types import (
    KIND,
    MUTABLE,
    NON_NULL,
    Form,
    Typed,
    is_packed,
    is_reference,
    matches,
    unpacked,
)
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_GC
from wasmote.nativepy import boolean, native, ptr, u32, u64


@native
def gc_instruction(loader: ptr[Loader]) -> boolean:
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if not has_feature(loader, Feature.GC):
        return unsupported(loader, loader.at, Feature.GC.bit)
    loader.opcode = PREFIX_GC | code
    if makes_reference(code):
        return reference_maker(loader, code)
    match code:
        case Gc.STRUCT_GET | Gc.STRUCT_GET_S | Gc.STRUCT_GET_U | Gc.STRUCT_SET:
            return structure_instruction(loader, code)
        case (
            Gc.REF_TEST
            | Gc.REF_TEST_NULL
            | Gc.REF_CAST
            | Gc.REF_CAST_NULL
            | Gc.BR_ON_CAST
            | Gc.BR_ON_CAST_FAIL
        ):
            return cast_instruction(loader, code)
        case Gc.I31_GET_S | Gc.I31_GET_U:
            return pop(loader, ValueType.I31REF) and push(loader, ValueType.I32)
        case Gc.ARRAY_LEN:
            return pop(loader, ValueType.ARRAYREF) and push(loader, ValueType.I32)
        case _:
            if code > Gc.I31_GET_U:
                return fail_here(loader, Status.ILLEGAL_OPCODE, u64(loader.opcode), 0)
            return array_instruction(loader, code)


# -- structures ------------------------------------------------------------------------------------


@native
def structure_instruction(loader: ptr[Loader], code: u32) -> boolean:
    t = read_defined(loader, Form.STRUCTURE)
    if t is None:
        return False
    return access_field(loader, t, code)


@native
def access_field(loader: ptr[Loader], t: ptr[FuncType], code: u32) -> boolean:
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if index >= t.param_count:
        return fail_here(loader, Status.UNKNOWN_FIELD, u64(index), 0)
    field = t.types[index]
    if code == Gc.STRUCT_SET:
        if field & MUTABLE == 0:
            return fail_here(loader, Status.IMMUTABLE_FIELD, u64(t.same), 0)
        return pop(loader, unpacked(field)) and pop(loader, t.references[0])
    if is_packed(field) != (code != Gc.STRUCT_GET):
        return mismatch(loader, field & KIND, unpacked(field))
    return pop(loader, t.references[0]) and push(loader, unpacked(field))


# -- arrays ----------------------------------------------------------------------------------------


@native
def array_instruction(loader: ptr[Loader], code: u32) -> boolean:
    t = read_defined(loader, Form.ARRAY)
    if t is None:
        return False
    element = t.types[0]
    value = unpacked(element)
    match code:
        case Gc.ARRAY_NEW_DATA | Gc.ARRAY_INIT_DATA:
            return from_data(loader, t, code)
        case Gc.ARRAY_NEW_ELEM | Gc.ARRAY_INIT_ELEM:
            return from_elements(loader, t, code)
        case Gc.ARRAY_GET | Gc.ARRAY_GET_S | Gc.ARRAY_GET_U:
            if is_packed(element) != (code != Gc.ARRAY_GET):
                return mismatch(loader, element & KIND, value)
            return (
                pop(loader, ValueType.I32) and pop(loader, t.references[0]) and push(loader, value)
            )
        case Gc.ARRAY_SET:
            return (
                is_writable(loader, t)
                and pop(loader, value)
                and pop(loader, ValueType.I32)
                and pop(loader, t.references[0])
            )
        case Gc.ARRAY_FILL:
            return (
                is_writable(loader, t)
                and pop(loader, ValueType.I32)
                and pop(loader, value)
                and pop(loader, ValueType.I32)
                and pop(loader, t.references[0])
            )
        case _:
            return array_copy(loader, t)


@native
def is_writable(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    fine = t.types[0] & MUTABLE != 0
    return fine or fail_here(loader, Status.IMMUTABLE_ARRAY, u64(t.same), 0)


@native
def pop_range(loader: ptr[Loader], t: ptr[FuncType], code: u32, new: u32) -> boolean:
    """Offset and size of a segment's part; before them, unless the array is new, where it goes."""
    if not pop(loader, ValueType.I32) or not pop(loader, ValueType.I32):
        return False
    if code == new:
        return push(loader, t.references[1])
    return pop(loader, ValueType.I32) and pop(loader, t.references[0])


@native
def from_data(loader: ptr[Loader], t: ptr[FuncType], code: u32) -> boolean:
    index = read_data_index(loader)
    if failed(loader.reader) or not check_data_index(loader, index):
        return False
    if is_reference(t.types[0]):
        return fail_here(loader, Status.NUMERIC_ARRAY, u64(t.same), 0)
    if code == Gc.ARRAY_INIT_DATA and not is_writable(loader, t):
        return False
    return pop_range(loader, t, code, Gc.ARRAY_NEW_DATA)


@native
def from_elements(loader: ptr[Loader], t: ptr[FuncType], code: u32) -> boolean:
    index = read_u32(loader.reader)
    if failed(loader.reader) or not check_element_index(loader, index):
        return False
    found = loader.module.elements[index].type
    wanted = t.types[0] & ~u32(MUTABLE)
    if code == Gc.ARRAY_INIT_ELEM and not is_writable(loader, t):
        return False
    if not matches(loader.module, found, wanted):
        return mismatch(loader, wanted, found)
    return pop_range(loader, t, code, Gc.ARRAY_NEW_ELEM)


@native
def array_copy(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    source = read_defined(loader, Form.ARRAY)
    if source is None or not is_writable(loader, t):
        return False
    element = source.types[0] & ~u32(MUTABLE)
    wanted = t.types[0] & ~u32(MUTABLE)
    if not matches(loader.module, element, wanted):
        return mismatch(loader, wanted, element)
    return (
        pop(loader, ValueType.I32)
        and pop(loader, ValueType.I32)
        and pop(loader, source.references[0])
        and pop(loader, ValueType.I32)
        and pop(loader, t.references[0])
    )


# -- casts -----------------------------------------------------------------------------------------


@native
def top_of(t: u32) -> u32:
    """The nullable reference to everything in a type's hierarchy."""
    match t & KIND:
        case Typed.FUNCTION | ValueType.FUNCREF | ValueType.NULLFUNCREF:
            return ValueType.FUNCREF
        case ValueType.EXTERNREF | ValueType.NULLEXTERNREF:
            return ValueType.EXTERNREF
        case ValueType.EXNREF | ValueType.NULLEXNREF:
            return ValueType.EXNREF
        case _:
            return ValueType.ANYREF


@native
def cast_instruction(loader: ptr[Loader], code: u32) -> boolean:
    if code == Gc.BR_ON_CAST or code == Gc.BR_ON_CAST_FAIL:
        return branch_on_cast(loader, code)
    t = read_heap_type(loader)
    if failed(loader.reader):
        return False
    if code == Gc.REF_TEST or code == Gc.REF_CAST:
        t = t | NON_NULL
    if not pop(loader, top_of(t)):
        return False
    is_test = code == Gc.REF_TEST or code == Gc.REF_TEST_NULL
    return push(loader, u32(ValueType.I32) if is_test else t)


@native
def branch_on_cast(loader: ptr[Loader], code: u32) -> boolean:
    """The label gets the reference as its last operand: of the type that it has at the branch."""
    at = loader.reader.pos
    flags = read_byte(loader.reader)
    if flags > 3 and not failed(loader.reader):
        return fail(loader.reader, at, Status.CAST_FLAGS, u64(flags), 0)
    frame = read_label(loader)
    source = read_heap_type(loader)
    wanted = read_heap_type(loader)
    if frame is None or failed(loader.reader):
        return False
    source = source if flags & 1 != 0 else source | NON_NULL
    wanted = wanted if flags & 2 != 0 else wanted | NON_NULL
    if not matches(loader.module, wanted, source):
        return mismatch(loader, source, wanted)
    # A null that the cast lets through is not there where it fails.
    rest = source | NON_NULL if wanted & NON_NULL == 0 else source
    taken = wanted if code == Gc.BR_ON_CAST else rest
    other = rest if code == Gc.BR_ON_CAST else wanted
    types = label_types(frame)
    count = label_arity(frame)
    if count == 0:
        return mismatch(loader, NOTHING, taken)
    if not matches(loader.module, taken, types[count - 1]):
        return mismatch(loader, types[count - 1], taken)
    if not pop(loader, source) or not pop_types(loader, types, count - 1):
        return False
    return push_types(loader, types, count - 1) and push(loader, other)
