"""Makes instances of modules (spec: Instantiation) and takes them down.

An instance is one block of memory: the `Instance`, an array of pointers for each index space, its
own globals, and a byte for each segment. Its memories, tables and function instances are blocks of
their own, made by the functions that also make the host's.

Ownership. An instance owns what it defines and borrows what it imports. The host keeps whoever owns
something alive for as long as anybody can reach it: an instance while one of its exports is in use,
and a function's instance while its handle is in a table, a global or an instance that may outlive
it. To keep an instance's own memory or table longer than the instance, set its entry in `memories`
or `tables` to None just before `instance_destroy`, and free it with `memory_release` or
`table_release`.
"""

from wasmote.core.arithmetic import larger
from wasmote.core.const_expr import const_evaluate, const_offset, const_value
from wasmote.core.function import function_create, function_release, instance_function
from wasmote.core.linking import Mismatch, match_import
from wasmote.core.memory import data_drop, memory_create, memory_init, memory_release
from wasmote.core.reader import Reader, open_reader
from wasmote.core.status import ExternKind, SegmentMode, TrapCode
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import (
    Error,
    FuncInst,
    Global,
    Instance,
    Memory,
    Module,
    Store,
    Table,
    Tag,
)
from wasmote.core.table import elem_drop, table_create, table_fill, table_init, table_release
from wasmote.core.tags import tag_create, tag_release
from wasmote.core.value_types import is_function_reference
from wasmote.nativepy import (
    const,
    fill,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    u64,
    usize,
    void,
)


@native(export="instance_create")
def instance_create(
    store: ptr[Store],
    module: ptr[Module],
    imports: ptr[ptr[u8]],
    out: ptr[ptr[Instance]],
    error: ptr[Error],
) -> u32:
    """Instantiate a module whose types have ids (`store_add_types`). The start function is not run.

    `imports` has one entry for each of the module's imports, in order: FuncInst, Table, Memory,
    Global or Tag, as its kind says; None for a function makes one that traps with UNLINKED_IMPORT.

    Returns 0, or a trap code that is in `error.status` too:
    - UNLINKED_IMPORT: import number `error.detail` does not match; `detail2` says why (`Mismatch`);
    - OUT_OF_MEMORY, also for what exceeds the module's limits: `detail2` is the `ExternKind` and
      `detail` the index of what could not be made (FUNCTION 0: the instance as such);
    - MEMORY_OUT_OF_BOUNDS, TABLE_OUT_OF_BOUNDS: data or element segment `detail` does not fit.

    `out[0]` is None, or the instance. With an error it is an instance whose segments were being
    applied: what they have written stays, so if it imports a table or a mutable global it must live
    as long as that does; otherwise destroy it.
    """
    out[0] = None
    fill(error, 0, sizeof(Error))
    error.status = check_imports(store, module, imports, error)
    if error.status != 0:
        return error.status
    instance = allocate_instance(store, module)
    if instance is None:
        return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.FUNCTION, 0)
    if fill_instance(instance, imports, error) != 0:
        instance_destroy(instance)
        return error.status
    out[0] = instance
    if apply_elements(instance, error) == 0:
        apply_data(instance, error)
    return error.status


@native(export="instance_destroy")
def instance_destroy(instance: ptr[Instance]) -> void:
    """Free an instance and what it owns; see the module's docstring for who must be gone before."""
    module = instance.module
    unlist_instance(instance)
    for i in range(module.element_count):
        instance.platform.release(ptr[u8](instance.element_values[i]))
    for i in range(module.function_count):
        if instance.functions[i] is not None:
            function_release(instance, instance.functions[i])
    for i in range(module.imported_tables, module.table_count):
        if instance.tables[i] is not None:
            table_release(instance.tables[i])
    for i in range(module.imported_memories, module.memory_count):
        if instance.memories[i] is not None and instance.borrows == 0:
            memory_release(instance.memories[i])
    for i in range(module.imported_tags, module.tag_count):
        if instance.tags[i] is not None:
            tag_release(instance.tags[i])
    instance.platform.release(instance.native)
    instance.platform.release(instance.c_state)
    instance.platform.release(ptr[u8](instance))


@native(export="instance_share_memories")
def instance_share_memories(instance: ptr[Instance], other: ptr[Instance]) -> void:
    """Give a new instance the memories of another one of its module, which must live longer.

    Its data segments went to memories of its own, so they leave no trace.
    """
    module = instance.module
    for i in range(module.imported_memories, module.memory_count):
        memory_release(instance.memories[i])
        instance.memories[i] = other.memories[i]
    instance.borrows = 1


