"""Texts for load errors, on the host; they begin as the specification's test suite has them."""

from wasmote.core.status import Status, ValueType
from wasmote.core.value_types import BOTTOM, INDEX_SHIFT, NON_NULL, Typed
from wasmote.errors import DecodeError, LimitError, ModuleError, ValidationError
from wasmote.isa import INSTRUCTIONS, SUPPORTED_FEATURES, Feature

_NO_INSTRUCTION = 0xFFFF_FFFF
_ARITY = 0xFFFF_FFFF_FFFF_FFFF
_FEATURES = tuple(Feature)
#: Pages of 64 KiB that 32-bit addresses can reach.
_PAGES_32 = 65536

#: `{0}` and `{1}` are the error's details.
_TEXTS: dict[Status, str] = {
    Status.UNEXPECTED_END: "unexpected end: the file is cut short",
    Status.UNEXPECTED_END_OF_SECTION: "unexpected end of section or function",
    Status.MAGIC: "magic header not detected",
    Status.VERSION: "unknown binary version {0:#x}: expected 1",
    Status.SECTION_ID: "malformed section id {0}",
    Status.SECTION_ORDER: (
        "unexpected content after last section: section {0} is repeated or out of order"
    ),
    Status.LENGTH_OUT_OF_BOUNDS: "length out of bounds: {0} bytes announced, {1} left",
    Status.SECTION_SIZE: "section size mismatch: the contents of section {0} end before it does",
    Status.INTEGER_TOO_LONG: "integer representation too long",
    Status.INTEGER_TOO_LARGE: "integer too large",
    Status.UTF8: "malformed UTF-8 encoding",
    Status.IMPORT_KIND: "malformed import kind {0:#04x}",
    Status.EXPORT_KIND: "malformed export kind {0:#04x}",
    Status.VALUE_TYPE: "malformed value type {0:#04x}",
    Status.REFERENCE_TYPE: "malformed reference type {0:#04x}",
    Status.TYPE_FORM: "malformed definition type {0:#04x}",
    Status.LIMITS_FLAGS: "malformed limits flags {0:#04x}",
    Status.MUTABILITY: "malformed mutability {0:#04x}",
    Status.ELEMENT_KIND: "malformed element kind {0:#04x}",
    Status.ELEMENT_SEGMENT_KIND: "malformed elements segment kind {0}",
    Status.DATA_SEGMENT_KIND: "malformed data segment kind {0}",
    Status.FUNCTION_CODE_COUNT: (
        "function and code section have inconsistent lengths: {0} functions, {1} bodies"
    ),
    Status.DATA_COUNT: (
        "data count and data section have inconsistent lengths: {0} announced, {1} found"
    ),
    Status.DATA_COUNT_REQUIRED: "data count section required",
    Status.TOO_MANY_LOCALS: "too many locals: {0}",
    Status.ILLEGAL_OPCODE: "illegal opcode {opcode}",
    Status.MEMARG_FLAGS: "malformed memop flags {0:#x}",
    Status.END_EXPECTED: "END opcode expected: the body of a function ends without it",
    Status.FUNCTION_SIZE: "section size mismatch: the function's body goes on after its end",
    Status.ELSE_WITHOUT_IF: "END opcode expected: else without if",
    Status.PAGE_SIZE_RANGE: "invalid custom page size: 2**{0} bytes",
    Status.TAG_ATTRIBUTE: "malformed tag attribute {0:#04x}",
    Status.CATCH_KIND: "malformed catch clause {0:#04x}",
    Status.CATCH_WITHOUT_TRY: "END opcode expected: {instruction} without try",
    Status.ZERO_BYTE: "zero byte expected, found {0:#04x}",
    Status.UNKNOWN_TYPE: "unknown type {0}",
    Status.UNKNOWN_FUNCTION: "unknown function {0}",
    Status.UNKNOWN_TABLE: "unknown table {0}",
    Status.UNKNOWN_MEMORY: "unknown memory {0}",
    Status.UNKNOWN_GLOBAL: "unknown global {0}",
    Status.UNKNOWN_TAG: "unknown tag {0}",
    Status.TAG_RESULTS: "non-empty tag result type: type {0} has results",
    Status.RETHROW_LABEL: "invalid rethrow label {0}: it is not that of a catch clause",
    Status.UNKNOWN_LOCAL: "unknown local {0}",
    Status.UNKNOWN_LABEL: "unknown label {0}",
    Status.UNKNOWN_DATA_SEGMENT: "unknown data segment {0}",
    Status.UNKNOWN_ELEMENT_SEGMENT: "unknown elem segment {0}",
    Status.ALIGNMENT: "alignment must not be larger than natural: {instruction} has align=2**{1}",
    Status.ATOMIC_ALIGNMENT: "alignment must be natural: {instruction} has align=2**{1}",
    Status.SHARED_WITHOUT_MAXIMUM: "shared memory must have maximum",
    Status.IMMUTABLE_GLOBAL: "immutable global {0}",
    Status.CONSTANT_EXPRESSION: "constant expression required, found {instruction}",
    Status.START_FUNCTION: "start function {0} must take no parameters and return nothing",
    Status.DUPLICATE_EXPORT: "duplicate export name",
    Status.UNDECLARED_REFERENCE: "undeclared function reference {0}",
    Status.RESULT_ARITY: "invalid result arity: select takes one type, found {0}",
    Status.MINIMUM_ABOVE_MAXIMUM: "size minimum must not be greater than maximum: {0} > {1}",
    Status.MEMORY_SIZE: "memory size must be at most 65536 pages (4GiB), found {0}",
    Status.PAGE_SIZE: "invalid custom page size: 2**{0} bytes, only 1 and 65536 are possible",
    Status.TABLE_SIZE: "table size must be at most 2**32 - 1, found {0}",
    Status.UNINITIALIZED_LOCAL: "uninitialized local {0}: its type has no default value",
    Status.UNKNOWN_FIELD: "unknown field {0}",
    Status.IMMUTABLE_FIELD: "immutable field: type {0} does not let it be written",
    Status.IMMUTABLE_ARRAY: "immutable array: type {0} does not let it be written",
    Status.NUMERIC_ARRAY: "array type is not numeric or vector: type {0} holds references",
    Status.NOT_DEFAULTABLE: "type is not defaultable: type {0} needs initial values",
    Status.CAST_FLAGS: "malformed cast flags {0:#04x}",
    Status.SUPERTYPE: "sub type {0} does not match super type {1}",
    Status.OFFSET_RANGE: "offset out of range: {0} in a memory of 32-bit addresses",
    Status.LANE_INDEX: "invalid lane index {0}: there are {1} lanes",
    Status.OUT_OF_MEMORY: "out of memory while loading the module",
}

