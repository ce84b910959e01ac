"""What each intrinsic on vectors becomes in LLVM IR.

A comparison of vectors gives a *mask*, one truth value per lane; `select`, `mask`, `lane_bits` and
`all_lanes` take one.
"""

import ast
from typing import TYPE_CHECKING

from .builder import Known, Value
from .byte_order import bits_as
from .expressions import Operand
from .intrinsics import known, lowering, name_of, overloaded, scalar
from .types import Boolean, Int, Type, Vector, boolean, i32, ptr, same, u8, u32

if TYPE_CHECKING:
    from .statements import BodyCompiler

BYTES = Vector(u8, 16)
#: Machines with vector registers, and LLVM's name of their instruction that picks bytes by index.
PICK_BYTES = {"x86_64": "x86.ssse3.pshuf.b.128", "aarch64": "aarch64.neon.tbl1.v16i8"}


def machine(c: "BodyCompiler") -> str:
    return c.unit.target.triple.partition("-")[0]


def vector_of(c: "BodyCompiler", node: ast.expr) -> Value:
    value = c.runtime(c.expr(node))
    if not isinstance(value.type, Vector):
        raise c.fail(f"expected a vector, found {value.type}")
    return value


def mask_of(c: "BodyCompiler", node: ast.expr) -> Value:
    value = vector_of(c, node)
    if not isinstance(value.type.element, Boolean):  # type: ignore[attr-defined]
        raise c.fail(f"expected a comparison of vectors, found {value.type}")
    return value


# -- lanes -------------------------------------------------------------------------------------


