"""Lets compiled code poll that has no polls of its own: `Platform.watch` of a Linux process.

A thread that runs such code has a timer of its processor time, which sends it a signal every few
milliseconds. Where the handler finds it in a function of a compiled module, it polls there and
then: such code holds no locks, and all its registers are kept. A poll that wants the call to end
makes the thread go on in `wasmote.trap`. Anywhere else it does nothing, and a timer that finds
nothing to do for a while is stopped. A process that waits gets no signals, as it takes no time.

The signal is SIGURG, as in Go: programs rarely use it, and debuggers let it pass.

`code_signals` installs the handler. For x86-64 Linux.
"""

import os
import signal
import time

from wasmote.aot.leave import leave_compiled
from wasmote.aot.structs import MOST_SPILLED
from wasmote.aot.watch import begin_code
from wasmote.core.status import TrapCode
from wasmote.core.structs import NONE, Exec, Watch
from wasmote.host.code_ranges import (
    CodeRange,
    Registers,
    context_of,
    counts,
    entry_of,
    exec_of,
    go_on_in_trap,
    link_frame,
    own_function,
    range_at,
)
from wasmote.host.faults import IGNORE, FaultState, call_former
from wasmote.host.linux import LinuxContext
from wasmote.nativepy import (
    addr,
    boolean,
    const,
    fn,
    i32,
    i64,
    native,
    ptr,
    sizeof,
    stack,
    static,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
    volatile_load,
)

#: Nanoseconds of processor time between two polls. The kernel rounds it up to its own ticks.
PERIOD = 4_000_000
#: Ticks in a row outside compiled code after which a timer is stopped.
IDLE_TICKS = 16
SIGNAL = signal.SIGURG
#: The numbers of system calls: gettid, getpid, tgkill, timer_create, timer_settime, timer_delete.
SYSTEM_CALLS = {
    "x86_64": (186, 39, 234, 222, 223, 226),
    "aarch64": (178, 172, 131, 107, 110, 111),
}
GETTID, GETPID, TGKILL, TIMER_CREATE, TIMER_SETTIME, TIMER_DELETE = SYSTEM_CALLS.get(
    os.uname().machine, SYSTEM_CALLS["x86_64"]
)
#: The first clock that the system has a timer for.
CLOCKS = (time.CLOCK_THREAD_CPUTIME_ID, time.CLOCK_MONOTONIC)
#: struct sigevent: a signal for one thread. pthread_sigmask: unblock.
SIGEV_THREAD_ID, UNBLOCK = 4, 1
#: siginfo_t: where a signal is from (a timer, tgkill).
SI_TIMER, SI_TKILL = -2, -6


@struct
class Thread:
    """A thread that has run compiled code."""

    watch: Watch
    id: usize
    timer: i32  # -1: none
    idle: u32  # ticks outside compiled code
    ticks: ptr["Ticks"]


@struct
class Ticks:
    """What the handler knows. Never freed."""

    faults: ptr[FaultState]  # has the ranges of code
    former: usize  # the signal's handler before
    former_flags: u32  # 1: takes three arguments
    key: u32  # of the pthreads library: where each thread has its `Thread`
    syscall: fn[[i64, usize, usize, usize, usize], i64]
    allocate: fn[[usize], ptr[u8]]
    release: fn[[ptr[u8]], void]
    get_own: fn[[u32], ptr[Thread]]
    set_own: fn[[u32, ptr[Thread]], i32]
    sigmask: fn[[i32, ptr[u64], ptr[u64]], i32]


# -- threads and their timers ----------------------------------------------------------------------


@native(export="linux_watch")
def linux_watch(exec: ptr[Exec]) -> u32:
    """Platform.watch"""
    ticks = ptr[Ticks](ptr[LinuxContext](exec.platform.context).ticks)
    thread = ticks.get_own(ticks.key)
    if thread is None:
        thread = new_thread(ticks)
        if thread is None:
            return TrapCode.OUT_OF_MEMORY
    exec.watch = addr(thread.watch)
    thread.watch.running = 1
    if thread.watch.armed == 0 and not arm(thread):
        thread.watch.running = 0
        return TrapCode.OUT_OF_MEMORY
    return 0


@native(cold=True)
def new_thread(ticks: ptr[Ticks]) -> ptr[Thread]:
    """The running thread's `Thread`. None: out of memory."""
    thread = ptr[Thread](ticks.allocate(sizeof(Thread)))
    if thread is None:
        return None
    thread.watch.running = 0
    thread.watch.armed = 0
    thread.ticks = ticks
    thread.idle = 0
    introduce(thread)
    if ticks.set_own(ticks.key, thread) != 0:
        ticks.release(ptr[u8](thread))
        return None
    mask = stack(u64, 16)
    for i in range(u32(0), 16):
        mask[i] = 0
    mask[0] = 1 << (SIGNAL - 1)
    ticks.sigmask(UNBLOCK, mask, None)
    return thread


