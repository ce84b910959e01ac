"""What a frame of running code holds: the types of its locals and operands, and where they are.

An engine knows where it keeps values, in `Entry.describe`; what types they have, nobody remembers:
the validator goes through the function once more, up to the instruction that the frame is at.
"""

from wasmote.core.bounds import index_type
from wasmote.core.loader import Loader, loader_close, loader_open
from wasmote.core.reader import read_byte, read_u32
from wasmote.core.status import ValueType
from wasmote.core.structs import (
    NONE,
    Entry,
    Error,
    Exec,
    FrameDescription,
    FrameValue,
    Instance,
    Module,
)
from wasmote.core.validate.body import validate_body
from wasmote.core.validate.control import begin_function
from wasmote.core.validate.locals import declare_locals, local_type
from wasmote.core.value_types import CAUGHT, KIND, NON_NULL
from wasmote.isa import by_name
from wasmote.nativepy import (
    boolean,
    fill,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    u64,
    usize,
    void,
)

CALL = by_name("call").opcode
CALL_INDIRECT = by_name("call_indirect").opcode
CALL_REF = by_name("call_ref").opcode


@native
def describe_frame(
    entry: ptr[Entry], inst: ptr[Instance], code: u32, calling: u32, d: ptr[FrameDescription]
) -> boolean:
    """Describe a frame of an entry that is at position `code`, within a call if `calling`.

    What a call takes is not among the operands any more: it is its callee's. True: `d.values` are
    for `free_description`. False: out of memory.
    """
    fill(d, 0, sizeof(FrameDescription))
    d.module = inst.module
    if not entry.describe(inst, code, d):
        free_description(d)
        return False
    if calling != 0:
        drop_arguments(inst.module, d)
    return True


@native
def free_description(d: ptr[FrameDescription]) -> void:
    d.module.platform.release(ptr[u8](d.values))
    d.values = None


@native
def value_room(d: ptr[FrameDescription], count: u32) -> boolean:
    """Make room for values. False: out of memory."""
    size = usize(count + 1) * sizeof(FrameValue)
    d.values = ptr[FrameValue](d.module.platform.allocate(size))
    if d.values is not None:
        fill(d.values, 0, size)
    return d.values is not None


@native
def describe_types(d: ptr[FrameDescription]) -> boolean:
    """Find the types of the locals, and of the operands before the instruction at `d.offset` of
    `d.function`. False: out of memory.
    """
    module = d.module
    loader = stack(Loader)
    fine = loader_open(loader, module)
    error = stack(Error)
    fill(error, 0, sizeof(Error))
    loader.reader.error = error
    function = module.functions + d.function
    loader.reader.pos = function.body
    loader.reader.end = module.binary + d.offset
    loader.at = function.body
    loader.visible_types = module.type_count
    loader.data_count = module.data_count
    loader.plain_memory = u32(
        module.memory_count != 0 and index_type(module.memories[0].flags) == ValueType.I32
    )
    type = module.types + function.type
    fine = fine and declare_locals(loader, type) and begin_function(loader, type)
    if fine:
        validate_body(loader)  # as far as the window goes
        fine = d.values is not None or value_room(d, loader.local_count + loader.height)
    if fine:
        copy_types(loader, d)
    loader_close(loader)
    return fine


@native
def copy_types(loader: ptr[Loader], d: ptr[FrameDescription]) -> void:
    """Types without the numbers of defined types, of which the validator mixes two kinds."""
    d.local_count = loader.local_count
    d.operand_count = loader.height
    for i in range(loader.local_count):
        d.values[i].type = local_type(loader, i) & (KIND | NON_NULL)
    for i in range(loader.height):
        d.values[loader.local_count + i].type = loader.operands[i] & (KIND | NON_NULL | CAUGHT)


@native
def drop_arguments(module: ptr[Module], d: ptr[FrameDescription]) -> void:
    """Leave out what the call instruction at `d.offset` takes."""
    error = stack(Error)
    fill(error, 0, sizeof(Error))
    loader = stack(Loader)
    r = loader.reader
    r.error = error
    r.base = module.binary
    r.pos = module.binary + d.offset
    r.end = module.binary + module.binary_size
    r.limit = r.end
    opcode = read_byte(r)
    index = read_u32(r)
    taken: u32 = 0
    if opcode == CALL:
        taken = module.types[module.functions[index].type].param_count
    elif opcode == CALL_INDIRECT or opcode == CALL_REF:
        taken = module.types[index].param_count + 1
    d.operand_count -= taken


# -- for the host ----------------------------------------------------------------------------------


@native(export="frame_describe")
def frame_describe(exec: ptr[Exec], number: u32, d: ptr[FrameDescription]) -> ptr[u32]:
    """Describe a frame of a thread of execution that has left the interpreter; 0 is the innermost.

    Returns where the frame's cells are; None: there is no such frame, or no memory. Otherwise the
    description is for `frame_release`.
    """
    entry = exec.entry
    while entry is not None:
        inst = entry.instance
        fp = entry.fp
        code = entry.code
        calling = entry.calling
        while inst is not None:
            if not describe_frame(entry, inst, code, calling, d):
                return None
            d.instance = inst
            if number == 0:
                return fp
            number -= 1
            header = fp + d.header
            free_description(d)
            if fp == entry.base:
                break
            code = header[0] - 1  # within the call instruction
            calling = 1
            fp = fp - header[1]
        entry = entry.outer
    return None


@native(export="frame_release")
def frame_release(d: ptr[FrameDescription]) -> void:
    free_description(d)


@native
def value_at(fp: ptr[u32], value: ptr[FrameValue], cell: u32) -> u32:
    """A cell of a value."""
    if value.cell == NONE:
        return u32(value.bits >> (u64(cell & 1) * 32)) if cell < 2 else u32(0)
    return fp[value.cell + cell]
