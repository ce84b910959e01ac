"""What compiled code calls for structures, arrays and casts; the rest it does itself.

Functions that make an object and may fail in several ways return its handle, or a trap code in the
upper half. Types are indices into the module's. `frame` is the caller's native frame.
"""

from wasmote.aot.leave import leave_compiled
from wasmote.aot.structs import Context
from wasmote.core.gc.collect import allocate_object
from wasmote.core.gc.elements import array_init_elements, array_new_elements
from wasmote.core.gc.mark import mark_overwritten
from wasmote.core.gc.objects import (
    array_copy,
    array_fill,
    array_init_data,
    array_new,
    array_new_data,
)
from wasmote.core.gc.pools import fill_pool
from wasmote.core.structs import Exec, Store
from wasmote.core.type_store import store_defined_matches
from wasmote.nativepy import inline, native, ptr, stack, u32, u64, usize, void


@inline
def type_at(context, type):
    return context.instance.module.types + type


@inline
def made(code, handle):
    """A result: the handle, or a trap code in the upper half."""
    return u64(handle) if code == 0 else u64(code) << 32


@native(convention="c", noinline=True)
def aot_structure(exec: ptr[Exec], context: ptr[Context], type: u32, frame: ptr[u32]) -> u32:
    """A new structure whose fields are zero, where the type's pool is empty. 0: out of memory."""
    leave_compiled(exec, context, frame)
    t = type_at(context, type)
    handle = allocate_object(context.store, exec, t.id, 0, u64(t.size))
    if handle != 0 and context.owner == usize(exec):
        fill_pool(context.store, context.pools + type, t)
    return handle


@native(convention="c", noinline=True)
def aot_array_new(
    exec: ptr[Exec],
    context: ptr[Context],
    type: u32,
    n: u32,
    value: ptr[u32],
    frame: ptr[u32],
) -> u64:
    """array.new; without `value`, array.new_default."""
    leave_compiled(exec, context, frame)
    result = stack(u32)
    result[0] = 0
    code = array_new(context.store, exec, type_at(context, type), n, value, result)
    return made(code, result[0])


@native(convention="c", noinline=True)
def aot_array_new_data(
    exec: ptr[Exec],
    context: ptr[Context],
    type: u32,
    segment: u32,
    start: u32,
    n: u32,
    frame: ptr[u32],
) -> u64:
    leave_compiled(exec, context, frame)
    t = type_at(context, type)
    result = stack(u32)
    result[0] = 0
    code = array_new_data(context.instance, exec, t, segment, start, n, result)
    return made(code, result[0])


@native(convention="c", noinline=True)
def aot_array_new_elem(
    exec: ptr[Exec],
    context: ptr[Context],
    type: u32,
    segment: u32,
    start: u32,
    n: u32,
    frame: ptr[u32],
) -> u64:
    leave_compiled(exec, context, frame)
    t = type_at(context, type)
    result = stack(u32)
    result[0] = 0
    code = array_new_elements(context.instance, exec, t, segment, start, n, result)
    return made(code, result[0])


@native(convention="c", noinline=True)
def aot_array_fill(
    context: ptr[Context], type: u32, handle: u32, d: u32, value: ptr[u32], n: u32
) -> u32:
    return array_fill(context.store, handle, type_at(context, type), d, value, n)


@native(convention="c", noinline=True)
def aot_array_copy(
    context: ptr[Context], type: u32, to: u32, d: u32, source: u32, start: u32, n: u32
) -> u32:
    return array_copy(context.store, type_at(context, type), to, d, source, start, n)


@native(convention="c", noinline=True)
def aot_array_init_data(
    context: ptr[Context], type: u32, segment: u32, handle: u32, d: u32, start: u32, n: u32
) -> u32:
    t = type_at(context, type)
    return array_init_data(context.instance, t, segment, handle, d, start, n)


@native(convention="c", noinline=True)
def aot_array_init_elem(
    context: ptr[Context], segment: u32, handle: u32, d: u32, start: u32, n: u32
) -> u32:
    return array_init_elements(context.instance, segment, handle, d, start, n)


@native(convention="c", noinline=True)
def aot_overwritten(s: ptr[Store], field: ptr[u32]) -> void:
    """A reference in an object is about to be overwritten while objects are being marked."""
    mark_overwritten(s, field, 1)


@native(convention="c", noinline=True)
def aot_function_matches(s: ptr[Store], handle: u32, type: u32) -> u32:
    """Whether a function, not null, is of the type with that id or one below it."""
    return u32(store_defined_matches(s, s.functions[handle].type_id, type))


OBJECT_HELPERS = {
    "structure": aot_structure,
    "array_new": aot_array_new,
    "array_new_data": aot_array_new_data,
    "array_new_elem": aot_array_new_elem,
    "array_fill": aot_array_fill,
    "array_copy": aot_array_copy,
    "array_init_data": aot_array_init_data,
    "array_init_elem": aot_array_init_elem,
    "overwritten": aot_overwritten,
    "function_matches": aot_function_matches,
}
