"""WASI functions that programs call all the time, in native code: without Python, and without
taking the GIL.

Each does what is usual by itself. All else, errors included, it leaves to the Python function of
the same name, which starts anew: nothing has happened then. So there is nothing here that could
block for long: files, and pipes that are ready.
"""

from enum import IntEnum

from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.host.cpython.structs import Activation
from wasmote.host.linux import Time
from wasmote.nativepy import (
    addr,
    array,
    atomic_add,
    atomic_exchange,
    atomic_load,
    atomic_store,
    atomic_sub,
    boolean,
    const,
    fn,
    i16,
    i32,
    i64,
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

#: Descriptors of a program that are known here: the first ones.
MOST_FILES = 256
#: Buffers of a call, and bytes of all together.
MOST_BUFFERS, MOST_BYTES = 16, 1 << 16
#: As much can be written to a pipe that is ready without waiting (POSIX: at least 512; Linux).
PIPE_BYTES = 4096
POLLIN, POLLOUT = 1, 4
CLOCKS = 4
SECOND = 1_000_000_000
#: A time so far back or ahead is left to Python.
MOST_SECONDS = 1 << 33


class Use(IntEnum):
    """What a file is open for: bits of `SharedFile.uses`."""

    READ = 1
    WRITE = 2
    PIPE = 4  # it may have to be waited for


@struct
class SharedFile:
    """A descriptor of a program's that native code may use."""

    fd: i32  # the host's; -1: there is none
    uses: u32  # bits of Use
    users: u32  # calls that are using it at the moment


@struct
class Buffer:
    """struct iovec."""

    start: ptr[u8]
    size: usize


@struct
class Poll:
    """struct pollfd."""

    fd: i32
    events: i16
    found: i16


Transfer = fn[[i32, ptr[u8], usize], i64]
TransferAll = fn[[i32, ptr[Buffer], i32], i64]


@struct
class WasiCalls:
    """What the functions of one program work on (`FuncInst.data`)."""

    # What pointers mean; None: memory 0 of the caller.
    memory: ptr[Memory]
    by_python: u32  # pointers mean something else: nothing is done here
    files: array[SharedFile, MOST_FILES]
    # Of the C library.
    read: Transfer
    write: Transfer
    readv: TransferAll
    writev: TransferAll
    poll: fn[[ptr[Poll], u64, i32], i32]
    clock_gettime: fn[[i32, ptr[Time]], i32]
    getrandom: fn[[ptr[u8], usize, u32], i64]


LIBC_FUNCTIONS = ("read", "write", "readv", "writev", "poll", "clock_gettime", "getrandom")


# -- shared files --------------------------------------------------------------------------------


@native(export="wasi_share")
def wasi_share(file: ptr[SharedFile], fd: i32, uses: u32) -> void:
    """Let native code use a descriptor of the host, where there is none."""
    file.uses = uses
    atomic_store(addr(file.fd), fd, "seq_cst")


@native(export="wasi_withdraw")
def wasi_withdraw(file: ptr[SharedFile]) -> u32:
    """Let no new call use it. How many calls still do: it has to stay open until that is 0."""
    atomic_exchange(addr(file.fd), i32(-1))
    return atomic_load(addr(file.users), "seq_cst")


# -- memory --------------------------------------------------------------------------------------


@native
def memory_of(exec: ptr[Exec], calls: ptr[WasiCalls]) -> ptr[Memory]:
    """The memory that pointers mean. None: ask Python."""
    if calls.by_python != 0:
        return None
    if calls.memory is not None:
        return calls.memory
    entry = exec.entry
    if entry is None or entry.instance is None or entry.instance.module.memory_count == 0:
        return None
    return entry.instance.memories[0]


@native
def bytes_at(memory: ptr[Memory], offset: u32, size: u64) -> ptr[u8]:
    """So many bytes at an offset. None: they are not all there."""
    if u64(offset) + size > memory.size:
        return None
    return memory.data + usize(offset)


# -- functions -----------------------------------------------------------------------------------


@native(export="wasi_fd_read")
def fd_read(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`FuncInst.native` of fd_read."""
    if transfer(exec, ptr[WasiCalls](f.data), cells, Use.READ):
        cells[0] = 0
        return 0
    return exec.platform.call_host(exec, f, cells)


@native(export="wasi_fd_write")
def fd_write(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`FuncInst.native` of fd_write."""
    if transfer(exec, ptr[WasiCalls](f.data), cells, Use.WRITE):
        cells[0] = 0
        return 0
    return exec.platform.call_host(exec, f, cells)


@native
def transfer(exec: ptr[Exec], calls: ptr[WasiCalls], cells: ptr[u32], use: const) -> boolean:
    """Read or write, as the cells say: descriptor, iovecs, their number, where the length goes.

    False: nothing has been done.
    """
    memory = memory_of(exec, calls)
    number = cells[0]
    count = cells[2]
    if memory is None or number >= MOST_FILES or count == 0 or count > MOST_BUFFERS:
        return False
    iovecs = bytes_at(memory, cells[1], u64(count) * 8)
    result = bytes_at(memory, cells[3], 4)
    if iovecs is None or result is None:
        return False
    buffers = stack(Buffer, MOST_BUFFERS)
    total: u64 = 0
    for i in range(count):
        size = load(u32, iovecs + 4)
        start = bytes_at(memory, load(u32, iovecs), u64(size))
        if start is None:
            return False
        buffers[i].start = start
        buffers[i].size = usize(size)
        total += u64(size)
        iovecs = iovecs + 8
    if total > MOST_BYTES:
        return False
    file = addr(calls.files[number])
    done = i64(-1)
    # First counted, then looked at: `wasi_withdraw` does it the other way round.
    atomic_add(addr(file.users), u32(1))
    fd = atomic_load(addr(file.fd), "seq_cst")
    usable = fd >= 0 and file.uses & use != 0
    if usable and file.uses & Use.PIPE != 0:
        usable = is_ready(exec, calls, fd, total, use)
    if usable:
        done = move(calls, fd, buffers, count, use)
    atomic_sub(addr(file.users), u32(1))
    if done < 0:
        return False
    store(result, u32(done))
    return True


@native
def is_ready(exec: ptr[Exec], calls: ptr[WasiCalls], fd: i32, total: u64, use: const) -> boolean:
    """Whether a pipe can be used without waiting.

    Only without the GIL: somebody else could come first, and this thread has to wait after all.
    """
    if ptr[Activation](exec).released is None or total > PIPE_BYTES:
        return False
    poll = stack(Poll)
    poll.fd = fd
    poll.events = i16(POLLIN if use == Use.READ else POLLOUT)
    poll.found = 0
    return calls.poll(poll, 1, 0) == 1 and poll.found == poll.events


@native
def move(calls: ptr[WasiCalls], fd: i32, buffers: ptr[Buffer], count: u32, use: const) -> i64:
    """What read or write, or their relatives for several buffers, return."""
    if count == 1:
        if use == Use.READ:
            return calls.read(fd, buffers.start, buffers.size)
        return calls.write(fd, buffers.start, buffers.size)
    if use == Use.READ:
        return calls.readv(fd, buffers, i32(count))
    return calls.writev(fd, buffers, i32(count))


@native(export="wasi_clock_time_get")
def clock_time_get(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`FuncInst.native` of clock_time_get. Linux has the same numbers for the four clocks."""
    calls = ptr[WasiCalls](f.data)
    memory = memory_of(exec, calls)
    if memory is not None and cells[0] < CLOCKS:
        result = bytes_at(memory, cells[3], 8)
        time = stack(Time)
        time.seconds = -1
        if result is not None:
            calls.clock_gettime(i32(cells[0]), time)
        if u64(time.seconds) < MOST_SECONDS:
            store(result, u64(time.seconds) * SECOND + u64(time.nanoseconds))
            cells[0] = 0
            return 0
    return exec.platform.call_host(exec, f, cells)


@native(export="wasi_random_get")
def random_get(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`FuncInst.native` of random_get."""
    calls = ptr[WasiCalls](f.data)
    memory = memory_of(exec, calls)
    size = cells[1]
    if memory is not None and size <= MOST_BYTES:
        buffer = bytes_at(memory, cells[0], u64(size))
        if buffer is not None and calls.getrandom(buffer, usize(size), 0) == i64(size):
            cells[0] = 0
            return 0
    return exec.platform.call_host(exec, f, cells)


EXPORTS = (
    wasi_share,
    wasi_withdraw,
    fd_read,
    fd_write,
    clock_time_get,
    random_get,
)
