"""The types that a module defines (spec: Binary Format, Recursive Types)."""

from dataclasses import dataclass

from wasmote.inspect.reader import Reader
from wasmote.types import FuncType, RefType, ValType

_GROUP, _OPEN, _FINAL = 0x4E, 0x50, 0x4F
_FUNC, _STRUCT, _ARRAY = 0x60, 0x5F, 0x5E
_PACKED = {0x77: "i16", 0x78: "i8"}


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field of a structure, or the elements of an array; "i8" and "i16" are packed integers."""

    storage: ValType | RefType | str
    mutable: bool

    def __str__(self) -> str:
        return f"(mut {self.storage})" if self.mutable else str(self.storage)


@dataclass(frozen=True, slots=True)
class StructType:
    """A structure."""

    fields: tuple[FieldType, ...]

    def __str__(self) -> str:
        return " ".join(["struct", *(f"(field {field})" for field in self.fields)])


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array."""

    element: FieldType

    def __str__(self) -> str:
        return f"array {self.element}"


@dataclass(frozen=True, slots=True)
class DefinedType:
    """A type with an index: what it is, and its place among the others.

    `is_open`: it may have subtypes. `group` has the indices of the types that it is defined with.
    """

    type: FuncType | StructType | ArrayType
    is_open: bool
    supertypes: tuple[int, ...]
    group: range

    def __str__(self) -> str:
        words = []
        if self.is_open or self.supertypes:
            words = ["sub" if self.is_open else "sub final", *map(str, self.supertypes)]
        together = ""
        if len(self.group) > 1:
            together = f"  ; with {self.group[0]} to {self.group[-1]}"
        return " ".join([*words, str(self.type)]) + together


def read_types(reader: Reader) -> list[DefinedType]:
    """The contents of a type section. Raises DecodeError."""
    found: list[DefinedType] = []
    for _ in range(reader.count()):
        count = 1
        if reader.peek() == _GROUP:
            reader.byte()
            count = reader.count()
        group = range(len(found), len(found) + count)
        found += [_defined_type(reader, group) for _ in group]
    return found


def _defined_type(reader: Reader, group: range) -> DefinedType:
    supertypes: tuple[int, ...] = ()
    form = reader.byte()
    is_open = form == _OPEN
    if form in (_OPEN, _FINAL):
        supertypes = tuple([reader.u32() for _ in range(reader.count())])
        form = reader.byte()
    return DefinedType(_composite_type(reader, form), is_open, supertypes, group)


def _composite_type(reader: Reader, form: int) -> FuncType | StructType | ArrayType:
    if form == _FUNC:
        params = reader.value_types()
        return FuncType(params, reader.value_types())
    if form == _STRUCT:
        return StructType(tuple([_field(reader) for _ in range(reader.count())]))
    if form == _ARRAY:
        return ArrayType(_field(reader))
    reader.pos -= 1
    raise reader.fail(f"malformed definition type {form:#04x}")


def _field(reader: Reader) -> FieldType:
    storage: ValType | RefType | str | None = _PACKED.get(reader.peek())
    if storage is None:
        storage = reader.value_type()
    else:
        reader.byte()
    return FieldType(storage, reader.byte() == 1)
