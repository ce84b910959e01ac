"""The code of compiled modules as signal handlers see it: where it is, and who runs it.

For x86-64 Linux.
"""

from wasmote.aot.structs import Context
from wasmote.core.structs import NONE, Exec
from wasmote.nativepy import array, boolean, native, ptr, struct, u8, u32, u64, usize, void


@struct
class CodeRange:
    """The code of a mapped module. When it is unmapped `end` becomes 0; ranges are never freed."""

    start: usize
    end: usize
    entered: usize
    trap: usize  # address of `wasmote.trap`
    functions: ptr[u32]  # offset and size of each of the module's own functions
    function_count: u32
    counting: ptr[u8]  # a bit for each: it has polls of its own; None: so have all
    next: ptr["CodeRange"]


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
#: Machine code: push %rbp, which a function begins with, and ret.
PUSH_RBP, RET = 0x55, 0xC3


@native
def range_at(code: ptr[CodeRange], address: usize) -> ptr[CodeRange]:
    """The range that has an address; None: it is not compiled code."""
    while code is not None and (address < code.start or address >= code.end):
        code = code.next
    return code


@native
def own_function(code: ptr[CodeRange], address: usize) -> u32:
    """The number of the module's own function whose code has an address, or NONE."""
    offset = address - code.start
    for i in range(code.function_count):
        start = usize(code.functions[2 * i])
        if offset >= start and offset - start < usize(code.functions[2 * i + 1]):
            return i
    return NONE


@native
def counts(code: ptr[CodeRange], function: u32) -> boolean:
    """Whether a function has polls of its own, and no others may happen in it."""
    return code.counting is None or code.counting[function >> 3] >> u8(function & 7) & 1 != 0


@native
def unframed_return(code: ptr[CodeRange], function: u32, registers: ptr[Registers]) -> usize:
    """Where a function returns to that was interrupted at one of its ends, where it has no frame;
    else 0.
    """
    if function == NONE:  # code that goes on from a loop
        return 0
    start = code.start + usize(code.functions[2 * function])
    instruction = ptr[u8](registers.rip)
    stack = ptr[usize](registers.rsp)
    if registers.rip == start or instruction[0] == RET:
        return stack[0]
    if registers.rip == start + 1 and (instruction - 1)[0] == PUSH_RBP:
        return stack[1]
    return 0


@native
def link_frame(
    code: ptr[CodeRange], function: u32, registers: ptr[Registers], frame: ptr[usize]
) -> void:
    """Make a frame, of four addresses, as if the interrupted instruction of a function had made a
    call.
    """
    outer = unframed_return(code, function, registers)
    frame[0] = registers.rbp
    frame[1] = registers.rip + 1
    if outer != 0:
        frame[0] = usize(frame + 2)
        frame[2] = registers.rbp
        frame[3] = outer


@native
def entry_of(code: ptr[CodeRange], registers: ptr[Registers]) -> ptr[usize]:
    """The frame of `wasmote.enter` that the module's own function runs in that was interrupted."""
    frame = ptr[usize](registers.rbp)
    while frame[1] != code.entered:
        frame = ptr[usize](frame[0])
    return ptr[usize](frame[0])


@native
def exec_of(entry: ptr[usize]) -> ptr[Exec]:
    return ptr[Exec]((entry - SAVED_EXEC)[0])


@native
def context_of(entry: ptr[usize]) -> ptr[Context]:
    return ptr[Context]((entry - SAVED_CONTEXT)[0])


@native
def go_on_in_trap(
    code: ptr[CodeRange], function: u32, registers: ptr[Registers], reason: u32
) -> void:
    """Have the thread go on in `wasmote.trap`, as if the interrupted instruction had called it."""
    entry = entry_of(code, registers)
    # 5 below a multiple of 16: as after a call. `wasmote.trap` first saves `rbp` below.
    stack = ptr[usize]((registers.rsp - RED_ZONE) & ~usize(15)) - 5
    link_frame(code, function, registers, stack - 1)
    registers.rbp = (stack - 1)[0]
    registers.rsp = usize(stack)
    registers.rip = code.trap
    registers.rdi = usize(exec_of(entry))
    registers.rsi = usize(context_of(entry))
    registers.rdx = usize(reason)
