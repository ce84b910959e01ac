"""Memory: that of instances, as offsets and as views, and the runtime's own.

Where C has an address in linear memory, Python has a writable memoryview that ends with the memory.
"""

import ctypes

from wasmote import Func, Memory, Trap
from wasmote.api.app_heap import has_heap, heap_allocate, heap_free
from wasmote.api.caller import first_memory
from wasmote.api.layouts import InstanceLayout, MemoryLayout
from wasmote.api.lifetime import owner_layout
from wasmote.api.memory import wrap_memory
from wasmote.wamr.instances import ModuleInst
from wasmote.wamr.state import runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_OUT_OF_BOUNDS = "out of bounds memory access"
#: Reasons that `wasm_runtime_set_enlarge_mem_error_callback` is told of.
INTERNAL_ERROR, MAX_SIZE_REACHED = 0, 1
_PAGES = {(False, 65536): 65536, (True, 65536): 1 << 48, (False, 1): (1 << 32) - 1}


# -- the runtime's own ---------------------------------------------------------------------------


def wasm_runtime_malloc(size: int) -> bytearray | None:
    """Zeroed bytes of this process; None: out of memory."""
    try:
        return bytearray(max(size, 1))
    except MemoryError:
        return None


def wasm_runtime_realloc(ptr: bytearray | None, size: int) -> bytearray | None:
    """The same bytes, cut or extended by zeros; None: out of memory."""
    if ptr is None:
        return wasm_runtime_malloc(size)
    try:
        if size < len(ptr):
            del ptr[size:]
        else:
            ptr.extend(bytes(size - len(ptr)))
    except MemoryError:
        return None
    return ptr


def wasm_runtime_free(ptr: bytearray | None) -> None:
    """Nothing to do: bytes are freed when nobody refers to them."""


# -- allocation in linear memory -----------------------------------------------------------------


def wasm_runtime_module_malloc(module_inst: ModuleInst, size: int) -> tuple[int, memoryview | None]:
    """Allocate by the module's `malloc`, or in the app heap: the offset and a view, or 0, None."""
    offset = _allocate(module_inst, size)
    if not offset:
        return 0, None
    if not wasm_runtime_validate_app_addr(module_inst, offset, size):
        return 0, None
    return offset, wasm_runtime_addr_app_to_native(module_inst, offset)


def _allocate(inst: ModuleInst, size: int) -> int:
    from wasmote.wamr.calls import _values
    from wasmote.wamr.instances import wasm_runtime_get_exec_env_singleton

    memory = _memory(inst)
    if memory is not None and has_heap(memory):
        found = _in_heap(inst, lambda: heap_allocate(memory, size))
        if not found and inst.exception is None:
            inst.exception = "out of memory"
        return found
    exports = inst.instance.exports
    if "malloc" in exports and isinstance(exports["malloc"], Func):
        env = wasm_runtime_get_exec_env_singleton(inst)
        results = _values(env, exports["malloc"], [size])
        return int(results[0]) & 0xFFFF_FFFF if results else 0  # type: ignore[call-overload]
    inst.exception = "out of memory"
    return 0


def _in_heap(inst: ModuleInst, action: "Callable[[], int | None]") -> int:
    """Do something in the app heap; 0: an exception may be set."""
    try:
        return action() or 0
    except Trap as trap:
        inst.exception = trap.message
        return 0


def wasm_runtime_module_free(module_inst: ModuleInst, ptr: int) -> None:
    """Free what `wasm_runtime_module_malloc` gave, in the app heap or by the module's `free`."""
    from wasmote.wamr.calls import _values
    from wasmote.wamr.instances import wasm_runtime_get_exec_env_singleton

    memory = _memory(module_inst)
    if memory is not None and has_heap(memory):
        _in_heap(module_inst, lambda: heap_free(memory, ptr))
        return
    exports = module_inst.instance.exports
    if ptr and "free" in exports and isinstance(exports["free"], Func):
        _values(wasm_runtime_get_exec_env_singleton(module_inst), exports["free"], [ptr])


def wasm_runtime_module_dup_data(module_inst: ModuleInst, src: bytes, size: int) -> int:
    """Copy bytes to newly allocated linear memory; returns their offset, 0: failed."""
    offset, view = wasm_runtime_module_malloc(module_inst, size)
    if view is not None:
        view[:size] = src[:size]
    return offset


# -- addresses -----------------------------------------------------------------------------------


def _memory(inst: ModuleInst) -> Memory | None:
    try:
        return first_memory(inst.owner)
    except LookupError:
        return None


def _size(inst: ModuleInst) -> int:
    memory = _memory(inst)
    return 0 if memory is None else len(memory)  # type: ignore[arg-type]


def wasm_runtime_validate_app_addr(module_inst: ModuleInst, app_offset: int, size: int) -> bool:
    """Whether so many bytes are in memory; False: an exception is set."""
    if 0 <= app_offset <= _size(module_inst) - size and size >= 0:
        return True
    module_inst.exception = _OUT_OF_BOUNDS
    return False


def wasm_runtime_validate_app_str_addr(module_inst: ModuleInst, app_str_offset: int) -> bool:
    """Whether a string, with its zero byte, is in memory; False: an exception is set."""
    view = wasm_runtime_addr_app_to_native(module_inst, app_str_offset)
    if view is not None and 0 in view:
        return True
    module_inst.exception = _OUT_OF_BOUNDS
    return False


