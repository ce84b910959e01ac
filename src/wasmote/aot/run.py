"""Enters compiled code, and makes instances ready for it."""

from wasmote.aot.abi import abi
from wasmote.aot.exceptions import finish_trace
from wasmote.aot.helpers import HELPERS
from wasmote.aot.structs import GUARDED, PLACES, CodeLayout, Context
from wasmote.aot.trace import aot_describe, aot_walk
from wasmote.aot.watch import begin_code, end_code
from wasmote.core.bounds import LimitsFlag
from wasmote.core.gc.heap import create_heap
from wasmote.core.status import TrapCode
from wasmote.core.store_lock import lock, unlock
from wasmote.core.structs import EXCEPTION, Entry, Exec, FuncInst, Instance, Pool, Store
from wasmote.interp.common.outside import close_entry, open_entry
from wasmote.nativepy import (
    addr,
    address_of,
    atomic_compare_exchange,
    atomic_store,
    boolean,
    fill,
    fn,
    i64,
    native,
    ptr,
    sizeof,
    stack,
    static,
    u8,
    u32,
    u64,
    usize,
)

ENTER = fn[[ptr[Exec], ptr[Context], ptr[u8], ptr[u8], ptr[u32]], u32]
#: Bytes of the native stack that compiled code leaves to what it calls, and to its own frames: the
#: check at a function's start looks at where its frame begins.
STACK_MARGIN = 256 << 10


