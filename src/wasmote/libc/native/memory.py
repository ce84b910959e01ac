"""memcpy and its like (string.h)."""

from wasmote.core.memory import memory_copy, memory_fill
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.libc.native.access import (
    ENDLESS,
    bytes_at,
    caller_memory,
    check,
    libc_function,
    result,
    size_of,
)
from wasmote.nativepy import i32, inline, native, ptr, trap_if, u8, u32, u64


@inline
def move(exec, cells):
    memory = caller_memory(exec)
    check(memory, cells[0], u64(cells[2]))
    return memory_copy(memory, memory, u64(cells[0]), u64(cells[1]), u64(cells[2]))


@libc_function
def memcpy(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Overlapping ranges are copied as memmove does."""
    return move(exec, cells)


@libc_function
def memmove(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return move(exec, cells)


@libc_function
def emscripten_memcpy_big(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return move(exec, cells)


@libc_function
def memset(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check(memory, cells[0], u64(cells[2]))
    return memory_fill(memory, u64(cells[0]), u8(cells[1]), u64(cells[2]))


@libc_function
def memcmp(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    size = u64(cells[2])
    check(memory, cells[0], size)
    check(memory, cells[1], size)
    return result(
        cells, compare_bytes(bytes_at(memory, cells[0]), bytes_at(memory, cells[1]), size)
    )


@native(no_builtins=True)
def compare_bytes(a: ptr[u8], b: ptr[u8], size: u64) -> i32:
    for i in range(size):
        if a[i] != b[i]:
            return i32(a[i]) - i32(b[i])
    return 0


@libc_function
def memchr(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    start = u64(cells[0])
    check(memory, start, u64(0))
    found = find_byte(memory, start, u8(cells[1]), u64(cells[2]))
    trap_if(found == ENDLESS, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return result(cells, found)


@native(no_builtins=True)
def find_byte(memory: ptr[Memory], start: u64, byte: u8, size: u64) -> u64:
    """Where a byte is, 0 if it is not there, ENDLESS if memory ends first."""
    end = size_of(memory)
    stop = start + size
    for i in range(start, stop if stop < end else end):
        if memory.data[i] == byte:
            return i
    return u64(0) if stop <= end else u64(ENDLESS)
