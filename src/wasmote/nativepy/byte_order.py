"""What `load`, `store`, `bitcast` and their like become in LLVM IR, for either order of bytes.

On little-endian machines they are what LLVM has. On big-endian ones

- `bitcast` takes the first lane of a vector for the lowest bits, as elsewhere;
- `load` and `store` take 8 bytes, and 16 of a vector, for 32-bit cells: the lowest bits first, each
  cell in the machine's order;
- `load_le`, `store_le` and `little` deal with memory that is little-endian on all machines.
"""

import ast
from typing import TYPE_CHECKING

from .builder import Known, Place, Value
from .expressions import Operand
from .intrinsics import alignment, known, lowering, name_of, pointer
from .types import Float, Int, Type, Vector, u64, usize

if TYPE_CHECKING:
    from .statements import BodyCompiler

_HALVES = Vector(u64, 2)


def is_big(c: "BodyCompiler") -> bool:
    return c.unit.target.big_endian


@lowering("is_big_endian", takes=0)
def _is_big_endian(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`is_big_endian()`, at compile time."""
    return Known(is_big(c))


# -- bits as another type ------------------------------------------------------------------------


@lowering("bitcast", takes=2)
def _bitcast(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind: Type = known(c, node.args[0], Type, "a type")
    value = c.runtime(c.expr(node.args[1]))
    if c.size(kind) != c.size(value.type):
        raise c.fail(f"bitcast from {value.type} to {kind}: the sizes differ")
    if c.ir(kind) != c.ir(value.type) and "ptr" in (c.ir(kind), c.ir(value.type)):
        raise c.fail(f"bitcast from {value.type} to {kind}: convert pointers with usize and ptr")
    return bits_as(c, kind, value)


def bits_as(c: "BodyCompiler", kind: Type, value: Value) -> Value:
    """The same bits as another type. LLVM's bitcast is what storing and loading would give, which
    on big-endian machines has the lanes that share one of the other type in reverse.
    """
    before, after = c.ir(value.type), c.ir(kind)
    if before == after:
        return Value(kind, value.text)
    text, found, wanted = value.text, lanes(value.type), lanes(kind)
    if is_big(c) and found > wanted:
        text = reversed_groups(c, before, text, found, found // wanted)
    text = c.b.value(f"bitcast {before} {text} to {after}")
    if is_big(c) and found < wanted:
        text = reversed_groups(c, after, text, wanted, wanted // found)
    return Value(kind, text)


def lanes(kind: Type) -> int:
    return kind.length if isinstance(kind, Vector) else 1


def reversed_groups(c: "BodyCompiler", type: str, text: str, count: int, group: int) -> str:
    """A vector of `count` lanes with each `group` of them reversed."""
    numbers = ", ".join(f"i32 {i ^ (group - 1)}" for i in range(count))
    return c.b.value(f"shufflevector {type} {text}, {type} poison, <{count} x i32> <{numbers}>")


# -- memory --------------------------------------------------------------------------------------


def in_cells(c: "BodyCompiler", kind: Type) -> Type | None:
    """The integers of 64 bits that hold a value of more than one cell, where its order matters."""
    if not is_big(c) or kind is usize or not isinstance(kind, Int | Float | Vector):
        return None
    return {8: u64, 16: _HALVES}.get(c.size(kind))


def swapped_halves(c: "BodyCompiler", value: Value) -> Value:
    """The halves of each 64 bits exchanged."""
    type = c.ir(value.type)
    name, amount = ("i64", "32") if value.type is u64 else ("v2i64", "<i64 32, i64 32>")
    call = (
        f"call {type} @llvm.fshl.{name}({type} {value.text}, {type} {value.text}, {type} {amount})"
    )
    return Value(value.type, c.b.value(call))


@lowering("load", takes=(2, 3))
def _load(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind: Type = known(c, node.args[0], Type, "a type")
    address, align = pointer(c, node.args[1]).text, alignment(c, node, 2)
    held = in_cells(c, kind)
    found = c.load_place(Place(held or kind, address, align))
    return bits_as(c, kind, swapped_halves(c, found)) if held else found  # type: ignore[arg-type]


@lowering("store", takes=(2, 3))
def _store(c: "BodyCompiler", node: ast.Call) -> Operand:
    target = pointer(c, node.args[0])
    value = c.runtime(c.expr(node.args[1]))
    held = in_cells(c, value.type)
    if held:
        value = swapped_halves(c, bits_as(c, held, value))
    c.store_place(Place(value.type, target.text, alignment(c, node, 2)), value)
    return Known(None)


@lowering("load_le", takes=2)
def _load_le(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`load_le(T, p)`: a number, or a vector of them, whose lowest byte comes first."""
    kind: Type = known(c, node.args[0], Int | Float | Vector, "a number's or vector's type")  # type: ignore[arg-type]
    held = as_bytes(c, kind)
    found = c.load_place(Place(held, pointer(c, node.args[1]).text, 1))
    return bits_as(c, kind, little(c, found))  # type: ignore[arg-type]


@lowering("store_le", takes=2)
def _store_le(c: "BodyCompiler", node: ast.Call) -> Operand:
    target = pointer(c, node.args[0])
    value = c.runtime(c.expr(node.args[1]))
    value = little(c, bits_as(c, as_bytes(c, value.type), value))
    c.store_place(Place(value.type, target.text, 1), value)
    return Known(None)


def as_bytes(c: "BodyCompiler", kind: Type) -> Type:
    """As what to access little-endian memory that has a value of that type."""
    if not is_big(c) or not isinstance(kind, Float | Vector):
        return kind
    if isinstance(kind, Vector):
        return Vector(Int("u8", 8, False), c.size(kind))
    return Int(f"u{kind.bits}", kind.bits, False)


@lowering("little", takes=1)
def _little(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`little(x)`: an integer with the bytes in the order that little-endian memory has."""
    value = c.runtime(c.expr(node.args[0]))
    if not isinstance(value.type, Int):
        raise c.fail(f"{name_of(c, node)} takes an integer, found {value.type}")
    return little(c, value)


def little(c: "BodyCompiler", value: Value) -> Value:
    """The bytes of an integer reversed if the machine's are."""
    if not is_big(c) or not isinstance(value.type, Int) or c.size(value.type) == 1:
        return value
    type = c.ir(value.type)
    return Value(value.type, c.b.value(f"call {type} @llvm.bswap.{type}({type} {value.text})"))
