"""memory.atomic.wait in compiled code."""

from wasmote.aot.leave import leave_compiled
from wasmote.aot.structs import Context
from wasmote.core.structs import Exec, Memory
from wasmote.core.waiting import memory_wait
from wasmote.nativepy import i64, native, ptr, stack, u32, u64


@native(convention="c", noinline=True)
def aot_wait(
    exec: ptr[Exec],
    context: ptr[Context],
    memory: ptr[Memory],
    address: u64,
    expected: u64,
    bits: u32,
    timeout: i64,
    frame: ptr[u32],
) -> u64:
    """Wait at an address that was checked: the result, and in the upper half 0 or a trap code."""
    leave_compiled(exec, context, frame)
    result = stack(u32)
    result[0] = 0
    if bits == 64:
        code = memory_wait(exec, memory, address, expected, 64, timeout, result)
    else:
        code = memory_wait(exec, memory, address, expected, 32, timeout, result)
    return u64(code) << 32 | u64(result[0])