#: What a limit counts, and its field in `Limits`.
_LIMITS: dict[Status, tuple[str, str]] = {
    Status.LIMIT_TYPES: ("types", "types"),
    Status.LIMIT_FUNCTIONS: ("functions", "functions"),
    Status.LIMIT_IMPORTS: ("imports", "imports"),
    Status.LIMIT_EXPORTS: ("exports", "exports"),
    Status.LIMIT_GLOBALS: ("globals", "globals"),
    Status.LIMIT_TABLES: ("tables", "tables"),
    Status.LIMIT_MEMORIES: ("memories", "memories"),
    Status.LIMIT_TAGS: ("tags", "tags"),
    Status.LIMIT_SEGMENTS: ("segments", "segments"),
    Status.LIMIT_FUNCTION_SIZE: ("bytes in a function body", "function_size"),
    Status.LIMIT_LOCALS: ("locals", "locals"),
    Status.LIMIT_PARAMS: ("parameters or results", "params"),
    Status.LIMIT_NESTING: ("nested blocks", "nesting"),
    Status.LIMIT_OPERANDS: ("operands on the stack", "operands"),
    Status.LIMIT_BR_TABLE: ("labels in a br_table", "br_table"),
    Status.LIMIT_NAME_SIZE: ("bytes in a name", "name_size"),
    Status.LIMIT_FIELDS: ("fields of a structure", "fields"),
}

#: Starts of files that are taken for a module by mistake.
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"\0aot", "an ahead-of-time compiled module of WAMR; load the .wasm file it was made from"),
    (b"\x7fELF", "an ELF file (native code); build it for the target wasm32"),
    (b"MZ", "a Windows program; build it for the target wasm32"),
    (b"\xcf\xfa\xed\xfe", "a macOS program; build it for the target wasm32"),
    (b"\x1f\x8b", "gzip data; decompress it first"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"BZh", "bzip2 data; decompress it first"),
    (b"\xfd7zXZ", "xz data; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data; decompress it first"),
    (b"!<arch>", "an archive of object files; link it to a module first"),
    (b"BC\xc0\xde", "LLVM bitcode; compile it for the target wasm32"),
    (b"#!", "a script; give the module that it runs"),
    (b"<", "HTML or XML, perhaps an error page of the server it came from"),
)
_COMPONENT_LAYER = 1 << 16


def is_malformed(status: int) -> bool:
    """Whether the bytes break the binary format."""
    return 0 < status < 100


