"""How each instruction is compiled: functions for control, variables, calls and what calls the
core, templates for the rest.
"""

from wasmote.compile.function import Function
from wasmote.compile.instructions import (
    aggregates,
    atomics,
    casts,
    control,
    exceptions,
    memories,
    numeric,
    products,
    tables,
    variables,
)
from wasmote.compile.instructions.registry import HANDLED, Handler
from wasmote.compile.templates import FAMILIES
from wasmote.isa import INSTRUCTIONS, Feature, Immediate, Instruction, feature_of_reserved_opcode

__all__ = [
    "HANDLERS", "aggregates", "atomics", "casts", "control", "exceptions", "memories",
    "products", "tables", "variables",
]  # fmt: skip


def refused(opcode: int) -> Handler:
    """An instruction that validation knows and compiled code does not."""
    known = INSTRUCTIONS.get(opcode)
    feature: Feature | None = known.feature if known else feature_of_reserved_opcode(opcode)

    def handler(f: Function) -> None:
        name = known.name if known else f"instruction {opcode:#x}"
        raise f.unsupported(name, feature.value if feature else "unknown")

    return handler


def handler_for(i: Instruction) -> Handler:
    """How an instruction without a function above is compiled."""
    if i.opcode in HANDLED:
        return HANDLED[i.opcode]
    if i.family == "load":
        return numeric.load(i)
    if i.family == "store":
        return numeric.store(i)
    if i.family == "atomic":
        return atomics.access(i)
    if i.family in ("load lane", "store lane"):
        return numeric.lane_access(i)
    if i.semantics is None or i.family not in FAMILIES:
        return refused(i.opcode)
    return numeric.lane_operation(i) if Immediate.LANE in i.immediates else numeric.numeric(i)


_ALL = {opcode: handler_for(i) for opcode, i in INSTRUCTIONS.items()}


def prefixed(prefix: int) -> Handler:
    handlers = {opcode & 0xFFFF: h for opcode, h in _ALL.items() if opcode >> 16 == prefix}

    def handler(f: Function) -> None:
        code = f.unsigned()
        handlers.get(code, refused(prefix << 16 | code))(f)

    return handler


#: By the first byte of an instruction.
HANDLERS: list[Handler] = [_ALL.get(byte, refused(byte)) for byte in range(256)]
for _prefix in {opcode >> 16 for opcode in INSTRUCTIONS} - {0}:
    HANDLERS[_prefix] = prefixed(_prefix)
