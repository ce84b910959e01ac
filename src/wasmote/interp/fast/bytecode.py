"""The extended instructions and their numbers.

Every file of handlers registers its own under a name when it is imported; the tables that the
translator needs are derived here. Forms of one operation are numbered in a row, so that a form is
`base + index`.
"""

from wasmote.core.status import ValueType
from wasmote.isa import INSTRUCTIONS, Instruction
from wasmote.nativepy import constants, u8, u16

from . import (
    handlers_atomic,
    handlers_calls,
    handlers_control,
    handlers_exceptions,
    handlers_gc,
    handlers_memory,
    handlers_numeric,
    handlers_tier,
    handlers_variables,
)
from . import handlers_vector as vectors
from .registers import OPCODES

__all__ = [
    "BASE",
    "OPCODES",
    "handlers_atomic",
    "handlers_calls",
    "handlers_control",
    "handlers_exceptions",
    "handlers_gc",
    "handlers_memory",
    "handlers_tier",
    "handlers_variables",
]

#: Rows of the tables below: one-byte opcodes, the saturating conversions behind 0xFC, then what is
#: behind 0xFD.
VECTOR_ROWS = 256 + 8
ROWS = VECTOR_ROWS + 0x114


def row(instruction: Instruction) -> int | None:
    """An instruction's row; None: it has none (the translator names it)."""
    if instruction.prefix == 0:
        return instruction.code
    if instruction.prefix == 0xFC and instruction.code < 8:
        return 256 + instruction.code
    if instruction.prefix == 0xFD:
        return VECTOR_ROWS + instruction.code
    return None


class Family:
    """How the translator treats an opcode; `handlers_vector.Vector` has more."""

    OTHER, UNARY, BINARY, COMPARE, LOAD, STORE = range(6)


FAMILIES = {
    "test": Family.UNARY,
    "convert": Family.UNARY,
    "load": Family.LOAD,
    "store": Family.STORE,
}


def family(i: Instruction) -> int:
    if i.prefix == 0xFD and vectors.vector_family(i) is not None:
        return vectors.vector_family(i)
    if i.semantics is None or i.params is None:
        return Family.OTHER
    if i.family == "compare":
        return Family.COMPARE
    return FAMILIES.get(i.family) or (Family.BINARY if len(i.params) == 2 else Family.UNARY)


def _table(kind, value, default=0):
    rows = [default] * ROWS
    for instruction in INSTRUCTIONS.values():
        index = row(instruction)
        if index is not None:
            rows[index] = value(instruction)
    return constants(kind, rows)


def _base(i: Instruction) -> int:
    if i.prefix == 0xFD and not (i.family == "load" or i.family == "store"):
        return OPCODES[vectors.first_form(i)]
    return (
        OPCODES.get(f"{i.name} {handlers_numeric.FIRST_FORM[family(i)]}", 0) if i.semantics else 0
    )


def _negated(i: Instruction) -> int:
    """The comparison that holds when this one does not; integers only."""
    if family(i) != Family.COMPARE or i.params[0] in (ValueType.F32, ValueType.F64):
        return 0
    prefix, name = i.name.split(".")
    opposite = {"eq": "ne", "ne": "eq"}
    for sign in ("_s", "_u"):
        for a, b in (("lt", "ge"), ("gt", "le")):
            opposite |= {a + sign: b + sign, b + sign: a + sign}
    return next(j.opcode for j in INSTRUCTIONS.values() if j.name == f"{prefix}.{opposite[name]}")


FAMILY = _table(u8, family)
#: First form of an operation's handlers.
BASE = _table(u16, _base)
BRANCH = _table(u16, lambda i: OPCODES.get(f"br_if {i.name} SS forward", 0))
#: Branch when a comparison of floats does not hold.
BRANCH_NOT = _table(u16, lambda i: OPCODES.get(f"br_unless {i.name} SS forward", 0))
#: Add to a local, compare, branch back.
STEP = _table(u16, lambda i: OPCODES.get(f"step {i.name} S", 0))
#: Loads and stores of other memories than memory 0, by 32-bit addresses; then those by 64-bit ones.
FAR = _table(u16, lambda i: OPCODES.get(f"{i.name} far i32{' A' * i.family.startswith('load')}", 0))
NEGATED = _table(u8, _negated)
#: Value type of the first operand and of the result (0: none).
PARAM = _table(u8, lambda i: i.params[0] if i.params else 0)
PARAM2 = _table(u8, lambda i: i.params[1] if i.params and len(i.params) > 1 else 0)
RESULT = _table(u8, lambda i: i.results[0] if i.results else 0)
COMMUTATIVE = _table(u8, lambda i: int(i.commutative))
MIRRORED = _table(u8, lambda i: int(vectors.is_mirrored(i)))
