"""What the instructions on structures, arrays and casts do, on cells as engines have them.

Functions that may trap return a trap code and leave a result behind a pointer. Types are those of
modules (`FuncType`), with ids in their value types.
"""

from wasmote.core.bounds import in_range
from wasmote.core.gc.collect import allocate_object
from wasmote.core.gc.heap import (
    HOST_TAG,
    I31_TAG,
    fields_of,
    find_object,
    heap_of,
    object_at,
    type_of_object,
)
from wasmote.core.gc.mark import before_write
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Exec, FuncType, Instance, Store
from wasmote.core.type_store import store_defined_matches, type_entry
from wasmote.core.value_types import (
    KIND,
    NON_NULL,
    Form,
    Typed,
    cells_of,
    index_of,
    is_object_reference,
    size_of,
    unpacked,
)
from wasmote.nativepy import (
    boolean,
    copy,
    inline,
    is_big_endian,
    little,
    native,
    ptr,
    stack,
    store,
    u8,
    u16,
    u32,
    u64,
    usize,
    void,
)


@native
def store_field(field: ptr[u8], size: u32, cells: ptr[u32]) -> void:
    """Write a value to a field of `size` bytes."""
    match size:
        case 1:
            field[0] = u8(cells[0])
        case 2:
            store(ptr[u16](field), u16(cells[0]), align=2)
        case 4:
            store(ptr[u32](field), cells[0], align=4)
        case _:
            copy(field, cells, usize(size))


# -- structures ------------------------------------------------------------------------------------


@native
def structure_new(
    s: ptr[Store], exec: ptr[Exec], t: ptr[FuncType], cells: ptr[u32], result: ptr[u32]
) -> u32:
    """struct.new with the fields' values at `cells`; None: struct.new_default."""
    handle = allocate_object(s, exec, t.id, 0, u64(t.size))
    if handle == 0:
        return TrapCode.OUT_OF_MEMORY
    if cells is not None:
        fields = fields_of(object_at(s, handle))
        for i in range(t.param_count):
            store_field(fields + t.types[t.param_count + i], size_of(t.types[i]), cells)
            cells = cells + cells_of(unpacked(t.types[i]))
    result[0] = handle
    return 0


# -- arrays ----------------------------------------------------------------------------------------


@native
def array_new(
    s: ptr[Store], exec: ptr[Exec], t: ptr[FuncType], length: u32, value: ptr[u32], result: ptr[u32]
) -> u32:
    """array.new with the elements' value at `value`; None: array.new_default."""
    handle = allocate_object(s, exec, t.id, length, u64(length) * u64(t.size))
    if handle == 0:
        return TrapCode.OUT_OF_MEMORY
    if value is not None:
        fill_elements(fields_of(object_at(s, handle)), t.size, value, length)
    result[0] = handle
    return 0


@inline
def holds_objects(t: ptr[FuncType]) -> boolean:
    """Whether an array type's elements are references that the collector follows."""
    return is_object_reference(t.types[0])


@native
def fill_elements(at: ptr[u8], size: u32, value: ptr[u32], n: u32) -> void:
    for i in range(n):
        store_field(at + usize(i) * usize(size), size, value)


@native
def array_new_fixed(
    s: ptr[Store], exec: ptr[Exec], t: ptr[FuncType], length: u32, cells: ptr[u32], result: ptr[u32]
) -> u32:
    """array.new_fixed with the elements' values at `cells`."""
    made = stack(u32, 1)  # the result may go where the first value is
    code = array_new(s, exec, t, length, None, made)
    if code != 0:
        return code
    fields = fields_of(object_at(s, made[0]))
    for i in range(length):
        store_field(fields + usize(i) * usize(t.size), t.size, cells)
        cells = cells + cells_of(unpacked(t.types[0]))
    result[0] = made[0]
    return 0


@native
def array_fill(
    s: ptr[Store], handle: u32, t: ptr[FuncType], d: u32, value: ptr[u32], n: u32
) -> u32:
    if handle == 0:
        return TrapCode.NULL_ARRAY_REFERENCE
    array = object_at(s, handle)
    if not in_range(u64(array.length), u64(d), u64(n)):
        return TrapCode.ARRAY_OUT_OF_BOUNDS
    if holds_objects(t):
        before_write(s, ptr[u32](fields_of(array)) + d, n)
    fill_elements(fields_of(array) + usize(d) * usize(t.size), t.size, value, n)
    return 0


