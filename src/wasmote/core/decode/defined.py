"""Decodes the type section: functions, structures and arrays, in recursive groups.

Types are equal if their groups are: same shapes, with the references into the group itself at the
same places of it (spec: Validation, Conventions, Recursive Types). A group that equals an earlier
one gets the earlier one's contents, and `FuncType.same` leads to the first of equal types.
"""

from wasmote.core.arena import arena_extend
from wasmote.core.arithmetic import larger
from wasmote.core.decode.canonical import share_equal_group
from wasmote.core.decode.types import read_value_type
from wasmote.core.loader import (
    Loader,
    allocate_array,
    has_feature,
    out_of_memory,
    unsupported,
)
from wasmote.core.reader import fail, failed, read_byte, read_count, read_u32, read_unsigned
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import FuncType
from wasmote.core.validate.subtypes import check_supertype
from wasmote.core.value_types import (
    MAXIMUM_TYPES,
    MUTABLE,
    NON_NULL,
    Form,
    cells_of,
    index_of,
    is_typed,
    reference_to,
    size_of,
    unpacked,
)
from wasmote.isa.features import Feature
from wasmote.nativepy import fill, inline, native, ptr, sizeof, u8, u32, u64, usize, void


class Code:
    """First bytes of definitions."""

    FUNCTION = 0x60
    STRUCTURE = 0x5F
    ARRAY = 0x5E
    CONTINUATION = 0x5D
    EXTENSIBLE = 0x50  # a supertype, then one of the above
    FINAL = 0x4F  # likewise
    GROUP = 0x4E


#: Greatest alignment of a field.
CELL = 4


@native
def decode_type_section(loader: ptr[Loader]) -> void:
    m = loader.module
    count = read_count(loader.reader, 0, type_limit(loader), Status.LIMIT_TYPES)
    m.types = ptr[FuncType](allocate_array(loader, count, sizeof(FuncType)))
    if failed(loader.reader):
        return
    buckets: u32 = 1
    while buckets < count:
        buckets = buckets * 2
    table = ptr[u32](m.platform.allocate(usize(buckets) * sizeof(u32)))
    if table is None:
        out_of_memory(loader)
        return
    fill(table, 0, usize(buckets) * sizeof(u32))
    capacity = larger(count, u32(1))
    for _ in range(count):
        capacity = decode_group(loader, table, buckets - 1, capacity)
        if failed(loader.reader):
            break
    m.platform.release(ptr[u8](table))


@native
def type_limit(loader: ptr[Loader]) -> u32:
    limit = loader.module.limits.types
    return limit if limit < MAXIMUM_TYPES else u32(MAXIMUM_TYPES)


@native
def decode_group(loader: ptr[Loader], table: ptr[u32], mask: u32, capacity: u32) -> u32:
    """Decode a recursive group, or a type that is one by itself; returns the room for types now."""
    m = loader.module
    r = loader.reader
    first = m.type_count
    size = u32(1)
    if r.pos != r.end and r.pos[0] == Code.GROUP:
        if not has_feature(loader, Feature.GC):
            unsupported(loader, r.pos, Feature.GC.bit)
        read_byte(r)
        size = read_count(r, first, type_limit(loader), Status.LIMIT_TYPES)
    if failed(r) or size == 0:
        return capacity
    if u64(first) + u64(size) > u64(capacity):
        capacity = larger(first + size, 2 * capacity)
        made = arena_extend(m, ptr[u8](m.types), first, capacity, sizeof(FuncType))
        m.types = ptr[FuncType](made)
        if m.types is None:
            out_of_memory(loader)
            return capacity
    loader.visible_types = first + size
    for i in range(size):
        decode_type(loader, m.types + (first + i), first + i)
        if failed(r):
            return capacity
    complete_group(loader, first, size, table, mask)
    return capacity


@native
def complete_group(loader: ptr[Loader], first: u32, size: u32, table: ptr[u32], mask: u32) -> void:
    """Now that all types of a group are known: resolve, lay out, compare and check them."""
    m = loader.module
    for i in range(first, first + size):
        t = m.types + i
        t.same = i
        t.references[0] = reference_to(t.form, i)
        t.references[1] = t.references[0] | NON_NULL
    for i in range(first, first + size):
        resolve(m.types, m.types + i, first)
    m.types[first].group_size = size
    m.type_count = first + size
    if share_equal_group(m, first, size, table, mask):
        return
    for i in range(first, first + size):
        if m.types[i].supertype != 0 and not check_supertype(loader, i):
            return


