"""A program for a machine that has nothing but memory: it loads a compiled module and calls
functions, as a list in memory says. `emulator` makes an executable of it and runs it.

It has no variables, so what it works on is at an address that is known when it is compiled.
"""

from wasmote.aot.run import aot_abi, aot_attach, aot_run
from wasmote.aot.structs import CodeLayout
from wasmote.core.decode.module import module_load
from wasmote.core.function import instance_function
from wasmote.core.instantiate import instance_create
from wasmote.core.store import store_init
from wasmote.core.structs import (
    NONE,
    Error,
    Exec,
    FuncInst,
    Instance,
    Limits,
    Module,
    Platform,
    Store,
)
from wasmote.core.type_store import store_add_types
from wasmote.interp.common.outside import call_from_host
from wasmote.interp.common.trace import use_own_frames
from wasmote.nativepy import (
    addr,
    address_of,
    array,
    copy,
    fill,
    native,
    ptr,
    sizeof,
    stack,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Where the `Board` is, and the memory that it hands out, in the executable.
BOARD, HEAP, HEAP_SIZE = 0x2000_0000, 0x3000_0000, 128 << 20
#: Cells of the value stack, and of arguments or results of a call.
STACK, CELLS = 32768, 16
#: Bytes of the native stack.
NATIVE_STACK = 1 << 20


@struct
class Call:
    """A function by index, with its arguments; afterwards the trap code and the results."""

    function: u32
    code: u32
    frames: u32  # of the backtrace of a trap
    unused: u32
    cells: array[u32, CELLS]


@struct
class Board:
    """What is to be done, and what came of it."""

    free: ptr[u8]  # of the heap
    heap_end: ptr[u8]
    module: ptr[u8]
    module_size: u32
    count: u32
    calls: ptr[Call]
    layout: CodeLayout
    features: u64
    status: u32  # where it ended: 0 at the end, else a line of `run`
    detail: u32
    abi: u32
    polls: u32
    stack_bottom: usize


@native(convention="c")
def allocate(size: usize) -> ptr[u8]:
    """Memory that is never given back; its size is before it."""
    board = ptr[Board](usize(BOARD))
    size = (size + 15) & ~usize(15)
    if size > usize(board.heap_end) - usize(board.free):
        return None
    start = board.free + 16
    ptr[usize](board.free)[0] = size
    board.free = start + size
    return start


@native(convention="c")
def resize(old: ptr[u8], size: usize) -> ptr[u8]:
    made = allocate(size)
    if made is not None and old is not None:
        before = ptr[usize](old - 16)[0]
        copy(made, old, before if before < size else size)
    return made


@native(convention="c")
def release(old: ptr[u8]) -> void:
    pass


@native(convention="c")
def reserve(platform: ptr[Platform], size: usize) -> ptr[u8]:
    found = allocate(size)
    if found is not None:
        fill(found, 0, size)
    return found


@native(convention="c")
def commit(platform: ptr[Platform], base: ptr[u8], before: usize, after: usize) -> u32:
    return 0


@native(convention="c")
def unreserve(platform: ptr[Platform], base: ptr[u8], size: usize) -> void:
    pass


@native(convention="c")
def poll(exec: ptr[Exec]) -> u32:
    exec.budget = 1 << 20
    ptr[Board](usize(BOARD)).polls += 1
    return 0


@native(convention="c")
def call_host(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    return 0


@native(convention="c")
def collect(exec: ptr[Exec]) -> void:
    pass


@native(convention="c")
def clock(platform: ptr[Platform]) -> u64:
    return 0


@native(convention="c")
def stack_bottom(platform: ptr[Platform]) -> usize:
    return ptr[Board](usize(BOARD)).stack_bottom


@native
def cleared(size: usize) -> ptr[u8]:
    found = allocate(size)
    fill(found, 0, size)
    return found


@native
def make_platform() -> ptr[Platform]:
    p = ptr[Platform](cleared(sizeof(Platform)))
    p.allocate = address_of(allocate)
    p.resize = address_of(resize)
    p.release = address_of(release)
    p.reserve = address_of(reserve)
    p.commit = address_of(commit)
    p.unreserve = address_of(unreserve)
    p.poll = address_of(poll)
    p.call_host = address_of(call_host)
    p.collect = address_of(collect)
    p.clock = address_of(clock)
    p.stack_bottom = address_of(stack_bottom)
    return p


@native
def run(board: ptr[Board]) -> u32:
    """0, or the number of the step that failed."""
    board.abi = aot_abi()
    platform = make_platform()
    limits = ptr[u32](cleared(sizeof(Limits)))
    for i in range(u32(0), sizeof(Limits) // 4):
        limits[i] = 0xFFFF
    ptr[Limits](limits).memory_pages = 400
    module = ptr[Module](cleared(sizeof(Module)))
    module.platform = platform
    module.limits = ptr[Limits](limits)
    module.features = board.features
    module.binary = board.module
    module.binary_size = usize(board.module_size)
    board.detail = module_load(module)
    if board.detail != 0:
        return 1
    store = ptr[Store](cleared(sizeof(Store)))
    if store_init(store, platform) != 0 or store_add_types(store, module) != 0:
        return 2
    out = stack(ptr[Instance])
    error = stack(Error)
    imports = ptr[ptr[u8]](cleared(usize(module.import_count) * sizeof(usize)))
    board.detail = instance_create(store, module, imports, out, error)
    instance = out[0]
    if instance is None:
        return 3
    board.layout.code = board.layout.code
    if aot_attach(instance, board.layout) != 0:
        return 4
    instance.run = address_of(aot_run)
    exec = ptr[Exec](cleared(sizeof(Exec)))
    exec.platform = platform
    exec.stack = ptr[u32](cleared(STACK * 4))
    exec.stack_end = exec.stack + STACK
    exec.depth_limit = 100
    exec.budget = 1 << 20
    use_own_frames(exec)
    if module.start != NONE:
        start = instance_function(instance, module.start)
        board.detail = call_from_host(exec, start, exec.stack)
        if board.detail != 0:
            return 5
    for i in range(u32(0), board.count):
        call = board.calls + i
        cells = exec.stack
        exec.top = cells
        copy(cells, addr(call.cells), CELLS * 4)
        call.code = call_from_host(exec, instance_function(instance, call.function), cells)
        call.frames = exec.trace_count if call.code != 0 else u32(0)
        copy(addr(call.cells), cells, CELLS * 4)
    return 0


@native(export="board_start")
def board_start() -> void:
    board = ptr[Board](usize(BOARD))
    board.status = run(board)
    finished()


@native(export="board_finished", noinline=True)
def finished() -> void:
    """Where the debugger stops the program."""
    while True:
        pass