def is_invalid(status: int) -> bool:
    """Whether the module is well formed but breaks a rule of validation."""
    return 100 <= status < 200


def is_limit(status: int) -> bool:
    """Whether the module is fine but asks for more than the limits, or the memory, allow."""
    return status >= 200


def describe(status: int, detail: int = 0, detail2: int = 0) -> str:
    """The text for an error, from the fields of `core.structs.Error`."""
    status = Status(status)
    if status is Status.TYPE_MISMATCH:
        return _describe_mismatch(detail, detail2)
    if status is Status.UNSUPPORTED_FEATURE:
        return f"unsupported feature {_feature(detail)}{_reason(detail)}"
    if status is Status.LIMIT_BINARY_SIZE:
        return f"too large: the module has {detail} bytes, the limit is {detail2}"
    if status is Status.LIMIT_CUSTOM_SECTIONS:
        return f"too many custom sections: {detail}, the limit is {detail2}"
    if status is Status.LIMIT_SUBTYPING:
        return f"too many supertypes: a type has {detail}, the limit is {detail2}"
    if status is Status.MEMORY_SIZE and detail2 != _PAGES_32:
        return f"memory size must be at most {detail2} pages, found {detail}"
    if status in _LIMITS:
        what, field = _LIMITS[status]
        return f"too many {what}: {detail}, the limit is {detail2} (Limits.{field})"
    if status is Status.VERSION and detail >= _COMPONENT_LAYER:
        return "unknown binary version: this is a component, not a core module"
    return _TEXTS[status].format(
        detail, detail2, instruction=_instruction(detail), opcode=_opcode(detail)
    )


def describe_magic(binary: bytes | bytearray | memoryview) -> str:
    """What a file that does not start with the magic is, as far as its start tells."""
    start = bytes(binary[:256])
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if len(start) < 4 or b"\0asm".startswith(start[:4]):
        return f"unexpected end: a module has at least 8 bytes, this has {len(binary)}"
    known = describe(Status.MAGIC)
    if text.startswith((b"(", b";;")):
        return f"{known}: this is the text format; assemble it first (wat2wasm)"
    for magic, what in _FORMATS:
        if start.startswith(magic):
            return f"{known}: this is {what}"
    return f"{known}: a module starts with 00 61 73 6d, this with {start[:4].hex(' ')}"


def load_error(
    binary: bytes | bytearray | memoryview,
    status: int,
    offset: int,
    detail: int = 0,
    detail2: int = 0,
) -> ModuleError:
    """The exception for a failed load, from the fields of `core.structs.Error`."""
    if status == Status.MAGIC or (status == Status.UNEXPECTED_END and len(binary) < 8):
        return DecodeError(describe_magic(binary), offset)
    message = describe(status, detail, detail2)
    if is_malformed(status):
        return DecodeError(message, offset)
    if is_invalid(status):
        return ValidationError(message, offset)
    return LimitError(message, offset)


def _describe_mismatch(opcode: int, types: int) -> str:
    where = "" if opcode == _NO_INSTRUCTION else f"{_instruction(opcode)} "
    if types == _ARITY:
        return f"type mismatch: {where}has type lists of different lengths"
    expected, found = types & 0xFFFF_FFFF, types >> 32
    if not expected and found:
        return f"type mismatch: {where}leaves a surplus {_type(found)} on the stack"
    return f"type mismatch: {where}expected {_type(expected)}, found {_type(found, 'nothing')}"


def _type(number: int, nothing: str = "an operand") -> str:
    if not number:
        return nothing
    names = {t.value: t.name.lower() for t in ValueType}
    kind, never_null = number & 0xFF, bool(number & NON_NULL)
    if kind in tuple(Typed):
        return f"(ref {'' if never_null else 'null '}{number >> INDEX_SHIFT})"
    name = names.get(kind, "a reference")
    return f"(ref {name.removesuffix('ref')})" if never_null and kind != BOTTOM else name


def _instruction(opcode: int) -> str:
    return INSTRUCTIONS[opcode].name if opcode in INSTRUCTIONS else f"opcode {_opcode(opcode)}"


def _opcode(opcode: int) -> str:
    return f"{opcode >> 16:02x} {opcode & 0xFFFF:02x}" if opcode > 0xFF else f"{opcode:02x}"


def _reason(bit: int) -> str:
    """Why a feature that the module needs is not there."""
    if SUPPORTED_FEATURES >> bit & 1:
        return ": the module needs it, but it is off (--disable-feature, or Module's features)"
    return ", which the module needs"


def _feature(bit: int) -> str:
    return _FEATURES[bit].value if bit < len(_FEATURES) else str(bit)
