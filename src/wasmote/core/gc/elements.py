"""Arrays from element segments, and segments whose items may be objects.

Items of such a segment are evaluated once, when the instance is made: `Instance.element_values`.
"""

from wasmote.core.bounds import in_range
from wasmote.core.gc.heap import fields_of, object_at
from wasmote.core.gc.mark import before_write
from wasmote.core.gc.objects import array_new
from wasmote.core.reader import Reader, open_reader
from wasmote.core.status import TrapCode
from wasmote.core.structs import Error, Exec, FuncType, Instance
from wasmote.core.table import next_element, skip_element
from wasmote.core.value_types import is_function_reference
from wasmote.nativepy import copy, native, ptr, sizeof, stack, u32, u64, usize


@native
def array_init_elements(
    inst: ptr[Instance], segment: u32, handle: u32, d: u32, start: u32, n: u32
) -> u32:
    if handle == 0:
        return TrapCode.NULL_ARRAY_REFERENCE
    array = object_at(inst.store, handle)
    if not in_range(u64(array.length), u64(d), u64(n)):
        return TrapCode.ARRAY_OUT_OF_BOUNDS
    source = inst.module.elements + segment
    size = u64(0) if inst.dropped_elements[segment] != 0 else u64(source.count)
    if not in_range(size, u64(start), u64(n)):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    elements = ptr[u32](fields_of(array)) + d
    if not is_function_reference(source.type):
        before_write(inst.store, elements, n)
    return copy_elements(inst, segment, elements, start, n)


@native
def copy_elements(inst: ptr[Instance], segment: u32, elements: ptr[u32], start: u32, n: u32) -> u32:
    values = inst.element_values[segment]
    if values is not None:
        copy(elements, values + start, usize(n) * sizeof(u32))
        return 0
    source = inst.module.elements + segment
    r = stack(Reader)
    open_reader(r, source.items, usize(source.items_size), stack(Error))  # no read fails
    for _ in range(start):
        skip_element(source, r)
    value = stack(u32, 4)
    for i in range(n):
        status = next_element(inst, source, r, value)
        if status != 0:
            return status
        elements[i] = value[0]
    return 0


@native
def array_new_elements(
    inst: ptr[Instance],
    exec: ptr[Exec],
    t: ptr[FuncType],
    segment: u32,
    start: u32,
    n: u32,
    result: ptr[u32],
) -> u32:
    source = inst.module.elements + segment
    size = u64(0) if inst.dropped_elements[segment] != 0 else u64(source.count)
    if not in_range(size, u64(start), u64(n)):
        return TrapCode.TABLE_OUT_OF_BOUNDS
    code = array_new(inst.store, exec, t, n, None, result)
    if code != 0:
        return code
    return array_init_elements(inst, segment, result[0], 0, start, n)
