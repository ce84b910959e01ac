"""printf and its like (stdio.h): formats, arguments, and where the text goes.

Variable arguments are in memory, where a pointer leads to: each aligned to its size. Of `%n` only
these two characters come out, as of all that is no conversion.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.libc.native.access import (
    ENDLESS,
    bounded_length,
    bytes_at,
    caller_memory,
    check,
    checked_length,
    is_there,
    libc_function,
    result,
)
from wasmote.libc.native.decimal import quad_to_double
from wasmote.libc.native.format import (
    BLANK,
    FORM,
    LEFT,
    NO_PRECISION,
    PLUS,
    WIDEST,
    ZEROS,
    Directive,
    put_float,
    put_integer,
    put_text,
)
from wasmote.libc.native.output import Output
from wasmote.libc.native.sink import (
    Sink,
    flush,
    open_to_host,
    open_to_memory,
    put,
    put_all,
    rest_of,
)
from wasmote.nativepy import (
    boolean,
    f64,
    i64,
    inline,
    load,
    native,
    ptr,
    stack,
    struct,
    trap_if,
    u8,
    u32,
    u64,
    void,
)

PERCENT, POINT, STAR, LINE_FEED = 37, 46, 42, 10
#: What printf returns of text that is longer than an int counts.
_FAILED, _MOST = 0xFFFF_FFFF, 0x7FFF_FFFF
#: Sizes of integers by their length modifiers.
_BYTE, _SHORT, _LONG, _LONG_LONG = 1, 2, 4, 8


@struct
class Formatter:
    """A format on its way to a sink."""

    sink: ptr[Sink]
    memory: ptr[Memory]
    at: u64  # the next character of the format
    arguments: u64  # the next argument
    size: u32  # of the integer that the directive wants
    quad: boolean  # the directive wants a long double
    directive: Directive


# -- the format and its arguments ----------------------------------------------------------------


@native
def fail(t: ptr[Formatter]) -> void:
    if t.sink.code == 0:
        t.sink.code = TrapCode.MEMORY_OUT_OF_BOUNDS


@native
def peek(t: ptr[Formatter]) -> u8:
    """The next character; 0: the format ends, or leads out of memory."""
    if not is_there(t.memory, t.at, u64(1)):
        fail(t)
        return 0
    return t.memory.data[t.at]


@native
def argument(t: ptr[Formatter], size: u64) -> ptr[u8]:
    """The next argument, of so many bytes; None: it is not there."""
    at = (t.arguments + size - 1) & ~(size - 1)
    if not is_there(t.memory, at, size):
        fail(t)
        return None
    t.arguments = at + size
    return t.memory.data + at


@native
def argument_u32(t: ptr[Formatter]) -> u32:
    p = argument(t, 4)
    return u32(0) if p is None else load(u32, p)


@native
def argument_u64(t: ptr[Formatter]) -> u64:
    p = argument(t, 8)
    return u64(0) if p is None else load(u64, p)


@native
def read_count(t: ptr[Formatter], most: u32) -> u32:
    """Decimal digits of the format, as a number up to `most`."""
    value = u64(0)
    while True:
        byte = peek(t)
        if byte < 48 or byte > 57:
            return u32(value)
        value = value * 10 + u64(byte - 48)
        if value > u64(most):
            value = u64(most)
        t.at += 1


@native
def read_flags(t: ptr[Formatter]) -> void:
    d = t.directive
    while True:
        match peek(t):
            case 45:
                d.flags |= LEFT
            case 43:
                d.flags |= PLUS
            case 32:
                d.flags |= BLANK
            case 35:
                d.flags |= FORM
            case 48:
                d.flags |= ZEROS
            case _:
                return
        t.at += 1


@native
def read_width(t: ptr[Formatter]) -> void:
    d = t.directive
    if peek(t) != STAR:
        d.width = read_count(t, WIDEST)
        return
    t.at += 1
    width = argument_u32(t)
    if width >> 31 != 0:
        d.flags |= LEFT
        width = u32(0) - width
    d.width = width if width < WIDEST else u32(WIDEST)


@native
def read_precision(t: ptr[Formatter]) -> void:
    d = t.directive
    if peek(t) != POINT:
        return
    t.at += 1
    if peek(t) == STAR:
        t.at += 1
        precision = argument_u32(t)
        d.precision = precision if precision >> 31 == 0 else u32(NO_PRECISION)
    elif peek(t) == 45:  # a negative one counts as none
        t.at += 1
        read_count(t, WIDEST)
    else:
        d.precision = read_count(t, _MOST)


@native
def read_length(t: ptr[Formatter]) -> void:
    """h hh l ll j z t L"""
    while True:
        match peek(t):
            case 104:  # h
                t.size = _BYTE if t.size == _SHORT else u32(_SHORT)
            case 108:  # l
                t.size = _LONG_LONG if t.size == _LONG + 1 else u32(_LONG + 1)
            case 106:  # j
                t.size = _LONG_LONG
            case 122 | 116:  # z, t
                t.size = _LONG
            case 76:  # L
                t.quad = True
            case _:
                if t.size == _LONG + 1:  # one l: a long is no longer than an int
                    t.size = _LONG
                return
        t.at += 1


# -- conversions ---------------------------------------------------------------------------------


@native
def read_signed(t: ptr[Formatter]) -> i64:
    if t.size == _LONG_LONG:
        return i64(argument_u64(t))
    unused = u32(32) - t.size * 8
    return i64(argument_u32(t) << unused) << 32 >> 32 >> i64(unused)


@native
def read_unsigned(t: ptr[Formatter]) -> u64:
    if t.size == _LONG_LONG:
        return argument_u64(t)
    unused = u32(32) - t.size * 8
    return u64(argument_u32(t) << unused >> unused)


@native
def convert_string(t: ptr[Formatter]) -> void:
    d = t.directive
    place = u64(argument_u32(t))
    most = u64(ENDLESS) if d.precision == NO_PRECISION else u64(d.precision)
    size = bounded_length(t.memory, place, most)
    if size == ENDLESS:
        fail(t)
    elif t.sink.code == 0:
        put_text(t.sink, d, t.memory.data + place, size)


@native
def convert_float(t: ptr[Formatter]) -> void:
    p = argument(t, u64(16) if t.quad else u64(8))
    if p is not None:
        put_float(t.sink, t.directive, quad_to_double(p) if t.quad else load(f64, p))


@native
def convert_integer(t: ptr[Formatter]) -> void:
    d = t.directive
    if d.letter == 100:
        value = read_signed(t)
        negative = value < 0
        put_integer(t.sink, d, u64(0) - u64(value) if negative else u64(value), negative, False)
        return
    bits = read_unsigned(t)
    put_integer(t.sink, d, bits, False, d.letter == 120 and d.flags & FORM != 0 and bits != 0)


@native
def convert_character(t: ptr[Formatter]) -> void:
    byte = stack(u8, 1)
    byte[0] = u8(argument_u32(t))
    if t.sink.code == 0:
        put_text(t.sink, t.directive, byte, 1)


@native
def directive(t: ptr[Formatter]) -> void:
    """Do what follows a per cent sign."""
    d = t.directive
    start = t.at
    d.flags = 0
    d.precision = NO_PRECISION
    t.size = _LONG
    t.quad = False
    read_flags(t)
    read_width(t)
    read_precision(t)
    read_length(t)
    letter = peek(t)
    if t.sink.code != 0:
        return
    d.upper = letter >= 65 and letter <= 90
    d.letter = letter | 32
    match letter:
        case 100 | 105:  # d, i
            d.letter = 100
            t.at += 1
            convert_integer(t)
        case 117 | 111 | 120 | 88:  # u, o, x, X
            t.at += 1
            convert_integer(t)
        case 112:  # p
            t.at += 1
            put_integer(t.sink, d, u64(argument_u32(t)), False, True)
        case 115:  # s
            t.at += 1
            convert_string(t)
        case 99:  # c
            t.at += 1
            convert_character(t)
        case 101 | 69 | 102 | 70 | 103 | 71 | 97 | 65:  # e, f, g, a
            t.at += 1
            convert_float(t)
        case 37:
            t.at += 1
            put(t.sink, PERCENT)
        case _:  # no conversion: it stands for itself
            t.at = start
            put(t.sink, PERCENT)


@native
def format(sink: ptr[Sink], place: u32, arguments: u32) -> void:
    """Format into a sink; see `Sink.code` for how that went."""
    t = stack(Formatter)
    t.sink = sink
    t.memory = sink.memory
    t.at = u64(place)
    t.arguments = u64(arguments)
    while sink.code == 0:
        byte = peek(t)
        if byte == 0:
            break
        t.at += 1
        if byte == PERCENT:
            directive(t)
        else:
            put(sink, byte)
    flush(sink)


# -- functions -----------------------------------------------------------------------------------


@inline
def outcome(sink, cells):
    """What a function that has formatted returns."""
    trap_if(sink.code != 0, sink.code)
    cells[0] = u32(sink.total) if sink.total <= _MOST else u32(_FAILED)
    return u32(0)


@inline
def opened(exec, f, sink):
    """A sink for the function's output."""
    open_to_host(sink, exec, caller_memory(exec), ptr[Output](f.data).write)


