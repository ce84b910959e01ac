"""Decodes types: value types, and the types of tables, memories and globals."""

from wasmote.core.bounds import LimitsFlag
from wasmote.core.loader import Loader, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_signed, read_u32, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import NO_MAXIMUM, GlobalType, MemoryType, TableType
from wasmote.core.value_types import NON_NULL, cells_of, is_reference, reference_to
from wasmote.isa.features import Feature
from wasmote.nativepy import inline, native, ptr, u8, u32, u64, void

__all__ = ["cells_of", "is_reference"]

REF_NULL = 0x63
REF = 0x64
PAGE_SHIFT = 16
TABLE_FLAGS = LimitsFlag.HAS_MAXIMUM | LimitsFlag.INDEX_64
MEMORY_FLAGS = TABLE_FLAGS | LimitsFlag.SHARED | LimitsFlag.PAGE_SIZE


@native
def value_type(loader: ptr[Loader], at: ptr[u8], byte: u32, status: u32) -> u32:
    """The value type with that byte; reports `status` if there is none."""
    if (
        byte != ValueType.FUNCREF
        and byte - ValueType.EXNREF <= ValueType.NULLEXNREF - ValueType.EXNREF
    ):
        loader.module.holds_objects = 1
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
        case 0x63:
            return read_heap_type(loader)
        case 0x64:
            return read_heap_type(loader) | NON_NULL
        case ValueType.EXNREF | ValueType.NULLEXNREF:
            if not has_feature(loader, Feature.EXCEPTIONS):
                unsupported(loader, at, Feature.EXCEPTIONS.bit)
            return byte
        case (
            ValueType.ARRAYREF
            | ValueType.STRUCTREF
            | ValueType.I31REF
            | ValueType.EQREF
            | ValueType.ANYREF
            | ValueType.NULLREF
            | ValueType.NULLEXTERNREF
            | ValueType.NULLFUNCREF
        ):
            if not has_feature(loader, Feature.GC):
                unsupported(loader, at, Feature.GC.bit)
            return byte
        case _:
            fail(loader.reader, at, status, u64(byte), 0)
    return byte


@native
def read_heap_type(loader: ptr[Loader]) -> u32:
    """The nullable reference to the heap type that follows: an abstract one's byte, or an index."""
    r = loader.reader
    at = r.pos
    if r.pos != r.end and r.pos[0] >= 0x40 and r.pos[0] < 0x80:
        r.pos = r.pos + 1
        found = value_type(loader, at, u32(at[0]), Status.REFERENCE_TYPE)
        if not is_reference(found) or u32(at[0]) == REF_NULL or u32(at[0]) == REF:
            fail(r, at, Status.REFERENCE_TYPE, u64(at[0]), 0)
        return found & 0xFF
    index = read_signed(r, 33)
    if failed(r):
        return ValueType.FUNCREF
    if index < 0:
        fail(r, at, Status.REFERENCE_TYPE, u64(at[0]), 0)
        return ValueType.FUNCREF
    if not has_feature(loader, Feature.FUNCTION_REFERENCES):
        unsupported(loader, at, Feature.FUNCTION_REFERENCES.bit)
    return typed_reference(loader, at, u64(index))


@native
def typed_reference(loader: ptr[Loader], at: ptr[u8], index: u64) -> u32:
    """The nullable reference to the type of that index. Within its own recursive group, the kind is
    set once the group is complete."""
    m = loader.module
    if index >= u64(loader.visible_types):
        fail(loader.reader, at, Status.UNKNOWN_TYPE, index, 0)
        return ValueType.FUNCREF
    if index >= u64(m.type_count):
        return reference_to(0, u32(index))
    return m.types[u32(index)].references[0]


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


@native
def read_limits_flags(loader: ptr[Loader], allowed: u32) -> u32:
    at = loader.reader.pos
    flags = read_byte(loader.reader)
    if flags & ~allowed != 0 and not failed(loader.reader):
        fail(loader.reader, at, Status.LIMITS_FLAGS, u64(flags), 0)
    elif flags & LimitsFlag.INDEX_64 != 0 and not has_feature(loader, Feature.MEMORY64):
        unsupported(loader, at, Feature.MEMORY64.bit)
    elif flags & LimitsFlag.PAGE_SIZE != 0 and not has_feature(loader, Feature.CUSTOM_PAGE_SIZES):
        unsupported(loader, at, Feature.CUSTOM_PAGE_SIZES.bit)
    elif flags & LimitsFlag.SHARED != 0 and not has_feature(loader, Feature.THREADS):
        unsupported(loader, at, Feature.THREADS.bit)
    return flags