@lowering("in_lane0", takes=2)
def _in_lane0(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`in_lane0(vec[T, n], x)`: a vector whose other lanes are undefined."""
    kind: Vector = known(c, node.args[0], Vector, "a vector type")
    value = c.coerce(c.expr(node.args[1]), kind.element)
    text = f"insertelement {c.ir(kind)} poison, {c.ir(kind.element)} {value.text}, i32 0"
    return Value(kind, c.b.value(text))


@lowering("lane", "splat", takes=2)
@lowering("with_lane", takes=3)
def _lanes(c: "BodyCompiler", node: ast.Call) -> Operand:
    if name_of(c, node) == "splat":
        kind: Vector = known(c, node.args[0], Vector, "a vector type")
        value = c.coerce(c.expr(node.args[1]), kind.element)
        return splatted(c, kind, value)
    vector = vector_of(c, node.args[0])
    element = scalar(vector.type)
    index = c.coerce(c.expr(node.args[1]), i32, "lane")
    if name_of(c, node) == "lane":
        text = f"extractelement {c.ir(vector.type)} {vector.text}, i32 {index.text}"
        return Value(element, c.b.value(text))
    value = c.coerce(c.expr(node.args[2]), element)
    if machine(c) in PICK_BYTES and index.text.startswith("%"):
        return blend_lane(c, vector, index, value)
    one = f"{c.ir(value.type)} {value.text}"
    text = f"insertelement {c.ir(vector.type)} {vector.text}, {one}, i32 {index.text}"
    return Value(vector.type, c.b.value(text))


def splatted(c: "BodyCompiler", kind: Vector, value: Value) -> Value:
    text = c.ir(kind)
    one = f"insertelement {text} poison, {c.ir(kind.element)} {value.text}, i32 0"
    mask = f"<{kind.length} x i32> zeroinitializer"
    return Value(kind, c.b.value(f"shufflevector {text} {c.b.value(one)}, {text} poison, {mask}"))


def blend_lane(c: "BodyCompiler", vector: Value, index: Value, value: Value) -> Value:
    """`with_lane` for a lane that only the run knows, without a detour through memory."""
    kind: Vector = vector.type  # type: ignore[assignment]
    element = Int("", kind.element.size(c.unit.target.pointer) * 8, False)
    numbers = Vector(element, kind.length)
    chosen = splatted(c, numbers, c.convert(index, element))
    lanes = c.coerce(Known(tuple(range(kind.length))), numbers)
    m = c.b.value(f"icmp eq {c.ir(numbers)} {chosen.text}, {lanes.text}")
    new, text = splatted(c, kind, value), c.ir(kind)
    m_text = f"<{kind.length} x i1> {m}"
    return Value(kind, c.b.value(f"select {m_text}, {text} {new.text}, {text} {vector.text}"))


@lowering("shuffle", takes=3)
def _shuffle(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`shuffle(a, b, lanes)`: any number of lanes of `a` and, numbered on from these, of `b`."""
    a, b = vector_of(c, node.args[0]), vector_of(c, node.args[1])
    lanes: tuple[int, ...] = tuple(known(c, node.args[2], (tuple, range), "lane numbers"))
    kind: Vector = a.type  # type: ignore[assignment]
    if not same(kind, b.type):
        raise c.fail(f"shuffle of a {kind} and a {b.type}")
    if not all(0 <= i < 2 * kind.length for i in lanes):
        raise c.fail(f"two {kind} have no lanes {lanes}")
    numbers = ", ".join(f"i32 {i}" for i in lanes)
    mask = f"<{len(lanes)} x i32> <{numbers}>"
    text = f"shufflevector {c.ir(kind)} {a.text}, {c.ir(kind)} {b.text}, {mask}"
    return Value(Vector(kind.element, len(lanes)), c.b.value(text))


@lowering("swizzle", takes=2)
def _swizzle(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`swizzle(v, indices)`: the bytes of `v` with these indices; 0 for an index above 15."""
    v, indices = (c.coerce(c.expr(a), BYTES) for a in node.args)
    text = c.ir(BYTES)
    if machine(c) not in PICK_BYTES:
        return pick_bytes(c, v, indices)
    if machine(c) == "x86_64":  # looks at bits 7 and 3 to 0: let 16 and more set bit 7
        margin = c.coerce(Known(0x70), BYTES).text
        indices = Value(
            BYTES,
            c.b.value(f"call {text} @llvm.uadd.sat.v16i8({text} {indices.text}, {text} {margin})"),
        )
    call = f"call {text} @llvm.{PICK_BYTES[machine(c)]}({text} {v.text}, {text} {indices.text})"
    return Value(BYTES, c.b.value(call))


def pick_bytes(c: "BodyCompiler", v: Value, indices: Value) -> Value:
    """`swizzle` byte by byte, through memory."""
    text = c.ir(BYTES)
    table = c.b.alloca(text, 16)
    c.b.emit(f"store {text} {v.text}, ptr {table}, align 16")
    result = "zeroinitializer"
    for i in range(16):
        index = c.b.value(f"extractelement {text} {indices.text}, i32 {i}")
        address = c.element(Value(ptr[u8], table), Value(u8, c.b.value(f"and i8 {index}, 15")))
        byte = c.b.value(f"load i8, ptr {address}, align 1")
        inside = c.b.value(f"icmp ult i8 {index}, 16")
        picked = c.b.value(f"select i1 {inside}, i8 {byte}, i8 0")
        result = c.b.value(f"insertelement {text} {result}, i8 {picked}, i32 {i}")
    return Value(BYTES, result)


# -- masks -------------------------------------------------------------------------------------


@lowering("select", takes=3)
def _select(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`select(m, a, b)`: lane by lane, `a` where the mask holds, else `b`."""
    m, (a, b) = mask_of(c, node.args[0]), (c.expr(x) for x in node.args[1:])
    kind = c.runtime(a if isinstance(a, Value) else b).type
    left, right = c.coerce(a, kind), c.coerce(b, kind)
    if not isinstance(kind, Vector) or kind.length != m.type.length:  # type: ignore[attr-defined]
        raise c.fail(f"select by a {m.type} from a {kind}")
    text, condition = c.ir(kind), f"{c.ir(m.type)} {m.text}"
    return Value(kind, c.b.value(f"select {condition}, {text} {left.text}, {text} {right.text}"))


@lowering("mask", takes=2)
def _mask(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`mask(T, m)`: integers, with all bits set in the lanes where the mask holds, else none."""
    kind: Type = known(c, node.args[0], Vector, "a vector type")
    m = mask_of(c, node.args[1])
    return Value(kind, c.b.value(f"sext {c.ir(m.type)} {m.text} to {c.ir(kind)}"))


@lowering("lane_bits", takes=1)
def _lane_bits(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`lane_bits(m)`: a u32 with bit i set where lane i of the mask holds."""
    m = mask_of(c, node.args[0])
    count = m.type.length  # type: ignore[attr-defined]
    bits = bits_as(c, Int("", count, False), m).text
    return Value(u32, c.b.value(f"zext i{count} {bits} to i32") if count < 32 else bits)


@lowering("all_lanes", takes=1)
def _all_lanes(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`all_lanes(m)`: whether every lane of the mask holds."""
    m = mask_of(c, node.args[0])
    name = f"@llvm.vector.reduce.and.v{m.type.length}i1"  # type: ignore[attr-defined]
    return Value(boolean, c.b.value(f"call i1 {name}({c.ir(m.type)} {m.text})"))


# -- arithmetic --------------------------------------------------------------------------------


@lowering("add_sat", "sub_sat", takes=2)
def _saturating(c: "BodyCompiler", node: ast.Call) -> Operand:
    """The sum or difference of integers or vectors of them, or the nearest that their type has."""
    a = c.runtime(c.expr(node.args[0]))
    b = c.coerce(c.expr(node.args[1]), a.type)
    element, operation = scalar(a.type), name_of(c, node)
    if not isinstance(element, Int):
        raise c.fail(f"{operation} takes integers, found {a.type}")
    sign = "s" if element.signed else "u"
    name = f"@llvm.{sign}{operation[:3]}.sat.{overloaded(c, a.type)}"
    text = c.ir(a.type)
    return Value(a.type, c.b.value(f"call {text} {name}({text} {a.text}, {text} {b.text})"))
