"""Atomic instructions: those behind the prefix 0xFE."""

from wasmote.core.loader import Loader, fail_here, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_byte, read_u32
from wasmote.core.status import Status
from wasmote.core.validate.misc import memory_access
from wasmote.core.validate.operands import apply_signature
from wasmote.core.validate.tables import natural_alignment, signature
from wasmote.isa import INSTRUCTIONS, by_name
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_ATOMIC
from wasmote.nativepy import boolean, constants, native, ptr, u8, u32, u64

#: Sub-opcodes end here.
COUNT = 0x4F
FENCE = by_name("atomic.fence").code
#: Set in the alignment: a memory index follows.
MEMORY_INDEX_FLAG = 64

_DEFINED = [INSTRUCTIONS.get(PREFIX_ATOMIC | code) for code in range(COUNT)]
DEFINED = constants(u8, [int(i is not None) for i in _DEFINED])
SIGNATURE = constants(u32, [signature(i) for i in _DEFINED])
ALIGNMENT = constants(u8, [natural_alignment(i) for i in _DEFINED])


@native
def atomic_instruction(loader: ptr[Loader]) -> boolean:
    """Validate the atomic instruction whose prefix was just read."""
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if not has_feature(loader, Feature.THREADS):
        return unsupported(loader, loader.at, Feature.THREADS.bit)
    loader.opcode = PREFIX_ATOMIC | code
    if code >= COUNT or DEFINED[code] == 0:
        return fail_here(loader, Status.ILLEGAL_OPCODE, u64(loader.opcode), 0)
    if code == FENCE:
        return zero_byte(loader) and apply_signature(loader, SIGNATURE[code])
    natural = u32(ALIGNMENT[code])
    return claims(loader, natural) and memory_access(loader, natural, SIGNATURE[code])


@native
def zero_byte(loader: ptr[Loader]) -> boolean:
    """What may one day say which memories a fence is for."""
    at = loader.reader.pos
    byte = read_byte(loader.reader)
    if byte != 0 and not failed(loader.reader):
        fail(loader.reader, at, Status.ZERO_BYTE, u64(byte), 0)
    return not failed(loader.reader)


@native
def claims(loader: ptr[Loader], natural: u32) -> boolean:
    """Whether the alignment that follows is not below the natural one: `memory_access` sees to
    those above, and to everything else.
    """
    at = loader.reader.pos
    alignment = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    loader.reader.pos = at
    if alignment & ~u32(MEMORY_INDEX_FLAG) < natural:
        return fail(
            loader.reader, at, Status.ATOMIC_ALIGNMENT, u64(loader.opcode), u64(alignment & 63)
        )
    return True
