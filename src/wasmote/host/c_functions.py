"""Calls of C functions from WebAssembly, straight from the engines: no Python, no GIL.

Arguments go to the registers and the stack in the way of the machine's C calling convention: both
those that are hosted (System V on x86-64, AAPCS64) fill integer and floating-point registers
independently and ignore what a function does not take. So one type of function with all registers
fits all of them; a second one also has arguments on the stack.
"""

from enum import IntEnum

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst
from wasmote.host.c_runtime import ATTACHMENT, PENDING, has_exception
from wasmote.nativepy import (
    array,
    bitcast,
    boolean,
    f64,
    fn,
    inline,
    load,
    native,
    ptr,
    stack,
    store,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Registers that hold arguments; that of the first integer is taken by `wasm_exec_env_t`.
INTEGERS, FLOATS = 6, 8
#: Arguments on the stack.
STACKED = 8
MOST_PARAMETERS = 32

_REGISTERS = [*[u64] * INTEGERS, *[f64] * FLOATS]
INTEGER, FLOAT = fn[_REGISTERS, u64], fn[_REGISTERS, f64]
INTEGER_MORE = fn[[*_REGISTERS, *[u64] * STACKED], u64]
FLOAT_MORE = fn[[*_REGISTERS, *[u64] * STACKED], f64]


class Kind(IntEnum):
    """How an argument gets from cells to C; for results the first five."""

    NOTHING = 0
    I32 = 1
    I64 = 2
    F32 = 3
    F64 = 4
    POINTER = 5  # an i32 offset of at least one byte of memory
    BUFFER = 6  # one of as many bytes as the next argument says
    STRING = 7  # one of bytes up to a zero
    WIDE = 8  # a bit besides the three before: the offset is an i64


@struct
class CFunction:
    """What a call needs to know (`FuncInst.data`)."""

    address: usize
    count: u32
    result: u32
    attachment: usize
    kinds: array[u8, MOST_PARAMETERS]


@native(export="c_function_call")
def c_function_call(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`FuncInst.native` of C functions: 0 or a trap code."""
    c = ptr[CFunction](f.data)
    integers = stack(u64, INTEGERS)
    floats = stack(u64, FLOATS)
    stacked = stack(u64, STACKED)
    integers[0] = u64(usize(exec))
    count: u32 = 1
    float_count: u32 = 0
    stack_count: u32 = 0
    at = cells
    for i in range(c.count):
        kind = u32(c.kinds[i])
        wide = kind == Kind.I64 or kind == Kind.F64 or kind & Kind.WIDE != 0
        value = load(u64, at, align=4) if wide else u64(at[0])
        at = at + (usize(2) if wide else usize(1))
        if kind >= Kind.POINTER:
            address = in_memory(exec, kind, value, at)
            if address == 0:
                return TrapCode.MEMORY_OUT_OF_BOUNDS
            value = u64(address)
        if kind == Kind.F32 or kind == Kind.F64:
            if float_count < FLOATS:
                floats[float_count] = value
                float_count += 1
                continue
        elif count < INTEGERS:
            integers[count] = value
            count += 1
            continue
        if stack_count == STACKED:
            return TrapCode.STACK_OVERFLOW
        stacked[stack_count] = value
        stack_count += 1
    attachment = exec.host[ATTACHMENT]
    exec.host[ATTACHMENT] = u64(c.attachment)
    exec.host[PENDING] = 0
    if c.result == Kind.F32 or c.result == Kind.F64:
        real = call(FLOAT, FLOAT_MORE, c.address, integers, ptr[f64](floats), stacked, stack_count)
        result = bitcast(u64, real)
    else:
        result = call(
            INTEGER, INTEGER_MORE, c.address, integers, ptr[f64](floats), stacked, stack_count
        )
    exec.host[ATTACHMENT] = attachment
    if exec.host[PENDING] != 0:
        code = u32(exec.host[PENDING])
        exec.host[PENDING] = 0
        return code
    entry = exec.entry
    if entry is not None and entry.instance is not None and has_exception(entry.instance):
        return exec.platform.call_host(exec, f, cells)  # the callable raises it
    give_back(c.result, cells, result)
    return 0


@native
def give_back(kind: u32, cells: ptr[u32], result: u64) -> void:
    """Write a result to cells; a float is in the low half of its register."""
    if kind == Kind.I64 or kind == Kind.F64:
        store(cells, result, align=4)
    elif kind != Kind.NOTHING:
        cells[0] = u32(result)


@native
def in_memory(exec: ptr[Exec], kind: u32, offset: u64, next: ptr[u32]) -> usize:
    """The address of what an argument refers to in the caller's memory; 0: it is not all there.

    `next` has the next argument: the size of a buffer.
    """
    entry = exec.entry
    if entry is None or entry.instance is None or entry.instance.module.memory_count == 0:
        return 0
    memory = entry.instance.memories[0]
    if offset >= memory.size:
        # An empty buffer may be at the memory's end.
        empty = kind & 7 == Kind.BUFFER and next[0] == 0 and offset == memory.size
        return usize(memory.data) + usize(offset) if empty else usize(0)
    room = memory.size - offset
    start = memory.data + usize(offset)
    if kind & 7 == Kind.BUFFER and u64(next[0]) > room:
        return 0
    if kind & 7 == Kind.STRING and not is_terminated(start, room):
        return 0
    return usize(start)


@native
def is_terminated(start: ptr[u8], room: u64) -> boolean:
    i = u64(0)
    while i < room and start[i] != 0:
        i += 1
    return i < room


@inline
def call(type, more, address, n, f, s, stacked):
    """Call with all registers, and all of the stack if some of it is needed."""
    if stacked == 0:
        function = type(address)
        return function(
            n[0], n[1], n[2], n[3], n[4], n[5], f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
        )  # fmt: skip
    function_more = more(address)
    return function_more(
        n[0], n[1], n[2], n[3], n[4], n[5], f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7],
        s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7],
    )  # fmt: skip


EXPORTS = (c_function_call,)
