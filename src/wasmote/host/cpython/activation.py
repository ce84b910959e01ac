"""Activations: how a call from Python gets a value stack, and what it does with the GIL meanwhile.

A call keeps the GIL until its first poll, so short calls pay nothing. From then on it runs without,
and takes the GIL back only to call Python, to return, and, on the main thread, to look for signals.
"""

from wasmote.core.gc.collect import work_at_poll
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.host.cpython.call_stack import answer_request
from wasmote.host.cpython.profile import take_sample
from wasmote.host.cpython.structs import Activation, Deadline, OwnerObject, Pool, Python, Time
from wasmote.nativepy import (
    addr,
    atomic_load,
    atomic_store,
    boolean,
    f64,
    fill,
    i64,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    void,
    volatile_load,
    volatile_store,
)

#: Calls and loop iterations between two polls: some 50 microseconds.
BUDGET = 20_000
#: Nanoseconds between two looks at the signals: Ctrl-C has to stop a program within 100 ms.
SIGNAL_INTERVAL = 20_000_000
#: How deep calls between instances may nest on one thread: each takes half a kilobyte of its C
#: stack.
DEPTH_LIMIT = 2_000
#: A call through Python takes a kilobyte or two, and what Python itself needs: it counts for
#: several.
PYTHON_DEPTH = 10
#: Idle activations that a pool keeps.
IDLE_LIMIT = 16


@native(cold=True)
def new_activation(pool: ptr[Pool]) -> ptr[Activation]:
    """An activation with an empty value stack. None: out of memory."""
    python = pool.python
    platform = python.platform
    activation = ptr[Activation](platform.allocate(sizeof(Activation)))
    if activation is None:
        return None
    fill(activation, 0, sizeof(Activation))
    data = platform.reserve(platform, pool.stack_size)
    if data is None:
        platform.release(ptr[u8](activation))
        return None
    activation.python = python
    activation.pool = pool
    exec = activation.exec
    exec.stack = ptr[u32](data)
    exec.stack_end = ptr[u32](data + pool.stack_size)
    exec.platform = platform
    exec.depth_limit = DEPTH_LIMIT
    python.attach(exec, python.handlers)
    if platform.commit(platform, data, 0, pool.stack_size) != 0:
        free_activation(activation)
        return None
    return activation


@native(cold=True)
def free_activation(activation: ptr[Activation]) -> void:
    platform = activation.exec.platform
    platform.unreserve(platform, ptr[u8](activation.exec.stack), activation.pool.stack_size)
    platform.release(ptr[u8](activation))


@native(cold=True)
def activation_of_thread(python: ptr[Python]) -> ptr[Activation]:
    """The innermost call under way on this thread that has called Python; None: there is none."""
    thread = python.PyThreadState_Get()
    activation = python.active
    while activation is not None and activation.thread != thread:
        activation = activation.next
    return activation


@native(cold=True)
def nesting(python: ptr[Python]) -> u32:
    """How deep calls on this thread are nested."""
    activation = activation_of_thread(python)
    return 0 if activation is None else activation.exec.depth + PYTHON_DEPTH


@native
def begin_activation(python: ptr[Python], owner: ptr[OwnerObject]) -> ptr[Activation]:
    """An activation for a call of the owner's function. None: nested too deep, or no memory."""
    depth: u32 = 0
    if python.active is not None:
        depth = nesting(python)
    if depth >= DEPTH_LIMIT:
        return None
    pool = python.pool if owner is None else owner.pool
    activation = pool.idle
    if activation is not None:
        pool.idle = activation.next
        pool.idle_count -= 1
    else:
        activation = new_activation(pool)
        if activation is None:
            return None
    activation.owner = owner
    activation.thread = None
    activation.callee = None
    activation.running = 0
    activation.previous = None
    activation.next = python.active
    if python.active is not None:
        python.active.previous = activation
    python.active = activation
    exec = activation.exec
    exec.top = exec.stack
    exec.entry = None
    exec.crossing = None
    exec.budget = BUDGET
    exec.watch = None
    exec.depth = depth
    exec.interrupt = 0
    exec.exception = 0
    exec.trap_pending = 0
    exec.trace_count = 0
    activation.request = 0
    activation.identity = 0
    activation.sampled = 0
    if python.profile is not None:
        activation.sampled = now(python)
    activation.deadline = 0
    activation.stops_seen = python.stops
    if python.deadlines is not None:
        set_deadline(activation)
    return activation


@native
def end_activation(activation: ptr[Activation]) -> void:
    """Give an activation back. The GIL is held."""
    python = activation.python
    if activation.request != 0:
        answer_request(activation, True)
    if activation.next is not None:
        activation.next.previous = activation.previous
    if activation.previous is not None:
        activation.previous.next = activation.next
    else:
        python.active = activation.next
    activation.exec.exception = 0
    if activation.raised is not None:
        raised = activation.raised
        activation.raised = None
        python.Py_DecRef(raised)
    pool = activation.pool
    if pool.idle_count >= IDLE_LIMIT:
        free_activation(activation)
        return
    activation.next = pool.idle
    pool.idle = activation
    pool.idle_count += 1


# -- the GIL -------------------------------------------------------------------------------------


@native
def take_gil(activation: ptr[Activation]) -> void:
    """Hold the GIL again, if a poll has released it."""
    if activation.released is not None:
        thread = activation.released
        activation.released = None
        activation.python.PyEval_RestoreThread(thread)


@native
def stop_running(activation: ptr[Activation]) -> void:
    """Control has left WebAssembly code: another thread may look at the stack while this one waits
    for the GIL.
    """
    atomic_store(addr(activation.running), u32(0))
    take_gil(activation)