@native
def array_copy(
    s: ptr[Store], t: ptr[FuncType], to: u32, d: u32, source: u32, start: u32, n: u32
) -> u32:
    """`t` is the type of the destination; the source's elements take as many bytes."""
    if to == 0 or source == 0:
        return TrapCode.NULL_ARRAY_REFERENCE
    a = object_at(s, to)
    b = object_at(s, source)
    if not in_range(u64(a.length), u64(d), u64(n)) or not in_range(
        u64(b.length), u64(start), u64(n)
    ):
        return TrapCode.ARRAY_OUT_OF_BOUNDS
    size = usize(t.size)
    if holds_objects(t):
        before_write(s, ptr[u32](fields_of(a)) + d, n)
    if n != 0:
        copy(fields_of(a) + usize(d) * size, fields_of(b) + usize(start) * size, usize(n) * size)
    return 0


@native
def array_init_data(
    inst: ptr[Instance], t: ptr[FuncType], segment: u32, handle: u32, d: u32, start: u32, n: u32
) -> u32:
    if handle == 0:
        return TrapCode.NULL_ARRAY_REFERENCE
    array = object_at(inst.store, handle)
    if not in_range(u64(array.length), u64(d), u64(n)):
        return TrapCode.ARRAY_OUT_OF_BOUNDS
    source = inst.module.data + segment
    size = u64(0) if inst.dropped_data[segment] != 0 else u64(source.size)
    bytes = u64(n) * u64(t.size)
    if not in_range(size, u64(start), bytes):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    if bytes != 0:
        fields = fields_of(array) + usize(d) * usize(t.size)
        copy(fields, source.data + start, usize(bytes))
        if is_big_endian():
            swap_bytes(fields, t.size, n)
    return 0


@native
def swap_bytes(fields: ptr[u8], size: u32, n: u32) -> void:
    """Numbers of the binary format become cells, or halves of one, in the machine's order."""
    if size == 2:
        for i in range(n):
            ptr[u16](fields)[i] = little(ptr[u16](fields)[i])
    elif size >= 4:
        for i in range(n * (size // 4)):
            ptr[u32](fields)[i] = little(ptr[u32](fields)[i])


@native
def array_new_data(
    inst: ptr[Instance],
    exec: ptr[Exec],
    t: ptr[FuncType],
    segment: u32,
    start: u32,
    n: u32,
    result: ptr[u32],
) -> u32:
    source = inst.module.data + segment
    size = u64(0) if inst.dropped_data[segment] != 0 else u64(source.size)
    if not in_range(size, u64(start), u64(n) * u64(t.size)):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    code = array_new(inst.store, exec, t, n, None, result)
    if code != 0:
        return code
    return array_init_data(inst, t, segment, result[0], 0, start, n)


# -- tests -----------------------------------------------------------------------------------------


@native(export="reference_matches")
def reference_matches(s: ptr[Store], handle: u32, t: u32) -> boolean:
    """ref.test: whether a reference of the same hierarchy is of type `t`, which has ids."""
    if handle == 0:
        return t & NON_NULL == 0
    kind = t & KIND
    match kind:
        case ValueType.ANYREF | ValueType.EXTERNREF | ValueType.FUNCREF | ValueType.EXNREF:
            return True
        case (
            ValueType.NULLREF
            | ValueType.NULLEXTERNREF
            | ValueType.NULLFUNCREF
            | ValueType.NULLEXNREF
        ):
            return False
        case Typed.FUNCTION:
            return store_defined_matches(s, s.functions[handle].type_id, index_of(t))
        case _:
            return object_matches(s, handle, t)


@native
def object_matches(s: ptr[Store], handle: u32, t: u32) -> boolean:
    kind = t & KIND
    if handle & I31_TAG != 0:
        return kind == ValueType.I31REF or kind == ValueType.EQREF
    if handle & HOST_TAG != 0:
        return False
    object = find_object(heap_of(s), handle)
    if object is None:
        return False
    match kind:
        case ValueType.EQREF:
            return type_entry(s, type_of_object(object)).form != Form.FUNCTION
        case ValueType.STRUCTREF:
            return type_entry(s, type_of_object(object)).form == Form.STRUCTURE
        case ValueType.ARRAYREF:
            return type_entry(s, type_of_object(object)).form == Form.ARRAY
        case Typed.STRUCTURE | Typed.ARRAY:
            return store_defined_matches(s, type_of_object(object), index_of(t))
        case _:
            return False


@native(export="object_type")
def object_type(s: ptr[Store], handle: u32) -> u32:
    """The reference type of an object, never null; 0: the handle is no object's."""
    object = find_object(heap_of(s), handle)
    if object is None:
        return 0
    form = type_entry(s, type_of_object(object)).form
    if form == Form.FUNCTION:
        return ValueType.EXNREF | NON_NULL
    kind = u32(Typed.FUNCTION) + form
    return kind | NON_NULL | (type_of_object(object) << 10)
