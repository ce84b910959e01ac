"""What each intrinsic becomes in LLVM IR; `vectors` has those on vectors, `atomics` those between
threads, `byte_order` those on bytes and bits of values.
"""

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .builder import Known, Place, Value
from .expressions import Operand
from .lang import HandlerSet, Intrinsic, NativeFunction
from .types import (
    Array,
    Float,
    FunctionType,
    Int,
    Pointer,
    Struct,
    Type,
    Vector,
    boolean,
    i32,
    ptr,
    u8,
    usize,
)

if TYPE_CHECKING:
    from .statements import BodyCompiler

Lowering = Callable[["BodyCompiler", ast.Call], Operand]
#: What compiles each intrinsic, and the least and the most arguments it takes.
LOWERINGS: dict[str, tuple[Lowering, tuple[int, int]]] = {}


def lowering(*names: str, takes: int | tuple[int, int]) -> Callable[[Lowering], Lowering]:
    bounds = (takes, takes) if isinstance(takes, int) else takes

    def register(function: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = function, bounds
        return function

    return register


def known(c: "BodyCompiler", node: ast.expr, kind: type | tuple[type, ...], what: str) -> Any:
    operand = c.expr(node)
    if not isinstance(operand, Known) or not isinstance(operand.value, kind):
        raise c.fail(f"expected {what}")
    return operand.value


def name_of(c: "BodyCompiler", node: ast.Call) -> str:
    """Which intrinsic is called, whatever name it was given here."""
    intrinsic: Intrinsic = known(c, node.func, Intrinsic, "an intrinsic")
    return intrinsic.name


# -- layout, addresses and memory ------------------------------------------------------------


@lowering("sizeof", takes=1)
def _sizeof(c: "BodyCompiler", node: ast.Call) -> Operand:
    return Known(c.size(known(c, node.args[0], Type, "a type")))


@lowering("offsetof", takes=2)
def _offsetof(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind: Struct = known(c, node.args[0], Struct, "a struct")
    field = known(c, node.args[1], str, "a field name")
    if field not in kind.fields:
        raise c.fail(f"struct {kind.name} has no field {field}; it has {', '.join(kind.fields)}")
    return Known(kind.offset(field, c.unit.target.pointer))


@lowering("target_machine", takes=0)
def _target_machine(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`target_machine()`: ELF's number of the machine that is compiled for."""
    return Known(c.unit.target.machine)


@lowering("addr", takes=1)
def _addr(c: "BodyCompiler", node: ast.Call) -> Operand:
    place = c.place(node.args[0])
    if not isinstance(place, Place):
        raise c.fail("addr(…) takes something that lives in memory")
    target = place.type.element if isinstance(place.type, Array) else place.type  # arrays decay
    return Value(ptr[target], place.address)


@lowering("stack", takes=(1, 2))
def _stack(c: "BodyCompiler", node: ast.Call) -> Operand:
    kind: Type = known(c, node.args[0], Type, "a type")
    count: int = known(c, node.args[1], int, "a count") if len(node.args) > 1 else 1
    address = c.b.alloca(
        f"[{c.size(kind) * count} x i8]", max(kind.align(c.unit.target.pointer), 8)
    )
    return Value(ptr[kind], address)


def alignment(c: "BodyCompiler", node: ast.Call, position: int) -> int:
    given = [k.value for k in node.keywords if k.arg == "align"] or node.args[position:]
    return int(known(c, given[0], int, "a literal alignment")) if given else 1


def pointer(c: "BodyCompiler", node: ast.expr) -> Value:
    value = c.runtime(c.expr(node))
    if not isinstance(value.type, Pointer):
        raise c.fail(f"expected a pointer, found {value.type}")
    return value


@lowering("copy", "fill", takes=3)
def _block(c: "BodyCompiler", node: ast.Call) -> Operand:
    name = name_of(c, node)
    target = pointer(c, node.args[0])
    count = c.coerce(c.expr(node.args[2]), usize, "size")
    size = c.ir(usize)
    if name == "copy":
        source = pointer(c, node.args[1])
        operands = f"ptr {target.text}, ptr {source.text}, {size} {count.text}"
        c.b.emit(f"call void @llvm.memmove.p0.p0.{size}({operands}, i1 false)")
    else:
        value = c.coerce(c.expr(node.args[1]), u8, "fill byte")
        operands = f"ptr {target.text}, i8 {value.text}, {size} {count.text}"
        c.b.emit(f"call void @llvm.memset.p0.{size}({operands}, i1 false)")
    return Known(None)


# -- arithmetic --------------------------------------------------------------------------------


@lowering("sdiv", "srem", takes=2)
def _signed_division(c: "BodyCompiler", node: ast.Call) -> Operand:
    left, right = (c.expr(a) for a in node.args)
    kind = c.runtime(left if isinstance(left, Value) else right).type
    if not isinstance(kind, Int) or not kind.signed:
        raise c.fail(f"{name_of(c, node)} takes signed integers, found {kind}")
    a, b = c.coerce(left, kind), c.coerce(right, kind)
    return Value(kind, c.b.value(f"{name_of(c, node)} {c.ir(kind)} {a.text}, {b.text}"))


def scalar(t: Type) -> Type:
    return t.element if isinstance(t, Vector) else t


def overloaded(c: "BodyCompiler", t: Type) -> str:
    """LLVM's suffix of an overloaded intrinsic."""
    if isinstance(t, Vector):
        return f"v{t.length}{overloaded(c, t.element)}"
    return f"f{t.bits}" if isinstance(t, Float) else c.ir(t)


@lowering("clz", "ctz", "popcnt", takes=1)
def _bits(c: "BodyCompiler", node: ast.Call) -> Operand:
    value = c.runtime(c.expr(node.args[0]))
    if not isinstance(scalar(value.type), Int):
        raise c.fail(f"{name_of(c, node)} takes an integer, found {value.type}")
    text, name = (
        c.ir(value.type),
        {"clz": "ctlz", "ctz": "cttz", "popcnt": "ctpop"}[name_of(c, node)],
    )
    extra = "" if name == "ctpop" else ", i1 false"
    return Value(
        value.type,
        c.b.value(
            f"call {text} @llvm.{name}.{overloaded(c, value.type)}({text} {value.text}{extra})"
        ),
    )


@lowering("rotl", "rotr", takes=2)
def _rotate(c: "BodyCompiler", node: ast.Call) -> Operand:
    value = c.runtime(c.expr(node.args[0]))
    amount = c.coerce(c.expr(node.args[1]), value.type, "rotation")
    if not isinstance(scalar(value.type), Int):
        raise c.fail(f"{name_of(c, node)} takes an integer, found {value.type}")
    text, name = c.ir(value.type), "fshl" if name_of(c, node) == "rotl" else "fshr"
    shown = f"{text} {value.text}, {text} {value.text}, {text} {amount.text}"
    call = f"call {text} @llvm.{name}.{overloaded(c, value.type)}({shown})"
    return Value(value.type, c.b.value(call))


@lowering("sqrt", "floor", "ceil", "trunc", "nearest", "fabs", takes=1)
@lowering("copysign", takes=2)
def _floating(c: "BodyCompiler", node: ast.Call) -> Operand:
    values = [c.runtime(c.expr(a)) for a in node.args]
    kind = values[0].type
    if not isinstance(scalar(kind), Float):
        raise c.fail(f"{name_of(c, node)} takes a float, found {kind}")
    name = {"nearest": "roundeven"}.get(name_of(c, node), name_of(c, node))
    text = c.ir(kind)
    shown = ", ".join(f"{text} {c.coerce(v, kind).text}" for v in values)
    return Value(kind, c.b.value(f"call {text} @llvm.{name}.{overloaded(c, kind)}({shown})"))


@lowering("float_to_int_sat", takes=2)
def _saturate(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`float_to_int_sat(T, x)`: NaN gives 0, what does not fit the nearest that does."""
    kind: Type = known(c, node.args[0], Type, "an integer type")
    value = c.runtime(c.expr(node.args[1]))
    element = scalar(kind)
    if not isinstance(element, Int) or not isinstance(scalar(value.type), Float):
        raise c.fail(
            f"float_to_int_sat makes an integer of a float, not a {kind} of a {value.type}"
        )
    signed = element.signed
    name = (
        f"@llvm.fpto{'s' if signed else 'u'}i.sat.{overloaded(c, kind)}.{overloaded(c, value.type)}"
    )
    return Value(kind, c.b.value(f"call {c.ir(kind)} {name}({c.ir(value.type)} {value.text})"))


# -- control -----------------------------------------------------------------------------------


@lowering("likely", "unlikely", takes=1)
def _expect(c: "BodyCompiler", node: ast.Call) -> Operand:
    condition = c.condition(node.args[0])
    if isinstance(condition, Known):
        return condition
    expected = "true" if name_of(c, node) == "likely" else "false"
    return Value(boolean, c.b.value(f"call i1 @llvm.expect.i1(i1 {condition.text}, i1 {expected})"))


@lowering("unreachable", takes=0)
def _unreachable(c: "BodyCompiler", node: ast.Call) -> Operand:
    c.b.terminate("unreachable")
    return Known(None)


@lowering("trap_if", takes=2)
def _trap_if(c: "BodyCompiler", node: ast.Call) -> Operand:
    condition = c.condition(node.args[0])
    if isinstance(condition, Known) and not condition.value:
        return Known(None)
    if c.root.on_trap is None:
        raise c.fail("trap_if needs an enclosing function with on_trap")
    trap, fine = c.b.new_label("trap"), c.b.new_label("fine")
    test = c.coerce(condition, boolean).text
    c.b.branch_if(test, trap, fine, f", !prof {c.unit.debug.unlikely}")
    c.b.begin(trap)
    code = c.expr(node.args[1])
    c.expand(c.root.on_trap, [code, *c.root.arguments], to_root=True)
    c.b.begin(fine)
    return Known(None)


@lowering("address_of", takes=1)
def _address_of(c: "BodyCompiler", node: ast.Call) -> Operand:
    return c.function_address(known(c, node.args[0], NativeFunction, "a native function"))


def tail_call(c: "BodyCompiler", symbol: str, kind: FunctionType, arguments: list[Operand]) -> None:
    """Call and return what it returns; a guaranteed tail call where the convention allows one."""
    guaranteed = c.unit.target.tail_calls and kind.convention == c.root.convention == "handler"
    result = c.emit_call(symbol, kind, arguments, "musttail call" if guaranteed else "tail call")
    c.b.terminate(
        "ret void" if isinstance(result, Known) else f"ret {c.ir(result.type)} {result.text}"
    )


def _tail(c: "BodyCompiler", node: ast.Call) -> None:
    """`return tail(f, …)`."""
    callee, *arguments = (c.expr(a) for a in node.args)
    if isinstance(callee, Known) and isinstance(callee.value, NativeFunction):
        if c.root.switch_slots is not None and callee.value.convention == "handler":
            _tail_in_switch(c, callee.value, arguments)
            return
        callee = c.function_address(callee.value)
    if not isinstance(callee, Value) or not isinstance(callee.type, FunctionType):
        raise c.fail("tail(…) takes a function and its arguments")
    tail_call(c, callee.text, callee.type, arguments)


def _tail_in_switch(c: "BodyCompiler", callee: NativeFunction, arguments: list[Operand]) -> None:
    """Go on in `callee` as a case of the same switch: as a function it could not come back here.

    Like the handlers, it takes what they take.
    """
    names, annotations = c.unit.parameters(callee)
    slots = (c.root.switch_slots or [])[1:]
    kinds = [annotations[name] for name in names]
    if kinds != [slot.type for slot in slots] or len(arguments) != len(slots):
        raise c.fail(f"{callee.name} does not take what the handlers take")
    values = [c.coerce(a, k, f"argument {i}") for i, (a, k) in enumerate(zip(arguments, kinds), 1)]
    for slot, value in zip(slots, values):
        c.store_place(slot, value)
    c.b.branch(c.root.switch_tails.setdefault(callee, c.b.new_label("tail")))


def handler_type(c: "BodyCompiler", handlers: HandlerSet) -> FunctionType:
    first = handlers.handlers[0]
    names, annotations = c.unit.parameters(first)
    return FunctionType([annotations[n] for n in names], annotations["return"], "handler")


def handler_arguments(c: "BodyCompiler", node: ast.Call, kind: FunctionType) -> list[Value]:
    """What handlers get: the arguments after the set and the opcode."""
    given = node.args[2:]
    if len(given) != len(kind.params):
        raise c.fail(f"the handlers take {len(kind.params)} arguments, found {len(given)}")
    pairs = enumerate(zip(given, kind.params), 1)
    return [c.coerce(c.expr(a), p, f"argument {i}") for i, (a, p) in pairs]


def _dispatch(c: "BodyCompiler", node: ast.Call) -> None:
    """`return dispatch(HANDLERS, opcode, …)`: go on with the handler of that opcode."""
    handlers: HandlerSet = known(c, node.args[0], HandlerSet, "a HandlerSet")
    opcode = c.convert(c.expr(node.args[1]), usize)
    kind = handler_type(c, handlers)
    values = handler_arguments(c, node, kind)
    if c.root.switch_slots is not None:
        for place, value in zip(c.root.switch_slots, [opcode, *values]):
            c.store_place(place, value)
        c.b.branch(c.root.switch_label)
        return
    slot = c.element(Value(ptr[usize], values[handlers.table_parameter].text), opcode)
    target = c.b.value(f"load ptr, ptr {slot}, align {c.unit.target.pointer}")
    tail_call(c, target, kind, list(values))


TAILS = {"tail": _tail, "dispatch": _dispatch}


@lowering("enter", takes=(2, 99))
def _enter(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`enter(HANDLERS, opcode, …)`: run handlers until one returns."""
    handlers: HandlerSet = known(c, node.args[0], HandlerSet, "a HandlerSet")
    opcode = c.convert(c.expr(node.args[1]), usize)
    kind = handler_type(c, handlers)
    values = handler_arguments(c, node, kind)
    if not c.unit.target.tail_calls:
        symbol = c.unit.switch_function(handlers)
        return c.emit_call(
            symbol, FunctionType([usize, *kind.params], kind.result, "fast"), [opcode, *values]
        )
    slot = c.element(Value(ptr[usize], values[handlers.table_parameter].text), opcode)
    target = c.b.value(f"load ptr, ptr {slot}, align {c.unit.target.pointer}")
    return c.emit_call(target, kind, list(values))


@lowering("handler_offset", takes=2)
def _handler_offset(c: "BodyCompiler", node: ast.Call) -> Operand:
    """`handler_offset(HANDLERS, i)`: address of handler i; 0 where handlers are one switch."""
    handlers: HandlerSet = known(c, node.args[0], HandlerSet, "a HandlerSet")
    if not c.unit.target.tail_calls:
        return Value(usize, "0")
    table = c.unit.handler_table(handlers)
    entry = c.element(Value(ptr[i32], table), c.expr(node.args[1]))
    offset = c.convert(Value(i32, c.b.value(f"load i32, ptr {entry}, align 4")), usize)
    base = c.b.value(f"ptrtoint ptr {table} to {c.ir(usize)}")
    return Value(usize, c.b.value(f"add {c.ir(usize)} {base}, {offset.text}"))