def wasm_runtime_validate_native_addr(
    module_inst: ModuleInst, native_ptr: memoryview, size: int
) -> bool:
    """Whether a view is one of memory, and so many bytes are there; False: an exception is set."""
    offset = wasm_runtime_addr_native_to_app(module_inst, native_ptr)
    if offset or _starts_memory(module_inst, native_ptr):
        return wasm_runtime_validate_app_addr(module_inst, offset, size)
    module_inst.exception = _OUT_OF_BOUNDS
    return False


def wasm_runtime_addr_app_to_native(module_inst: ModuleInst, app_offset: int) -> memoryview | None:
    """Memory from an offset on, writable; None: it is outside."""
    memory = _memory(module_inst)
    if memory is None or not 0 <= app_offset < len(memory):  # type: ignore[arg-type]
        return None
    return memoryview(memory)[app_offset:]  # type: ignore[arg-type]


def wasm_runtime_addr_native_to_app(module_inst: ModuleInst, native_ptr: memoryview) -> int:
    """The offset of a view of memory; 0: it is none."""
    memory = _memory(module_inst)
    if memory is None or not native_ptr.nbytes:
        return 0
    offset = _address(native_ptr) - (MemoryLayout.from_address(memory._address).data or 0)
    return offset if 0 <= offset < len(memory) else 0  # type: ignore[arg-type]


def _starts_memory(inst: ModuleInst, view: memoryview) -> bool:
    memory = _memory(inst)
    if memory is None or not view.nbytes:
        return False
    return bool(_address(view) == MemoryLayout.from_address(memory._address).data)


def _address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def wasm_runtime_get_app_addr_range(
    module_inst: ModuleInst, app_offset: int
) -> tuple[int, int] | None:
    """Where the memory that an offset is in starts and ends; None: it is outside."""
    size = _size(module_inst)
    return (0, size) if 0 <= app_offset < size else None


# -- memories ------------------------------------------------------------------------------------


def wasm_runtime_lookup_memory(module_inst: ModuleInst, name: str) -> Memory | None:
    """An exported memory; None: there is none of that name."""
    exports = module_inst.instance.exports
    found = exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
    return found if isinstance(found, Memory) else None


def wasm_runtime_get_default_memory(module_inst: ModuleInst) -> Memory | None:
    """Memory 0; None: the module has none."""
    return _memory(module_inst)


def wasm_runtime_get_memory(module_inst: ModuleInst, index: int) -> Memory | None:
    """A memory by its index; None: there is none."""
    layout = InstanceLayout.from_address(owner_layout(module_inst.owner).resource)
    if not 0 <= index < module_inst.module.module._layout.memory_count:
        return None
    place = layout.memories + index * ctypes.sizeof(ctypes.c_void_p)
    return wrap_memory(ctypes.c_void_p.from_address(place).value or 0, module_inst.owner)


def wasm_memory_get_cur_page_count(memory_inst: Memory) -> int:
    """Pages that a memory has."""
    return memory_inst.size


def wasm_memory_get_max_page_count(memory_inst: Memory) -> int:
    """Pages that a memory may have."""
    type = memory_inst.type
    most = _PAGES.get((type.is64, type.page_size), 1 << 64)
    return most if type.maximum is None else type.maximum


def wasm_memory_get_bytes_per_page(memory_inst: Memory) -> int:
    """Bytes of a page."""
    return memory_inst.type.page_size


def wasm_memory_get_shared(memory_inst: Memory) -> bool:
    """Whether a memory is shared by threads."""
    return memory_inst.type.shared


def wasm_memory_get_base_address(memory_inst: Memory) -> memoryview:
    """All of a memory, writable."""
    return memoryview(memory_inst)  # type: ignore[arg-type]


def wasm_memory_enlarge(memory_inst: Memory, inc_page_count: int) -> bool:
    """Grow a memory; False: it cannot."""
    try:
        memory_inst.grow(inc_page_count)
    except (MemoryError, ValueError):
        return False
    return True


def wasm_runtime_enlarge_memory(module_inst: ModuleInst, inc_page_count: int) -> bool:
    """Grow memory 0; False: it cannot, and the callback for that has been called."""
    memory = _memory(module_inst)
    if memory is None:
        return False
    if wasm_memory_enlarge(memory, inc_page_count):
        return True
    if runtime.enlarge_error is not None:
        most = wasm_memory_get_max_page_count(memory)
        reason = MAX_SIZE_REACHED if memory.size + inc_page_count > most else INTERNAL_ERROR
        runtime.enlarge_error(
            inc_page_count,
            _size(module_inst),
            0,
            reason,
            module_inst,
            None,
            runtime.enlarge_error_data,
        )
    return False


def wasm_runtime_set_enlarge_mem_error_callback(
    callback: "Callable[..., None] | None", user_data: object = None
) -> None:
    """`callback(pages, bytes now, memory index, reason, instance, exec_env, user_data)` hears of
    `wasm_runtime_enlarge_memory` that fails.
    """
    runtime.enlarge_error, runtime.enlarge_error_data = callback, user_data
