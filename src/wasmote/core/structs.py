"""The data structures of the core: what a module, an instance and a running thread are made of.

Everything here is plain memory that the embedder's allocator supplied; the host mirrors these
layouts to ctypes (`nativepy.mirror`) and reads them, so nothing is typed twice. Names follow the
specification (Execution, Runtime Structure). Value types are u32, as `core.value_types` has them.
The defined types in them are indices into `Module.types` while a module is loaded, and ids
(`core.type_store`) from `store_add_types` on.
"""

from wasmote.core.module_structs import (
    Chunk,
    ConstExpr,
    CustomSection,
    DataSegment,
    ElementSegment,
    Error,
    Export,
    FrameMap,
    Function,
    FuncType,
    GlobalType,
    Import,
    Limits,
    MemoryType,
    Module,
    Name,
    TableType,
    TagType,
)
from wasmote.nativepy import (
    array,
    boolean,
    fn,
    i32,
    i64,
    ptr,
    struct,
    u8,
    u16,
    u32,
    u64,
    usize,
    void,
)

PAGE_SIZE = 65536
#: Absent index, absent maximum.
NONE = 0xFFFF_FFFF
NO_MAXIMUM = 0xFFFF_FFFF_FFFF_FFFF


@struct
class Platform:
    """What the core needs from outside. All functions use the C calling convention."""

    allocate: fn[[usize], ptr[u8]]  # malloc: None when out of memory
    resize: fn[[ptr[u8], usize], ptr[u8]]  # realloc
    release: fn[[ptr[u8]], void]  # free; None is allowed
    # Linear memory and code: address space that never moves. A target without virtual memory
    # returns plain zeroed memory from reserve and fails to commit past it.
    reserve: fn[[ptr["Platform"], usize], ptr[u8]]  # inaccessible address space; None on failure
    # (platform, base, old bytes, new bytes) makes zeroed memory of what was reserved; 0 = success
    commit: fn[[ptr["Platform"], ptr[u8], usize, usize], u32]
    unreserve: fn[[ptr["Platform"], ptr[u8], usize], void]
    context: ptr[u8]  # the embedder's own, for these functions
    memory_reservation: usize  # bytes to reserve for a memory (0: just its maximum)
    # Control returns to the host now and then (see Exec.budget): non-zero stops the program with
    # that trap.
    poll: fn[[ptr["Exec"]], u32]
    # Call a host function: arguments are read from and results written to cells at `args`;
    # returns 0 or a trap code.
    call_host: fn[[ptr["Exec"], ptr["FuncInst"], ptr[u32]], u32]
    # A collection of garbage is to begin: scan all stacks, between `gc_begin` and `gc_started` of
    # core.gc.roots, or do nothing.
    collect: fn[[ptr["Exec"]], void]
    # Threads: sleep until someone wakes those who sleep at the word, or for so many nanoseconds, if
    # the word has the value given; may return early. None: there are no threads that could wake.
    wait: fn[[ptr["Platform"], ptr[u32], u32, u64], void]
    wake: fn[[ptr["Platform"], ptr[u32], u32], void]  # (platform, word, threads at most)
    clock: fn[[ptr["Platform"]], u64]  # nanoseconds, of a clock that only goes forward
    # The lowest address of the running thread's native stack, which compiled code uses.
    stack_bottom: fn[[ptr["Platform"]], usize]
    # memmove and memset, made for this processor; None: our own are used.
    move: fn[[ptr[u8], ptr[u8], usize], ptr[u8]]
    set: fn[[ptr[u8], i32, usize], ptr[u8]]
    # Compiled code without polls of its own begins to run in this thread, or goes on: have it call
    # `poll` now and then. Sets `Exec.watch`; 0, or a trap code. None: nobody can.
    watch: fn[[ptr["Exec"]], u32]
    # Have the thread that runs `Exec` poll soon, if it is in such code. None: it polls anyway.
    hurry: fn[[ptr["Exec"]], void]


@struct
class Watch:
    """A thread that has run compiled code without polls; see `Platform.watch`."""

    running: u32  # it is in such code now
    armed: u32  # somebody lets it poll


@struct
class Fuel:
    """What instances may still spend; see core.fuel."""

    left: i64  # never below 0


@struct
class FuncInst:
    """A function instance: what a funcref handle names."""

    instance: ptr["Instance"]  # None: a host function
    index: u32  # in its module's functions
    type_id: u32
    type: ptr[FuncType]
    handle: u32  # index into Store.functions; 0 is null
    references: u32  # host functions: how many owners
    host: ptr[u8]  # host functions: the embedder's object
    # Host functions in native code: what is called in place of Platform.call_host, and its data.
    native: fn[[ptr["Exec"], ptr["FuncInst"], ptr[u32]], u32]
    data: ptr[u8]
    # Compiled functions, once they are called by reference: their code and its instance's context.
    code: ptr[u8]
    context: ptr[u8]


