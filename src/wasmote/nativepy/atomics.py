"""What the intrinsics on memory that several threads use become in LLVM IR.

Addresses are naturally aligned. Where a machine has no instruction for 8 bytes at once (those of 32
bits), LLVM calls the usual helpers `__atomic_load_8`, `__atomic_fetch_add_8` and so on.
"""

import ast
from typing import TYPE_CHECKING

from .builder import Known, Value
from .expressions import Operand
from .intrinsics import known, lowering, name_of, pointer
from .types import Int, Type, resolve

if TYPE_CHECKING:
    from .statements import BodyCompiler

#: LLVM's names of what an access orders: just itself; what follows, or went before; everything.
LOADS = {"relaxed": "monotonic", "acquire": "acquire", "seq_cst": "seq_cst"}
STORES = {"relaxed": "monotonic", "release": "release", "seq_cst": "seq_cst"}
FENCES = {"acquire": "acquire", "release": "release", "seq_cst": "seq_cst"}
#: LLVM's names of the operations that read and write at once.
OPERATIONS = {
    "atomic_add": "add",
    "atomic_sub": "sub",
    "atomic_and": "and",
    "atomic_or": "or",
    "atomic_xor": "xor",
    "atomic_exchange": "xchg",
}


def place(c: "BodyCompiler", node: ast.expr) -> tuple[Type, str, str]:
    """What a pointer points at, LLVM's name of that type, and the address with its alignment."""
    address = pointer(c, node)
    kind = resolve(address.type.target)  # type: ignore[attr-defined]
    return kind, c.ir(kind), address.text


def order(c: "BodyCompiler", node: ast.Call, position: int, orders: dict[str, str]) -> str:
    """LLVM's name of the order that is given last; without one, of the usual one."""
    usual = list(orders)[1]
    given = known(c, node.args[position], str, "an order") if len(node.args) > position else usual
    if given not in orders:
        raise c.fail(f"{name_of(c, node)} is {', '.join(orders)}, not {given!r}")
    return orders[given]


@lowering("volatile_load", takes=1)
def _volatile_load(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind, text, address = place(c, node.args[0])
    return Value(kind, c.b.value(f"load volatile {text}, ptr {address}, align {c.size(kind)}"))


@lowering("volatile_store", takes=2)
def _volatile_store(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind, text, address = place(c, node.args[0])
    value = c.coerce(c.expr(node.args[1]), kind).text
    c.b.emit(f"store volatile {text} {value}, ptr {address}, align {c.size(kind)}")
    return Known(None)


@lowering("atomic_load", takes=(1, 2))
def _atomic_load(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind, text, address = place(c, node.args[0])
    how = order(c, node, 1, LOADS)
    return Value(kind, c.b.value(f"load atomic {text}, ptr {address} {how}, align {c.size(kind)}"))


@lowering("atomic_store", takes=(2, 3))
def _atomic_store(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind, text, address = place(c, node.args[0])
    value = c.coerce(c.expr(node.args[1]), kind).text
    how = order(c, node, 2, STORES)
    c.b.emit(f"store atomic {text} {value}, ptr {address} {how}, align {c.size(kind)}")
    return Known(None)


@lowering(*OPERATIONS, takes=2)
def _read_modify_write(c: "BodyCompiler", node: ast.Call) -> Operand:
    """The value before."""
    kind, text, address = place(c, node.args[0])
    name = name_of(c, node)
    if not isinstance(kind, Int) and name != "atomic_exchange":
        raise c.fail(f"{name} takes a pointer to an integer, found one to {kind}")
    value = c.coerce(c.expr(node.args[1]), kind).text
    operation = f"atomicrmw {OPERATIONS[name]} ptr {address}, {text} {value} seq_cst"
    return Value(kind, c.b.value(f"{operation}, align {c.size(kind)}"))


@lowering("atomic_compare_exchange", takes=3)
def _compare_exchange(c: "BodyCompiler", node: ast.Call) -> Operand:
    """The value before; what was expected, if it was replaced."""
    kind, text, address = place(c, node.args[0])
    expected = c.coerce(c.expr(node.args[1]), kind).text
    value = c.coerce(c.expr(node.args[2]), kind).text
    operands = f"ptr {address}, {text} {expected}, {text} {value} seq_cst seq_cst"
    pair = c.b.value(f"cmpxchg {operands}, align {c.size(kind)}")
    return Value(kind, c.b.value(f"extractvalue {{ {text}, i1 }} {pair}, 0"))


@lowering("order_after", takes=1)
def _order_after(c: "BodyCompiler", node: ast.Call) -> Operand:
    """After a plain read of a place, as good as if it had been an `atomic_load`."""
    kind, text, address = place(c, node.args[0])
    if c.unit.target.triple.startswith("x86"):
        c.b.emit("fence acquire")  # all reads are: this only keeps LLVM from moving others up
    else:
        c.b.value(f"load atomic {text}, ptr {address} acquire, align {c.size(kind)}")
    return Known(None)


@lowering("fence", takes=(0, 1))
def _fence(c: "BodyCompiler", node: ast.Call) -> Operand:
    given = known(c, node.args[0], str, "an order") if node.args else "seq_cst"
    if given not in FENCES:
        raise c.fail(f"fence is {', '.join(FENCES)}, not {given!r}")
    c.b.emit(f"fence {FENCES[given]}")
    return Known(None)
