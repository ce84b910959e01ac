"""The functions of the core that compiled code calls; `structs` has their places."""

from wasmote.aot.exceptions import aot_throw, aot_unwound
from wasmote.aot.leave import leave_compiled
from wasmote.aot.objects import OBJECT_HELPERS
from wasmote.aot.ranges import aot_move_pieces, aot_set_pieces
from wasmote.aot.structs import HELPER_NAMES, Context
from wasmote.aot.trace import aot_capture
from wasmote.aot.waiting import aot_wait
from wasmote.aot.watch import begin_code, end_code
from wasmote.core.function import instance_function
from wasmote.core.gc.exceptions import exception_fields
from wasmote.core.memory import data_drop, memory_grow, memory_init
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst
from wasmote.core.table import elem_drop, table_copy, table_fill, table_grow, table_init, table_set
from wasmote.core.type_store import store_defined_matches
from wasmote.core.waiting import memory_notify
from wasmote.interp.common.outside import call_outside
from wasmote.nativepy import copy, fill, i32, native, ptr, u8, u32, unlikely, usize


@native(convention="c", cold=True, noinline=True)
def aot_poll(exec: ptr[Exec], context: ptr[Context], spent: u32, frame: ptr[u32]) -> u32:
    """Count `spent` calls or iterations; let the host look at the world when it is time to.

    0 or a trap code.
    """
    leave_compiled(exec, context, frame)
    exec.budget = exec.budget - i32(spent)
    return exec.platform.poll(exec) if exec.budget < 0 else 0


@native(convention="c", noinline=True)
def aot_call(
    exec: ptr[Exec],
    context: ptr[Context],
    target: ptr[FuncInst],
    cells: ptr[u32],
    frame: ptr[u32],
) -> u32:
    """Call a function that is not compiled code of this instance: arguments in and results out at
    `cells`. 0 or a trap code.

    Code that comes in parts (`jit.parts`) has functions that are not compiled yet: in place of an
    address `target` is the function's index times 2, plus 1.
    """
    exec.entry.roots_end = exec.top
    end_code(exec)
    number = usize(target)
    if unlikely(number & 1 != 0):
        target = instance_function(context.instance, u32(number >> 1))
        if target is None:
            return TrapCode.OUT_OF_MEMORY
    code = call_outside(exec, context.instance, target, 0, frame, cells)
    again = begin_code(exec, context)
    return again if code == 0 else code


@native(convention="c", cold=True, noinline=True)
def aot_callee(
    context: ptr[Context], handle: u32, type: u32, null: u32, outside: ptr[u8], exec: ptr[Exec]
) -> ptr[u8]:
    """The code to call for a function reference that must have the type of that id.

    For functions of other instances and the host that is `outside`, which calls
    `Exec.successor`. A trap code, `null` for a null reference, where an address would be too small.
    """
    if handle == 0:
        return ptr[u8](usize(null))
    target = context.store.functions[handle]
    if target.type_id != type and not store_defined_matches(context.store, target.type_id, type):
        return ptr[u8](usize(u32(TrapCode.INDIRECT_CALL_TYPE_MISMATCH)))
    module = context.instance.module
    if target.instance != context.instance or target.index < module.imported_functions:
        exec.successor = target
        return outside
    own = target.index - module.imported_functions
    target.code = context.code + context.functions[2 * own]
    target.context = ptr[u8](context)
    return target.code


@native(convention="c")
def aot_move(to: ptr[u8], source: ptr[u8], n: usize) -> ptr[u8]:
    """memmove, where the platform has none."""
    copy(to, source, n)
    return to


@native(convention="c")
def aot_set(to: ptr[u8], value: i32, n: usize) -> ptr[u8]:
    """memset, where the platform has none."""
    fill(to, u8(value), n)
    return to


HELPERS = {
    "capture": aot_capture,
    "poll": aot_poll,
    "call": aot_call,
    "callee": aot_callee,
    "function": instance_function,
    "memory_grow": memory_grow,
    "move": aot_move,
    "set": aot_set,
    "move_pieces": aot_move_pieces,
    "set_pieces": aot_set_pieces,
    "memory_init": memory_init,
    "data_drop": data_drop,
    "table_grow": table_grow,
    "table_set": table_set,
    "table_fill": table_fill,
    "table_copy": table_copy,
    "table_init": table_init,
    "elem_drop": elem_drop,
    **OBJECT_HELPERS,
    "wait": aot_wait,
    "throw": aot_throw,
    "unwound": aot_unwound,
    "exception_fields": exception_fields,
    "notify": memory_notify,
}
assert tuple(HELPERS) == HELPER_NAMES