@struct
class Waiter:
    """A thread in memory.atomic.wait; lives on its native stack."""

    next: ptr["Waiter"]
    address: u64
    notified: u32  # what it waits to become 1


@struct
class Memory:
    """A linear memory; `data` never moves while it lives."""

    data: ptr[u8]
    size: u64  # bytes
    pages: u64
    maximum: u64  # pages; the type's maximum or NO_MAXIMUM
    limit: u64  # pages that this runtime allows
    reserved: usize  # bytes
    type: MemoryType
    platform: ptr[Platform]
    lock: u32  # a mutex for growing and for `waiters`; see core.mutex
    waiters: ptr[Waiter]  # those who wait for a notification, longest first
    heap: ptr[u8]  # its AppHeap, see core.app_heap; None: there is none


@struct
class Table:
    """A table of references (32-bit handles, 0 is null)."""

    elements: ptr[u32]
    size: u32
    reach: u32  # the elements that 32-bit indices find: all, or none where indices have 64 bits
    capacity: u32
    limit: u32  # elements that this runtime allows
    reserved: (
        usize  # bytes of address space that `elements` never leaves; 0: it moves when it grows
    )
    watcher: ptr["Heap"]  # whose collector has yet to look at some elements; None: none has
    # In Store.tables, if the host made it.
    next: ptr["Table"]
    previous: ptr["Table"]
    type: TableType
    platform: ptr[Platform]
    lock: u32  # a mutex for growing


@struct
class Global:
    """A global variable: up to four cells, little-endian."""

    value: array[u32, 4]
    content: u32
    mutable: u32


@struct
class HostGlobal:
    """A global variable that the host made."""

    variable: Global
    # In Store.globals, if it holds references.
    next: ptr["HostGlobal"]
    previous: ptr["HostGlobal"]


@struct
class Tag:
    """A tag instance, in a block with a copy of its type; see core.gc.exceptions."""

    handle: u32  # index into Store.tags: what an exception names its tag by
    references: u32  # owners: an instance or the host, and each exception
    type: FuncType
    store: ptr["Store"]


@struct
class Pool:
    """Structures of one type that compiled code has not used yet; see `core.gc.pools`."""

    free: u32  # the first one's handle; 0: none
    batch: u32  # how many were made at a time


@struct
class Instance:
    """A module's instance. Index spaces hold imports first."""

    module: ptr[Module]
    platform: ptr[Platform]
    store: ptr["Store"]
    memories: ptr[ptr[Memory]]
    tables: ptr[ptr[Table]]
    globals: ptr[ptr[Global]]
    tags: ptr[ptr[Tag]]
    imported: ptr[ptr[FuncInst]]  # imported functions
    functions: ptr[
        ptr[FuncInst]
    ]  # own function instances, made when first referenced (all index space)
    dropped_elements: ptr[u8]  # a byte a segment
    element_values: ptr[ptr[u32]]  # of segments whose items may be objects; see core.gc.elements
    next: ptr["Instance"]  # in Store.instances
    previous: ptr["Instance"]
    dropped_data: ptr[u8]
    # The engine's: run one of the instance's functions, its arguments and results at the cells
    # given;
    # 0 or a trap code. Set by the embedder.
    run: fn[[ptr["Exec"], ptr[FuncInst], ptr[u32]], u32]
    host: ptr[u8]  # the embedder's object
    fuel: ptr[Fuel]  # what its code spends (its module is metered then); None: nothing
    stopped: u32  # the trap code that all calls of its functions end with; 0: none
    borrows: u32  # its own memories are another instance's; see `instance_share_memories`
    native: ptr[u8]  # the context of compiled code (`aot.structs.Context`), freed with the instance
    pools: ptr[Pool]  # in that context, one for each of the module's types; None: there are none
    c_state: ptr[u8]  # what C libraries keep with it, see host.c_runtime; freed with the instance


#: Bytes that objects may take unless the embedder says otherwise.
DEFAULT_HEAP_LIMIT = 512 << 20


@struct
class HeapObject:
    """A structure, array or exception; its fields follow. See core.gc.heap.

    The type of an exception is its tag's function type, and its fields are cells: the tag's handle,
    then the parameters.
    """

    head: u32  # the type's id, with the object's colour in the top bit; 0: a free cell
    length: u32  # of an array; of a free cell: the handle of the next one in its block, 0: none


