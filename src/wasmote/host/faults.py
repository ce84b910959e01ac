"""Turns faults in compiled code into traps: inaccessible pages behind a memory replace checks.

A handler of SIGSEGV and SIGBUS, in native code. A fault is WebAssembly's if the instruction is in
the code of a compiled module and the address in a memory of the running instance; then the thread
continues in `wasmote.trap`. Every other fault goes to the handler that was there before.

`code_signals` installs it. For x86-64 Linux.
"""

import signal

from wasmote.core.status import TrapCode
from wasmote.core.structs import Instance
from wasmote.host.code_ranges import (
    CodeRange,
    Registers,
    context_of,
    entry_of,
    go_on_in_trap,
    own_function,
    range_at,
)
from wasmote.nativepy import array, boolean, fn, i32, native, ptr, struct, u32, usize, void


@struct
class FaultState:
    """What the handler knows."""

    ranges: ptr[CodeRange]
    former: array[usize, 2]  # the handlers before, of SIGSEGV and SIGBUS
    former_flags: array[u32, 2]  # 1: takes three arguments
    signal: fn[[i32, usize], usize]  # the C library's, to restore the default


#: In place of a handler: end the process, do nothing.
DEFAULT, IGNORE = 0, 1
HANDLER = fn[[i32, ptr[usize], ptr[Registers]], void]
PLAIN_HANDLER = fn[[i32], void]


@native(export="linux_fault")
def linux_fault(
    number: i32, info: ptr[usize], registers: ptr[Registers], state: ptr[FaultState]
) -> void:
    """The handler; `info` is siginfo_t."""
    code = range_at(state.ranges, registers.rip)
    if code is not None and become_trap(code, info[2], registers):
        return
    pass_on(number, info, registers, state)


@native
def become_trap(code: ptr[CodeRange], address: usize, registers: ptr[Registers]) -> boolean:
    """If the address is in a memory of the instance, go on in `wasmote.trap`."""
    function = own_function(code, registers.rip)
    context = context_of(entry_of(code, registers))
    if not is_in_memory(context.instance, address):
        return False
    go_on_in_trap(code, function, registers, TrapCode.MEMORY_OUT_OF_BOUNDS)
    return True


@native
def is_in_memory(instance: ptr[Instance], address: usize) -> boolean:
    """Whether an address belongs to a memory of the instance, or to its reserved surroundings."""
    for i in range(instance.module.memory_count):
        memory = instance.memories[i]
        start = usize(memory.data)
        if address >= start and address - start < memory.reserved:
            return True
    return False


@native
def pass_on(
    number: i32, info: ptr[usize], registers: ptr[Registers], state: ptr[FaultState]
) -> void:
    """Call the handler that was there before ours."""
    which = u32(number != signal.SIGSEGV)
    former = state.former[which]
    if former <= IGNORE:
        state.signal(number, DEFAULT)  # the instruction faults again, and ends the process
    else:
        call_former(former, state.former_flags[which], number, info, registers)


@native
def call_former(
    former: usize, flags: u32, number: i32, info: ptr[usize], registers: ptr[Registers]
) -> void:
    """Call a handler. `flags` is 1 if it takes three arguments."""
    if flags != 0:
        handler = HANDLER(former)
        handler(number, info, registers)
    else:
        plain = PLAIN_HANDLER(former)
        plain(number)


EXPORTS = (linux_fault,)
