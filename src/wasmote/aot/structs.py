"""What compiled code reaches outside itself through: one structure for each instance.

Compiled code gets a pointer to it, and one to the thread's `Exec`, as its first parameters. The
code itself holds no address, so several instances and processes share it.
"""

from wasmote.core.structs import Exec, Fuel, Heap, Instance, Pool, Store
from wasmote.nativepy import array, fn, ptr, struct, u8, u32, usize

#: Places for the addresses of helpers.
HELPER_PLACES = 48
#: What is where: the functions of the core that compiled code calls, see `helpers`.
HELPER_NAMES = (
    "capture", "poll", "call", "callee", "function", "memory_grow", "move", "set", "move_pieces",
    "set_pieces", "memory_init", "data_drop", "table_grow", "table_set", "table_fill", "table_copy",
    "table_init", "elem_drop", "structure", "array_new", "array_new_data", "array_new_elem",
    "array_fill", "array_copy", "array_init_data", "array_init_elem", "overwritten",
    "function_matches", "wait", "throw", "unwound", "exception_fields", "notify",
)  # fmt: skip
PLACES = {name: place for place, name in enumerate(HELPER_NAMES)}
assert len(PLACES) <= HELPER_PLACES

#: Bytes that a 32-bit address, a 32-bit offset and the widest access can reach.
GUARDED = (8 << 30) + 16


#: Bytes for each argument in memory, of calls in modules with tail calls, and cells that all
#: arguments of one call may take.
SPILLED = 16
MOST_SPILLED = 1000 * SPILLED // 4


@struct
class Context:
    """An instance as compiled code sees it. Slots of the size of an address follow:

    addresses of the globals, memories, tables and imported functions, then the ids of the types and
    the handles of the tags, in the order of the module's index spaces; then a `Pool` for each type.
    """

    instance: ptr[Instance]
    memory: ptr[u8]  # the bytes of memory 0, which never move
    store: ptr[Store]
    heap: ptr[Heap]  # if the code deals with objects
    objects: ptr[u8]  # where they are: `Heap.base`
    owner: usize  # the `Exec` that may use the pools; 0: nobody does
    pools: ptr[Pool]
    code: ptr[u8]  # the image's code
    functions: ptr[u32]  # for each own function its offset in the code, and its size
    entries: ptr[u32]  # for each type the offset of the function that converts cells; 0: none
    loops: ptr[u32]  # code that goes on from loops, see `aot.loops`; None: there is none
    entered: usize  # where native code returns to when an entry ends
    watched: usize  # the code has no polls of its own: the platform lets it poll
    enter: fn[[ptr[Exec], ptr["Context"], ptr[u8], ptr[u8], ptr[u32]], u32]
    fuel: ptr[Fuel]  # what code that counts instructions spends: the instance's, or
    unlimited: Fuel  # if it has none, this, for a hundred years
    helpers: array[usize, HELPER_PLACES]


@struct
class CodeLayout:
    """Where things are in an image's code, in bytes from its start; what the loader hands over."""

    code: ptr[u8]
    enter: u32
    entered: u32
    functions: u32
    entries: u32
    objects: u32  # the code deals with objects of the heap
    loops: u32  # 0: none
    guarded: u32  # memories of 32-bit addresses must lie in `GUARDED` bytes of address space
    watched: u32  # functions have no polls of their own
