"""Vector instructions: those behind the prefix 0xFD."""

from enum import IntEnum

from wasmote.core.loader import Loader, fail_here, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_u32, skip_bytes
from wasmote.core.status import Status
from wasmote.core.validate.misc import memory_access, memory_argument, with_address
from wasmote.core.validate.operands import apply_signature
from wasmote.core.validate.tables import natural_alignment, signature
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.isa.instruction import PREFIX_SIMD
from wasmote.nativepy import boolean, constants, native, ptr, u8, u32, u64

#: Sub-opcodes end here.
COUNT = 0x114
VECTOR_BYTES = 16


class Shape(IntEnum):
    """What follows a sub-opcode."""

    UNDEFINED = 0  # no instruction has it
    NOTHING = 1
    MEMORY = 2  # alignment, memory and offset
    MEMORY_LANE = 3  # the same, and the number of a lane
    LANE = 4
    LANES = 5  # the numbers of 16 lanes of two vectors
    VALUE = 6  # 16 bytes


_SHAPES = {
    (): Shape.NOTHING,
    (Immediate.MEMARG,): Shape.MEMORY,
    (Immediate.MEMARG, Immediate.LANE): Shape.MEMORY_LANE,
    (Immediate.LANE,): Shape.LANE,
    (Immediate.LANES,): Shape.LANES,
    (Immediate.V128,): Shape.VALUE,
}


def _lanes(instruction: Instruction | None) -> int:
    """How many lanes there are to choose from; 0 where none is chosen."""
    if instruction is None or Immediate.LANE not in instruction.immediates:
        return 0
    if instruction.access:
        return VECTOR_BYTES // instruction.access
    return int(instruction.name.partition(".")[0].partition("x")[2])


_DEFINED = [INSTRUCTIONS.get(PREFIX_SIMD | code) for code in range(COUNT)]
SHAPE = constants(u8, [Shape.UNDEFINED if i is None else _SHAPES[i.immediates] for i in _DEFINED])
SIGNATURE = constants(u32, [signature(i) for i in _DEFINED])
ALIGNMENT = constants(u8, [natural_alignment(i) for i in _DEFINED])
LANES = constants(u8, [_lanes(i) for i in _DEFINED])
FEATURE = constants(u8, [0 if i is None else i.feature.bit for i in _DEFINED])


@native
def vector_instruction(loader: ptr[Loader]) -> boolean:
    """Validate the vector instruction whose prefix was just read."""
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    loader.opcode = PREFIX_SIMD | code
    if code >= COUNT or SHAPE[code] == Shape.UNDEFINED:
        return fail_here(loader, Status.ILLEGAL_OPCODE, u64(loader.opcode), 0)
    feature = FEATURE[code]
    if (loader.module.features >> u64(feature)) & 1 == 0:
        return unsupported(loader, loader.at, u32(feature))
    return vector_shape(loader, code)


@native
def vector_shape(loader: ptr[Loader], code: u32) -> boolean:
    """The immediates of an instruction and its effect on the operands."""
    match SHAPE[code]:
        case Shape.MEMORY:
            return memory_access(loader, u32(ALIGNMENT[code]), SIGNATURE[code])
        case Shape.MEMORY_LANE:
            memory = memory_argument(loader, u32(ALIGNMENT[code]))
            if memory is None or not lane_numbers(loader, 1, u32(LANES[code])):
                return False
            return apply_signature(loader, with_address(SIGNATURE[code], memory))
        case Shape.LANE:
            fine = lane_numbers(loader, 1, u32(LANES[code]))
            return fine and apply_signature(loader, SIGNATURE[code])
        case Shape.LANES:
            fine = lane_numbers(loader, VECTOR_BYTES, 2 * VECTOR_BYTES)
            return fine and apply_signature(loader, SIGNATURE[code])
        case Shape.VALUE:
            skip_bytes(loader.reader, VECTOR_BYTES)
            return not failed(loader.reader) and apply_signature(loader, SIGNATURE[code])
        case _:
            return apply_signature(loader, SIGNATURE[code])


@native
def lane_numbers(loader: ptr[Loader], count: u32, lanes: u32) -> boolean:
    """`count` numbers of lanes, each below `lanes`."""
    for _ in range(count):
        at = loader.reader.pos
        lane = read_byte(loader.reader)
        if failed(loader.reader):
            return False
        if lane >= lanes:
            return fail(loader.reader, at, Status.LANE_INDEX, u64(lane), u64(lanes))
    return True
