"""WebAssembly's types as plain Python values (spec: Structure, Types).

The classes are written by hand: `dataclasses` would triple the time that `import wasmote` takes.
"""

from enum import Enum


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


class FuncType(Record):
    """Parameters and results of a function."""

    __slots__ = __match_args__ = ("params", "results")
    params: tuple[ValType, ...]
    results: tuple[ValType, ...]

    def __init__(self, params: tuple[ValType, ...] = (), results: tuple[ValType, ...] = ()) -> None:
        self._set(tuple(params), tuple(results))

    def __str__(self) -> str:
        params, results = (", ".join(map(str, t)) for t in (self.params, self.results))
        return f"({params}) -> ({results})"


def _limits(minimum: int, maximum: int | None) -> str:
    return f"{minimum}" if maximum is None else f"{minimum} {maximum}"


class TableType(Record):
    """A table; sizes in elements."""

    __slots__ = __match_args__ = ("element", "minimum", "maximum")
    element: ValType
    minimum: int
    maximum: int | None

    def __init__(self, element: ValType, minimum: int, maximum: int | None = None) -> None:
        self._set(element, minimum, maximum)

    def __str__(self) -> str:
        return f"table {_limits(self.minimum, self.maximum)} {self.element}"


class MemoryType(Record):
    """A linear memory; sizes in pages of 64 KiB."""

    __slots__ = __match_args__ = ("minimum", "maximum")
    minimum: int
    maximum: int | None

    def __init__(self, minimum: int, maximum: int | None = None) -> None:
        self._set(minimum, maximum)

    def __str__(self) -> str:
        return f"memory {_limits(self.minimum, self.maximum)}"


class GlobalType(Record):
    """A global variable."""

    __slots__ = __match_args__ = ("content", "mutable")
    content: ValType
    mutable: bool

    def __init__(self, content: ValType, mutable: bool = False) -> None:
        self._set(content, mutable)

    def __str__(self) -> str:
        return f"global mut {self.content}" if self.mutable else f"global {self.content}"


ExternType = FuncType | TableType | MemoryType | GlobalType


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
