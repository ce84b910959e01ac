"""Mutexes and condition variables of WAMR's pthread library, in the program's shared memory.

A mutex is a word: 0 free, 1 held, 2 held while others may wait. That of a condition variable counts
signals. Zero is a valid one of either, which static initialisation gives. Who waits sleeps as in
`memory.atomic.wait`, so an interruption or the end of the program reaches it.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory
from wasmote.core.waiting import TIMED_OUT, memory_notify, memory_wait
from wasmote.libc.native.access import caller_memory, check, libc_function, result
from wasmote.nativepy import (
    atomic_add,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_load,
    atomic_store,
    i64,
    inline,
    load,
    native,
    ptr,
    stack,
    trap_if,
    u32,
    u64,
)

FREE, HELD, WANTED = range(3)
#: errno's values, as wasi-libc has them.
EBUSY, ETIMEDOUT = 10, 73
#: The longest wait in microseconds, some centuries.
LONGEST = 1 << 53
EVERYBODY = 0xFFFF_FFFF


@inline
def word_at(memory, place) -> ptr[u32]:
    return ptr[u32](memory.data + u64(place))


@inline
def check_word(memory, place):
    check(memory, place, u64(4))
    trap_if(place & 3 != 0, TrapCode.UNALIGNED_ATOMIC)


@native
def lock(exec: ptr[Exec], memory: ptr[Memory], place: u64) -> u32:
    """Hold a mutex: 0, or the trap code by which the wait ended."""
    word = word_at(memory, place)
    if atomic_compare_exchange(word, FREE, HELD) == FREE:
        return 0
    outcome = stack(u32)
    while atomic_exchange(word, WANTED) != FREE:
        code = memory_wait(exec, memory, place, WANTED, 32, -1, outcome)
        if code != 0:
            return code
    return 0


@inline
def unlock(memory, place):
    if atomic_exchange(word_at(memory, place), FREE) == WANTED:
        memory_notify(memory, u64(place), 1)


@inline
def initialize(exec, cells):
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    atomic_store(word_at(memory, cells[0]), u32(FREE))
    return result(cells, u32(0))


@libc_function
def pthread_mutex_init(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Attributes are ignored."""
    return initialize(exec, cells)


@libc_function
def pthread_mutex_lock(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    code = lock(exec, memory, u64(cells[0]))
    cells[0] = 0
    return code


@libc_function
def pthread_mutex_unlock(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    unlock(memory, cells[0])
    return result(cells, u32(0))


@libc_function
def pthread_mutex_destroy(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    held = atomic_load(word_at(memory, cells[0])) != FREE
    return result(cells, u32(EBUSY) if held else u32(0))


@libc_function
def pthread_cond_init(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Attributes are ignored."""
    return initialize(exec, cells)


@inline
def wait(exec, cells, timeout):
    """Wait for a signal without the mutex, for so many nanoseconds; below zero: without end."""
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    check_word(memory, cells[1])
    mutex = u64(cells[1])
    signals = atomic_load(word_at(memory, cells[0]), "seq_cst")
    unlock(memory, mutex)
    outcome = stack(u32)
    code = memory_wait(exec, memory, u64(cells[0]), u64(signals), 32, timeout, outcome)
    trap_if(code != 0, code)
    code = lock(exec, memory, mutex)
    cells[0] = u32(ETIMEDOUT) if outcome[0] == TIMED_OUT else u32(0)
    return code


@libc_function
def pthread_cond_wait(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return wait(exec, cells, i64(-1))


@libc_function
def pthread_cond_timedwait(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """The time is in microseconds from now on, as WAMR has it."""
    time = load(u64, cells + 2, align=4)
    return wait(exec, cells, i64(time if time < LONGEST else u64(LONGEST)) * 1000)


@inline
def wake(exec, cells, count):
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    atomic_add(word_at(memory, cells[0]), 1)
    memory_notify(memory, u64(cells[0]), u32(count))
    return result(cells, u32(0))


@libc_function
def pthread_cond_signal(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return wake(exec, cells, 1)


@libc_function
def pthread_cond_broadcast(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return wake(exec, cells, EVERYBODY)


@libc_function
def pthread_cond_destroy(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    memory = caller_memory(exec)
    check_word(memory, cells[0])
    return result(cells, u32(0))
