"""malloc and its like (stdlib.h), in the app heap of the caller's memory.

Where the memory has none, the function's Python callable is called: the program may export its own.
"""

from wasmote.core.app_heap import (
    app_heap_allocate,
    app_heap_free,
    app_heap_resize,
    heap_of,
)
from wasmote.core.memory import memory_copy, memory_fill
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst
from wasmote.libc.native.access import caller_memory, check, checked_length, libc_function, result
from wasmote.nativepy import inline, ptr, store, trap_if, u32, u64

#: What malloc aligns to.
ALIGNMENT = 16
#: errno's values, as wasi-libc has them, for posix_memalign.
EINVAL, ENOMEM = 28, 48


@inline
def has_heap(memory):
    return memory is not None and memory.heap is not None


@inline
def otherwise(exec, f, cells):
    """Call the Python callable instead."""
    return exec.platform.call_host(exec, f, cells)


@inline
def intact(memory, value):
    """A result, unless the heap turned out to be corrupted."""
    trap_if(heap_of(memory).corrupted != 0, TrapCode.APP_HEAP_CORRUPTED)
    return value


@inline
def allocated(exec, f, cells, size):
    memory = caller_memory(exec)
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    place = app_heap_allocate(memory, size, ALIGNMENT)
    return result(cells, intact(memory, place))


@libc_function
def malloc(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return allocated(exec, f, cells, u64(cells[0]))


@libc_function
def cxa_allocate_exception(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return allocated(exec, f, cells, u64(cells[0]))


@libc_function
def calloc(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    size = u64(cells[0]) * u64(cells[1])
    place = app_heap_allocate(memory, size, ALIGNMENT)
    trap_if(heap_of(memory).corrupted != 0, TrapCode.APP_HEAP_CORRUPTED)
    if place != 0:
        memory_fill(memory, place, 0, size)
    return result(cells, place)


@libc_function
def realloc(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    size = u64(cells[1])
    if cells[0] == 0:
        place = app_heap_allocate(memory, size, ALIGNMENT)
    else:
        place = app_heap_resize(memory, u64(cells[0]), size)
    return result(cells, intact(memory, place))


@libc_function
def free(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    app_heap_free(memory, u64(cells[0]))
    return intact(memory, u32(0))


@libc_function
def posix_memalign(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check(memory, cells[0], u64(4))
    alignment = cells[1]
    if alignment < 4 or alignment & (alignment - 1) != 0:
        return result(cells, u32(EINVAL))
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    place = intact(memory, app_heap_allocate(memory, u64(cells[2]), u64(alignment)))
    if place == 0:
        return result(cells, u32(ENOMEM))
    store(ptr[u32](memory.data + u64(cells[0])), u32(place), align=1)
    return result(cells, u32(0))


@inline
def duplicate(exec, f, cells):
    memory = caller_memory(exec)
    size = checked_length(memory, cells[0]) + 1
    if not has_heap(memory):
        return otherwise(exec, f, cells)
    place = intact(memory, app_heap_allocate(memory, size, ALIGNMENT))
    if place != 0:
        memory_copy(memory, memory, place, u64(cells[0]), size)
        memory.data[place + size - 1] = 0  # whatever another thread has done meanwhile
    return result(cells, place)


@libc_function
def strdup(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return duplicate(exec, f, cells)
