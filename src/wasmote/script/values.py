"""Arguments of the actions in a script, and the patterns that results are compared with.

Values travel as `Func.call_bits` has them: numbers and vectors as unsigned bit patterns, so that
the payload of a NaN survives; references as Python objects.
"""

from dataclasses import dataclass
from typing import TypeAlias

from wasmote.script.literals import FLOATS, INTEGERS, float_bits, float_text, integer_bits
from wasmote.script.sexpr import Expr, MalformedError, Node

#: How many lanes a vector of each shape has.
SHAPES = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}


@dataclass(frozen=True, slots=True)
class HostRef:
    """The host object number `number`, which scripts write `(ref.extern n)` or `(ref.host n)`."""

    number: int


@dataclass(frozen=True, slots=True)
class Constant:
    """An argument: the type's name and the value as `Func.call_bits` takes it."""

    type: str
    value: object


@dataclass(frozen=True, slots=True)
class Bits:
    """Exactly this number."""

    type: str
    bits: int

    def matches(self, type: str, value: object) -> bool:
        """Whether `value`, as `Func.call_bits` returned it for a result of `type`, is right."""
        return type == self.type and value == self.bits

    def __str__(self) -> str:
        return show(self.type, self.bits)


@dataclass(frozen=True, slots=True)
class Nan:
    """A NaN, of either sign: the canonical one, or any quiet ("arithmetic") one."""

    type: str
    canonical: bool

    def matches(self, type: str, value: object) -> bool:
        form = FLOATS[self.type]
        if type != self.type or not isinstance(value, int):
            return False
        magnitude = value & (form.sign - 1)
        if self.canonical:
            return magnitude == form.canonical_nan
        return magnitude & form.canonical_nan == form.canonical_nan

    def __str__(self) -> str:
        return f"{self.type} nan:{'canonical' if self.canonical else 'arithmetic'}"


