"""All definitions together."""

from wasmote.isa import (
    atomics,
    control,
    conversions,
    exceptions,
    floating,
    gc,
    integer,
    memory,
    references,
    relaxed_simd,
    simd_floating,
    simd_integer,
    simd_lanes,
    simd_memory,
    tables,
    variables,
    wide,
)
from wasmote.isa.instruction import Instruction


def _collect() -> dict[int, Instruction]:
    families = (
        control,
        exceptions,
        variables,
        tables,
        memory,
        integer,
        floating,
        conversions,
        references,
        gc,
        simd_memory,
        simd_lanes,
        simd_integer,
        simd_floating,
        relaxed_simd,
        wide,
        atomics,
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
