"""Functions of strings (string.h)."""

from wasmote.core.memory import memory_copy, memory_fill
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.libc.native.access import (
    ENDLESS,
    bounded_length,
    bytes_at,
    caller_memory,
    check,
    checked_length,
    libc_function,
    result,
    size_of,
)
from wasmote.libc.native.memory import compare_bytes
from wasmote.nativepy import boolean, const, i32, inline, native, ptr, trap_if, u8, u32, u64


@libc_function
def strlen(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return result(cells, checked_length(caller_memory(exec), cells[0]))


@libc_function
def strchr(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    wanted = u8(cells[1])
    i = u64(cells[0])
    while True:
        check(memory, i, u64(1))
        byte = memory.data[i]
        if byte == wanted:
            return result(cells, i)
        if byte == 0:
            return result(cells, u32(0))
        i += 1


# -- comparing -----------------------------------------------------------------------------------


@inline
def lowered(byte) -> i32:
    """A byte as strncasecmp compares it."""
    return i32(byte) + 32 if byte >= 65 and byte <= 90 else i32(byte)


@native
def difference(
    memory: ptr[Memory], a: u64, b: u64, most: u64, out: ptr[u32], folded: const
) -> boolean:
    """Compare two strings, `most` bytes at most. False: one leads out of memory."""
    end = size_of(memory)
    out[0] = 0
    for i in range(most):
        if a + i >= end or b + i >= end:
            return False
        x = memory.data[a + i]
        y = memory.data[b + i]
        found = lowered(x) - lowered(y) if folded else i32(x) - i32(y)
        if found != 0 or x == 0:
            out[0] = u32(found)
            return True
    return True


@inline
def compare(exec, cells, most, folded):
    memory = caller_memory(exec)
    trap_if(memory is None, TrapCode.MEMORY_OUT_OF_BOUNDS)
    fine = difference(memory, u64(cells[0]), u64(cells[1]), most, cells, folded)
    trap_if(not fine, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return u32(0)


@libc_function
def strcmp(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return compare(exec, cells, u64(ENDLESS), False)


@libc_function
def strncmp(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return compare(exec, cells, u64(cells[2]), False)


@libc_function
def strncasecmp(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return compare(exec, cells, u64(cells[2]), True)


# -- copying -------------------------------------------------------------------------------------


@libc_function
def strcpy(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    size = checked_length(memory, cells[1]) + 1
    return memory_copy(memory, memory, u64(cells[0]), u64(cells[1]), size)


@libc_function
def strncpy(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """What the string leaves of the buffer becomes zero."""
    memory = caller_memory(exec)
    size = u64(cells[2])
    check(memory, cells[0], size)
    length = bounded_length(memory, u64(cells[1]), size)
    trap_if(length == ENDLESS, TrapCode.MEMORY_OUT_OF_BOUNDS)
    memory_copy(memory, memory, u64(cells[0]), u64(cells[1]), length)
    return memory_fill(memory, u64(cells[0]) + length, 0, size - length)


# -- searching -----------------------------------------------------------------------------------


@native
def span(text: ptr[u8], length: u64, set: ptr[u8], count: u64, wanted: const) -> u64:
    """How many bytes from the start on are, or are not, among those of a set."""
    i = u64(0)
    while i < length:
        j = u64(0)
        while j < count and set[j] != text[i]:
            j += 1
        if (j < count) != wanted:
            break
        i += 1
    return i


@inline
def spanned(exec, cells, wanted):
    memory = caller_memory(exec)
    length = checked_length(memory, cells[0])
    count = checked_length(memory, cells[1])
    found = span(bytes_at(memory, cells[0]), length, bytes_at(memory, cells[1]), count, wanted)
    return result(cells, found)


@libc_function
def strspn(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return spanned(exec, cells, True)


@libc_function
def strcspn(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return spanned(exec, cells, False)


@libc_function
def strstr(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    length = checked_length(memory, cells[0])
    count = checked_length(memory, cells[1])
    text = bytes_at(memory, cells[0])
    wanted = bytes_at(memory, cells[1])
    i = u64(0)
    while i + count <= length:
        if compare_bytes(text + i, wanted, count) == 0:
            return result(cells, u64(cells[0]) + i)
        i += 1
    return result(cells, u32(0))
