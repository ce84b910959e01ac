"""What a loaded module is made of; `core.structs` has the rest, and these too: import them there.

Names follow the specification (Execution, Runtime Structure). Nothing here changes once a module is
validated, but for what the engines note of its functions.
"""

from wasmote.nativepy import array, fn, ptr, struct, u8, u16, u32, u64, usize

TYPE_CHECKING = False  # that module imports this one
if TYPE_CHECKING:
    from wasmote.core.structs import Exec, Instance, Platform


@struct
class Limits:
    """What one module may ask for; see `wasmote.Limits` for the defaults and units."""

    types: u32
    functions: u32
    imports: u32
    exports: u32
    globals: u32
    tables: u32
    memories: u32
    tags: u32
    segments: u32
    function_size: u32  # bytes of one body
    locals: u32  # locals of one function, parameters included
    params: u32  # parameters or results of one type
    fields: u32  # of one structure
    nesting: u32  # open blocks within one function
    operands: u32  # values on the operand stack within one function
    br_table: u32  # labels of one br_table
    memory_pages: u64  # of one memory, at run time
    table_elements: u32  # of one table, at run time
    name_size: u32  # bytes of one import/export name


@struct
class Error:
    """The first error found in a module. `status` 0 means none."""

    status: u32  # core.status.Status
    offset: u32  # byte offset in the binary
    detail: u64  # an index, opcode or type that the message may show
    detail2: u64


@struct
class Name:
    """A string inside the module's binary (valid UTF-8, not terminated)."""

    data: ptr[u8]
    size: u32


@struct
class FuncType:
    """A defined type. A function's: parameter types, then result types, in one array.

    A structure's or array's: the types of the fields (an array has one), then their byte offsets.
    All zero but for `types` and the counts, it is a final function type without a supertype.
    """

    types: ptr[u32]
    param_count: u32  # structures and arrays: fields
    result_count: u32
    param_cells: u32  # 32-bit cells: i64 and f64 take 2, v128 takes 4; of unpacked fields
    result_cells: u32
    id: u32  # equal for equal types in all modules of the process (core.type_store)
    form: u32  # core.value_types.Form
    extensible: u32  # other types may name it as their supertype
    supertype: u32  # index + 1; 0: none
    depth: u32  # supertypes above it
    size: u32  # bytes: of a structure's fields, of an array's element
    same: u32  # index of the module's first type that is equal
    group_size: u32  # of the recursive group that starts here; 0 within a group
    chain: u32  # while loading: index + 1 of another group with a similar hash
    references: array[u32, 2]  # the value types (ref null $this) and (ref $this)


@struct
class Function:
    """A function of a module, imports first."""

    body: ptr[
        u8
    ]  # its code entry after the size: local declarations, then instructions; None: imported
    body_size: u32
    type: u32  # index into Module.types
    # fast interpreter: where its code starts, in 2-byte units from Module.code; 0: not translated
    code: u32
    max_operands: u16  # from validation; saturates at 65535 values
    max_nesting: u16
    side_table: ptr[u8]  # classic interpreter: its SideTable; None: not made yet


@struct
class ConstExpr:
    """A constant expression, kept as its bytes in the binary (validated, up to and including
    `end`).
    """

    code: ptr[u8]
    size: u32


@struct
class TableType:
    element: u32
    minimum: u64
    maximum: u64  # NO_MAXIMUM
    flags: u32  # bit 0 has maximum, bit 1 shared, bit 2 64-bit (the limits byte)
    init: ConstExpr  # the elements' initial value; no code: null


@struct
class MemoryType:
    minimum: u64  # pages
    maximum: u64
    flags: u32
    page_shift: u32  # log2 of the page size: 16, or 0 for single bytes


@struct
class GlobalType:
    content: u32
    mutable: u32
    init: ConstExpr  # empty for imports


@struct
class TagType:
    """A tag of a module: what its exceptions carry are the parameters of a function type."""

    type: u32  # index into Module.types


