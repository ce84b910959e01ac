"""memory.atomic.wait and notify (spec: the threads proposal).

Who waits is in a list of the memory, and `Memory.lock` guards both the list and the comparison of
what is in memory with what was expected: whoever stores first and notifies then either finds the
waiter in the list, or lets it see the new value. A waiting thread polls the host now and then, as
running code does, so it can be interrupted.
"""

from wasmote.core.bounds import LimitsFlag, minimum
from wasmote.core.mutex import FOREVER, acquire, release
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Memory, Waiter
from wasmote.nativepy import (
    addr,
    atomic_load,
    atomic_store,
    boolean,
    const,
    i64,
    little,
    native,
    ptr,
    stack,
    u32,
    u64,
    void,
)

#: Results of memory.atomic.wait.
NOTIFIED, NOT_EQUAL, TIMED_OUT = range(3)
#: Nanoseconds between two polls of a waiting thread: it stops within so much of being told to.
POLL_INTERVAL = 20_000_000


@native
def memory_wait(
    exec: ptr[Exec],
    memory: ptr[Memory],
    address: u64,
    expected: u64,
    bits: const,
    timeout: i64,
    result: ptr[u32],
) -> u32:
    """Wait for a notification at an address that was checked, if what is there is `expected`.

    `timeout` is in nanoseconds, below zero: none. Returns 0 with `result` set, or a trap code.
    """
    if memory.type.flags & LimitsFlag.SHARED == 0:
        return TrapCode.UNSHARED_MEMORY
    deadline = deadline_of(exec, timeout)
    waiter = stack(Waiter)
    waiter.next = None
    waiter.address = address
    waiter.notified = 0
    place = memory.data + address
    acquire(memory.platform, addr(memory.lock))
    value = (
        little(atomic_load(ptr[u64](place), "seq_cst"))
        if bits == 64
        else u64(little(atomic_load(ptr[u32](place), "seq_cst")))
    )
    if value == expected:
        append(memory, waiter)
    release(memory.platform, addr(memory.lock))
    if value != expected:
        result[0] = NOT_EQUAL
        return 0
    code = wait_until(exec, waiter, deadline)
    # With the lock, nobody who notifies is still at the waiter.
    acquire(memory.platform, addr(memory.lock))
    result[0] = TIMED_OUT if remove(memory, waiter) else u32(NOTIFIED)
    release(memory.platform, addr(memory.lock))
    return code


@native
def deadline_of(exec: ptr[Exec], timeout: i64) -> u64:
    """When a wait ends; at once where there is no clock."""
    platform = exec.platform
    if timeout < 0:
        return FOREVER
    return 0 if platform.clock is None else platform.clock(platform) + u64(timeout)


@native
def wait_until(exec: ptr[Exec], waiter: ptr[Waiter], deadline: u64) -> u32:
    """Return when notified or at the deadline, or with the trap code by which the host stops it."""
    platform = exec.platform
    while True:
        # First: a thread that no longer sleeps stops here while another looks at its frames.
        code = platform.poll(exec)
        if code != 0 or atomic_load(addr(waiter.notified)) != 0:
            return code
        now = u64(0) if platform.clock is None else platform.clock(platform)
        if now >= deadline:
            return 0
        if platform.wait is not None:
            interval = minimum(deadline - now, u64(POLL_INTERVAL))
            atomic_store(addr(exec.parked), u32(1))
            platform.wait(platform, addr(waiter.notified), 0, interval)
            atomic_store(addr(exec.parked), u32(0), "seq_cst")  # then it looks who wants it to stop


@native
def append(memory: ptr[Memory], waiter: ptr[Waiter]) -> void:
    if memory.waiters is None:
        memory.waiters = waiter
        return
    last = memory.waiters
    while last.next is not None:
        last = last.next
    last.next = waiter


@native
def remove(memory: ptr[Memory], waiter: ptr[Waiter]) -> boolean:
    """Take a waiter off the list. False: it is not there, so it was notified."""
    if memory.waiters == waiter:
        memory.waiters = waiter.next
        return True
    before = memory.waiters
    while before is not None and before.next != waiter:
        before = before.next
    if before is None:
        return False
    before.next = waiter.next
    return True


@native(convention="c")
def memory_notify(memory: ptr[Memory], address: u64, count: u32) -> u32:
    """Wake up to `count` of those who wait at an address that was checked; returns how many."""
    if memory.type.flags & LimitsFlag.SHARED == 0:
        return 0
    platform = memory.platform
    woken: u32 = 0
    acquire(platform, addr(memory.lock))
    waiter = memory.waiters
    while waiter is not None and woken != count:
        following = waiter.next
        if waiter.address == address:
            remove(memory, waiter)
            atomic_store(addr(waiter.notified), u32(1))
            if platform.wake is not None:
                platform.wake(platform, addr(waiter.notified), 1)
            woken += 1
        waiter = following
    release(platform, addr(memory.lock))
    return woken