@native
def read_limit(loader: ptr[Loader]) -> u64:
    """A minimum or maximum: of 32 bits before there were 64-bit indices."""
    if has_feature(loader, Feature.MEMORY64):
        return read_unsigned(loader.reader, 64)
    return u64(read_u32(loader.reader))


@native
def read_maximum(loader: ptr[Loader], flags: u32, minimum: u64, at: ptr[u8]) -> u64:
    """The maximum after a minimum that was at `at`."""
    if flags & LimitsFlag.HAS_MAXIMUM == 0:
        return NO_MAXIMUM
    maximum = read_limit(loader)
    if maximum < minimum and not failed(loader.reader):
        fail(loader.reader, at, Status.MINIMUM_ABOVE_MAXIMUM, minimum, maximum)
    return maximum


@native
def read_table_type(loader: ptr[Loader], t: ptr[TableType]) -> void:
    t.element = read_reference_type(loader)
    t.flags = read_limits_flags(loader, TABLE_FLAGS)
    at = loader.reader.pos
    t.minimum = read_limit(loader)
    t.maximum = read_maximum(loader, t.flags, t.minimum, at)
    check_size(loader, at, t, largest_index(t.flags), Status.TABLE_SIZE)


@native
def read_memory_type(loader: ptr[Loader], t: ptr[MemoryType]) -> void:
    flags_at = loader.reader.pos
    t.flags = read_limits_flags(loader, MEMORY_FLAGS)
    at = loader.reader.pos
    t.minimum = read_limit(loader)
    t.maximum = read_maximum(loader, t.flags, t.minimum, at)
    t.page_shift = PAGE_SHIFT
    if t.flags & LimitsFlag.PAGE_SIZE != 0:
        t.page_shift = read_page_shift(loader)
    # As many pages as there are addresses; of single bytes, as many as memory.size can tell.
    most = largest_index(t.flags)
    if t.page_shift != 0:
        most = (most >> u64(t.page_shift)) + 1
    check_size(loader, at, t, most, Status.MEMORY_SIZE)
    if t.flags & (LimitsFlag.SHARED | LimitsFlag.HAS_MAXIMUM) == LimitsFlag.SHARED:
        if not failed(loader.reader):
            fail(loader.reader, flags_at, Status.SHARED_WITHOUT_MAXIMUM, 0, 0)


@native
def read_page_shift(loader: ptr[Loader]) -> u32:
    """log2 of a page size: that of 1 byte, or of the usual 64 KiB."""
    at = loader.reader.pos
    shift = read_u32(loader.reader)
    if shift >= 64:
        fail(loader.reader, at, Status.PAGE_SIZE_RANGE, u64(shift), 0)
    elif shift != 0 and shift != PAGE_SHIFT:
        fail(loader.reader, at, Status.PAGE_SIZE, u64(shift), 0)
    return 0 if failed(loader.reader) else shift


@inline
def largest_index(flags: u32) -> u64:
    """What an index into a table or memory with these limits flags can reach."""
    if flags & LimitsFlag.INDEX_64 != 0:
        return 0xFFFF_FFFF_FFFF_FFFF
    return 0xFFFF_FFFF


@inline
def check_size(loader, at, t, limit, status):
    """What indices can reach bounds both sizes; a stated maximum may be any 64-bit number."""
    if not failed(loader.reader):
        if t.minimum > limit:
            fail(loader.reader, at, status, t.minimum, limit)
        elif t.flags & LimitsFlag.HAS_MAXIMUM != 0 and t.maximum > limit:
            fail(loader.reader, at, status, t.maximum, limit)


@native
def read_global_type(loader: ptr[Loader], t: ptr[GlobalType]) -> void:
    t.content = read_value_type(loader)
    at = loader.reader.pos
    t.mutable = read_byte(loader.reader)
    if t.mutable > 1 and not failed(loader.reader):
        fail(loader.reader, at, Status.MUTABILITY, u64(t.mutable), 0)
