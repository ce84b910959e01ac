"""Function instances: what a function handle names (spec: Function Instances).

A call inside a module needs none. One is made when a function is first referenced: exported, put
into a table or a global, or named by ref.func.
"""

from wasmote.core.store import (
    assign_handle,
    lock,
    store_add_function,
    store_remove_function,
    unlock,
)
from wasmote.core.structs import FuncInst, FuncType, Instance, Platform
from wasmote.nativepy import atomic_store, fill, native, ptr, sizeof, u8, u32, void


@native
def function_create(platform: ptr[Platform], type: ptr[FuncType], index: u32) -> ptr[FuncInst]:
    """A function instance without instance, host and handle. None: out of memory.

    Called as it is, such a function traps: it stands for an import that nobody supplied.
    """
    f = ptr[FuncInst](platform.allocate(sizeof(FuncInst)))
    if f is not None:
        fill(f, 0, sizeof(FuncInst))
        f.index = index
        f.type = type
        f.type_id = type.id
    return f


@native
def function_release(instance: ptr[Instance], f: ptr[FuncInst]) -> void:
    """Free a function that the instance made; its handle becomes invalid."""
    store_remove_function(instance.store, f)
    instance.platform.release(ptr[u8](f))


@native(export="instance_function")
def instance_function(instance: ptr[Instance], index: u32) -> ptr[FuncInst]:
    """The function at `index` (below function_count), with a handle. None: out of memory."""
    module = instance.module
    if index < module.imported_functions:
        f = instance.imported[index]
        return f if store_add_function(instance.store, f) != 0 else None
    f = instance.functions[index]
    if f is not None:
        return f
    f = function_create(instance.platform, module.types + module.functions[index].type, index)
    if f is None:
        return None
    f.instance = instance
    publish(instance, f)
    if instance.functions[index] != f:  # out of memory, or another thread was faster
        instance.platform.release(ptr[u8](f))
    return instance.functions[index]


@native
def publish(instance: ptr[Instance], f: ptr[FuncInst]) -> void:
    """Give the instance's new function a handle and its place, unless there is one by now."""
    lock(instance.store)
    if instance.functions[f.index] is None and assign_handle(instance.store, f):
        atomic_store(instance.functions + f.index, f)
    unlock(instance.store)
