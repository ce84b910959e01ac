"""Decodes types: value types, function types, and the types of tables, memories and globals."""

from wasmote.core.loader import Loader, allocate_array, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_count, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import NO_MAXIMUM, FuncType, GlobalType, MemoryType, TableType
from wasmote.isa.features import Feature
from wasmote.nativepy import (
    boolean,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    void,
)

FUNCTION_FORM = 0x60
PAGE_SHIFT = 16
MAXIMUM_PAGES = 65536
MAXIMUM_ELEMENTS = 0xFFFF_FFFF
# Bits of the limits byte.
HAS_MAXIMUM = 1
SHARED = 2
IS_64 = 4


@native
def value_type(loader: ptr[Loader], at: ptr[u8], byte: u32, status: u32) -> u32:
    """The value type with that byte; reports `status` if there is none."""
    match byte:
        case ValueType.I32 | ValueType.I64 | ValueType.F32 | ValueType.F64:
            return byte
        case ValueType.V128:
            if not has_feature(loader, Feature.SIMD):
                unsupported(loader, at, Feature.SIMD.bit)
            return byte
        case ValueType.FUNCREF | ValueType.EXTERNREF:
            if not has_feature(loader, Feature.REFERENCE_TYPES):
                unsupported(loader, at, Feature.REFERENCE_TYPES.bit)
            return byte
        case 0x63 | 0x64:  # (ref null …), (ref …)
            unsupported(loader, at, Feature.FUNCTION_REFERENCES.bit)
        case 0x69 | 0x74:  # exnref, nullexnref
            unsupported(loader, at, Feature.EXCEPTIONS.bit)
        case 0x6A | 0x6B | 0x6C | 0x6D | 0x6E | 0x71 | 0x72 | 0x73:  # array, struct, i31 … none
            unsupported(loader, at, Feature.GC.bit)
        case _:
            fail(loader.reader, at, status, u64(byte), 0)
    return byte


@inline
def is_reference(t: u32) -> boolean:
    return t == ValueType.FUNCREF or t == ValueType.EXTERNREF


@native
def read_value_type(loader: ptr[Loader]) -> u32:
    at = loader.reader.pos
    byte = read_byte(loader.reader)
    if failed(loader.reader):
        return 0
    return value_type(loader, at, byte, Status.VALUE_TYPE)


@native
def read_reference_type(loader: ptr[Loader]) -> u32:
    at = loader.reader.pos
    byte = read_byte(loader.reader)
    if failed(loader.reader):
        return 0
    if byte == ValueType.FUNCREF:  # the element type of tables since the MVP
        return byte
    found = value_type(loader, at, byte, Status.REFERENCE_TYPE)
    if not is_reference(found):
        fail(loader.reader, at, Status.REFERENCE_TYPE, u64(byte), 0)
    return found


@inline
def cells_of(t: u32) -> u32:
    """32-bit cells that a value of this type takes."""
    if t == ValueType.I64 or t == ValueType.F64:
        return 2
    if t == ValueType.V128:
        return 4
    return 1


@native
def decode_type_section(loader: ptr[Loader]) -> void:
    m = loader.module
    count = read_count(loader.reader, 0, m.limits.types, Status.LIMIT_TYPES)
    m.types = ptr[FuncType](allocate_array(loader, count, sizeof(FuncType)))
    while m.type_count < count and not failed(loader.reader):
        decode_func_type(loader, m.types + m.type_count)
        m.type_count += 1


