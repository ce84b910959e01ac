"""Turns faults in compiled code into traps: inaccessible pages behind a memory replace checks.

A handler of SIGSEGV and SIGBUS, in native code. A fault is WebAssembly's if the instruction is in
the code of a compiled module and the address in a memory of the running instance; then the thread
continues in `wasmote.trap`. Every other fault goes to the handler that was there before.

`fault_handler` installs it. For x86-64 Linux.
"""

import signal

from wasmote.aot.structs import Context
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.nativepy import (
    array,
    boolean,
    fn,
    i32,
    native,
    ptr,
    struct,
    u32,
    u64,
    usize,
    void,
)


@struct
class CodeRange:
    """The code of a mapped module. When it is unmapped `end` becomes 0; ranges are never freed."""

    start: usize
    end: usize
    entered: usize
    trap: usize  # address of `wasmote.trap`
    next: ptr["CodeRange"]


@struct
class FaultState:
    """What the handler knows."""

    ranges: ptr[CodeRange]
    former: array[usize, 2]  # the handlers before, of SIGSEGV and SIGBUS
    former_flags: array[u32, 2]  # 1: takes three arguments
    signal: fn[[i32, usize], usize]  # the C library's, to restore the default


@struct
class Registers:
    """ucontext_t of Linux on x86-64, up to the instruction pointer."""

    unused: array[u64, 5]
    r8_to_r15: array[u64, 8]
    rdi: usize
    rsi: usize
    rbp: usize
    rbx: usize
    rdx: usize
    rax: usize
    rcx: usize
    rsp: usize
    rip: usize


#: Bytes below the stack pointer that a function may use.
RED_ZONE = 128
#: Where `wasmote.enter` keeps its arguments, in addresses below its frame.
SAVED_EXEC, SAVED_CONTEXT = 6, 7
#: In place of a handler: end the process, do nothing.
DEFAULT, IGNORE = 0, 1
HANDLER = fn[[i32, ptr[usize], ptr[Registers]], void]
PLAIN_HANDLER = fn[[i32], void]


@native(export="linux_fault")
def linux_fault(
    number: i32, info: ptr[usize], registers: ptr[Registers], state: ptr[FaultState]
) -> void:
    """The handler; `info` is siginfo_t."""
    code = state.ranges
    while code is not None:
        inside = registers.rip >= code.start and registers.rip < code.end
        if inside and become_trap(code, info[2], registers):
            return
        code = code.next
    pass_on(number, info, registers, state)


@native
def become_trap(code: ptr[CodeRange], address: usize, registers: ptr[Registers]) -> boolean:
    """If the address is in a memory of the instance, go on in `wasmote.trap`."""
    frame = ptr[usize](registers.rbp)
    while frame[1] != code.entered:
        frame = ptr[usize](frame[0])
    entry = ptr[usize](frame[0])
    exec = ptr[Exec]((entry - SAVED_EXEC)[0])
    context = ptr[Context]((entry - SAVED_CONTEXT)[0])
    if not is_in_memory(context.instance, address):
        return False
    # As if the faulting instruction had called it.
    stack = ptr[usize](((registers.rsp - RED_ZONE) & ~usize(15)) - 8)
    stack[0] = registers.rip + 1
    registers.rsp = usize(stack)
    registers.rip = code.trap
    registers.rdi = usize(exec)
    registers.rsi = usize(context)
    registers.rdx = usize(u32(TrapCode.MEMORY_OUT_OF_BOUNDS))
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
    elif state.former_flags[which] != 0:
        handler = HANDLER(former)
        handler(number, info, registers)
    else:
        plain = PLAIN_HANDLER(former)
        plain(number)


EXPORTS = (linux_fault,)