@struct
class Import:
    module: Name
    name: Name
    kind: u32  # ExternKind
    index: u32  # in the index space of its kind


@struct
class Export:
    name: Name
    kind: u32
    index: u32


@struct
class ElementSegment:
    mode: u32  # SegmentMode
    type: u32  # reference type
    table: u32
    offset: ConstExpr
    count: u32
    # Either `count` LEB128 function indices (functions != 0) or `count` constant expressions, as in
    # the binary.
    functions: u32
    items: ptr[u8]
    items_size: u32


@struct
class DataSegment:
    mode: u32
    memory: u32
    offset: ConstExpr
    data: ptr[u8]
    size: u32


@struct
class CustomSection:
    name: Name
    data: ptr[u8]
    size: u32


@struct
class Chunk:
    """A block of a module's arena; what it holds follows."""

    next: ptr["Chunk"]
    used: u32
    capacity: u32


@struct
class FrameMap:
    """Which cells of the frames that are at one position hold references to objects; these follow,
    16 bits each.
    """

    code: u32
    calling: u32  # as in `Entry`
    engine: usize  # its `Entry.describe`
    header: u32  # cells from the frame's start to its header
    count: u32


@struct
class Module:
    """A decoded and validated module. Immutable afterwards, but for the engines' code."""

    platform: ptr["Platform"]
    limits: ptr[Limits]
    features: u64  # bits of isa.features that are on
    binary: ptr[u8]  # kept alive and unchanged by the embedder
    binary_size: usize
    arena: ptr[Chunk]
    arena_bytes: usize
    error: Error
    types: ptr[FuncType]
    functions: ptr[Function]
    tables: ptr[TableType]
    memories: ptr[MemoryType]
    globals: ptr[GlobalType]
    tags: ptr[TagType]
    imports: ptr[Import]
    exports: ptr[Export]
    elements: ptr[ElementSegment]
    data: ptr[DataSegment]
    customs: ptr[CustomSection]
    type_count: u32
    function_count: u32  # imports included
    imported_functions: u32
    table_count: u32
    imported_tables: u32
    memory_count: u32
    imported_memories: u32
    global_count: u32
    imported_globals: u32
    tag_count: u32
    imported_tags: u32
    import_count: u32
    export_count: u32
    element_count: u32
    data_count: u32
    custom_count: u32
    start: u32  # function index or NONE
    code_section: u32  # offset of the code section's contents
    code_section_size: u32
    # Fast interpreter's code: u16 units, a reserved region that never moves.
    code: ptr[u16]
    code_used: u32  # units
    code_capacity: u32  # units
    code_reserved: usize  # bytes
    code_lock: u32  # a mutex, of the thread that translates or makes a side table
    code_committed: usize  # bytes
    # Which functions have extended code, in the order of that code; see interp.fast.functions.
    translated: ptr[u8]
    translated_count: u32
    catching: u32  # some function catches exceptions
    # Of compiled code that takes over from the fast interpreter: for each own function its offset
    # in the code, and its size (0: none); see interp.fast.tier.
    compiled: ptr[u32]
    # With it, for frames that are in a loop when it comes: the code that goes on from the position
    # of a loop in the interpreter's code (None: there is none), and what runs it for the frame at
    # those cells, up to the end of the second pointer.
    find_loop: fn[[ptr["Instance"], u32], ptr[u8]]
    run_loop: fn[[ptr["Exec"], ptr["Instance"], ptr[u8], ptr[u32], ptr[u32]], u32]
    catch_tables: ptr[u8]  # classic interpreter: clauses by function; see interp.classic.exceptions
    declared: ptr[u8]  # bit set of functions that ref.func may name
    metered: u32  # the engines' code counts instructions, see core.fuel
    twin: ptr["Module"]  # the same module, but metered; None: not needed yet
    has_ids: u32  # value types in `types` and so on have ids
    # For the garbage collector, see core.gc.stacks.
    holds_objects: u32  # functions may have references to objects in their frames
    maps: ptr[ptr[FrameMap]]  # a hash table
    map_count: u32
    map_capacity: u32
