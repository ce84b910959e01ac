"""Instructions that work on whole ranges: what they cost, and how long ones can be interrupted."""

from wasmote.core.bounds import in_range
from wasmote.core.fuel import spend_for_size
from wasmote.core.memory import memory_copy, memory_fill
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Memory
from wasmote.nativepy import inline, native, ptr, u8, u32, u64

from .outside import leave_for

#: Bytes between two polls: some milliseconds.
PIECE = 16 << 20


@inline
def begin_bulk(exec, inst, code, fp, n):
    """Before an instruction on `n` bytes or elements: spend fuel, say where control is.

    0 or a trap code; `code` and `fp` as in `call_outside`.
    """
    if n > PIECE:
        leave_for(exec.entry, inst, code, fp)
    return spend_for_size(inst, n)


@native(noinline=True)
def fill_memory(exec: ptr[Exec], memory: ptr[Memory], d: u64, value: u8, n: u64) -> u32:
    """`memory_fill`, but the host can stop it half-way."""
    if not in_range(memory.size, d, n):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    while n > PIECE:
        memory_fill(memory, d, value, PIECE)
        d += PIECE
        n -= PIECE
        code = exec.platform.poll(exec)
        if code != TrapCode.NONE:
            return code
    return memory_fill(memory, d, value, n)


@native(noinline=True)
def copy_memory(
    exec: ptr[Exec], to: ptr[Memory], source: ptr[Memory], d: u64, s: u64, n: u64
) -> u32:
    """`memory_copy`, but the host can stop it half-way."""
    if not (in_range(to.size, d, n) and in_range(source.size, s, n)):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    down = to == source and d > s  # what overlaps is read before it is written
    while n > PIECE:
        n -= PIECE
        if down:
            memory_copy(to, source, d + n, s + n, PIECE)
        else:
            memory_copy(to, source, d, s, PIECE)
            d += PIECE
            s += PIECE
        code = exec.platform.poll(exec)
        if code != TrapCode.NONE:
            return code
    return memory_copy(to, source, d, s, n)
