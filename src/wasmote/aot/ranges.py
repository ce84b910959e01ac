"""Long ranges of memory in compiled code: the host can look in, and stop them, half-way."""

from wasmote.aot.leave import leave_compiled
from wasmote.aot.structs import Context
from wasmote.aot.watch import begin_code
from wasmote.core.structs import Exec
from wasmote.interp.common.bulk import PIECE
from wasmote.nativepy import copy, fill, i32, native, ptr, u8, u32, u64, usize


@native(convention="c", cold=True, noinline=True)
def aot_move_pieces(
    exec: ptr[Exec],
    context: ptr[Context],
    to: ptr[u8],
    source: ptr[u8],
    n: u64,
    frame: ptr[u32],
) -> u32:
    """Copy bytes, overlapping or not, that were checked: 0 or a trap code."""
    leave_compiled(exec, context, frame)
    down = usize(to) > usize(source)  # what overlaps is read before it is written
    while n > PIECE:
        n -= PIECE
        if down:
            move(exec, to + usize(n), source + usize(n), PIECE)
        else:
            move(exec, to, source, PIECE)
            to = to + PIECE
            source = source + PIECE
        code = look_in(exec, context)
        if code != 0:
            return code
    move(exec, to, source, usize(n))
    return 0


@native(convention="c", cold=True, noinline=True)
def aot_set_pieces(
    exec: ptr[Exec],
    context: ptr[Context],
    to: ptr[u8],
    value: i32,
    n: u64,
    frame: ptr[u32],
) -> u32:
    """Fill bytes that were checked: 0 or a trap code."""
    leave_compiled(exec, context, frame)
    while n > PIECE:
        set_bytes(exec, to, value, PIECE)
        to = to + PIECE
        n -= PIECE
        code = look_in(exec, context)
        if code != 0:
            return code
    set_bytes(exec, to, value, usize(n))
    return 0


@native
def look_in(exec: ptr[Exec], context: ptr[Context]) -> u32:
    """Let the host look in; other code may run meanwhile. 0 or a trap code."""
    code = exec.platform.poll(exec)
    return code if code != 0 else begin_code(exec, context)


@native
def move(exec: ptr[Exec], to: ptr[u8], source: ptr[u8], n: usize):
    if exec.platform.move is not None:
        exec.platform.move(to, source, n)
    else:
        copy(to, source, n)


@native
def set_bytes(exec: ptr[Exec], to: ptr[u8], value: i32, n: usize):
    if exec.platform.set is not None:
        exec.platform.set(to, value, n)
    else:
        fill(to, u8(value), n)