@struct
class Block:
    """What is known of 4 KiB of the heap; see core.gc.blocks."""

    kind: u32  # blocks.Kind, or SMALL + size class
    count: u32  # cells in use; of a large object or of free blocks: blocks, in the first and last
    free: u32  # small: handle of the first free cell
    next: u32  # of the list that the block is in; 0: none
    previous: u32
    flags: u32


@struct
class Pin:
    """An object that the host holds."""

    handle: u32  # 0: no pin
    count: u32  # how often


@struct
class Scan:
    """A table whose elements have not all been looked at since the collection began."""

    table: ptr[Table]
    position: u32


#: Bins of free blocks by the logarithm of their number, and size classes, at most.
RUN_BINS = 24
SIZE_CLASSES = 24


@struct
class Heap:
    """The structures and arrays of all instances; see core.gc."""

    base: ptr[u8]
    # Whether overwritten references must be marked: between a collection's start and the end of
    # marking.
    marking: u32
    colour: u32  # of new objects and of those that are known to be alive
    credit: i64  # bytes that may be allocated before the collector's next turn
    current: array[u32, SIZE_CLASSES]  # blocks where cells are taken from; 0: none
    store: ptr["Store"]
    blocks: ptr[Block]
    most_blocks: u32  # that address space is reserved for
    committed: u32  # blocks there is memory for
    top: u32  # blocks that were ever in use; block 0 never is
    used: u32  # blocks in use
    partial: array[u32, SIZE_CLASSES]  # lists of other blocks with free cells
    runs: array[u32, RUN_BINS]  # lists of free blocks
    count: u32  # objects, garbage included
    bytes: u64  # of their cells
    limit: u64  # bytes of all blocks
    # The collector.
    phase: u32  # collect.Phase
    cursor: u32  # the next block to sweep, or to look through again
    again: u32  # some marked objects did not fit `marks`: their blocks are looked through again
    marks: ptr[u32]  # what is to be looked at, see core.gc.mark
    mark_count: u32
    mark_committed: u32
    mark_limit: u32  # entries
    scans: ptr[Scan]
    scan_count: u32
    scan_capacity: u32
    scan_work: u64  # that they were when the collection began
    pins: ptr[Pin]  # a hash table
    pin_count: u32
    pin_capacity: u32
    # Settings, and what follows from them.
    step: u32  # work of one slice, about in bytes
    growth: u32  # percent that the heap grows by before the next collection
    minimum: u64  # bytes in use below which no collection begins
    allowance: u64  # bytes that may be allocated from one slice to the next
    # Statistics.
    collections: u32
    began: u64  # when the collector's turn began that is under way, in nanoseconds
    longest: u64  # pause for the program, in nanoseconds
    paused: u64  # in all


@struct
class Store:
    """Process-wide: names of function instances (funcref handles) and canonical function types."""

    platform: ptr[Platform]
    functions: ptr[ptr[FuncInst]]  # by handle; entry 0 is unused
    function_capacity: u32
    free_function: u32  # first free handle (the list runs through the entries), 0: none
    function_count: u32
    types: ptr[ptr[u8]]  # canonical types, see core.type_store
    type_capacity: u32
    type_count: u32
    retired_types: ptr[u8]  # former blocks of them
    heap: ptr[Heap]  # None before the first object
    heap_limit: u64  # bytes that objects may take; 0: DEFAULT_HEAP_LIMIT
    instances: ptr["Instance"]  # all there are
    tables: ptr[Table]  # those of the host,
    globals: ptr[HostGlobal]  # and its variables that hold references
    # By handle; an entry without a tag is the next free one, shifted left once, with bit 0 set.
    tags: ptr[ptr[Tag]]
    tag_capacity: u32
    free_tag: u32  # first free handle, 0: none
    paused: u32  # constant expressions under way, whose operands the collector does not see


@struct
class FrameValue:
    """A local or operand of a frame."""

    type: u32  # kind and non-null bit of its value type; of a legacy catch's exception also CAUGHT
    cell: u32  # its first cell in the frame; NONE: it is a constant,
    bits: u64  # which is this


@struct
class FrameDescription:
    """What a frame of running code holds; see core.frames."""

    module: ptr[Module]
    instance: ptr[Instance]
    function: u32  # index
    offset: u32  # in the binary, of the instruction that it is at
    header: u32  # cells from the frame's start to its header: return position, distance to caller
    local_count: u32  # parameters included
    operand_count: u32
    values: ptr[FrameValue]  # the locals, then the operands, the topmost last


@struct
class Crossing:
    """Values on their way between WebAssembly and the host; lives on the native stack."""

    outer: ptr["Crossing"]
    types: ptr[u32]
    count: u32
    cells: ptr[u32]