@native(export="instance_export")
def instance_export(instance: ptr[Instance], index: u32) -> ptr[u8]:
    """What the module's export number `index` stands for: FuncInst, Table, Memory, Global
    or Tag.

    None: out of memory.
    """
    export = instance.module.exports + index
    match export.kind:
        case ExternKind.FUNCTION:
            return ptr[u8](instance_function(instance, export.index))
        case ExternKind.TABLE:
            return ptr[u8](instance.tables[export.index])
        case ExternKind.MEMORY:
            return ptr[u8](instance.memories[export.index])
        case ExternKind.GLOBAL:
            return ptr[u8](instance.globals[export.index])
        case _:
            return ptr[u8](instance.tags[export.index])


@native(cold=True)
def failed(error: ptr[Error], status: u32, kind: u32, index: u32) -> u32:
    error.status = status
    error.detail = u64(index)
    error.detail2 = u64(kind)
    return status


@native
def check_imports(
    store: ptr[Store], module: ptr[Module], imports: ptr[ptr[u8]], error: ptr[Error]
) -> u32:
    for i in range(module.import_count):
        mismatch = match_import(store, module, module.imports + i, imports[i])
        if mismatch != Mismatch.NONE:
            return failed(error, TrapCode.UNLINKED_IMPORT, mismatch, i)
    return 0


# -- memory ------------------------------------------------------------------------------------


@native(export="instance_size")
def instance_size(module: ptr[Module]) -> u64:
    """Bytes of an instance's own block: what it takes without memories, tables and references."""
    pointers = u64(module.memory_count) + u64(module.table_count) + u64(module.global_count)
    pointers += u64(module.imported_functions) + u64(module.function_count)
    pointers += u64(module.element_count) + u64(module.tag_count)
    own_globals = u64(module.global_count - module.imported_globals)
    segments = u64(module.element_count) + u64(module.data_count)
    size = pointers * sizeof(ptr[u8]) + own_globals * sizeof(Global) + segments
    return sizeof(Instance) + size


@inline
def carve(at: ptr[usize], T: const, count: u32):
    """Take room for `count` T from a block; `at` holds the address of what is left of it."""
    taken = ptr[T](at[0])
    at[0] = at[0] + usize(count) * sizeof(T)
    return taken


@native
def allocate_instance(store: ptr[Store], module: ptr[Module]) -> ptr[Instance]:
    """The instance's block, zeroed, with its arrays in place and its own globals in their array."""
    size = instance_size(module)
    if size > u64(~usize(0)):
        return None
    instance = ptr[Instance](store.platform.allocate(usize(size)))
    if instance is None:
        return None
    fill(instance, 0, usize(size))
    instance.module = module
    instance.platform = store.platform
    instance.store = store
    at = stack(usize)
    at[0] = usize(instance + 1)
    # Strictest alignment first.
    instance.memories = carve(at, ptr[Memory], module.memory_count)
    instance.tables = carve(at, ptr[Table], module.table_count)
    instance.globals = carve(at, ptr[Global], module.global_count)
    instance.tags = carve(at, ptr[Tag], module.tag_count)
    instance.imported = carve(at, ptr[FuncInst], module.imported_functions)
    instance.functions = carve(at, ptr[FuncInst], module.function_count)
    instance.element_values = carve(at, ptr[u32], module.element_count)
    for i in range(module.imported_globals, module.global_count):
        instance.globals[i] = carve(at, Global, 1)
    instance.dropped_elements = carve(at, u8, module.element_count)
    instance.dropped_data = carve(at, u8, module.data_count)
    list_instance(instance)
    return instance


@native
def list_instance(instance: ptr[Instance]) -> void:
    """Let the garbage collector find the instance's tables and globals."""
    s = instance.store
    lock(s)
    instance.next = s.instances
    if s.instances is not None:
        s.instances.previous = instance
    s.instances = instance
    unlock(s)


@native
def unlist_instance(instance: ptr[Instance]) -> void:
    s = instance.store
    lock(s)
    if instance.previous is not None:
        instance.previous.next = instance.next
    else:
        s.instances = instance.next
    if instance.next is not None:
        instance.next.previous = instance.previous
    unlock(s)


# -- index spaces ------------------------------------------------------------------------------


@native
def fill_instance(instance: ptr[Instance], imports: ptr[ptr[u8]], error: ptr[Error]) -> u32:
    """Bind the imports and make the instance's own tables, memories and globals."""
    status = bind_imports(instance, imports, error)
    if status == 0:
        status = create_storage(instance, error)
    if status == 0:
        status = init_globals(instance, error)
    if status == 0:
        status = init_tables(instance, error)
    if status == 0:
        status = evaluate_elements(instance, error)
    return status


