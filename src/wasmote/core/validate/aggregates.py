"""Instructions that make references to structures, arrays and i31: constant ones, too."""

from wasmote.core.loader import Loader, fail_here
from wasmote.core.reader import fail, failed, read_u32
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.operands import mismatch, pop, pop_reference, push
from wasmote.core.value_types import NON_NULL, Form, is_defaultable, matches, unpacked
from wasmote.isa import by_name
from wasmote.nativepy import boolean, native, ptr, u32, u64


class Gc:
    """Sub-opcodes behind the prefix 0xFB by name."""

    STRUCT_NEW = by_name("struct.new").code
    STRUCT_NEW_DEFAULT = by_name("struct.new_default").code
    STRUCT_GET = by_name("struct.get").code
    STRUCT_GET_S = by_name("struct.get_s").code
    STRUCT_GET_U = by_name("struct.get_u").code
    STRUCT_SET = by_name("struct.set").code
    ARRAY_NEW = by_name("array.new").code
    ARRAY_NEW_DEFAULT = by_name("array.new_default").code
    ARRAY_NEW_FIXED = by_name("array.new_fixed").code
    ARRAY_NEW_DATA = by_name("array.new_data").code
    ARRAY_NEW_ELEM = by_name("array.new_elem").code
    ARRAY_GET = by_name("array.get").code
    ARRAY_GET_S = by_name("array.get_s").code
    ARRAY_GET_U = by_name("array.get_u").code
    ARRAY_SET = by_name("array.set").code
    ARRAY_LEN = by_name("array.len").code
    ARRAY_FILL = by_name("array.fill").code
    ARRAY_COPY = by_name("array.copy").code
    ARRAY_INIT_DATA = by_name("array.init_data").code
    ARRAY_INIT_ELEM = by_name("array.init_elem").code
    REF_TEST = by_name("ref.test").code
    REF_TEST_NULL = by_name("ref.test null").code
    REF_CAST = by_name("ref.cast").code
    REF_CAST_NULL = by_name("ref.cast null").code
    BR_ON_CAST = by_name("br_on_cast").code
    BR_ON_CAST_FAIL = by_name("br_on_cast_fail").code
    ANY_CONVERT_EXTERN = by_name("any.convert_extern").code
    EXTERN_CONVERT_ANY = by_name("extern.convert_any").code
    REF_I31 = by_name("ref.i31").code
    I31_GET_S = by_name("i31.get_s").code
    I31_GET_U = by_name("i31.get_u").code


@native
def makes_reference(code: u32) -> boolean:
    """Whether constant expressions may have the instruction."""
    match code:
        case (
            Gc.STRUCT_NEW
            | Gc.STRUCT_NEW_DEFAULT
            | Gc.ARRAY_NEW
            | Gc.ARRAY_NEW_DEFAULT
            | Gc.ARRAY_NEW_FIXED
            | Gc.REF_I31
            | Gc.ANY_CONVERT_EXTERN
            | Gc.EXTERN_CONVERT_ANY
        ):
            return True
        case _:
            return False


@native
def reference_maker(loader: ptr[Loader], code: u32) -> boolean:
    match code:
        case Gc.STRUCT_NEW | Gc.STRUCT_NEW_DEFAULT:
            return structure_new(loader, code)
        case Gc.ANY_CONVERT_EXTERN:
            return convert(loader, ValueType.EXTERNREF, ValueType.ANYREF)
        case Gc.EXTERN_CONVERT_ANY:
            return convert(loader, ValueType.ANYREF, ValueType.EXTERNREF)
        case Gc.REF_I31:
            return pop(loader, ValueType.I32) and push(loader, ValueType.I31REF | NON_NULL)
        case _:
            return array_new(loader, code)


@native
def convert(loader: ptr[Loader], source: u32, result: u32) -> boolean:
    """Nullability stays as it is."""
    found = pop_reference(loader)
    if failed(loader.reader):
        return False
    if not matches(loader.module, found, source):
        return mismatch(loader, source, found)
    return push(loader, result | (found & NON_NULL))


@native
def read_defined(loader: ptr[Loader], form: u32) -> ptr[FuncType]:
    """The type of that form whose index follows; None on failure."""
    at = loader.reader.pos
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return None
    m = loader.module
    if index >= m.type_count or m.types[index].form != form:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(index), 0)
        return None
    return m.types + index


@native
def structure_new(loader: ptr[Loader], code: u32) -> boolean:
    t = read_defined(loader, Form.STRUCTURE)
    if t is None:
        return False
    fine = pop_fields(loader, t) if code == Gc.STRUCT_NEW else has_defaults(loader, t)
    return fine and push(loader, t.references[1])


@native
def array_new(loader: ptr[Loader], code: u32) -> boolean:
    t = read_defined(loader, Form.ARRAY)
    if t is None:
        return False
    value = unpacked(t.types[0])
    if code == Gc.ARRAY_NEW_FIXED:
        return array_new_fixed(loader, t, value)
    if code == Gc.ARRAY_NEW_DEFAULT and not has_defaults(loader, t):
        return False
    if not pop(loader, ValueType.I32):
        return False
    if code == Gc.ARRAY_NEW and not pop(loader, value):
        return False
    return push(loader, t.references[1])


@native
def pop_fields(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    i = t.param_count
    while i != 0:
        i -= 1
        if not pop(loader, unpacked(t.types[i])):
            return False
    return True


@native
def has_defaults(loader: ptr[Loader], t: ptr[FuncType]) -> boolean:
    for i in range(t.param_count):
        if not is_defaultable(t.types[i]):
            return fail_here(loader, Status.NOT_DEFAULTABLE, u64(t.same), 0)
    return True


@native
def array_new_fixed(loader: ptr[Loader], t: ptr[FuncType], value: u32) -> boolean:
    count = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    limit = loader.module.limits.fields
    if count > limit:
        return fail_here(loader, Status.LIMIT_FIELDS, u64(count), u64(limit))
    for _ in range(count):
        if not pop(loader, value):
            return False
    return push(loader, t.references[1])