@struct
class Entry:
    """One entry into WebAssembly code; lives on the native stack of whoever runs it."""

    outer: ptr["Entry"]
    base: ptr[u32]  # the first frame of this entry
    # Where control left WebAssembly for the host or another instance, for the backtrace.
    fp: ptr[u32]
    instance: ptr[Instance]
    code: u32  # as `walk` takes it: where the instruction is, or within it if it is a call
    calling: u32  # whether it is
    # Compiled code, whose frames are not described: what its functions hold is what lies from
    # `base` to here, and all of it is references. None: an interpreter's entry.
    roots_end: ptr[u32]
    # The engine's: adds the frames from `fp` out to `base` to the backtrace (exec, instance, base,
    # fp, code).
    walk: fn[[ptr["Exec"], ptr[Instance], ptr[u32], ptr[u32], u32], void]
    # The engine's: fills in a description of a frame at a position but for its module, and for its
    # operands as they are before the instruction; False: out of memory.
    describe: fn[[ptr[Instance], u32, ptr[FrameDescription]], boolean]


#: What an engine returns in place of a trap code when the function it ran ended in a tail call of
#: another instance's function, or the host's: its arguments are where the arguments of the function
#: that ran were, and `Exec.successor` names it.
TAIL_CALL = 0xFFFF_FFFF
#: Likewise, when an exception left the function: it is in `Exec.exception`.
EXCEPTION = 0xFFFF_FFFE
#: Innermost frames that a trap's backtrace keeps.
TRACE_FRAMES = 32
#: `TraceFrame.function` of compiled code: this bit, and an offset in the code, just before where
#: control returns to. Which functions are there, inlined ones too, the image knows.
NATIVE_FRAME = 1 << 31
#: Where counting the frames of a backtrace ends.
MOST_FRAMES = 1_000_000


@struct
class TraceFrame:
    """One frame of a backtrace, as captured at a trap."""

    instance: ptr[Instance]
    function: u32  # its index; with `NATIVE_FRAME` the rest says nothing
    code: u32  # the instruction's offset in the module's binary,
    extended: u32  # or, if this is not 0, in the fast interpreter's code; see `fast_byte_offset`


#: Runs that a thread of execution remembers; a power of 2.
RUNS = 64


@struct
class Run:
    """A run of instructions, see core.fuel."""

    start: usize  # address of its first instruction; 0: none
    end: usize
    cost: u32


@struct
class Exec:
    """One thread of execution: its value stack and what it reports when it stops."""

    stack: ptr[u32]
    stack_end: ptr[u32]
    top: ptr[u32]  # first free cell while control is outside the interpreter
    code: ptr[u16]  # Module.code of the running instance: frames hold offsets from it
    handlers: ptr[usize]  # the fast interpreter's table of handlers
    classic_handlers: ptr[usize]  # the classic interpreter's
    translate: fn[
        [ptr[Module], ptr[Function]], u32
    ]  # the fast interpreter's translator: 0 or a trap code
    # The fast interpreter's `Entry.describe`.
    describe: fn[[ptr[Instance], u32, ptr[FrameDescription]], boolean]
    budget: i32  # counts down at calls and loop back-edges; below zero: Platform.poll
    depth: u32  # nested entries
    depth_limit: u32
    trap: u32  # core.status.TrapCode, on its way through an engine
    entry: ptr[Entry]  # the innermost entry
    platform: ptr[Platform]
    crossing: ptr[Crossing]  # the innermost
    parked: u32  # it sleeps: another thread may look at its frames
    interrupt: u32  # set by another thread: a trap code to stop with
    host: array[u64, 8]  # the embedder's own (thread state, deadline, …)
    successor: ptr[FuncInst]  # the function to call next, after the pseudo trap code TAIL_CALL
    exception: u32  # the handle of the exception under way, after the pseudo trap code EXCEPTION
    metered_handlers: ptr[usize]  # the classic interpreter's that count instructions
    # Classic: the latest instruction that was counted, and the end of the run that was paid for.
    counted: usize
    paid_until: usize
    runs: array[Run, RUNS]  # what was found out about runs, by their addresses
    native_frame: ptr[u8]  # the innermost entry into compiled code: where a trap returns to
    native_limit: usize  # how far down the native stack of compiled code may grow
    watch: ptr[Watch]  # of the thread; None: it has run no compiled code without polls
    trap_pending: u32  # a trap is on its way out and its backtrace is taken
    trace_count: u32  # frames that there were, up to MOST_FRAMES
    frames: ptr[TraceFrame]  # where backtraces are captured: `trace`, for a moment others
    frame_limit: u32  # how many there is room for
    trace: array[TraceFrame, TRACE_FRAMES]  # of the last trap, innermost first
