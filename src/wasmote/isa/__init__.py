"""The instruction set: one definition per instruction.

Each file holds one family. A definition gives an instruction's opcode, immediates, operand and
result types and, where it does not depend on a running instance, its meaning as a few lines of
nativepy. The decoder, validator, disassembler, interpreters and compilers are derived from these
definitions. Nothing here may know how an engine stores operands, or import anything but
`core.status` and the nativepy language.
"""

from wasmote.isa import (
    control,
    conversions,
    floating,
    integer,
    memory,
    references,
    tables,
    variables,
)
from wasmote.isa.features import DEFAULT_FEATURES, SUPPORTED_FEATURES, Feature
from wasmote.isa.instruction import Immediate, Instruction
from wasmote.isa.reserved import feature_of_reserved_opcode

__all__ = [
    "DEFAULT_FEATURES",
    "INSTRUCTIONS",
    "SUPPORTED_FEATURES",
    "Feature",
    "Immediate",
    "Instruction",
    "by_name",
    "feature_of_reserved_opcode",
]


def _collect() -> dict[int, Instruction]:
    families = (
        control,
        variables,
        tables,
        memory,
        integer,
        floating,
        conversions,
        references,
    )
    found: dict[int, Instruction] = {}
    for instruction in (i for family in families for i in family.INSTRUCTIONS):
        if instruction.opcode in found:
            raise TypeError(
                f"opcode {instruction.opcode:#x} is both {instruction.name} "
                f"and {found[instruction.opcode].name}"
            )
        found[instruction.opcode] = instruction
    return dict(sorted(found.items()))


#: All instructions by opcode, in the order of the opcodes.
INSTRUCTIONS: dict[int, Instruction] = _collect()
_BY_NAME = {instruction.name: instruction for instruction in INSTRUCTIONS.values()}


def by_name(name: str) -> Instruction:
    """The instruction of that name in the text format; KeyError if there is none."""
    return _BY_NAME[name]
