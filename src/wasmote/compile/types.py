"""Value types in LLVM's terms, references among them, and structures and arrays."""

from dataclasses import dataclass

from wasmote.compile.templates import IR_TYPES
from wasmote.core.status import ValueType
from wasmote.core.value_types import KIND, Form, Typed

_TO_FUNCTIONS = (ValueType.FUNCREF, ValueType.NULLFUNCREF, Typed.FUNCTION)


class Reference(str):
    """LLVM's type of a reference: an i32 that the garbage collector may have to see."""

    __slots__ = ()


class FunctionReference(Reference):
    """The same of a reference to a function, of which the collector knows nothing."""

    __slots__ = ()


REFERENCE = Reference("i32")
FUNCTION_REFERENCE = FunctionReference("i32")


def ir_type(value_type: int) -> str:
    """LLVM's type for a value type of the core."""
    kind = value_type & KIND
    if kind in IR_TYPES:
        return IR_TYPES[kind]
    return FUNCTION_REFERENCE if kind in _TO_FUNCTIONS else REFERENCE


@dataclass(slots=True)
class Storage:
    """How a field is kept: LLVM's types of its value and in memory, its size and offset in bytes,
    from where an object's fields begin.
    """

    value: str
    memory: str
    size: int
    offset: int

    @property
    def alignment(self) -> int:
        return min(self.size, 4)

    @property
    def collected(self) -> bool:
        """Whether it is a reference that the collector follows."""
        return isinstance(self.value, Reference) and not isinstance(self.value, FunctionReference)


_PACKED: dict[int, str] = {ValueType.I8: "i8", ValueType.I16: "i16"}
_SIZES = {"i8": 1, "i16": 2, "i32": 4, "float": 4, "i64": 8, "double": 8, "<2 x i64>": 16}


def storage(field_type: int, offset: int) -> Storage:
    """Of a field of a type, as the core has them."""
    packed = _PACKED.get(field_type & KIND)
    value = "i32" if packed else ir_type(field_type)
    return Storage(value, packed or value, _SIZES[packed or value], offset)


@dataclass(slots=True)
class Defined:
    """A defined type: of an array one field at 0. `final`: it has no subtypes."""

    form: int
    final: bool
    depth: int  # supertypes above it
    size: int  # bytes of all fields, or of an element
    fields: tuple[Storage, ...]

    @property
    def is_array(self) -> bool:
        return self.form == Form.ARRAY
