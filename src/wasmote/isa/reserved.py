"""Opcodes that belong to features without an instruction here.

They let the validator say which feature a module needs instead of "illegal opcode". A feature that
gets its instructions leaves this list.
"""

from wasmote.isa.features import Feature

#: One-byte opcodes and prefixes.
RESERVED_OPCODES: dict[int, Feature] = {
    0xE0: Feature.STACK_SWITCHING,  # cont.new
    0xE1: Feature.STACK_SWITCHING,  # cont.bind
    0xE2: Feature.STACK_SWITCHING,  # suspend
    0xE3: Feature.STACK_SWITCHING,  # resume
    0xE4: Feature.STACK_SWITCHING,  # resume_throw
    0xE5: Feature.STACK_SWITCHING,  # switch
}


def feature_of_reserved_opcode(opcode: int) -> Feature | None:
    """The feature that `opcode` (as in `Instruction.opcode`) belongs to, if it is reserved."""
    return RESERVED_OPCODES.get(opcode >> 16 or opcode)
