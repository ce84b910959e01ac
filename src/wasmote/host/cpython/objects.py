"""The Python objects of the boundary: their creation, their end, and what the garbage collector
sees.

None of the types has a `tp_clear`. Every reference cycle through them also passes through an
ordinary Python object (`OwnerObject.links`, a closure), which is where the collector breaks it; so
a `Func` or `Memory` always has its owner, even while garbage is torn down, and native memory goes
last.
"""

from wasmote.core.decode.module import module_free
from wasmote.core.gc.roots import roots_remove_global, roots_remove_table
from wasmote.core.instantiate import instance_destroy
from wasmote.core.memory import memory_release
from wasmote.core.status import ValueType
from wasmote.core.store import store_add_function, store_remove_function
from wasmote.core.structs import FuncInst, HostGlobal, Instance, Memory, Module, Table, Tag
from wasmote.core.table import table_release
from wasmote.core.tags import tag_release
from wasmote.core.type_store import store_release_type, store_remove_types, store_type_id
from wasmote.core.value_types import is_reference
from wasmote.host.cpython.structs import (
    Buffer,
    FuncObject,
    HostFunction,
    MemoryObject,
    Object,
    OwnerObject,
    Python,
)
from wasmote.nativepy import (
    copy,
    fill,
    fn,
    i32,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    usize,
    void,
)

Visit = fn[[ptr[Object], ptr[u8]], i32]


@inline
def retain(python, thing):
    """Take a reference to an object; None is allowed."""
    if thing is not None:
        python.Py_IncRef(ptr[Object](thing))


@inline
def drop(python, thing):
    """Give a reference back; None is allowed."""
    if thing is not None:
        python.Py_DecRef(ptr[Object](thing))


@inline
def visit_one(visit, thing, argument):
    """What Py_VISIT does."""
    return i32(0) if thing is None else visit(ptr[Object](thing), argument)


@inline
def free_object(python, self):
    """The end of every tp_dealloc. Instances of heap types own a reference to their type."""
    type = self.header.type
    python.PyObject_GC_Del(ptr[Object](self))
    python.Py_DecRef(type)


# -- Owner ---------------------------------------------------------------------------------------


@native(export="cpython_owner_new")
def owner_new(
    python: ptr[Python],
    resource: ptr[u8],
    release: fn[[ptr[OwnerObject]], void],
    links: ptr[Object],
    base: ptr[Object],
) -> ptr[Object]:
    """A new Owner. None: a Python exception is set."""
    self = ptr[OwnerObject](python.PyType_GenericAlloc(python.owner_type, 0))
    if self is None:
        return None
    self.python = python
    self.resource = resource
    self.release = release
    self.links = links
    self.base = base
    retain(python, links)
    retain(python, base)
    return ptr[Object](self)


@native(export="cpython_owner_traverse")
def owner_traverse(self: ptr[OwnerObject], visit: Visit, argument: ptr[u8]) -> i32:
    status = visit(self.header.type, argument)
    if status == 0:
        status = visit_one(visit, self.links, argument)
    if status == 0:
        status = visit_one(visit, self.base, argument)
    return status


@native(export="cpython_owner_dealloc")
def owner_dealloc(self: ptr[OwnerObject]) -> void:
    python = self.python
    python.PyObject_GC_UnTrack(ptr[Object](self))
    if self.weak_references is not None:
        python.PyObject_ClearWeakRefs(ptr[Object](self))
    if self.release is not None:
        self.release(self)
    drop(python, self.links)
    drop(python, self.base)
    free_object(python, self)


@native(export="cpython_release_block")
def release_block(self: ptr[OwnerObject]) -> void:
    """For what the binding has allocated."""
    self.python.platform.release(self.resource)


@native(export="cpython_release_module")
def release_module(self: ptr[OwnerObject]) -> void:
    module = ptr[Module](self.resource)
    store_remove_types(self.python.store, module)
    module_free(module)
    release_block(self)


@native(export="cpython_release_instance")
def release_instance(self: ptr[OwnerObject]) -> void:
    instance_destroy(ptr[Instance](self.resource))


@native(export="cpython_release_memory")
def release_memory(self: ptr[OwnerObject]) -> void:
    memory_release(ptr[Memory](self.resource))


@native(export="cpython_release_tag")
def release_tag(self: ptr[OwnerObject]) -> void:
    tag_release(ptr[Tag](self.resource))


@native(export="cpython_release_table")
def release_table(self: ptr[OwnerObject]) -> void:
    """Of the host."""
    table = ptr[Table](self.resource)
    roots_remove_table(self.python.store, table)
    table_release(table)


@native(export="cpython_release_global")
def release_global(self: ptr[OwnerObject]) -> void:
    """Of the host."""
    variable = ptr[HostGlobal](self.resource)
    if is_reference(variable.variable.content):
        roots_remove_global(self.python.store, variable)
    release_block(self)


# -- Func ----------------------------------------------------------------------------------------


@native
def new_func(python: ptr[Python], f: ptr[FuncInst]) -> ptr[FuncObject]:
    """A Func that becomes the function instance's only one. None: a Python exception is set."""
    self = ptr[FuncObject](python.PyType_GenericAlloc(python.func_type, 0))
    if self is not None:
        self.vectorcall = python.vectorcall
        self.python = python
        self.function = f
        f.host = ptr[u8](self)
    return self


