"""Function instances: what a function handle names (spec: Function Instances).

A call inside a module needs none. One is made when a function is first referenced: exported, put
into a table or a global, or named by ref.func.
"""

from wasmote.core.store import store_add_function, store_remove_function
from wasmote.core.structs import FuncInst, FuncType, Instance, Platform
from wasmote.nativepy import fill, native, ptr, sizeof, u8, u32, void


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
    if store_add_function(instance.store, f) == 0:
        instance.platform.release(ptr[u8](f))
        return None
    instance.functions[index] = f
    return f
