"""Value types as 32-bit numbers, and which references match which (spec: Validation, Matching).

The low byte is the kind: the type's byte in the binary format, or one of `Typed` for a reference to
a defined type. Bit 8 is set for a reference that is never null. Bits 10 to 30 of a `Typed`
reference number the defined type. Bit 31 marks a mutable field. Equal types have equal numbers:
while a module is loaded, a type index is replaced by that of the first equal type
(`FuncType.same`).
"""

from enum import IntEnum

from wasmote.core.status import ValueType
from wasmote.core.structs import FuncType, Module
from wasmote.nativepy import boolean, constants, inline, native, ptr, u16, u32

KIND = 0xFF
NON_NULL = 0x100
#: Of a local, while a function is validated: it must be set before it is read.
UNSET = 0x200
#: Of an operand, likewise: the exception of a legacy `catch` clause, which `rethrow` throws again.
CAUGHT = 0x200
INDEX_SHIFT = 10
#: Defined types that value types can number.
MAXIMUM_TYPES = 1 << 21
MUTABLE = 0x8000_0000


class Form(IntEnum):
    """What a defined type describes."""

    FUNCTION = 0
    STRUCTURE = 1
    ARRAY = 2


class Typed(IntEnum):
    """Kinds of references to defined types, in the order of `Form`."""

    FUNCTION = 0x61
    STRUCTURE = 0x62
    ARRAY = 0x63


#: The kind of a reference of which nothing is known, in unreachable code: it matches all.
BOTTOM = 0x60

_ABOVE: dict[int, tuple[ValueType, ...]] = {
    ValueType.NULLEXNREF: (ValueType.EXNREF,),
    ValueType.NULLFUNCREF: (ValueType.FUNCREF,),
    ValueType.NULLEXTERNREF: (ValueType.EXTERNREF,),
    ValueType.NULLREF: (
        ValueType.I31REF,
        ValueType.STRUCTREF,
        ValueType.ARRAYREF,
        ValueType.EQREF,
        ValueType.ANYREF,
    ),
    ValueType.I31REF: (ValueType.EQREF, ValueType.ANYREF),
    ValueType.STRUCTREF: (ValueType.EQREF, ValueType.ANYREF),
    ValueType.ARRAYREF: (ValueType.EQREF, ValueType.ANYREF),
    ValueType.EQREF: (ValueType.ANYREF,),
    Typed.FUNCTION: (ValueType.FUNCREF,),
    Typed.STRUCTURE: (ValueType.STRUCTREF, ValueType.EQREF, ValueType.ANYREF),
    Typed.ARRAY: (ValueType.ARRAYREF, ValueType.EQREF, ValueType.ANYREF),
}
_FIRST_ABSTRACT = ValueType.EXNREF
_LAST_ABSTRACT = ValueType.NULLEXNREF


def _above(kind: int) -> int:
    """The abstract heap types above one, itself included, as bits from the lowest byte up."""
    kinds = {*_ABOVE.get(kind, ()), kind}
    return sum(1 << k - _FIRST_ABSTRACT for k in kinds if k >= _FIRST_ABSTRACT)


ABOVE = constants(
    u16, [_above(kind) if Typed.FUNCTION <= kind <= _LAST_ABSTRACT else 0 for kind in range(256)]
)


@inline
def kind_of(t: u32) -> u32:
    return t & KIND


@inline
def is_reference(t: u32) -> boolean:
    return (t & KIND) - BOTTOM <= _LAST_ABSTRACT - BOTTOM


@inline
def is_typed(t: u32) -> boolean:
    """Whether it refers to a defined type."""
    return (t & KIND) - Typed.FUNCTION <= Typed.ARRAY - Typed.FUNCTION


@inline
def is_function_reference(t: u32) -> boolean:
    kind = t & KIND
    return kind == ValueType.FUNCREF or kind == Typed.FUNCTION or kind == ValueType.NULLFUNCREF


@inline
def is_object_reference(t: u32) -> boolean:
    """Whether it is a reference to what may be an object of the heap."""
    return is_reference(t) and not is_function_reference(t)


@inline
def index_of(t: u32) -> u32:
    """The number of the defined type that a `Typed` reference is to."""
    return (t & ~u32(MUTABLE)) >> INDEX_SHIFT


@inline
def reference_to(form: u32, index: u32) -> u32:
    """The nullable reference to a defined type."""
    return (Typed.FUNCTION + form) | (index << INDEX_SHIFT)


@inline
def is_packed(t: u32) -> boolean:
    return t & KIND == ValueType.I8 or t & KIND == ValueType.I16


@inline
def unpacked(t: u32) -> u32:
    """The type of a field's value on the stack."""
    return u32(ValueType.I32) if is_packed(t) else t & ~u32(MUTABLE)


@inline
def is_defaultable(t: u32) -> boolean:
    """Whether there is a default value: zero or null."""
    return t & NON_NULL == 0


@inline
def cells_of(t: u32) -> u32:
    """32-bit cells that a value of this type takes."""
    if t == ValueType.I64 or t == ValueType.F64:
        return 2
    if t == ValueType.V128:
        return 4
    return 1


@inline
def size_of(t: u32) -> u32:
    """Bytes that a field of this type takes."""
    if t & KIND == ValueType.I8:
        return 1
    return u32(2) if t & KIND == ValueType.I16 else cells_of(t & ~u32(MUTABLE)) * 4


@native
def abstract_matches(t: u32, wanted: u32) -> boolean:
    """Whether a heap type matches, where not both are defined types."""
    kind = t & KIND
    if kind == BOTTOM:
        return True
    wanted_kind = wanted & KIND
    if wanted_kind >= _FIRST_ABSTRACT:
        return (u32(ABOVE[kind]) >> (wanted_kind - _FIRST_ABSTRACT)) & 1 != 0
    if kind == ValueType.NULLFUNCREF:
        return wanted_kind == Typed.FUNCTION
    return kind == ValueType.NULLREF and wanted_kind != Typed.FUNCTION


@native
def heap_matches(m: ptr[Module], t: u32, wanted: u32) -> boolean:
    """Whether the heap type of one reference matches that of another."""
    if not is_typed(t) or not is_typed(wanted):
        return abstract_matches(t, wanted)
    return defined_matches(m.types, index_of(t), index_of(wanted))


@native
def defined_matches(types: ptr[FuncType], index: u32, wanted: u32) -> boolean:
    """Whether a defined type is another or below it; both are the first of their equals."""
    while index != wanted:
        above = types[index].supertype
        if above == 0:
            return False
        index = types[above - 1].same
    return True


@native
def matches(m: ptr[Module], t: u32, wanted: u32) -> boolean:
    """Whether a value of one type may stand where another is wanted.

    Always, once types have ids: then the function that is looked at has been validated before.
    """
    if t == wanted or m.has_ids != 0:
        return True
    if not is_reference(t) or not is_reference(wanted):
        return False
    if t & NON_NULL == 0 and wanted & NON_NULL != 0 and t & KIND != BOTTOM:
        return False
    return heap_matches(m, t, wanted)
