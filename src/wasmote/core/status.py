"""Trap codes and the kinds that both the core and the host name."""

from enum import IntEnum


class TrapCode(IntEnum):
    """Why a run ended; 0 is success. The host maps each to a `wasmote.TrapKind`."""

    NONE = 0
    UNREACHABLE = 1
    MEMORY_OUT_OF_BOUNDS = 2
    TABLE_OUT_OF_BOUNDS = 3
    DIVIDE_BY_ZERO = 4
    INTEGER_OVERFLOW = 5
    INVALID_CONVERSION = 6
    UNDEFINED_ELEMENT = 7
    UNINITIALIZED_ELEMENT = 8
    INDIRECT_CALL_TYPE_MISMATCH = 9
    STACK_OVERFLOW = 10
    OUT_OF_MEMORY = 11
    UNLINKED_IMPORT = 12
    INTERRUPTED = 13
    #: A host function raised: the host keeps the exception.
    HOST_EXCEPTION = 14
    #: A function of the module could not be translated (too large for the engine).
    UNTRANSLATABLE = 15


class ExternKind(IntEnum):
    """The kinds of imports and exports (their byte in the binary format)."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3


class SegmentMode(IntEnum):
    ACTIVE = 0
    PASSIVE = 1
    DECLARATIVE = 2


class ValueType(IntEnum):
    """Value types as the core holds them (u32; the byte of the binary format)."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    FUNCREF = 0x70
    EXTERNREF = 0x6F
