"""The types of nativepy and their layout in memory.

A type object is used three ways: as an annotation, as a conversion in code (`u32(x)`), and by the
compiler. Sizes depend on the target only through the size of a pointer.
"""

from collections.abc import Callable, Sequence

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any


class Type:
    """Base of all types. `name` is how errors and mangled names show it."""

    name: str

    def size(self, pointer: int) -> int:
        """Bytes in memory on a target whose pointers have `pointer` bytes."""
        raise TypeError(f"{self} has no size")

    def align(self, pointer: int) -> int:
        return self.size(pointer)

    def __repr__(self) -> str:
        return self.name


class Int(Type):
    """An integer; `usize` is the one whose width the target decides."""

    def __init__(self, name: str, bits: int | None, signed: bool) -> None:
        self.name, self.bits, self.signed = name, bits, signed

    def width(self, pointer: int) -> int:
        """Bits on a target whose pointers have `pointer` bytes."""
        return self.bits or pointer * 8

    def size(self, pointer: int) -> int:
        return self.width(pointer) // 8

    def __call__(self, value: int) -> int:
        """Plain Python's meaning of the conversion: reduce to the range (usize: 64 bits)."""
        bits = self.bits or 64
        value = int(value) & ((1 << bits) - 1)
        return value - (1 << bits) if self.signed and value >> (bits - 1) else value


class Float(Type):
    def __init__(self, name: str, bits: int) -> None:
        self.name, self.bits = name, bits

    def size(self, pointer: int) -> int:
        return self.bits // 8

    def __call__(self, value: float) -> float:
        return float(value)


class Boolean(Type):
    """A truth value: one bit in a register, one byte in memory."""

    name = "boolean"

    def size(self, pointer: int) -> int:
        return 1


class Void(Type):
    """The result of a function that returns nothing."""

    name = "void"


class Vector(Type):
    """A fixed vector of integers or floats, `vec[i32, 4]`."""

    def __init__(self, element: Int | Float, length: int) -> None:
        self.element, self.length, self.name = element, length, f"vec[{element}, {length}]"

    def size(self, pointer: int) -> int:
        return self.element.size(pointer) * self.length


class Pointer(Type):
    """`ptr[T]`; T may be the name of a struct that is defined later."""

    def __init__(self, target: "Type | str") -> None:
        self.target = target
        self.name = f"ptr[{target}]"

    def size(self, pointer: int) -> int:
        return pointer


class Array(Type):
    """A fixed array inside a struct, `array[u32, 4]`."""

    def __init__(self, element: Type, length: int) -> None:
        self.element, self.length, self.name = element, length, f"array[{element}, {length}]"

    def size(self, pointer: int) -> int:
        return self.element.size(pointer) * self.length

    def align(self, pointer: int) -> int:
        return self.element.align(pointer)


class FunctionType(Type):
    """A pointer to a function of the C calling convention, `fn[[u32, ptr[u8]], u32]`."""

    def __init__(self, params: Sequence[Type], result: Type, convention: str = "c") -> None:
        self.params, self.result, self.convention = tuple(params), result, convention
        shown = f"fn[[{', '.join(map(str, params))}], {result}]"
        self.name = shown if convention == "c" else f"{convention} {shown}"

    def size(self, pointer: int) -> int:
        return pointer


class Struct(Type):
    """A structure with C's layout rules; made by the `struct` decorator."""

    def __init__(self, name: str, fields: dict[str, Type], doc: str | None) -> None:
        self.name, self.fields, self.__doc__ = name, fields, doc
        self._layouts: dict[int, tuple[dict[str, int], int, int]] = {}

    def layout(self, pointer: int) -> tuple[dict[str, int], int, int]:
        """Offsets by field name, size and alignment in bytes."""
        if pointer not in self._layouts:
            offsets, position, alignment = {}, 0, 1
            for name, field in self.fields.items():
                align = field.align(pointer)
                position = -(-position // align) * align
                offsets[name] = position
                position += field.size(pointer)
                alignment = max(alignment, align)
            self._layouts[pointer] = offsets, -(-position // alignment) * alignment, alignment
        return self._layouts[pointer]

    def offset(self, field: str, pointer: int) -> int:
        return self.layout(pointer)[0][field]

    def size(self, pointer: int) -> int:
        return self.layout(pointer)[1]

    def align(self, pointer: int) -> int:
        return self.layout(pointer)[2]


class _Subscript:
    """Gives `ptr[...]` and its like their bracket notation."""

    def __init__(self, make: Callable[..., Type]) -> None:
        self.make = make

    def __getitem__(self, arguments: "Any") -> Type:
        return self.make(*arguments) if isinstance(arguments, tuple) else self.make(arguments)


i8, i16, i32, i64 = (Int(f"i{bits}", bits, True) for bits in (8, 16, 32, 64))
u8, u16, u32, u64 = (Int(f"u{bits}", bits, False) for bits in (8, 16, 32, 64))
usize = Int("usize", None, False)
f32, f64 = Float("f32", 32), Float("f64", 64)
boolean, void = Boolean(), Void()
_POINTERS: dict["Any", Pointer] = {}


def _pointer(target: Type | str) -> Pointer:
    return _POINTERS.setdefault(target, Pointer(target))


ptr = _Subscript(_pointer)
array = _Subscript(Array)
vec = _Subscript(Vector)
fn = _Subscript(FunctionType)

#: Structs by name, so that `ptr["Name"]` finds what is defined later.
STRUCTS: dict[str, Struct] = {}


def struct(cls: type) -> Struct:
    """Class decorator: the annotations become the fields, in order."""
    made = Struct(cls.__name__, dict(cls.__annotations__), cls.__doc__)
    if STRUCTS.get(made.name) is not None and cls.__module__ == getattr(
        STRUCTS[made.name], "module", None
    ):
        raise TypeError(f"struct {made.name} is defined twice")
    made.module = cls.__module__  # type: ignore[attr-defined]
    STRUCTS[made.name] = made
    return made


def resolve(t: Type | str) -> Type:
    """The type behind a name."""
    if isinstance(t, str):
        if t not in STRUCTS:
            raise TypeError(f"no struct is named {t!r}")
        return STRUCTS[t]
    return t


def same(a: Type, b: Type) -> bool:
    """Whether two types are the same; structures by identity, everything else by shape."""
    if a is b:
        return True
    match a, b:
        case Pointer(), Pointer():
            return same(resolve(a.target), resolve(b.target))
        case Array(), Array():
            return a.length == b.length and same(a.element, b.element)
        case Vector(), Vector():
            return a.length == b.length and same(a.element, b.element)
        case FunctionType(), FunctionType():
            return (
                len(a.params) == len(b.params)
                and a.convention == b.convention
                and same(a.result, b.result)
                and all(map(same, a.params, b.params))
            )
    return False
