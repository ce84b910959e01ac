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
    NULL_REFERENCE = 16
    NULL_FUNCTION_REFERENCE = 17
    NULL_STRUCTURE_REFERENCE = 18
    NULL_ARRAY_REFERENCE = 19
    NULL_I31_REFERENCE = 20
    CAST_FAILURE = 21
    ARRAY_OUT_OF_BOUNDS = 22
    NULL_EXCEPTION_REFERENCE = 23
    UNALIGNED_ATOMIC = 30
    UNSHARED_MEMORY = 31
    #: The program has overwritten what the runtime keeps in its memory: see core.app_heap.
    APP_HEAP_CORRUPTED = 32
    #: How the host ends a program, see `wasmote.Fuel`, `wasmote.timeout` and `Instance.terminate`.
    OUT_OF_FUEL = 40
    DEADLINE = 41
    TERMINATED = 42


class ExternKind(IntEnum):
    """The kinds of imports and exports (their byte in the binary format)."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


class SegmentMode(IntEnum):
    ACTIVE = 0
    PASSIVE = 1
    DECLARATIVE = 2


class ValueType(IntEnum):
    """Value types as the core holds them (u32; the byte of the binary format).

    References to defined types and those that are never null: see `core.value_types`.
    """

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    # Of fields only.
    I8 = 0x78
    I16 = 0x77
    # Nullable references to the abstract heap types.
    NULLEXNREF = 0x74
    NULLFUNCREF = 0x73
    NULLEXTERNREF = 0x72
    NULLREF = 0x71
    FUNCREF = 0x70
    EXTERNREF = 0x6F
    ANYREF = 0x6E
    EQREF = 0x6D
    I31REF = 0x6C
    STRUCTREF = 0x6B
    ARRAYREF = 0x6A
    EXNREF = 0x69


class Status(IntEnum):
    """What module loading found; 0 is success. `core.messages` has the texts.

    The hundreds tell the kinds apart: malformed (below 100), invalid (below 200), beyond a limit.
    """

    OK = 0
    # Malformed: the bytes do not follow the binary format.
    UNEXPECTED_END = 1
    UNEXPECTED_END_OF_SECTION = 2
    MAGIC = 3
    VERSION = 4
    SECTION_ID = 5
    SECTION_ORDER = 6
    LENGTH_OUT_OF_BOUNDS = 7
    SECTION_SIZE = 8
    INTEGER_TOO_LONG = 9
    INTEGER_TOO_LARGE = 10
    UTF8 = 11
    IMPORT_KIND = 12
    EXPORT_KIND = 13
    VALUE_TYPE = 14
    REFERENCE_TYPE = 15
    TYPE_FORM = 16
    LIMITS_FLAGS = 17
    MUTABILITY = 18
    ELEMENT_KIND = 19
    ELEMENT_SEGMENT_KIND = 20
    DATA_SEGMENT_KIND = 21
    FUNCTION_CODE_COUNT = 22
    DATA_COUNT = 23
    DATA_COUNT_REQUIRED = 24
    TOO_MANY_LOCALS = 25
    ILLEGAL_OPCODE = 26
    MEMARG_FLAGS = 27
    END_EXPECTED = 28
    FUNCTION_SIZE = 29
    ELSE_WITHOUT_IF = 30
    CAST_FLAGS = 31
    PAGE_SIZE_RANGE = 32
    TAG_ATTRIBUTE = 33
    CATCH_KIND = 34
    CATCH_WITHOUT_TRY = 35
    ZERO_BYTE = 40
    # Invalid: well formed, but breaks a rule of validation.
    TYPE_MISMATCH = 100
    UNKNOWN_TYPE = 101
    UNKNOWN_FUNCTION = 102
    UNKNOWN_TABLE = 103
    UNKNOWN_MEMORY = 104
    UNKNOWN_GLOBAL = 105
    UNKNOWN_LOCAL = 106
    UNKNOWN_LABEL = 107
    UNKNOWN_DATA_SEGMENT = 108
    UNKNOWN_ELEMENT_SEGMENT = 109
    ALIGNMENT = 110
    IMMUTABLE_GLOBAL = 111
    CONSTANT_EXPRESSION = 112
    START_FUNCTION = 113
    DUPLICATE_EXPORT = 114
    UNDECLARED_REFERENCE = 115
    RESULT_ARITY = 116
    MINIMUM_ABOVE_MAXIMUM = 117
    MEMORY_SIZE = 118
    OFFSET_RANGE = 119
    UNSUPPORTED_FEATURE = 120
    TABLE_SIZE = 121
    LANE_INDEX = 122
    SUPERTYPE = 123
    UNINITIALIZED_LOCAL = 124
    UNKNOWN_FIELD = 125
    IMMUTABLE_FIELD = 126
    NOT_DEFAULTABLE = 127
    IMMUTABLE_ARRAY = 128
    NUMERIC_ARRAY = 129
    PAGE_SIZE = 130
    UNKNOWN_TAG = 131
    TAG_RESULTS = 132
    RETHROW_LABEL = 133
    ATOMIC_ALIGNMENT = 140
    SHARED_WITHOUT_MAXIMUM = 141
    # More than the runtime allows; `detail` is the number asked for, `detail2` the limit.
    LIMIT_BINARY_SIZE = 200
    LIMIT_TYPES = 201
    LIMIT_FUNCTIONS = 202
    LIMIT_IMPORTS = 203
    LIMIT_EXPORTS = 204
    LIMIT_GLOBALS = 205
    LIMIT_TABLES = 206
    LIMIT_MEMORIES = 207
    LIMIT_SEGMENTS = 208
    LIMIT_FUNCTION_SIZE = 209
    LIMIT_LOCALS = 210
    LIMIT_PARAMS = 211
    LIMIT_NESTING = 212
    LIMIT_OPERANDS = 213
    LIMIT_BR_TABLE = 214
    LIMIT_NAME_SIZE = 215
    LIMIT_CUSTOM_SECTIONS = 216
    LIMIT_SUBTYPING = 217
    LIMIT_FIELDS = 218
    LIMIT_TAGS = 219
    OUT_OF_MEMORY = 299