@inline
def print_formatted(exec, f, cells):
    sink = stack(Sink)
    opened(exec, f, sink)
    format(sink, cells[0], cells[1])
    return outcome(sink, cells)


@inline
def print_to_memory(exec, cells, size, place, arguments, strict):
    """Format to memory, `size` bytes at most with the zero byte that follows."""
    memory = caller_memory(exec)
    check(memory, cells[0], size)
    sink = stack(Sink)
    start = cells[0]
    open_to_memory(sink, exec, memory, start, size - 1 if size != 0 else size, strict)
    format(sink, place, arguments)
    if sink.code == 0 and size != 0:
        memory.data[sink.place] = 0
    return outcome(sink, cells)


@inline
def print_endless(exec, cells):
    memory = caller_memory(exec)
    check(memory, cells[0], u64(1))
    room = rest_of(memory, cells[0])
    return print_to_memory(exec, cells, room, cells[1], cells[2], 1)


@libc_function
def printf(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return print_formatted(exec, f, cells)


@libc_function
def sprintf(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return print_endless(exec, cells)


@libc_function
def snprintf(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """With a size of 0 the place may be anywhere."""
    size = u64(cells[1])
    if size == 0:
        cells[0] = 0
    return print_to_memory(exec, cells, size, cells[2], cells[3], 0)


@libc_function
def puts(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    sink = stack(Sink)
    opened(exec, f, sink)
    length = checked_length(sink.memory, cells[0])
    put_all(sink, bytes_at(sink.memory, cells[0]), length)
    put(sink, LINE_FEED)
    flush(sink)
    return outcome(sink, cells)


@libc_function
def putchar(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    character = cells[0]
    sink = stack(Sink)
    opened(exec, f, sink)
    put(sink, u8(character))
    flush(sink)
    trap_if(sink.code != 0, sink.code)
    return result(cells, character & 0xFF)
