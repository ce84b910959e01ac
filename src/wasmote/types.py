"""WebAssembly's types as plain Python values (spec: Structure, Types).

The classes are written by hand: `dataclasses` would triple the time that `import wasmote` takes.
"""

from enum import Enum

#: Bytes of a page, unless a memory's type says otherwise.
PAGE_SIZE = 65536


class ValType(Enum):
    """A value type; the value is its byte in the binary format."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    FUNCREF = 0x70
    EXTERNREF = 0x6F

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def is_reference(self) -> bool:
        """Whether values of this type are references."""
        return self in (ValType.FUNCREF, ValType.EXTERNREF)


class Record:
    """Base of immutable values: equal if of the same class with equal fields (`__match_args__`)."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _set(self, *fields: object) -> None:
        for name, value in zip(self.__match_args__, fields, strict=True):
            object.__setattr__(self, name, value)

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self._fields()


_NON_NULL = 0x100
_INDEX_SHIFT = 10
_SHORTHANDS = {
    "noexn": "nullexnref",
    "nofunc": "nullfuncref",
    "noextern": "nullexternref",
    "none": "nullref",
}
_HEAP_TYPES = {
    "noexn": 0x74,
    "nofunc": 0x73,
    "noextern": 0x72,
    "none": 0x71,
    "func": 0x70,
    "extern": 0x6F,
    "any": 0x6E,
    "eq": 0x6D,
    "i31": 0x6C,
    "struct": 0x6B,
    "array": 0x6A,
    "exn": 0x69,
}
_HEAP_NAMES = {number: name for name, number in _HEAP_TYPES.items()}
_DEFINED = {0x61: "func", 0x62: "struct", 0x63: "array"}
_DEFINED_KINDS = {name: number for number, name in _DEFINED.items()}


class RefType(Record):
    """A reference type other than `ValType.FUNCREF` and `ValType.EXTERNREF`.

    `heap` names what is referred to: "any", "eq", "i31", "struct", "array", "none", "func", … or,
    for a type that a module defines, its `kind` is "func", "struct" or "array" and `heap` is a
    number. In the types of a loaded module equal numbers stand for equal types, of all modules that
    are in use; where a module is only inspected it is the index of the type.
    """

    __slots__ = __match_args__ = ("heap", "nullable", "kind")
    heap: str | int
    nullable: bool
    kind: str

    def __init__(self, heap: str | int, nullable: bool = True, kind: str = "") -> None:
        if isinstance(heap, str) and heap not in _HEAP_TYPES:
            raise ValueError(f"there is no heap type {heap!r}; there are {', '.join(_HEAP_TYPES)}")
        if isinstance(heap, int) and kind not in _DEFINED_KINDS:
            raise ValueError(f"a defined type is a func, struct or array, not {kind!r}")
        self._set(heap, nullable, kind if isinstance(heap, int) else heap)

    @property
    def value(self) -> int:
        """The type's number in the core (`core.value_types`)."""
        non_null = 0 if self.nullable else _NON_NULL
        if isinstance(self.heap, str):
            return _HEAP_TYPES[self.heap] | non_null
        return _DEFINED_KINDS[self.kind] | non_null | self.heap << _INDEX_SHIFT

    @property
    def is_reference(self) -> bool:
        """Always: see `ValType.is_reference`."""
        return True

    @property
    def is_function(self) -> bool:
        """Whether its references are to functions."""
        return self.kind in ("func", "nofunc")

    @property
    def is_extern(self) -> bool:
        """Whether its references are to objects of the host."""
        return self.kind in ("extern", "noextern")

    def __str__(self) -> str:
        if self.nullable and isinstance(self.heap, str):
            return _SHORTHANDS.get(self.heap, f"{self.heap}ref")
        return f"(ref {'null ' if self.nullable else ''}{self.heap})"