@native
def bind_imports(instance: ptr[Instance], imports: ptr[ptr[u8]], error: ptr[Error]) -> u32:
    module = instance.module
    for i in range(module.import_count):
        index = module.imports[i].index
        match module.imports[i].kind:
            case ExternKind.FUNCTION:
                f = ptr[FuncInst](imports[i])
                if f is None:
                    type = module.types + module.functions[index].type
                    f = function_create(instance.platform, type, index)
                    if f is None:
                        return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.FUNCTION, index)
                    instance.functions[index] = f  # whose entries the instance owns
                instance.imported[index] = f
            case ExternKind.TABLE:
                instance.tables[index] = ptr[Table](imports[i])
            case ExternKind.MEMORY:
                instance.memories[index] = ptr[Memory](imports[i])
            case ExternKind.GLOBAL:
                instance.globals[index] = ptr[Global](imports[i])
            case _:
                instance.tags[index] = ptr[Tag](imports[i])
    return 0


@native
def create_storage(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Make the instance's own tables, memories and tags."""
    module = instance.module
    platform, limits = instance.platform, module.limits
    for i in range(module.imported_tables, module.table_count):
        table = table_create(platform, module.tables + i, limits.table_elements)
        if table is None:
            return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.TABLE, i)
        instance.tables[i] = table
    for i in range(module.imported_memories, module.memory_count):
        memory = memory_create(platform, module.memories + i, limits.memory_pages)
        if memory is None:
            return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.MEMORY, i)
        instance.memories[i] = memory
    for i in range(module.imported_tags, module.tag_count):
        instance.tags[i] = tag_create(instance.store, module.types + module.tags[i].type)
        if instance.tags[i] is None:
            return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.TAG, i)
    return 0


@native
def init_globals(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Evaluate the initial values, in order: each may use the globals before it."""
    module = instance.module
    for i in range(module.imported_globals, module.global_count):
        type = module.globals + i
        variable = instance.globals[i]
        variable.content = type.content
        variable.mutable = type.mutable
        status = const_value(instance, type.init, variable.value)
        if status != 0:
            return failed(error, status, ExternKind.GLOBAL, i)
    return 0


@native
def init_tables(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Evaluate the initial values of the tables that have one."""
    module = instance.module
    value = stack(u32, 4)
    for i in range(module.imported_tables, module.table_count):
        if module.tables[i].init.code is not None:
            table = instance.tables[i]
            status = const_value(instance, module.tables[i].init, value)
            if status == 0:
                status = table_fill(table, 0, value[0], u64(table.size))
            if status != 0:
                return failed(error, status, ExternKind.TABLE, i)
    return 0


@native
def evaluate_elements(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Evaluate the items of segments that may be objects: each is made once."""
    module = instance.module
    value = stack(u32, 4)
    for i in range(module.element_count):
        segment = module.elements + i
        if segment.functions == 0 and not is_function_reference(segment.type):
            size = usize(larger(segment.count, u32(1))) * sizeof(u32)
            values = ptr[u32](instance.platform.allocate(size))
            if values is None:
                return failed(error, TrapCode.OUT_OF_MEMORY, ExternKind.TABLE, i)
            fill(values, 0, size)
            instance.element_values[i] = values
            r = stack(Reader)
            open_reader(r, segment.items, usize(segment.items_size), stack(Error))
            for j in range(segment.count):
                status = const_evaluate(instance, r, value)
                if status != 0:
                    return failed(error, status, ExternKind.TABLE, i)
                values[j] = value[0]
    return 0


# -- segments ----------------------------------------------------------------------------------


@native
def apply_elements(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Run the active element segments, in order, as table.init and elem.drop."""
    module = instance.module
    offset = stack(u64)
    for i in range(module.element_count):
        segment = module.elements + i
        if segment.mode == SegmentMode.ACTIVE:
            table = instance.tables[segment.table]
            status = const_offset(instance, segment.offset, table.type.flags, offset)
            if status == 0:
                status = table_init(instance, i, table, offset[0], 0, u64(segment.count))
            if status != 0:
                return failed(error, status, ExternKind.TABLE, i)
        if segment.mode != SegmentMode.PASSIVE:
            elem_drop(instance, i)
    return 0


@native
def apply_data(instance: ptr[Instance], error: ptr[Error]) -> u32:
    """Run the active data segments, in order, as memory.init and data.drop."""
    module = instance.module
    offset = stack(u64)
    for i in range(module.data_count):
        segment = module.data + i
        if segment.mode == SegmentMode.ACTIVE:
            memory = instance.memories[segment.memory]
            status = const_offset(instance, segment.offset, memory.type.flags, offset)
            if status == 0:
                status = memory_init(instance, i, memory, offset[0], 0, u64(segment.size))
            if status != 0:
                return failed(error, status, ExternKind.MEMORY, i)
            data_drop(instance, i)
    return 0
