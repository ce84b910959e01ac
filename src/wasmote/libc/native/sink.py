"""Where formatted text goes: to the program's memory, or through a buffer to the host."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.interp.common.outside import call_host
from wasmote.libc.native.access import size_of
from wasmote.nativepy import (
    addr,
    array,
    copy,
    fill,
    inline,
    native,
    ptr,
    store,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

BUFFER = 1024


@struct
class Sink:
    """Text on its way."""

    exec: ptr[Exec]
    memory: ptr[Memory]
    write: ptr[FuncInst]  # the host's function (i64 address, i64 size) -> (); None: to memory
    place: u64  # in memory: where it goes
    room: u64  # in memory: bytes that there are; what is more is counted
    strict: u32  # in memory: more is a trap
    code: u32  # a trap code that ended it; 0: none
    total: u64  # bytes so far
    used: u32  # of the buffer
    buffer: array[u8, BUFFER]


@inline
def open_to_host(sink, exec, memory, write):
    """A sink that the host reads, by a function."""
    sink.exec = exec
    sink.memory = memory
    sink.write = write
    sink.code = 0
    sink.total = 0
    sink.used = 0


@inline
def open_to_memory(sink, exec, memory, place, room, strict):
    """A sink that fills memory, which is there."""
    open_to_host(sink, exec, memory, None)
    sink.place = u64(place)
    sink.room = u64(room)
    sink.strict = u32(strict)


@native
def flush(sink: ptr[Sink]) -> void:
    """Hand over what is in the buffer."""
    size = u64(sink.used)
    sink.used = 0
    if size == 0 or sink.code != 0:
        return
    if sink.write is not None:
        write_to_host(sink, size)
        return
    fitting = size if size < sink.room else sink.room
    if fitting < size and sink.strict != 0:
        sink.code = TrapCode.MEMORY_OUT_OF_BOUNDS
        return
    copy(sink.memory.data + sink.place, addr(sink.buffer), usize(fitting))
    sink.place += fitting
    sink.room -= fitting


@native(noinline=True)
def write_to_host(sink: ptr[Sink], size: u64) -> void:
    cells = sink.exec.top
    if usize(cells + 4) > usize(sink.exec.stack_end):
        sink.code = TrapCode.STACK_OVERFLOW
        return
    store(cells, u64(usize(addr(sink.buffer))), align=4)
    store(cells + 2, size, align=4)
    sink.code = call_host(sink.exec, sink.write, cells)


@native
def put(sink: ptr[Sink], byte: u8) -> void:
    """One byte."""
    if sink.used == BUFFER:
        flush(sink)
    sink.buffer[sink.used] = byte
    sink.used += 1
    sink.total += 1


@native
def put_all(sink: ptr[Sink], start: ptr[u8], size: u64) -> void:
    """Some bytes, which are there."""
    while size != 0 and sink.code == 0:
        if sink.used == BUFFER:
            flush(sink)
        part = u64(BUFFER - sink.used)
        if size < part:
            part = size
        copy(addr(sink.buffer) + sink.used, start, usize(part))
        sink.used += u32(part)
        sink.total += part
        start = start + part
        size -= part


@native
def pad(sink: ptr[Sink], byte: u8, count: u32) -> void:
    """The same byte so many times."""
    while count != 0 and sink.code == 0:
        if sink.used == BUFFER:
            flush(sink)
        part = BUFFER - sink.used
        if count < part:
            part = count
        fill(addr(sink.buffer) + sink.used, byte, usize(part))
        sink.used += part
        sink.total += u64(part)
        count -= part


@inline
def rest_of(memory, place) -> u64:
    """Bytes from a place to the end of memory."""
    return size_of(memory) - u64(place)