def value_type(number: int) -> "ValType | RefType":
    """The value type of that number in the core."""
    if number <= 0xFF and number in _SIMPLE:
        return _SIMPLE[number]
    kind, nullable = number & 0xFF, not number & _NON_NULL
    if kind in _DEFINED:
        return RefType((number & 0x7FFF_FFFF) >> _INDEX_SHIFT, nullable, _DEFINED[kind])
    return RefType(_HEAP_NAMES[kind], nullable)


_SIMPLE = {int(type.value): type for type in ValType}


class FuncType(Record):
    """Parameters and results of a function."""

    __slots__ = __match_args__ = ("params", "results")
    params: tuple[ValType | RefType, ...]
    results: tuple[ValType | RefType, ...]

    def __init__(
        self,
        params: tuple[ValType | RefType, ...] = (),
        results: tuple[ValType | RefType, ...] = (),
    ) -> None:
        self._set(tuple(params), tuple(results))

    def __str__(self) -> str:
        params, results = (", ".join(map(str, t)) for t in (self.params, self.results))
        return f"({params}) -> ({results})"


def _limits(minimum: int, maximum: int | None, is64: bool) -> str:
    sizes = f"{minimum}" if maximum is None else f"{minimum} {maximum}"
    return f"i64 {sizes}" if is64 else sizes


class TableType(Record):
    """A table; sizes in elements. Its indices are i64 if `is64`, else i32."""

    __slots__ = __match_args__ = ("element", "minimum", "maximum", "is64")
    element: ValType | RefType
    minimum: int
    maximum: int | None
    is64: bool

    def __init__(
        self,
        element: ValType | RefType,
        minimum: int,
        maximum: int | None = None,
        is64: bool = False,
    ) -> None:
        self._set(element, minimum, maximum, is64)

    def __str__(self) -> str:
        return f"table {_limits(self.minimum, self.maximum, self.is64)} {self.element}"


class MemoryType(Record):
    """A linear memory; sizes in pages of `page_size` bytes: 65536, or 1.

    Its addresses are i64 if `is64`, else i32. A `shared` one may be used by several threads at
    once, and has a maximum.
    """

    __slots__ = __match_args__ = ("minimum", "maximum", "is64", "page_size", "shared")
    minimum: int
    maximum: int | None
    is64: bool
    page_size: int
    shared: bool

    def __init__(
        self,
        minimum: int,
        maximum: int | None = None,
        is64: bool = False,
        page_size: int = PAGE_SIZE,
        shared: bool = False,
    ) -> None:
        self._set(minimum, maximum, is64, page_size, shared)

    def __str__(self) -> str:
        shared = " shared" if self.shared else ""
        pages = "" if self.page_size == PAGE_SIZE else f" (pagesize {self.page_size})"
        return f"memory {_limits(self.minimum, self.maximum, self.is64)}{shared}{pages}"


class GlobalType(Record):
    """A global variable."""

    __slots__ = __match_args__ = ("content", "mutable")
    content: ValType | RefType
    mutable: bool

    def __init__(self, content: ValType | RefType, mutable: bool = False) -> None:
        self._set(content, mutable)

    def __str__(self) -> str:
        return f"global mut {self.content}" if self.mutable else f"global {self.content}"


class TagType(Record):
    """A tag: the types of the values that its exceptions carry."""

    __slots__ = __match_args__ = ("params",)
    params: tuple[ValType | RefType, ...]

    def __init__(self, params: tuple[ValType | RefType, ...] = ()) -> None:
        self._set(tuple(params))

    def __str__(self) -> str:
        return f"tag ({', '.join(map(str, self.params))})"


ExternType = FuncType | TableType | MemoryType | GlobalType | TagType


class ImportType(Record):
    """What a module wants under `module.name`."""

    __slots__ = __match_args__ = ("module", "name", "type")
    module: str
    name: str
    type: ExternType

    def __init__(self, module: str, name: str, type: ExternType) -> None:
        self._set(module, name, type)


class ExportType(Record):
    """What a module offers under `name`."""

    __slots__ = __match_args__ = ("name", "type")
    name: str
    type: ExternType

    def __init__(self, name: str, type: ExternType) -> None:
        self._set(name, type)
