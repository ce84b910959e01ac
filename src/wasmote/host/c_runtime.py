"""Functions of WAMR's runtime that C libraries of native functions call (wasm_export.h).

A `wasm_exec_env_t` is an `Exec`, a `wasm_module_inst_t` an `Instance`. Offsets and sizes are those
of the instance's memory 0, and checked. What a library sets stays with the instance (`CState`). An
exception that it sets, or a trap of a function that it calls, goes on when the native function
returns.
"""

from wasmote.core.app_heap import app_heap_allocate, app_heap_free
from wasmote.core.bounds import in_range
from wasmote.core.function import instance_function
from wasmote.core.status import ExternKind
from wasmote.core.structs import Exec, FuncInst, Instance, Memory
from wasmote.interp.common.outside import call_function
from wasmote.nativepy import (
    addr,
    array,
    boolean,
    copy,
    data,
    fill,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Bytes of an exception's text, "Exception: " and a zero byte included; WAMR's limit.
TEXT = 128
PREFIX = data(b"Exception: ")
PREFIX_SIZE = 11
OUT_OF_BOUNDS = data(b"out of bounds memory access\0")
MALLOC, FREE = data(b"malloc\0"), data(b"free\0")
#: Places in `Exec.host`: the attachment of the C function that runs, and the trap code of a call
#: that it has made.
ATTACHMENT, PENDING = 0, 1


@struct
class CState:
    """What C libraries keep with an instance (`Instance.c_state`)."""

    exec: ptr[Exec]  # the thread of execution that asked for the instance last
    user_data: ptr[u8]
    custom_data: ptr[u8]
    text: array[u8, TEXT]  # of an exception, as C shows it; the first byte 0: none is set


@native
def state_of(inst: ptr[Instance]) -> ptr[CState]:
    """An instance's state, made when first needed; None: out of memory."""
    if inst.c_state is None:
        made = inst.platform.allocate(sizeof(CState))
        if made is not None:
            fill(made, 0, sizeof(CState))
            inst.c_state = made
    return ptr[CState](inst.c_state)


@inline
def has_exception(inst):
    return inst.c_state is not None and ptr[CState](inst.c_state).text[0] != 0


@native(no_builtins=True)
def length(text: ptr[u8]) -> usize:
    n = usize(0)
    while text[n] != 0:
        n += 1
    return n


# -- environments and instances ------------------------------------------------------------------


@native(export="wasm_runtime_get_module_inst")
def get_module_inst(exec: ptr[Exec]) -> ptr[Instance]:
    entry = exec.entry
    inst = entry.instance if entry is not None else None
    if inst is not None:
        state = state_of(inst)
        if state is not None:
            state.exec = exec
    return inst


@native(export="wasm_runtime_get_function_attachment")
def get_function_attachment(exec: ptr[Exec]) -> ptr[u8]:
    return ptr[u8](usize(exec.host[ATTACHMENT]))


@native(export="wasm_runtime_get_user_data")
def get_user_data(exec: ptr[Exec]) -> ptr[u8]:
    inst = get_module_inst(exec)
    state = state_of(inst) if inst is not None else None
    return state.user_data if state is not None else None


@native(export="wasm_runtime_set_user_data")
def set_user_data(exec: ptr[Exec], value: ptr[u8]) -> void:
    inst = get_module_inst(exec)
    state = state_of(inst) if inst is not None else None
    if state is not None:
        state.user_data = value


@native(export="wasm_runtime_get_custom_data")
def get_custom_data(inst: ptr[Instance]) -> ptr[u8]:
    state = state_of(inst)
    return state.custom_data if state is not None else None


@native(export="wasm_runtime_set_custom_data")
def set_custom_data(inst: ptr[Instance], value: ptr[u8]) -> void:
    state = state_of(inst)
    if state is not None:
        state.custom_data = value


# -- exceptions ----------------------------------------------------------------------------------


@native(export="wasm_runtime_set_exception")
def set_exception(inst: ptr[Instance], text: ptr[u8]) -> void:
    """None clears it."""
    state = state_of(inst)
    if state is None:
        return
    state.text[0] = 0
    if text is None:
        return
    size = length(text)
    if size > TEXT - PREFIX_SIZE - 1:
        size = TEXT - PREFIX_SIZE - 1
    copy(addr(state.text), PREFIX, PREFIX_SIZE)
    copy(addr(state.text) + PREFIX_SIZE, text, size)
    state.text[PREFIX_SIZE + size] = 0


@native(export="wasm_runtime_get_exception")
def get_exception(inst: ptr[Instance]) -> ptr[u8]:
    return addr(ptr[CState](inst.c_state).text) if has_exception(inst) else None


@native(export="wasm_runtime_clear_exception")
def clear_exception(inst: ptr[Instance]) -> void:
    set_exception(inst, None)


# -- addresses -----------------------------------------------------------------------------------


@inline
def memory_of(inst) -> ptr[Memory]:
    return inst.memories[0] if inst.module.memory_count != 0 else None


@native
def checked(inst: ptr[Instance], fine: boolean) -> boolean:
    """Set an exception for what leads out of memory."""
    if not fine:
        set_exception(inst, OUT_OF_BOUNDS)
    return fine


@native
def offset_of(memory: ptr[Memory], place: ptr[u8]) -> u64:
    """Where an address is in memory; beyond its size: elsewhere."""
    return u64(usize(place) - usize(memory.data))


@native(export="wasm_runtime_validate_app_addr")
def validate_app_addr(inst: ptr[Instance], offset: u64, size: u64) -> boolean:
    memory = memory_of(inst)
    return checked(inst, memory is not None and in_range(memory.size, offset, size))


@native(export="wasm_runtime_validate_app_str_addr")
def validate_app_str_addr(inst: ptr[Instance], offset: u64) -> boolean:
    memory = memory_of(inst)
    if memory is not None:
        for i in range(offset, memory.size):
            if memory.data[i] == 0:
                return True
    return checked(inst, False)


@native(export="wasm_runtime_validate_native_addr")
def validate_native_addr(inst: ptr[Instance], place: ptr[u8], size: u64) -> boolean:
    memory = memory_of(inst)
    fine = memory is not None and in_range(memory.size, offset_of(memory, place), size)
    return checked(inst, fine)


@native(export="wasm_runtime_addr_app_to_native")
def addr_app_to_native(inst: ptr[Instance], offset: u64) -> ptr[u8]:
    """None outside memory."""
    memory = memory_of(inst)
    if memory is None or offset >= memory.size:
        return None
    return memory.data + offset


@native(export="wasm_runtime_addr_native_to_app")
def addr_native_to_app(inst: ptr[Instance], place: ptr[u8]) -> u64:
    """0 outside memory."""
    memory = memory_of(inst)
    if memory is None or offset_of(memory, place) >= memory.size:
        return 0
    return offset_of(memory, place)


@native(export="wasm_runtime_get_app_addr_range")
def get_app_addr_range(inst: ptr[Instance], offset: u64, start: ptr[u64], end: ptr[u64]) -> boolean:
    """Either pointer may be None."""
    memory = memory_of(inst)
    if memory is None or offset >= memory.size:
        return False
    if start is not None:
        start[0] = 0
    if end is not None:
        end[0] = memory.size
    return True


@native(export="wasm_runtime_get_native_addr_range")
def get_native_addr_range(
    inst: ptr[Instance], place: ptr[u8], start: ptr[ptr[u8]], end: ptr[ptr[u8]]
) -> boolean:
    """Either pointer may be None."""
    memory = memory_of(inst)
    if memory is None or offset_of(memory, place) >= memory.size:
        return False
    if start is not None:
        start[0] = memory.data
    if end is not None:
        end[0] = memory.data + memory.size
    return True


# -- allocation ----------------------------------------------------------------------------------


@native
def exported_function(inst: ptr[Instance], name: ptr[u8]) -> ptr[FuncInst]:
    """An exported function; None: there is none of that name."""
    size = length(name)
    module = inst.module
    for i in range(module.export_count):
        export = module.exports + i
        if export.kind == ExternKind.FUNCTION and usize(export.name.size) == size:
            same = usize(0)
            while same < size and export.name.data[same] == name[same]:
                same += 1
            if same == size:
                return instance_function(inst, export.index)
    return None


@native
def call_exported(inst: ptr[Instance], name: ptr[u8], value: u64) -> u64:
    """Call `malloc` or `free` of the module, from the thread that asked for the instance last."""
    state = state_of(inst)
    f = exported_function(inst, name)
    if f is None or state is None or state.exec is None or f.type.param_cells != 1:
        return 0
    cell = stack(u32)
    cell[0] = u32(value)
    return u64(cell[0]) if call_cells(state.exec, f, 1, cell) else u64(0)


@native(export="wasm_runtime_module_malloc")
def module_malloc(inst: ptr[Instance], size: u64, place: ptr[ptr[u8]]) -> u64:
    """In the app heap, else by the module's own `malloc`: an offset, or 0.

    `place` may be None.
    """
    memory = memory_of(inst)
    if memory is None:
        return 0
    if memory.heap is not None:
        offset = app_heap_allocate(memory, size, 16)
    else:
        offset = call_exported(inst, MALLOC, size)
    if offset == 0 or not in_range(memory.size, offset, size):
        return 0
    if place is not None:
        place[0] = memory.data + offset
    return offset


@native(export="wasm_runtime_module_free")
def module_free(inst: ptr[Instance], offset: u64) -> void:
    memory = memory_of(inst)
    if memory is not None and offset != 0:
        if memory.heap is not None:
            app_heap_free(memory, offset)
        else:
            call_exported(inst, FREE, offset)


@native(export="wasm_runtime_module_dup_data")
def module_dup_data(inst: ptr[Instance], source: ptr[u8], size: u64) -> u64:
    offset = module_malloc(inst, size, None)
    if offset != 0:
        copy(memory_of(inst).data + offset, source, usize(size))
    return offset


# -- calls ---------------------------------------------------------------------------------------


@native
def call_cells(exec: ptr[Exec], f: ptr[FuncInst], count: u32, argv: ptr[u32]) -> boolean:
    """Call a function: arguments and results are cells at `argv`. False: a trap is on its way."""
    kind = f.type
    if exec.host[PENDING] != 0 or count < kind.param_cells:
        return False
    cells = exec.top
    room = kind.param_cells if kind.param_cells > kind.result_cells else kind.result_cells
    if usize(exec.stack_end) - usize(cells) < usize(room) * 4:
        return False
    copy(cells, argv, usize(kind.param_cells) * 4)
    entry = exec.entry
    exec.top = cells + room
    code = call_function(exec, f, cells)
    exec.top = cells
    exec.entry = entry
    if code != 0:
        exec.host[PENDING] = u64(code)
        return False
    copy(argv, cells, usize(kind.result_cells) * 4)
    return True


@native(export="wasm_runtime_lookup_function")
def lookup_function(inst: ptr[Instance], name: ptr[u8]) -> ptr[FuncInst]:
    return exported_function(inst, name)


@native(export="wasm_runtime_call_wasm")
def call_wasm(exec: ptr[Exec], f: ptr[FuncInst], count: u32, argv: ptr[u32]) -> boolean:
    return f is not None and call_cells(exec, f, count, argv)


@native(export="wasm_runtime_call_indirect")
def call_indirect(exec: ptr[Exec], place: u32, count: u32, argv: ptr[u32]) -> boolean:
    """Call what is at a place of table 0."""
    inst = get_module_inst(exec)
    if inst is None or inst.module.table_count == 0 or place >= inst.tables[0].size:
        return False
    handle = inst.tables[0].elements[place]
    return handle != 0 and call_cells(exec, inst.store.functions[handle], count, argv)
