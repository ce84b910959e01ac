"""What the validator knows of each opcode, derived from the isa when this file is imported."""

from enum import IntEnum

from wasmote.isa import INSTRUCTIONS, Feature, Instruction, by_name, feature_of_reserved_opcode
from wasmote.isa.instruction import PREFIX_ATOMIC, PREFIX_GC, PREFIX_MISC, PREFIX_SIMD
from wasmote.nativepy import constants, u8, u32


class Kind(IntEnum):
    """How the loop over a body treats an opcode."""

    ILLEGAL = 0  # no instruction, or one of a feature that is not supported
    UNARY = 1  # [t] -> [r], no immediates
    BINARY = 2  # [t t] -> [r], no immediates
    LOAD = 3
    STORE = 4
    I32_CONST = 5
    I64_CONST = 6
    F32_CONST = 7
    F64_CONST = 8
    LOCAL_GET = 9
    LOCAL_SET = 10
    LOCAL_TEE = 11
    GLOBAL_GET = 12
    DROP = 13
    SELECT = 14
    BR_IF = 15
    CALL = 16
    BLOCK = 17  # block and loop
    END = 18
    OTHER = 19  # see instructions.py


_BY_NAME = {
    "i32.const": Kind.I32_CONST,
    "i64.const": Kind.I64_CONST,
    "f32.const": Kind.F32_CONST,
    "f64.const": Kind.F64_CONST,
    "local.get": Kind.LOCAL_GET,
    "local.set": Kind.LOCAL_SET,
    "local.tee": Kind.LOCAL_TEE,
    "global.get": Kind.GLOBAL_GET,
    "drop": Kind.DROP,
    "select": Kind.SELECT,
    "br_if": Kind.BR_IF,
    "call": Kind.CALL,
    "block": Kind.BLOCK,
    "loop": Kind.BLOCK,
    "end": Kind.END,
}


def _kind(instruction: Instruction) -> Kind:
    if instruction.name in _BY_NAME:
        return _BY_NAME[instruction.name]
    if instruction.family == "load":
        return Kind.LOAD
    if instruction.family == "store":
        return Kind.STORE
    plain = instruction.params is not None and not instruction.immediates
    if plain and instruction.feature is Feature.MVP and len(instruction.results or ()) == 1:
        return {1: Kind.UNARY, 2: Kind.BINARY}.get(len(instruction.params or ()), Kind.OTHER)
    return Kind.OTHER


def _types(instruction: Instruction) -> int:
    """Operand types from the top down in bytes 0 to 2, the result's in byte 3; 0 for none."""
    params, results = instruction.params or (), instruction.results or ()
    if len(params) > 3 or len(results) > 1:
        raise TypeError(f"{instruction.name}: its types do not fit the validator's table")
    packed = sum(t << 8 * i for i, t in enumerate(reversed(params)))
    return packed | (results[0] << 24 if results else 0)


def signature(instruction: Instruction | None) -> int:
    if instruction is None or instruction.family == "wide":
        return 0
    return _types(instruction)


def natural_alignment(instruction: Instruction | None) -> int:
    """log2 of the greatest alignment that may be claimed."""
    return (
        0 if instruction is None or not instruction.access else instruction.access.bit_length() - 1
    )


def _reserved(opcode: int) -> int:
    feature = feature_of_reserved_opcode(opcode)
    return NO_FEATURE if feature is None else feature.bit


#: No feature is known to have this opcode.
NO_FEATURE = 0xFF

_PLAIN = [INSTRUCTIONS.get(opcode) for opcode in range(256)]
_KINDS = [Kind.ILLEGAL if i is None else _kind(i) for i in _PLAIN]
for _prefix in (PREFIX_MISC, PREFIX_SIMD, PREFIX_GC, PREFIX_ATOMIC):
    _KINDS[_prefix >> 16] = Kind.OTHER
KIND = constants(u8, _KINDS)
SIGNATURE = constants(u32, [signature(i) for i in _PLAIN])
ALIGNMENT = constants(u8, [natural_alignment(i) for i in _PLAIN])
#: The feature that an opcode needs: its own, or what it is reserved for.
#: `throw` belongs to both forms of exception handling, so its function looks for them.
_FEATURES = [_reserved(o) if i is None else i.feature.bit for o, i in enumerate(_PLAIN)]
_FEATURES[by_name("throw").opcode] = NO_FEATURE
FEATURE = constants(u8, _FEATURES)

MISC_COUNT = 256
_MISC = [INSTRUCTIONS.get(PREFIX_MISC | code) for code in range(MISC_COUNT)]
MISC_SIGNATURE = constants(u32, [signature(i) for i in _MISC])
MISC_FEATURE = constants(
    u8,
    [_reserved(PREFIX_MISC | c) if i is None else i.feature.bit for c, i in enumerate(_MISC)],
)
MISC_DEFINED = constants(u8, [int(i is not None) for i in _MISC])

#: Addresses of single value types (a byte, and NON_NULL): what a block's one result points to.
BYTES_AS_TYPES = constants(u32, list(range(512)))