@native(export="cpython_func_of")
def func_of(python: ptr[Python], f: ptr[FuncInst]) -> ptr[Object]:
    """The Func of a function instance, as a new reference. None: a Python exception is set."""
    if f.host is not None:
        self = ptr[FuncObject](f.host)
        python.Py_IncRef(ptr[Object](self))
        return ptr[Object](self)
    made = new_func(python, f)
    if made is None:
        return None
    made.owner = ptr[OwnerObject](f.instance.host)
    retain(python, made.owner)
    return ptr[Object](made)


@inline
def cells_of(type: u32) -> u32:
    """Cells that a value takes."""
    if type == ValueType.V128:
        return 4
    return u32(2) if type == ValueType.I64 or type == ValueType.F64 else 1


@native
def count_cells(types: ptr[u32], count: u32) -> u32:
    cells: u32 = 0
    for i in range(count):
        cells += cells_of(types[i])
    return cells


@native
def new_host_function(
    python: ptr[Python], types: ptr[u32], params: u32, results: u32
) -> ptr[FuncInst]:
    """A function instance with a copy of its type. None: out of memory."""
    size = usize(params + results) * sizeof(u32)
    made = ptr[HostFunction](python.platform.allocate(sizeof(HostFunction) + size))
    if made is None:
        return None
    fill(made, 0, sizeof(HostFunction))
    type = made.type
    type.types = ptr[u32](made + 1)
    copy(type.types, types, size)
    type.param_count = params
    type.result_count = results
    type.param_cells = count_cells(types, params)
    type.result_cells = count_cells(types + params, results)
    type.id = store_type_id(python.store, type)
    f = made.instance
    f.type = type
    f.type_id = type.id
    if type.id == 0 or store_add_function(python.store, f) == 0:
        free_host_function(python, f)
        return None
    return f


@native
def free_host_function(python: ptr[Python], f: ptr[FuncInst]) -> void:
    store_remove_function(python.store, f)
    if f.type_id != 0:
        store_release_type(python.store, f.type_id)
    python.platform.release(ptr[u8](f))


@native(export="cpython_host_func_new")
def host_func_new(
    python: ptr[Python],
    types: ptr[u32],
    params: u32,
    results: u32,
    callable: ptr[Object],
    label: ptr[Object],
) -> ptr[Object]:
    """A Func that calls `callable`, or None as a callable: an import that nobody supplied.

    None: a Python exception is set.
    """
    f = new_host_function(python, types, params, results)
    if f is None:
        return python.PyErr_NoMemory()
    self = new_func(python, f)
    if self is None:
        free_host_function(python, f)
        return None
    if callable != python.none:
        self.callable = callable
        retain(python, callable)
    self.label = label
    retain(python, label)
    return ptr[Object](self)


@native(export="cpython_func_traverse")
def func_traverse(self: ptr[FuncObject], visit: Visit, argument: ptr[u8]) -> i32:
    status = visit(self.header.type, argument)
    if status == 0:
        status = visit_one(visit, self.owner, argument)
    if status == 0:
        status = visit_one(visit, self.callable, argument)
    return status


@native(export="cpython_func_dealloc")
def func_dealloc(self: ptr[FuncObject]) -> void:
    python = self.python
    python.PyObject_GC_UnTrack(ptr[Object](self))
    self.function.host = None  # first: nobody may find this object any more
    if self.weak_references is not None:
        python.PyObject_ClearWeakRefs(ptr[Object](self))
    if self.function.instance is None:
        free_host_function(python, self.function)
    drop(python, self.callable)
    drop(python, self.label)
    drop(python, self.owner)
    free_object(python, self)


# -- Memory --------------------------------------------------------------------------------------


@native(export="cpython_memory_new")
def memory_new(python: ptr[Python], memory: ptr[Memory], owner: ptr[OwnerObject]) -> ptr[Object]:
    """A Memory object for a memory that `owner` keeps alive. None: a Python exception is set."""
    self = ptr[MemoryObject](python.PyType_GenericAlloc(python.memory_type, 0))
    if self is None:
        return None
    self.python = python
    self.memory = memory
    self.owner = owner
    retain(python, owner)
    return ptr[Object](self)


@native(export="cpython_memory_getbuffer")
def memory_getbuffer(self: ptr[MemoryObject], view: ptr[Buffer], flags: i32) -> i32:
    """The bytes there are now, writable. The view keeps this object, and so the memory, alive."""
    memory = self.memory
    if memory is None:
        return -1  # not made by memory_new
    data = memory.data if memory.data is not None else ptr[u8](self)  # no bytes, but not NULL
    return self.python.PyBuffer_FillInfo(
        view, ptr[Object](self), data, usize(memory.size), 0, flags
    )


@native(export="cpython_memory_length")
def memory_length(self: ptr[MemoryObject]) -> usize:
    """len(memory): bytes."""
    return usize(0) if self.memory is None else usize(self.memory.size)


@native(export="cpython_memory_traverse")
def memory_traverse(self: ptr[MemoryObject], visit: Visit, argument: ptr[u8]) -> i32:
    status = visit(self.header.type, argument)
    return visit_one(visit, self.owner, argument) if status == 0 else status


@native(export="cpython_memory_dealloc")
def memory_dealloc(self: ptr[MemoryObject]) -> void:
    python = self.python
    if python is None:
        return  # object.__new__(Memory) made it: nothing in it leads to the function that frees it
    python.PyObject_GC_UnTrack(ptr[Object](self))
    if self.weak_references is not None:
        python.PyObject_ClearWeakRefs(ptr[Object](self))
    drop(python, self.owner)
    free_object(python, self)