@native(export="aot_run")
def aot_run(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`Instance.run`: run a compiled function, arguments and results at `cells`."""
    inst = target.instance
    context = ptr[Context](inst.native)
    module = inst.module
    index = target.index
    type = module.functions[index].type
    kind = module.types + type
    room = kind.param_cells if kind.param_cells > kind.result_cells else kind.result_cells
    if exec.depth >= exec.depth_limit or usize(cells + room) > usize(exec.stack_end):
        return TrapCode.STACK_OVERFLOW
    own = index - module.imported_functions
    conversion = context.code + context.entries[type]
    return enter(
        exec, context, conversion, context.code + context.functions[2 * own], cells, cells + room
    )


@native
def enter(
    exec: ptr[Exec],
    context: ptr[Context],
    conversion: ptr[u8],
    function: ptr[u8],
    cells: ptr[u32],
    end: ptr[u32],
) -> u32:
    """Enter compiled code, which has the value stack from `end` on."""
    entry = stack(Entry)
    open_entry(exec, entry, end, address_of(aot_walk), address_of(aot_describe))
    entry.roots_end = end
    limit = exec.native_limit
    if entry.outer is None or limit == 0:
        exec.native_limit = native_limit(exec, usize(entry))
    top = exec.top
    exec.top = end
    mine = takes_pools(exec, context)
    code = begin_code(exec, context)
    if code == 0:
        code = context.enter(exec, context, conversion, function, cells)
        end_code(exec)
    if code == EXCEPTION:
        finish_trace(exec)
    if mine:
        atomic_store(addr(context.owner), usize(0))
    exec.top = top
    exec.native_limit = limit
    close_entry(exec, entry)
    return code


@native
def takes_pools(exec: ptr[Exec], context: ptr[Context]) -> boolean:
    """Let this thread of execution have the instance's pools, if it deals with objects and no other
    one does.
    """
    if context.pools is None or context.owner != 0:
        return False
    return atomic_compare_exchange(addr(context.owner), usize(0), usize(exec)) == 0


@native
def native_limit(exec: ptr[Exec], here: usize) -> usize:
    """How far down the native stack may grow: as much as the value stack is large, if there is
    room.
    """
    size = usize(exec.stack_end) - usize(exec.stack)
    lowest = exec.platform.stack_bottom(exec.platform) + STACK_MARGIN
    if here < lowest:
        return here
    return here - size if here - lowest > size else lowest


@native(export="aot_attach")
def aot_attach(inst: ptr[Instance], layout: ptr[CodeLayout]) -> u32:
    """Give an instance its context, which `instance_destroy` frees.

    0, OUT_OF_MEMORY, or MEMORY_OUT_OF_BOUNDS: a memory lacks the address space that stands in for
    checks.
    """
    module = inst.module
    if layout.guarded != 0 and not is_guarded(inst):
        return TrapCode.MEMORY_OUT_OF_BOUNDS
    slots = module.global_count + module.memory_count + module.table_count
    slots = slots + module.imported_functions + module.type_count + module.tag_count
    size = sizeof(Context) + usize(slots) * sizeof(usize)
    pools = size
    size = size + usize(module.type_count) * sizeof(Pool)
    context = ptr[Context](inst.platform.allocate(size))
    if context is None:
        return TrapCode.OUT_OF_MEMORY
    fill(context, 0, size)
    context.instance = inst
    context.store = inst.store
    context.code = layout.code
    context.functions = ptr[u32](layout.code + layout.functions)
    context.entries = ptr[u32](layout.code + layout.entries)
    if layout.objects != 0:
        if not heap_exists(inst.store):
            inst.platform.release(ptr[u8](context))
            return TrapCode.OUT_OF_MEMORY
        context.heap = inst.store.heap
        context.objects = context.heap.base
        context.pools = ptr[Pool](ptr[u8](context) + pools)
    if layout.loops != 0:
        context.loops = ptr[u32](layout.code + layout.loops)
    context.entered = usize(layout.code + layout.entered)
    context.watched = usize(layout.watched)
    context.enter = ENTER(layout.code + layout.enter)
    context.unlimited.left = i64(1 << 62)
    context.fuel = inst.fuel if inst.fuel is not None else addr(context.unlimited)
    if module.memory_count != 0:
        context.memory = inst.memories[0].data
    for name in static(tuple(HELPERS)):
        context.helpers[PLACES[name]] = usize(address_of(HELPERS[name]))
    if inst.platform.move is not None:
        context.helpers[PLACES["move"]] = usize(inst.platform.move)
    if inst.platform.set is not None:
        context.helpers[PLACES["set"]] = usize(inst.platform.set)
    fill_slots(ptr[usize](context + 1), inst)
    inst.pools = context.pools
    inst.native = ptr[u8](context)
    return 0


@native
def heap_exists(s: ptr[Store]) -> boolean:
    """Make the heap, if nobody has yet. False: out of memory."""
    lock(s)
    fine = s.heap is not None or create_heap(s)
    unlock(s)
    return fine


@native
def is_guarded(inst: ptr[Instance]) -> boolean:
    """Whether no 32-bit address leads out of what a memory has reserved."""
    for i in range(inst.module.memory_count):
        memory = inst.memories[i]
        checked = memory.type.flags & LimitsFlag.INDEX_64 != 0 or memory.type.page_shift != 16
        if not checked and u64(memory.reserved) < GUARDED:
            return False
    return True


@native
def fill_slots(slot: ptr[usize], inst: ptr[Instance]):
    """The variable part of a context."""
    module = inst.module
    slot = copied(slot, ptr[usize](inst.globals), module.global_count)
    slot = copied(slot, ptr[usize](inst.memories), module.memory_count)
    slot = copied(slot, ptr[usize](inst.tables), module.table_count)
    slot = copied(slot, ptr[usize](inst.imported), module.imported_functions)
    for i in range(u32(0), module.type_count):
        slot[i] = usize(module.types[i].id)
    slot = slot + module.type_count
    for i in range(module.tag_count):
        slot[i] = usize(inst.tags[i].handle)


@native
def copied(slot: ptr[usize], source: ptr[usize], count: u32) -> ptr[usize]:
    """Copy pointers to slots; returns the slot after them."""
    for i in range(u32(0), count):
        slot[i] = source[i]
    return slot + count


@native(export="aot_abi")
def aot_abi() -> u32:
    """What compiled code must have been compiled for."""
    return abi(sizeof(usize))


EXPORTS = (aot_run, aot_attach, aot_abi)
