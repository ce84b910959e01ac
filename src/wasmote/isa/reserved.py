"""Opcodes that belong to features without an instruction here.

They let the validator say which feature a module needs instead of "illegal opcode". A feature that
gets its instructions leaves this list.
"""

from wasmote.isa.features import Feature

#: One-byte opcodes and prefixes.
RESERVED_OPCODES: dict[int, Feature] = {
    0x06: Feature.LEGACY_EXCEPTIONS,  # try
    0x07: Feature.LEGACY_EXCEPTIONS,  # catch
    0x08: Feature.EXCEPTIONS,  # throw
    0x09: Feature.LEGACY_EXCEPTIONS,  # rethrow
    0x0A: Feature.EXCEPTIONS,  # throw_ref
    0x12: Feature.TAIL_CALLS,  # return_call
    0x13: Feature.TAIL_CALLS,  # return_call_indirect
    0x18: Feature.LEGACY_EXCEPTIONS,  # delegate
    0x19: Feature.LEGACY_EXCEPTIONS,  # catch_all
    0x1F: Feature.EXCEPTIONS,  # try_table
    0xE0: Feature.STACK_SWITCHING,  # cont.new
    0xE1: Feature.STACK_SWITCHING,  # cont.bind
    0xE2: Feature.STACK_SWITCHING,  # suspend
    0xE3: Feature.STACK_SWITCHING,  # resume
    0xE4: Feature.STACK_SWITCHING,  # resume_throw
    0xE5: Feature.STACK_SWITCHING,  # switch
    0xFE: Feature.THREADS,  # prefix
}
#: Sub-opcodes behind the prefix 0xFC.
RESERVED_MISC_OPCODES: dict[int, Feature] = {
    19: Feature.WIDE_ARITHMETIC,  # i64.add128
    20: Feature.WIDE_ARITHMETIC,  # i64.sub128
    21: Feature.WIDE_ARITHMETIC,  # i64.mul_wide_s
    22: Feature.WIDE_ARITHMETIC,  # i64.mul_wide_u
}


def feature_of_reserved_opcode(opcode: int) -> Feature | None:
    """The feature that `opcode` (as in `Instruction.opcode`) belongs to, if it is reserved."""
    if opcode >> 16 == 0xFC:
        return RESERVED_MISC_OPCODES.get(opcode & 0xFFFF)
    return RESERVED_OPCODES.get(opcode >> 16 or opcode)
