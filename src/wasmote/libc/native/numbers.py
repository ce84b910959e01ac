"""Numbers from text (stdlib.h), and kinds of characters (ctype.h), as in C's own locale.

long has 32 bits. What is too large becomes the nearest number there is.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.libc.native.access import caller_memory, check, is_there, libc_function, result
from wasmote.nativepy import (
    boolean,
    inline,
    native,
    ptr,
    stack,
    store,
    struct,
    trap_if,
    u8,
    u32,
    u64,
    void,
)

MOST, LEAST = 0x7FFF_FFFF, 0x8000_0000
#: Beyond any 32-bit number, and far from overflow.
FULL = 1 << 40


@struct
class Found:
    """A number in text."""

    size: u64  # its absolute value, `FULL` at most
    end: u32  # where it ends; where the text begins if there is none
    negative: boolean
    endless: boolean  # memory ends before the number does


# -- characters ----------------------------------------------------------------------------------


@inline
def between(byte, first, last):
    return u32(byte) - first <= last - first


@inline
def space(c):
    return u32(c) == 32 or between(c, 9, 13)


@inline
def letter(c):
    return between(u32(c) | 32, 97, 122)


@inline
def digit(c):
    return between(c, 48, 57)


@inline
def answer(cells, truth):
    cells[0] = u32(1) if truth else u32(0)
    return u32(0)


@libc_function
def isupper(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, between(cells[0], 65, 90))


@libc_function
def isalpha(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, letter(cells[0]))


@libc_function
def isspace(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, space(cells[0]))


@libc_function
def isgraph(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, between(cells[0], 33, 126))


@libc_function
def isprint(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, between(cells[0], 32, 126))


@libc_function
def isdigit(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, digit(cells[0]))


@libc_function
def isxdigit(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, digit(cells[0]) or between(cells[0] | 32, 97, 102))


@libc_function
def isalnum(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return answer(cells, digit(cells[0]) or letter(cells[0]))


@libc_function
def tolower(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    if between(cells[0], 65, 90):
        cells[0] += 32
    return 0


@libc_function
def toupper(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    if between(cells[0], 97, 122):
        cells[0] -= 32
    return 0


# -- numbers -------------------------------------------------------------------------------------


@native
def byte_at(memory: ptr[Memory], found: ptr[Found], i: u64) -> u8:
    """A byte of the text, 0 beyond memory."""
    if not is_there(memory, i, u64(1)):
        found.endless = True
        return 0
    return memory.data[i]


@inline
def digit_value(byte) -> u32:
    """What a byte is as a digit; 99: it is none."""
    value = u32(99)
    if digit(byte):
        value = u32(byte) - 48
    elif letter(byte):
        value = (u32(byte) | 32) - 87
    return value


@native
def read_number(memory: ptr[Memory], start: u32, base: u32, found: ptr[Found]) -> void:
    """Read a number in base 2 to 36; 0: its prefix says which."""
    found.size = 0
    found.end = start
    found.negative = False
    found.endless = False
    i = u64(start)
    while space(byte_at(memory, found, i)):
        i += 1
    sign = byte_at(memory, found, i)
    if sign == 45 or sign == 43:
        found.negative = sign == 45
        i += 1
    if (base == 0 or base == 16) and byte_at(memory, found, i) == 48:
        x = byte_at(memory, found, i + 1) | 32
        if x == 120 and digit_value(byte_at(memory, found, i + 2)) < 16:
            i += 2
            base = 16
        elif base == 0:
            base = 8
    if base == 0:
        base = 10
    value = digit_value(byte_at(memory, found, i))
    while value < base:
        if found.size < FULL:
            found.size = found.size * u64(base) + u64(value)
        i += 1
        found.end = u32(i)
        value = digit_value(byte_at(memory, found, i))


@inline
def signed(found) -> u32:
    """The number as a long."""
    value = u32(found.size)
    if found.negative:
        value = u32(LEAST) if found.size >= LEAST else u32(0) - value
    elif found.size > MOST:
        value = u32(MOST)
    return value


@inline
def unsigned(found) -> u32:
    """The number as an unsigned long; a negative one wraps around."""
    value = u32(found.size)
    if found.size > 0xFFFF_FFFF:
        value = u32(0xFFFF_FFFF)
    elif found.negative:
        value = u32(0) - value
    return value


@inline
def number(exec, cells, base, found):
    """Read the number that the first argument points to."""
    memory = caller_memory(exec)
    check(memory, cells[0], u64(1))
    read_number(memory, cells[0], base, found)
    trap_if(found.endless, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return memory


@inline
def number_and_end(exec, cells, found):
    """The same for functions that tell where it ends and take a base, which may be wrong."""
    base = cells[2]
    memory = number(exec, cells, base if base <= 36 and base != 1 else u32(10), found)
    if base > 36 or base == 1:
        found.size = 0
        found.end = cells[0]
    if cells[1] != 0:
        check(memory, cells[1], u64(4))
        store(ptr[u32](memory.data + u64(cells[1])), found.end, align=1)


@libc_function
def atoi(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    found = stack(Found)
    number(exec, cells, u32(10), found)
    return result(cells, signed(found))


@libc_function
def strtol(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    found = stack(Found)
    number_and_end(exec, cells, found)
    return result(cells, signed(found))


@libc_function
def strtoul(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    found = stack(Found)
    number_and_end(exec, cells, found)
    return result(cells, unsigned(found))