@native
def decode_func_type(loader: ptr[Loader], t: ptr[FuncType]) -> void:
    at = loader.reader.pos
    form = read_byte(loader.reader)
    if form != FUNCTION_FORM:
        if (form >= 0x4E and form <= 0x50) or form == 0x5E or form == 0x5F:
            unsupported(loader, at, Feature.GC.bit)  # recursive types, subtypes, arrays, structures
        elif form == 0x5D:
            unsupported(loader, at, Feature.STACK_SWITCHING.bit)
        elif form >= 0x80:  # the form is a signed integer of 7 bits
            fail(loader.reader, at, Status.INTEGER_TOO_LONG, 0, 0)
        else:
            fail(loader.reader, at, Status.TYPE_FORM, u64(form), 0)
        return
    limit = loader.module.limits.params
    params = loader.reader.pos
    t.param_count = read_count(loader.reader, 0, limit, Status.LIMIT_PARAMS)
    skip_types(loader, t.param_count)
    results = loader.reader.pos
    t.result_count = read_count(loader.reader, 0, limit, Status.LIMIT_PARAMS)
    if t.result_count > 1 and not has_feature(loader, Feature.MULTI_VALUE):
        unsupported(loader, results, Feature.MULTI_VALUE.bit)
    if failed(loader.reader):
        return
    t.types = ptr[u32](allocate_array(loader, t.param_count + t.result_count, sizeof(u32)))
    loader.reader.pos = params if t.types is not None else loader.reader.end
    read_unsigned(loader.reader, 32)
    t.param_cells = fill_types(loader, t.types, t.param_count)
    read_unsigned(loader.reader, 32)
    t.result_cells = fill_types(loader, t.types + t.param_count, t.result_count)


@native
def skip_types(loader: ptr[Loader], count: u32) -> void:
    """Check `count` value types."""
    for _ in range(count):
        read_value_type(loader)
        if failed(loader.reader):
            return


@native
def fill_types(loader: ptr[Loader], types: ptr[u32], count: u32) -> u32:
    """Read `count` value types to `types`; returns their cells."""
    cells = u32(0)
    for i in range(count):
        t = read_value_type(loader)
        if failed(loader.reader):
            return 0
        types[i] = t
        cells += cells_of(t)
    return cells


@native
def read_limits_flags(loader: ptr[Loader]) -> u32:
    at = loader.reader.pos
    flags = read_byte(loader.reader)
    if flags > (HAS_MAXIMUM | SHARED | IS_64) and not failed(loader.reader):
        fail(loader.reader, at, Status.LIMITS_FLAGS, u64(flags), 0)
    elif flags & IS_64 != 0:
        unsupported(loader, at, Feature.MEMORY64.bit)
    elif flags & SHARED != 0:
        unsupported(loader, at, Feature.THREADS.bit)
    return flags


@native
def read_maximum(loader: ptr[Loader], flags: u32, minimum: u64, at: ptr[u8]) -> u64:
    """The maximum after a minimum that was at `at`."""
    if flags & HAS_MAXIMUM == 0:
        return NO_MAXIMUM
    maximum = read_unsigned(loader.reader, 64)
    if maximum < minimum and not failed(loader.reader):
        fail(loader.reader, at, Status.MINIMUM_ABOVE_MAXIMUM, minimum, maximum)
    return maximum


@native
def read_table_type(loader: ptr[Loader], t: ptr[TableType]) -> void:
    t.element = read_reference_type(loader)
    t.flags = read_limits_flags(loader)
    at = loader.reader.pos
    t.minimum = read_unsigned(loader.reader, 64)
    t.maximum = read_maximum(loader, t.flags, t.minimum, at)
    check_size(loader, at, t.minimum, t.maximum, MAXIMUM_ELEMENTS, Status.TABLE_SIZE)


@native
def read_memory_type(loader: ptr[Loader], t: ptr[MemoryType]) -> void:
    t.flags = read_limits_flags(loader)
    t.page_shift = PAGE_SHIFT
    at = loader.reader.pos
    t.minimum = read_unsigned(loader.reader, 64)
    t.maximum = read_maximum(loader, t.flags, t.minimum, at)
    check_size(loader, at, t.minimum, t.maximum, MAXIMUM_PAGES, Status.MEMORY_SIZE)


@native
def check_size(
    loader: ptr[Loader], at: ptr[u8], minimum: u64, maximum: u64, limit: u64, status: u32
) -> void:
    """What 32-bit indices can reach bounds both sizes."""
    if failed(loader.reader):
        return
    if minimum > limit:
        fail(loader.reader, at, status, minimum, limit)
    elif maximum != NO_MAXIMUM and maximum > limit:
        fail(loader.reader, at, status, maximum, limit)


@native
def read_global_type(loader: ptr[Loader], t: ptr[GlobalType]) -> void:
    t.content = read_value_type(loader)
    at = loader.reader.pos
    t.mutable = read_byte(loader.reader)
    if t.mutable > 1 and not failed(loader.reader):
        fail(loader.reader, at, Status.MUTABILITY, u64(t.mutable), 0)