@native
def resolve(types: ptr[FuncType], t: ptr[FuncType], first: u32) -> void:
    """Give the references into the group their kinds."""
    for i in range(t.param_count + t.result_count):
        each = t.types[i]
        if is_typed(each) and index_of(each) >= first:
            t.types[i] = types[index_of(each)].references[0] | (each & (MUTABLE | NON_NULL))


@native
def decode_type(loader: ptr[Loader], t: ptr[FuncType], index: u32) -> void:
    at = loader.reader.pos
    form = read_byte(loader.reader)
    if form == Code.EXTENSIBLE or form == Code.FINAL:
        if not has_feature(loader, Feature.GC):
            unsupported(loader, at, Feature.GC.bit)
        t.extensible = u32(form == Code.EXTENSIBLE)
        decode_supertype(loader, t, index)
        at = loader.reader.pos
        form = read_byte(loader.reader)
    if failed(loader.reader):
        return
    match form:
        case Code.FUNCTION:
            decode_function(loader, t)
        case Code.STRUCTURE:
            decode_structure(loader, t, at)
        case Code.ARRAY:
            decode_array(loader, t, at)
        case Code.CONTINUATION:
            unsupported(loader, at, Feature.STACK_SWITCHING.bit)
        case _:
            if form >= 0x80:  # the form is a signed integer of 7 bits
                fail(loader.reader, at, Status.INTEGER_TOO_LONG, 0, 0)
            else:
                fail(loader.reader, at, Status.TYPE_FORM, u64(form), 0)


@native
def decode_supertype(loader: ptr[Loader], t: ptr[FuncType], index: u32) -> void:
    """At most one, defined before."""
    at = loader.reader.pos
    count = read_u32(loader.reader)
    if count > 1 and not failed(loader.reader):
        fail(loader.reader, at, Status.SUPERTYPE, u64(index), u64(count))
    if count == 0 or failed(loader.reader):
        return
    at = loader.reader.pos
    above = read_u32(loader.reader)
    if failed(loader.reader):
        return
    if above >= index:
        fail(loader.reader, at, Status.UNKNOWN_TYPE, u64(above), 0)
        return
    m = loader.module
    t.supertype = (m.types[above].same if above < m.type_count else above) + 1


# -- functions -----------------------------------------------------------------------------------


@native
def decode_function(loader: ptr[Loader], t: ptr[FuncType]) -> void:
    limit = loader.module.limits.params
    t.form = Form.FUNCTION
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


# -- structures and arrays -----------------------------------------------------------------------


@native
def decode_structure(loader: ptr[Loader], t: ptr[FuncType], at: ptr[u8]) -> void:
    """Fields lie in their order, so that those of a supertype are where it has them."""
    if not has_feature(loader, Feature.GC):
        unsupported(loader, at, Feature.GC.bit)
    t.form = Form.STRUCTURE
    loader.module.holds_objects = 1
    count = read_count(loader.reader, 0, loader.module.limits.fields, Status.LIMIT_FIELDS)
    t.types = ptr[u32](allocate_array(loader, 2 * count, sizeof(u32)))
    offset = u32(0)
    while t.param_count < count and not failed(loader.reader):
        field = read_field(loader)
        offset = aligned(offset, size_of(field))
        t.types[t.param_count] = field
        t.types[count + t.param_count] = offset
        offset += size_of(field)
        t.param_cells += cells_of(unpacked(field))
        t.param_count += 1
    t.size = aligned(offset, CELL)


@inline
def aligned(offset: u32, size: u32) -> u32:
    """Fields of a cell and more are aligned to cells, smaller ones to their size."""
    alignment = size if size < CELL else u32(CELL)
    return (offset + alignment - 1) & ~(alignment - 1)


@native
def decode_array(loader: ptr[Loader], t: ptr[FuncType], at: ptr[u8]) -> void:
    if not has_feature(loader, Feature.GC):
        unsupported(loader, at, Feature.GC.bit)
    t.form = Form.ARRAY
    loader.module.holds_objects = 1
    t.types = ptr[u32](allocate_array(loader, 2, sizeof(u32)))
    if failed(loader.reader):
        return
    t.types[0] = read_field(loader)
    t.param_count = 1
    t.param_cells = cells_of(unpacked(t.types[0]))
    t.size = size_of(t.types[0])


@native
def read_field(loader: ptr[Loader]) -> u32:
    """A storage type and its mutability."""
    r = loader.reader
    field = u32(0)
    if r.pos != r.end and (r.pos[0] == ValueType.I8 or r.pos[0] == ValueType.I16):
        field = read_byte(r)
    else:
        field = read_value_type(loader)
    at = r.pos
    mutable = read_byte(r)
    if mutable > 1 and not failed(r):
        fail(r, at, Status.MUTABILITY, u64(mutable), 0)
    return field | MUTABLE if mutable != 0 else field
