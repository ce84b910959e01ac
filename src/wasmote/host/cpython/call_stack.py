"""Call stacks of running code: for host functions, and for other threads."""

from wasmote.core.structs import Instance
from wasmote.host.cpython.convert import borrow, caller
from wasmote.host.cpython.objects import memory_new
from wasmote.host.cpython.structs import Activation, Object, OwnerObject, Python, StackRequest
from wasmote.interp.common.trace import capture_stack
from wasmote.nativepy import (
    addr,
    atomic_exchange,
    atomic_store,
    boolean,
    native,
    ptr,
    u32,
    usize,
    void,
)


@native(export="cpython_request_stacks")
def request_stacks(
    python: ptr[Python],
    owner: ptr[OwnerObject],
    own: u32,
    requests: ptr[StackRequest],
    room: u32,
) -> u32:
    """Ask for the frames of calls under way, the latest first; returns how many calls there are.

    Of an owner's functions, or, if that is None, of all; with `own` only those that this thread is
    in. What waits in Python is answered at once; what runs, at its next poll. The GIL is held.
    """
    thread = python.PyThreadState_Get()
    found: u32 = 0
    activation = python.active
    while activation is not None:
        mine = activation.thread == thread
        if (owner is None or activation.owner == owner) and (mine or own == 0):
            if found < room:
                ask(activation, requests + found, mine)
            found += 1
        activation = activation.next
    return found


@native(export="cpython_own_activation")
def own_activation(python: ptr[Python], owner: ptr[OwnerObject], number: u32) -> ptr[Activation]:
    """This thread's calls of an owner's functions, or, if that is None, of all; the latest is 0.

    None: there are not so many. It stays as long as the thread is in the host function that asks.
    """
    thread = python.PyThreadState_Get()
    activation = python.active
    while activation is not None:
        if activation.thread == thread and (owner is None or activation.owner == owner):
            if number == 0:
                return activation
            number -= 1
        activation = activation.next
    return None


@native(export="cpython_caller")
def caller_of_host(python: ptr[Python]) -> ptr[Object]:
    """The owner of the instance whose code called the host function that asks, or Python's None."""
    activation = own_activation(python, None, 0)
    found: ptr[OwnerObject] = None
    if activation is not None:
        found = caller(activation)
    return borrow(python, ptr[Object](found))


@native(export="cpython_caller_memory")
def caller_memory(python: ptr[Python]) -> ptr[Object]:
    """Memory 0 of that instance, as a new `Memory`, or Python's None: there is no such thing.

    None: a Python exception is set.
    """
    activation = own_activation(python, None, 0)
    if activation is not None:
        owner = caller(activation)
        if owner is not None:
            instance = ptr[Instance](owner.resource)
            if instance.module.memory_count != 0:
                return memory_new(python, instance.memories[0], owner)
    return borrow(python, None)


@native
def ask(activation: ptr[Activation], request: ptr[StackRequest], mine: boolean):
    request.thread = activation.identity
    if mine or activation.running == 0:
        request.count = capture_stack(activation.exec, request.frames, request.limit)
        request.done = 1
    elif activation.request == 0:
        atomic_store(addr(activation.request), usize(request))
    else:
        request.done = 1  # somebody else is asking


@native(export="cpython_withdraw_request")
def withdraw_request(python: ptr[Python], request: ptr[StackRequest]) -> u32:
    """Ask no more. 0: it is answered, or being answered. The GIL is held."""
    activation = python.active
    while activation is not None:
        if activation.request == usize(request):
            return u32(atomic_exchange(addr(activation.request), usize(0)) != 0)
        activation = activation.next
    return 0


@native(cold=True, noinline=True)
def answer_request(activation: ptr[Activation], ended: boolean) -> void:
    """Tell who wants to know the frames of this call; if it has ended, that there are none."""
    request = ptr[StackRequest](atomic_exchange(addr(activation.request), usize(0)))
    if request is None:
        return
    if not ended:
        request.count = capture_stack(activation.exec, request.frames, request.limit)
    atomic_store(addr(request.done), u32(1))