@dataclass(frozen=True, slots=True)
class Vector:
    """A v128 given lane by lane, the first lane in the lowest bits."""

    shape: str
    lanes: tuple[Bits | Nan, ...]

    def matches(self, type: str, value: object) -> bool:
        if type != "v128" or not isinstance(value, int):
            return False
        values = _lanes(value, len(self.lanes))
        return all(lane.matches(lane.type, each) for lane, each in zip(self.lanes, values))

    def __str__(self) -> str:
        return f"v128 {self.shape} " + " ".join(str(lane).split(" ", 1)[1] for lane in self.lanes)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference: null, the host object `value`, or anything of the heap type `heap`."""

    heap: str
    null: bool = False
    value: HostRef | None = None

    def matches(self, type: str, value: object) -> bool:
        if isinstance(value, int):  # the bits of a number or vector; references never are ints
            return False
        if self.null or value is None:
            return self.null and value is None
        if self.value is not None:
            return value == self.value
        return _is_subtype(_heap_type(value), self.heap)

    def __str__(self) -> str:
        number = f" {self.value.number}" if self.value else ""
        return "ref.null" if self.null else f"ref.{self.heap}{number}"


@dataclass(frozen=True, slots=True)
class Either:
    """Any of several patterns."""

    patterns: tuple["Pattern", ...]

    def matches(self, type: str, value: object) -> bool:
        return any(pattern.matches(type, value) for pattern in self.patterns)

    def __str__(self) -> str:
        return " or ".join(map(str, self.patterns))


#: What a result has to look like: `matches` takes the type and value of a result.
Pattern: TypeAlias = Bits | Nan | Vector | Reference | Either


def parse_constant(expr: Expr) -> Constant:
    """An argument such as `(i32.const 7)`. Raises `MalformedError`."""
    pattern = parse_pattern(expr)
    if isinstance(pattern, Bits):
        return Constant(pattern.type, pattern.bits)
    if isinstance(pattern, Vector):
        return Constant("v128", _vector_bits(pattern))
    if isinstance(pattern, Reference) and (pattern.null or pattern.value):
        return Constant(f"{pattern.heap}ref", pattern.value)
    raise MalformedError(f"({expr.head} …) is a pattern and cannot be an argument")


def parse_pattern(expr: Expr) -> Pattern:
    """A result pattern such as `(f32.const nan:canonical)`. Raises `MalformedError`."""
    head, operands = expr.head, expr.items[1:]
    if head == "either":
        return Either(tuple(parse_pattern(_expr(each)) for each in operands))
    if head == "v128.const":
        return _vector(operands)
    if head.startswith("ref."):
        return _reference(head[4:], operands)
    type, dot, const = head.partition(".")
    if dot and const == "const" and type in ("i32", "i64", "f32", "f64") and len(operands) == 1:
        return _number(type, operands[0])
    raise MalformedError(f"unknown constant ({head} …)")


def _expr(node: Node) -> Expr:
    if not isinstance(node, Expr):
        raise MalformedError("expected a constant")
    return node


def _number(type: str, literal: Node) -> Bits | Nan:
    if not isinstance(literal, str):
        raise MalformedError("expected a number")
    if type in INTEGERS:
        return Bits(type, integer_bits(literal, INTEGERS[type]))
    if literal in ("nan:canonical", "nan:arithmetic"):
        return Nan(type, literal == "nan:canonical")
    return Bits(type, float_bits(literal, FLOATS[type]))


def _vector(operands: list[Node]) -> Vector:
    shape = operands[0] if operands else ""
    if not isinstance(shape, str) or SHAPES.get(shape) != len(operands) - 1:
        raise MalformedError("malformed v128.const")
    lane_type = shape.partition("x")[0]
    return Vector(shape, tuple(_number(lane_type, each) for each in operands[1:]))


def _vector_bits(vector: Vector) -> int:
    width, bits = 128 // len(vector.lanes), 0
    for index, lane in enumerate(vector.lanes):
        if isinstance(lane, Nan):
            raise MalformedError("a NaN pattern cannot be an argument")
        bits |= lane.bits << (index * width)
    return bits


def _reference(kind: str, operands: list[Node]) -> Reference:
    """`(ref.null t)`, `(ref.func)`, `(ref.extern 3)`, … without the `ref.`."""
    if kind == "null":
        heap = operands[0] if operands and isinstance(operands[0], str) else ""
        return Reference(heap, null=True)
    if kind in ("extern", "host") and operands and isinstance(operands[0], str):
        return Reference(kind, value=HostRef(integer_bits(operands[0], 32)))
    return Reference(kind)


def _heap_type(value: object) -> str:
    """The heap type of a reference that is not null, as the constants of scripts name it.

    References into the heap of the garbage collection proposal name theirs as `heap_type`; what
    is neither one of those nor a function is a host object.
    """
    from wasmote import Func

    if isinstance(value, Func):
        return "func"
    return str(getattr(value, "heap_type", "extern"))


def _is_subtype(heap: str, pattern: str) -> bool:
    """Whether the pattern `(ref.pattern)` is for values of this heap type."""
    match pattern:
        case "any":
            return heap != "func"
        case "eq":
            return heap in ("i31", "struct", "array")
        case "extern":
            return True  # any value may have been externalized
    return heap == pattern


def _lanes(bits: int, count: int) -> list[int]:
    width = 128 // count
    return [bits >> (index * width) & ((1 << width) - 1) for index in range(count)]


def show(type: str, value: object) -> str:
    """A value of `Func.call_bits` for messages: `i32 -1`, `f32 nan:0x200000`, …"""
    if not isinstance(value, int):
        return "ref.null" if value is None else f"{type} {value!r}"
    if type in FLOATS:
        return f"{type} {float_text(value, FLOATS[type])}"
    if type == "v128":
        return "v128 i32x4 " + " ".join(f"{lane:#010x}" for lane in _lanes(value, 4))
    width = INTEGERS.get(type, 64)
    return f"{type} {value - (1 << width) if value >> (width - 1) else value}"