@native
def stop_in_code(activation: ptr[Activation]) -> ptr[u32]:
    """`stop_running` where `exec.top` says nothing yet: the whole stack may be in use. Returns what
    `go_on_running` needs.
    """
    exec = activation.exec
    top = exec.top
    exec.top = exec.stack_end
    stop_running(activation)
    return top


@native
def go_on_running(activation: ptr[Activation], top: ptr[u32]) -> void:
    """After `stop_in_code`; the GIL is held."""
    exec = activation.exec
    exec.top = top
    activation.running = 1


@native
def now(python: ptr[Python]) -> i64:
    """Nanoseconds of a clock that only goes forward."""
    time = stack(Time)
    python.clock_gettime(python.clock, time)
    return time.seconds * 1_000_000_000 + time.nanoseconds


@native
def raised_by_signal(activation: ptr[Activation], time: i64) -> boolean:
    """Let Python's signal handlers run, if it is time to. True: one of them raised."""
    python = activation.python
    if time - activation.checked < SIGNAL_INTERVAL:
        return False
    if activation.released is not None and activation.on_main_thread == 0:
        return False
    top = stop_in_code(activation)
    activation.checked = time
    activation.thread = python.PyThreadState_Get()
    raised = python.PyErr_CheckSignals() != 0  # does nothing on other threads
    go_on_running(activation, top)
    return raised


@native(cold=True)
def set_deadline(activation: ptr[Activation]) -> void:
    """Find the earliest deadline of this thread, for a call that begins."""
    python = activation.python
    thread = python.PyThread_get_thread_ident()
    each = python.deadlines
    while each is not None:
        if each.thread == thread and (activation.deadline == 0 or each.time < activation.deadline):
            activation.deadline = each.time
        each = each.next
    if activation.deadline != 0 and now(python) >= activation.deadline:
        activation.exec.budget = 0


@native(cold=True)
def has_stopped_instance(exec: ptr[Exec]) -> boolean:
    """Whether a frame on the stack is of an instance that was terminated."""
    entry = exec.entry
    while entry is not None:
        if entry.instance is not None and entry.instance.stopped != 0:
            return True
        entry = entry.outer
    return False


@inline
def wanted_end(activation, time):
    """The trap code to end a call with, if somebody wants it to end; 0: it may go on."""
    exec = activation.exec
    code = volatile_load(addr(exec.interrupt))
    if activation.stops_seen != activation.python.stops:
        activation.stops_seen = activation.python.stops
        if has_stopped_instance(exec):
            code = u32(TrapCode.TERMINATED)
    if code == 0 and activation.deadline != 0 and time >= activation.deadline:
        code = u32(TrapCode.DEADLINE)
    return code


@native
def end_after_host_call(activation: ptr[Activation]) -> u32:
    """What `wanted_end` says when a host function returns, which may have taken long."""
    time: i64 = 0
    if activation.deadline != 0:
        time = now(activation.python)
    return wanted_end(activation, time)


@native(export="cpython_poll")
def poll(exec: ptr[Exec]) -> u32:
    """Platform.poll: stop if a thread or a signal handler wants it, else run without the GIL."""
    activation = ptr[Activation](exec)
    exec.budget = BUDGET
    time = now(activation.python)
    code = wanted_end(activation, time)
    if code != 0:
        return code
    python = activation.python
    if python.profile is not None:
        take_sample(activation, time, None)
    if activation.request != 0:
        answer_request(activation, False)
    if raised_by_signal(activation, time):
        return TrapCode.HOST_EXCEPTION
    work_at_poll(python.store)
    if atomic_load(addr(python.stopping), "seq_cst") != 0:
        # Until the thread that collects garbage gives the GIL back.
        go_on_running(activation, stop_in_code(activation))
    if activation.released is None:
        activation.identity = python.PyThread_get_thread_ident()
        activation.on_main_thread = u32(activation.identity == python.main_thread)
        activation.released = python.PyEval_SaveThread()
    return 0


@native(export="cpython_interrupt")
def interrupt(python: ptr[Python], owner: ptr[OwnerObject]) -> u32:
    """Stop the calls of an instance that are under way. Returns how many. The GIL is held."""
    found: u32 = 0
    activation = python.active
    while activation is not None:
        if activation.owner == owner:
            volatile_store(addr(activation.exec.interrupt), u32(TrapCode.INTERRUPTED))
            if python.platform.hurry is not None:
                python.platform.hurry(activation.exec)
            found += 1
        activation = activation.next
    return found


@native(export="cpython_terminate")
def terminate(python: ptr[Python], owner: ptr[OwnerObject]) -> void:
    """End all calls of an instance's functions, now and for ever. The GIL is held."""
    instance = ptr[Instance](owner.resource)
    instance.stopped = TrapCode.TERMINATED
    python.stops += 1


@native(export="cpython_check")
def check(python: ptr[Python]) -> u32:
    """For host functions that wait: what the call that is under way in this thread has to end with.

    0: it may go on. The GIL is held.
    """
    activation = activation_of_thread(python)
    return 0 if activation is None else end_after_host_call(activation)


@native(export="cpython_add_deadline")
def add_deadline(python: ptr[Python], deadline: ptr[Deadline], seconds: f64) -> void:
    """Let calls that this thread makes from now on end in so many seconds."""
    deadline.thread = python.PyThread_get_thread_ident()
    deadline.time = now(python) + i64(seconds * 1e9)
    deadline.next = python.deadlines
    python.deadlines = deadline


@native(export="cpython_remove_deadline")
def remove_deadline(python: ptr[Python], deadline: ptr[Deadline]) -> void:
    """Take a deadline back."""
    if python.deadlines == deadline:
        python.deadlines = deadline.next
        return
    each = python.deadlines
    while each.next != deadline:
        each = each.next
    each.next = deadline.next
