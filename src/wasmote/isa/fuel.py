"""What executing instructions costs, for programs that may only execute so many (core.fuel).

An instruction costs 1, those that only mark places in the code nothing. Code is paid for in *runs*:
stretches that are executed from their first to their last instruction, unless one of them traps. A
run ends with an instruction after which control may go elsewhere, or to which it may come from
elsewhere.
"""

from wasmote.isa.all import INSTRUCTIONS
from wasmote.isa.instruction import PREFIX_GC, Immediate, Instruction

#: Instructions that cost nothing.
FREE = frozenset(
    (
        "unreachable", "nop", "block", "loop", "else", "end", "drop", "return",
        "try", "catch", "catch_all", "delegate", "try_table",
    )
)  # fmt: skip
_ENDS = FREE - {"nop", "block", "drop"} | {"if"}
_PREFIXES = ("br", "call", "return_call", "throw", "rethrow", "resume", "suspend", "switch")

#: Bits of what the tables below say of an instruction.
COSTS, ENDS_RUN = 1, 2


def cost_class(instruction: Instruction | None) -> int:
    """Whether an instruction costs and whether it ends a run."""
    if instruction is None:
        return COSTS
    name = instruction.name
    labels = {Immediate.LABEL, Immediate.LABEL_TABLE} & set(instruction.immediates)
    ends = name in _ENDS or bool(labels) or name.startswith(_PREFIXES)
    return (0 if name in FREE else COSTS) | (ENDS_RUN if ends else 0)


#: By the opcode's byte.
COST_CLASSES = tuple(cost_class(INSTRUCTIONS.get(code)) for code in range(256))
#: By the number behind the prefix 0xFB.
GC_COST_CLASSES = tuple(cost_class(INSTRUCTIONS.get(PREFIX_GC | code)) for code in range(32))
