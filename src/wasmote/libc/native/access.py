"""Checked access to the caller's memory, for the native functions of this folder.

A pointer is an offset in memory 0 of whoever calls. Where it leads out of that memory, or a string
does not end, the function traps. Other threads may write at any time: what was found out about the
bytes may be wrong a moment later, so it never decides how far a later access reaches.
"""

from wasmote.core.bounds import in_range
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Memory
from wasmote.nativepy import (
    NativeFunction,
    addr,
    inline,
    load,
    native,
    ptr,
    trap_if,
    u8,
    u32,
    u64,
    volatile_load,
)

#: Result of `string_length`: memory ends first.
ENDLESS = (1 << 64) - 1
#: Every byte 1, and the top bit of every byte.
ONES, TOPS = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080


@inline
def leave(code, exec, f, cells):
    """How functions of this folder trap."""
    return code


def libc_function(function) -> NativeFunction:
    """Decorator: an export `libc_NAME` that engines call, as `FuncInst.native`.

    Arguments are in cells, where the result goes. Returns 0 or a trap code.
    """
    name = f"libc_{function.__name__.rstrip('_')}"
    made: NativeFunction = native(function, export=name, on_trap=leave, no_builtins=True)
    return made


@native
def caller_memory(exec: ptr[Exec]) -> ptr[Memory]:
    """Memory 0 of the instance that calls; None: there is none, or Python calls."""
    entry = exec.entry
    if entry is None or entry.instance is None or entry.instance.module.memory_count == 0:
        return None
    return entry.instance.memories[0]


@inline
def size_of(memory) -> u64:
    return volatile_load(addr(memory.size))


@inline
def is_there(memory, offset, size):
    """Whether so many bytes (u64) are in a memory, which may be None."""
    return memory is not None and in_range(size_of(memory), u64(offset), size)


@inline
def bytes_at(memory, offset) -> ptr[u8]:
    return memory.data + u64(offset)


@native(no_builtins=True)
def bounded_length(memory: ptr[Memory], offset: u64, most: u64) -> u64:
    """Bytes before the zero byte of the string at an offset, `most` at most.

    ENDLESS: memory ends before either.
    """
    if memory is None or offset >= size_of(memory):
        return u64(0) if most == 0 and is_there(memory, offset, u64(0)) else u64(ENDLESS)
    room = size_of(memory) - offset
    limit = most if most < room else room
    start = memory.data + offset
    i = u64(0)
    while i + 8 <= limit:
        word = load(u64, start + i)
        if (word - ONES) & ~word & u64(TOPS) != 0:
            break
        i += 8
    while i < limit:
        if start[i] == 0:
            return i
        i += 1
    return u64(ENDLESS) if limit < most else limit


@inline
def string_length(memory, offset) -> u64:
    """Bytes before the zero byte of the string at an offset; ENDLESS: there is none."""
    return bounded_length(memory, u64(offset), u64(ENDLESS))


@inline
def check(memory, offset, size):
    """Trap unless so many bytes (u64) are there."""
    trap_if(not is_there(memory, offset, size), TrapCode.MEMORY_OUT_OF_BOUNDS)


@inline
def checked_length(memory, offset) -> u64:
    """The length of a string; trap if it does not end."""
    length = string_length(memory, offset)
    trap_if(length == ENDLESS, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return length


@inline
def result(cells, value) -> u32:
    """Give a value back."""
    cells[0] = u32(value)
    return 0