@native(cold=True)
def introduce(thread: ptr[Thread]) -> void:
    """The running thread has no timer yet."""
    thread.id = usize(thread.ticks.syscall(GETTID, 0, 0, 0, 0))
    thread.timer = -1
    thread.watch.armed = 0


@native(cold=True)
def arm(thread: ptr[Thread]) -> boolean:
    """Start the running thread's timer. False: there can be none."""
    if thread.timer < 0 and not create_timer(thread):
        return False
    thread.idle = 0
    thread.watch.armed = 1
    if set_timer(thread, PERIOD):
        return True
    thread.watch.armed = 0
    return False


@native(cold=True)
def create_timer(thread: ptr[Thread]) -> boolean:
    event = stack(u64, 8)  # struct sigevent
    for i in range(u32(0), 8):
        event[i] = 0
    event[0] = u64(usize(thread))
    event[1] = SIGNAL | SIGEV_THREAD_ID << 32
    event[2] = u64(thread.id)
    syscall = thread.ticks.syscall
    for clock in static(CLOCKS):
        if syscall(TIMER_CREATE, clock, usize(event), usize(addr(thread.timer)), 0) == 0:
            return True
    thread.timer = -1
    return False


@native
def set_timer(thread: ptr[Thread], period: const) -> boolean:
    """Let the timer expire every so many nanoseconds; 0: never."""
    times = stack(u64, 4)  # struct itimerspec
    times[0] = 0
    times[1] = period
    times[2] = 0
    times[3] = period
    syscall = thread.ticks.syscall
    return syscall(TIMER_SETTIME, usize(u32(thread.timer)), 0, usize(times), 0) == 0


@native(export="linux_thread_ends")
def linux_thread_ends(thread: ptr[Thread]) -> void:
    """The destructor of a thread's `Thread`."""
    if thread.timer >= 0:
        thread.ticks.syscall(TIMER_DELETE, usize(u32(thread.timer)), 0, 0, 0)
    thread.ticks.release(ptr[u8](thread))


@native(export="linux_forked")
def linux_forked(ticks: ptr[Ticks]) -> void:
    """This is a new process, with one thread, which has another number and no timer."""
    thread = ticks.get_own(ticks.key)
    if thread is not None:
        introduce(thread)


@native(export="linux_ticks_installed")
def linux_ticks_installed(ticks: ptr[Ticks]) -> void:
    """The handler is there, or again: timers whose signal was ignored meanwhile may be dead."""
    thread = ticks.get_own(ticks.key)
    if thread is not None:
        thread.watch.armed = 0


@native(export="linux_hurry")
def linux_hurry(exec: ptr[Exec]) -> void:
    """Platform.hurry"""
    if exec.watch is not None and volatile_load(addr(exec.watch.running)) != 0:
        thread = ptr[Thread](exec.watch)
        syscall = thread.ticks.syscall
        syscall(TGKILL, usize(syscall(GETPID, 0, 0, 0, 0)), thread.id, SIGNAL, 0)


# -- the handler -----------------------------------------------------------------------------------


@native(export="linux_tick")
def linux_tick(number: i32, info: ptr[usize], registers: ptr[Registers], ticks: ptr[Ticks]) -> void:
    """The handler; `info` is siginfo_t."""
    thread = ticks.get_own(ticks.key)
    origin = i32(u32(info[1]))
    value = info[3]
    code = range_at(ticks.faults.ranges, registers.rip)
    if code is not None:
        function = own_function(code, registers.rip)
        if function != NONE and not counts(code, function):
            if thread is not None:
                thread.idle = 0
            poll_here(code, function, registers)
            return
    if origin == SI_TIMER and (thread is None or value == usize(thread)):
        if thread is not None:
            note_idle(thread)
    elif origin != SI_TKILL and ticks.former > IGNORE:
        call_former(ticks.former, ticks.former_flags, number, info, registers)


@native
def note_idle(thread: ptr[Thread]) -> void:
    """A tick came outside compiled code."""
    thread.idle += 1
    if thread.idle >= IDLE_TICKS and volatile_load(addr(thread.watch.running)) == 0:
        set_timer(thread, 0)
        thread.watch.armed = 0


@native
def poll_here(code: ptr[CodeRange], function: u32, registers: ptr[Registers]) -> void:
    """Poll in a function that was interrupted."""
    entry = entry_of(code, registers)
    exec = exec_of(entry)
    frame = stack(usize, 4)
    link_frame(code, function, registers, frame)
    context = context_of(entry)
    leave_compiled(exec, context, ptr[u32](frame))
    # A call may be under way whose last arguments are above the top: `compile.spilled`.
    top = exec.top
    exec.top = top + MOST_SPILLED
    if exec.top > exec.stack_end:
        exec.top = exec.stack_end
    reason = exec.platform.poll(exec)
    exec.top = top
    if reason == 0:
        reason = begin_code(exec, context)  # a poll may run other code
    if reason != 0:
        go_on_in_trap(code, function, registers, reason)


EXPORTS = (
    linux_watch,
    linux_thread_ends,
    linux_forked,
    linux_ticks_installed,
    linux_hurry,
    linux_tick,
)
