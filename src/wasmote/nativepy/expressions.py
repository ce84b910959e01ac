"""Compiles nativepy expressions: partial evaluation first, LLVM instructions for the rest."""

import ast
import operator
import struct as packing
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, cast

from .builder import Builder, Known, Place, Value, ir_type
from .errors import NativeError
from .lang import Const, ConstantTable, Intrinsic, NativeFunction
from .types import (
    Array,
    Boolean,
    Float,
    FunctionType,
    Int,
    Pointer,
    Struct,
    Type,
    Vector,
    boolean,
    ptr,
    resolve,
    same,
    usize,
)

if TYPE_CHECKING:
    from .scope import Scope
    from .statements import BodyCompiler
    from .unit import Unit

PYTHON_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}
PYTHON_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
PYTHON_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
    ast.UAdd: operator.pos,
}
INT_BINARY = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
BOOLEAN_BINARY = (ast.BitAnd, ast.BitOr, ast.BitXor)
FLOAT_BINARY = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
UNSIGNED_DIVISION = {ast.FloorDiv: "udiv", ast.Mod: "urem"}
COMPARE = {
    ast.Eq: ("eq", "eq", "oeq"),
    ast.NotEq: ("ne", "ne", "une"),
    ast.Lt: ("slt", "ult", "olt"),
    ast.LtE: ("sle", "ule", "ole"),
    ast.Gt: ("sgt", "ugt", "ogt"),
    ast.GtE: ("sge", "uge", "oge"),
}
Operand = Value | Known


class ExpressionCompiler:
    """Expressions of one function; statements are in the subclass."""

    unit: "Unit"
    b: Builder
    scope: "Scope"
    file: str
    line: int

    # -- helpers -------------------------------------------------------------------------------

    def fail(self, message: str) -> NativeError:
        return NativeError(message, self.file, self.line)

    def evaluate(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Known:
        """What Python makes of compile-time values."""
        try:
            return Known(function(*arguments, **keywords))
        except NativeError:
            raise
        except Exception as error:
            raise self.fail(f"at compile time: {type(error).__name__}: {error}") from error

    def ir(self, t: Type) -> str:
        return ir_type(t, self.unit.target.pointer)

    def size(self, t: Type) -> int:
        return t.size(self.unit.target.pointer)

    def coerce(self, operand: Operand, wanted: Type, what: str = "value") -> Value:
        """The operand as a `wanted`: compile-time values adapt, run-time values must fit."""
        if isinstance(operand, Value):
            if not same(operand.type, wanted):
                raise self.fail(f"{what}: expected {wanted}, found {operand.type}")
            return operand
        known = operand.value
        match wanted:
            case Int() if isinstance(known, int) and not isinstance(known, bool):
                bits = wanted.width(self.unit.target.pointer)
                low, high = (-(1 << bits - 1), 1 << bits - 1) if wanted.signed else (0, 1 << bits)
                if not low <= known < high:
                    raise self.fail(f"{what}: {int(known)} does not fit {wanted}")
                return Value(wanted, str(int(known)))
            case Float() if isinstance(known, (int, float)) and not isinstance(known, bool):
                try:
                    return Value(wanted, float_text(float(known), wanted.bits))
                except OverflowError:
                    raise self.fail(f"{what}: {known} does not fit {wanted}") from None
            case Boolean() if isinstance(known, bool):
                return Value(wanted, "true" if known else "false")
            case Pointer() if known is None:
                return Value(wanted, "null")
            case Pointer() if isinstance(known, ConstantTable):
                return self.coerce(self.table(known), wanted, what)
            case FunctionType() if isinstance(known, NativeFunction):
                return self.coerce(self.function_address(known), wanted, what)
            case FunctionType() if known is None:
                return Value(wanted, "null")
            case Vector() if isinstance(known, (int, float)):
                return self.vector_constant([known] * wanted.length, wanted, what)
            case Vector() if isinstance(known, tuple) and len(known) == wanted.length:
                return self.vector_constant(list(known), wanted, what)
        shown = known if isinstance(known, (int, float, bool, type(None))) else type(known).__name__
        raise self.fail(f"{what}: expected {wanted}, found the compile-time value {shown}")

    def vector_constant(self, lanes: list[Any], wanted: Vector, what: str) -> Value:
        kind = self.ir(wanted.element)
        items = (self.coerce(Known(lane), wanted.element, what).text for lane in lanes)
        return Value(wanted, f"<{', '.join(f'{kind} {item}' for item in items)}>")

    def runtime(self, operand: Operand, what: str = "value") -> Value:
        """The operand as a run-time value of its own type."""
        if isinstance(operand, Value):
            return operand
        if isinstance(operand.value, bool):
            return self.coerce(operand, boolean)
        if isinstance(operand.value, ConstantTable):
            return self.table(operand.value)
        if isinstance(operand.value, NativeFunction):
            return self.function_address(operand.value)
        raise self.fail(
            f"{what} is a compile-time value of no machine type; convert it, as in u32(...)"
        )

    def table(self, table: ConstantTable) -> Value:
        return Value(ptr[table.element], self.unit.constant(table))

    def function_address(self, function: NativeFunction) -> Value:
        compiled = self.unit.instance(function, ())
        return Value(compiled.type, compiled.symbol)

    def load_place(self, place: Place) -> Operand:
        match place.type:
            case Array():
                return Value(ptr[place.type.element], place.address)
            case Struct():
                return Value(ptr[place.type], place.address)
            case Boolean():
                byte = self.b.value(f"load i8, ptr {place.address}, align 1")
                return Value(boolean, self.b.value(f"trunc i8 {byte} to i1"))
        text = self.b.value(f"load {self.ir(place.type)}, ptr {place.address}, align {place.align}")
        return Value(place.type, text)

    def store_place(self, place: Place, value: Value) -> None:
        if isinstance(place.type, (Array, Struct)):
            raise self.fail(f"a {place.type} cannot be assigned as a whole; assign its parts")
        if isinstance(place.type, Boolean):
            byte = self.b.value(f"zext i1 {value.text} to i8")
            self.b.emit(f"store i8 {byte}, ptr {place.address}, align 1")
            return
        self.b.emit(
            f"store {self.ir(place.type)} {value.text}, ptr {place.address}, align {place.align}"
        )

    def offset(self, address: str, bytes_: int) -> str:
        if bytes_ == 0:
            return address
        return self.b.value(f"getelementptr i8, ptr {address}, {self.ir(usize)} {bytes_}")

    def element(self, pointer: Value, index: Operand, negate: bool = False) -> str:
        """Address of `pointer[index]` (or of `pointer[-index]`)."""
        target = resolve(pointer.type.target)  # type: ignore[attr-defined]
        size = self.size(target)
        if isinstance(index, Known):
            if not isinstance(index.value, int):
                raise self.fail("an index must be an integer")
            return self.offset(pointer.text, size * (-index.value if negate else index.value))
        if not isinstance(index.type, Int):
            raise self.fail(f"an index must be an integer, found {index.type}")
        scaled = self.convert(index, usize).text
        if negate:
            scaled = self.b.value(f"sub {self.ir(usize)} 0, {scaled}")
        return self.b.value(
            f"getelementptr [{size} x i8], ptr {pointer.text}, {self.ir(usize)} {scaled}"
        )

    # -- expressions ---------------------------------------------------------------------------

    def expr(self, node: ast.expr) -> Operand:
        self.mark(node)
        match node:
            case ast.Constant():
                return Known(node.value)
            case ast.Name():
                return self.name(node)
            case ast.Attribute() | ast.Subscript():
                found = self.place(node)
                return self.load_place(found) if isinstance(found, Place) else found
            case ast.BinOp():
                return self.binary(type(node.op), self.expr(node.left), self.expr(node.right))
            case ast.UnaryOp():
                return self.unary(node)
            case ast.Compare():
                return self.compare(node)
            case ast.BoolOp():
                return self.short_circuit(node)
            case ast.IfExp():
                return self.conditional(node)
            case ast.Call():
                return self.call(node)
            case ast.Tuple() | ast.List():
                items = [self.expr(item) for item in node.elts]
                if all(isinstance(item, Known) for item in items):
                    return Known(tuple(item.value for item in items))  # type: ignore[union-attr]
                return Known(tuple(items))
            case ast.JoinedStr():
                parts = [
                    self.expr(v.value if isinstance(v, ast.FormattedValue) else v)
                    for v in node.values
                ]
                return Known("".join(str(p.value) for p in parts if isinstance(p, Known)))
        raise self.fail(f"{type(node).__name__} is not part of nativepy")

    def mark(self, node: ast.AST) -> None:
        raise TypeError("statements.BodyCompiler keeps the source position")

    def name(self, node: ast.Name) -> Operand:
        found = self.scope.find(node.id)
        if found is None:
            raise self.fail(f"{node.id} is not defined")
        return self.load_place(found) if isinstance(found, Place) else found

    def place(self, node: ast.expr) -> Place | Operand:
        """Where an expression lives in memory, or its value if it lives nowhere."""
        self.mark(node)
        match node:
            case ast.Name():
                found = self.scope.find(node.id)
                if found is None:
                    raise self.fail(f"{node.id} is not defined")
                return found
            case ast.Attribute():
                return self.attribute(self.place(node.value), node.attr)
            case ast.Subscript():
                base = self.place(node.value)
                return self.subscript(base, self.expr(node.slice))
        return self.expr(node)

    def attribute(self, base: Place | Operand, name: str) -> Place | Operand:
        if isinstance(base, Known):
            if not hasattr(base.value, name):
                raise self.fail(f"{base.value!r} has no attribute {name}")
            return Known(getattr(base.value, name))
        if isinstance(base, Place):
            base = self.load_place(base)
        target = (
            resolve(base.type.target)
            if isinstance(base, Value) and isinstance(base.type, Pointer)
            else None
        )
        if not isinstance(target, Struct) or not isinstance(base, Value):
            raise self.fail(
                f".{name}: expected a pointer to a struct, found {getattr(base, 'type', base)}"
            )
        if name not in target.fields:
            raise self.fail(
                f"struct {target.name} has no field {name}; it has {', '.join(target.fields)}"
            )
        pointer, field = self.unit.target.pointer, target.fields[name]
        address = self.offset(base.text, target.offset(name, pointer))
        return Place(field, address, field.align(pointer))

    def subscript(self, base: Place | Operand, index: Operand) -> Place | Operand:
        if isinstance(base, Known) and isinstance(index, Known):
            return self.evaluate(operator.getitem, base.value, index.value)
        if isinstance(base, Known):
            base = self.runtime(base)
        if isinstance(base, Place):
            base = self.load_place(base)
        if not isinstance(base, Value) or not isinstance(base.type, Pointer):
            raise self.fail(
                f"[...]: expected a pointer or an array, found {getattr(base, 'type', base)}"
            )
        target = resolve(base.type.target)
        return Place(target, self.element(base, index), target.align(self.unit.target.pointer))

    # -- operators -----------------------------------------------------------------------------

    def binary(self, op: type[ast.operator], left: Operand, right: Operand) -> Operand:
        if isinstance(left, Known) and isinstance(right, Known):
            if isinstance(left.value, (int, float, tuple, str, bytes)):
                if op not in PYTHON_BINARY:
                    raise self.fail(f"{op.__name__} is not part of nativepy")
                return self.evaluate(PYTHON_BINARY[op], left.value, right.value)
            left = self.runtime(left)
        if isinstance(left, Value) and isinstance(left.type, Pointer):
            if op not in (ast.Add, ast.Sub) or (
                isinstance(right, Value) and not isinstance(right.type, Int)
            ):
                raise self.fail("on pointers only + and - with an integer are defined")
            return Value(left.type, self.element(left, right, negate=op is ast.Sub))
        kind = left.type if isinstance(left, Value) else right.type  # type: ignore[union-attr]
        a, b = self.coerce(left, kind, "left operand"), self.coerce(right, kind, "right operand")
        scalar = kind.element if isinstance(kind, Vector) else kind
        if op in (ast.LShift, ast.RShift) and isinstance(scalar, Int):
            return self.shift(op, a, b, scalar, isinstance(right, Known))
        if op in INT_BINARY and (
            isinstance(scalar, Int) or (isinstance(scalar, Boolean) and op in BOOLEAN_BINARY)
        ):
            name = INT_BINARY[op]
        elif isinstance(scalar, Float) and op in FLOAT_BINARY:
            name = FLOAT_BINARY[op]
        elif isinstance(scalar, Int) and op in UNSIGNED_DIVISION:
            if scalar.signed:
                raise self.fail(
                    "// and % differ between Python and machines on signed numbers: use sdiv, srem"
                )
            name = UNSIGNED_DIVISION[op]
        else:
            raise self.fail(f"{op.__name__} is not defined on {kind}")
        return Value(kind, self.b.value(f"{name} {self.ir(kind)} {a.text}, {b.text}"))

    def shift(
        self, op: type[ast.operator], a: Value, b: Value, scalar: Int, literal: bool
    ) -> Value:
        bits = scalar.width(self.unit.target.pointer)
        amount = b.text
        if literal and not isinstance(a.type, Vector):
            if not 0 <= int(amount) < bits:
                raise self.fail(f"shift by {amount} of a {a.type}")
        else:
            mask = self.coerce(Known(bits - 1), a.type)
            amount = self.b.value(f"and {self.ir(a.type)} {amount}, {mask.text}")
        name = "shl" if op is ast.LShift else "ashr" if scalar.signed else "lshr"
        return Value(a.type, self.b.value(f"{name} {self.ir(a.type)} {a.text}, {amount}"))

    def unary(self, node: ast.UnaryOp) -> Operand:
        operand = self.expr(node.operand)
        if isinstance(operand, Known):
            return self.evaluate(PYTHON_UNARY[type(node.op)], operand.value)
        t, text = operand.type, self.ir(operand.type)
        scalar = t.element if isinstance(t, Vector) else t
        match node.op:
            case ast.Not() if isinstance(t, Boolean):
                return Value(t, self.b.value(f"xor i1 {operand.text}, true"))
            case ast.USub() if isinstance(scalar, Float):
                return Value(t, self.b.value(f"fneg {text} {operand.text}"))
            case ast.USub() if isinstance(scalar, Int):
                return Value(t, self.b.value(f"sub {text} zeroinitializer, {operand.text}"))
            case ast.Invert() if isinstance(scalar, Int):
                bits = scalar.width(self.unit.target.pointer)
                ones = self.coerce(Known(-1 if scalar.signed else (1 << bits) - 1), t)
                return Value(t, self.b.value(f"xor {text} {operand.text}, {ones.text}"))
        raise self.fail(f"{type(node.op).__name__} is not defined on {t}")

    def compare(self, node: ast.Compare) -> Operand:
        if len(node.ops) != 1:
            raise self.fail("chained comparisons are not part of nativepy: use `and`")
        op, left, right = type(node.ops[0]), self.expr(node.left), self.expr(node.comparators[0])
        if isinstance(left, Known) and isinstance(right, Known):
            return self.evaluate(PYTHON_COMPARE[op], left.value, right.value)
        kind = left.type if isinstance(left, Value) else right.type  # type: ignore[union-attr]
        if op in (ast.Is, ast.IsNot):
            if not isinstance(kind, (Pointer, FunctionType)):
                raise self.fail(f"`is` compares pointers, found {kind}: use == or !=")
            op = ast.Eq if op is ast.Is else ast.NotEq
        if op not in COMPARE:
            raise self.fail(f"{op.__name__} is only defined at compile time")
        a, b = self.coerce(left, kind, "left operand"), self.coerce(right, kind, "right operand")
        scalar = kind.element if isinstance(kind, Vector) else kind
        signed, unsigned, floating = COMPARE[op]
        if isinstance(scalar, Float):
            text = f"fcmp {floating}"
        else:
            text = f"icmp {signed if isinstance(scalar, Int) and scalar.signed else unsigned}"
        result: Type = boolean
        if isinstance(kind, Vector):
            result = Vector(boolean, kind.length)  # type: ignore[arg-type]
        return Value(result, self.b.value(f"{text} {self.ir(kind)} {a.text}, {b.text}"))

    def condition(self, node: ast.expr) -> Operand:
        operand = self.expr(node)
        if isinstance(operand, Value) and not isinstance(operand.type, Boolean):
            raise self.fail(
                f"a condition must be a boolean, found {operand.type}: compare it, as in `x != 0`"
            )
        return operand

    def short_circuit(self, node: ast.BoolOp) -> Operand:
        stop_on = isinstance(node.op, ast.Or)
        done: str | None = None
        incoming: list[tuple[str, str]] = []
        last: Operand = Known(not stop_on)
        for i, part in enumerate(node.values):
            last = self.condition(part)
            if isinstance(last, Known):
                if bool(last.value) is stop_on:
                    break
                continue
            if i == len(node.values) - 1:
                break
            done = done or self.b.new_label("bool")
            following = self.b.new_label("next")
            incoming.append(("true" if stop_on else "false", self.b.label))
            self.b.branch_if(last.text, *((done, following) if stop_on else (following, done)))
            self.b.begin(following)
            last = Known(not stop_on)
        if done is None:
            return last
        final = self.coerce(Known(bool(last.value)) if isinstance(last, Known) else last, boolean)
        incoming.append((final.text, self.b.label))
        self.b.begin(done)
        sources = ", ".join(f"[ {value}, %{label} ]" for value, label in incoming)
        return Value(boolean, self.b.value(f"phi i1 {sources}"))

    def conditional(self, node: ast.IfExp) -> Operand:
        test = self.condition(node.test)
        if isinstance(test, Known):
            return self.expr(node.body if test.value else node.orelse)
        then, otherwise, done = (self.b.new_label(hint) for hint in ("then", "else", "done"))
        self.b.branch_if(test.text, then, otherwise)
        self.b.begin(then)
        a = self.expr(node.body)
        then_end, mark = self.b.label, len(self.b.lines)
        self.b.terminated = True  # the branch is written once the type is known
        self.b.begin(otherwise)
        b = self.expr(node.orelse)
        if isinstance(a, Known) and isinstance(b, Known):
            a = self.runtime(a, "this side of the conditional")
        kind = a.type if isinstance(a, Value) else b.type  # type: ignore[union-attr]
        left, right = self.coerce(a, kind), self.coerce(b, kind)
        self.b.lines.insert(mark, f"  br label %{done}{self.b.location}")
        right_end = self.b.label
        self.b.begin(done)
        text = f"phi {self.ir(kind)} [ {left.text}, %{then_end} ], [ {right.text}, %{right_end} ]"
        return Value(kind, self.b.value(text))

    # -- conversions and calls -----------------------------------------------------------------

    def convert(self, operand: Operand, wanted: Type) -> Value:
        """An explicit conversion, `wanted(operand)`."""
        if isinstance(operand, Known):
            known = operand.value
            if isinstance(wanted, Int) and isinstance(known, (bool, IntEnum)):
                known = int(known)
            return self.coerce(Known(known), wanted, f"{wanted}(...)")
        source, a, b = operand.type, self.ir(operand.type), self.ir(wanted)
        if (
            isinstance(source, Vector)
            and isinstance(wanted, Vector)
            and source.length == wanted.length
        ):
            op = self.conversion(source.element, wanted.element)
        else:
            op = self.conversion(source, wanted)
        if op is None:
            raise self.fail(f"{source} cannot be converted to {wanted}")
        return Value(
            wanted, self.b.value(f"{op} {a} {operand.text} to {b}") if op else operand.text
        )

    def conversion(self, source: Type, wanted: Type) -> str | None:
        """LLVM's instruction that converts between two types; "" if it takes none."""
        pointer = self.unit.target.pointer
        match source, wanted:
            case Int(), Int():
                have, want = source.width(pointer), wanted.width(pointer)
                if have == want:
                    return ""
                return "trunc" if have > want else "sext" if source.signed else "zext"
            case Boolean(), Int():
                return "zext"
            case Float(), Int():
                return "fptosi" if wanted.signed else "fptoui"
            case Int(), Float():
                return "sitofp" if source.signed else "uitofp"
            case Float(), Float():
                if source is wanted:
                    return ""
                return "fptrunc" if source.bits > wanted.bits else "fpext"
            case ((Pointer() | FunctionType()), Int()) if wanted is usize:
                return "ptrtoint"
            case Int(), (Pointer() | FunctionType()) if source is usize:
                return "inttoptr"
            case ((Pointer() | FunctionType()), (Pointer() | FunctionType())):
                return ""
        return None

    def call(self, node: ast.Call) -> Operand:
        callee = self.place(node.func)
        if isinstance(callee, Place):
            callee = self.load_place(callee)
        if isinstance(callee, Known) and isinstance(callee.value, Intrinsic):
            return self.intrinsic(callee.value, node)
        if node.keywords and not (
            isinstance(callee, Known) and not isinstance(callee.value, NativeFunction)
        ):
            raise self.fail("keyword arguments are not part of nativepy")
        arguments = [self.expr(a) for a in node.args]
        self.mark(node)
        if isinstance(callee, Value):
            return self.call_pointer(callee, arguments)
        target = callee.value
        if isinstance(target, Type):
            if len(arguments) != 1:
                raise self.fail(f"{target}(...) takes one argument")
            return self.convert(arguments[0], target)
        if isinstance(target, NativeFunction):
            return self.call_native(target, arguments)
        if target.__name__ == "type_of" if hasattr(target, "__name__") else False:
            return Known(self.runtime(arguments[0]).type)
        keywords = {k.arg: self.expr(k.value) for k in node.keywords if k.arg}
        if callable(target) and all(isinstance(a, Known) for a in (*arguments, *keywords.values())):
            values = {k: v.value for k, v in keywords.items()}  # type: ignore[union-attr]
            return self.evaluate(target, *(a.value for a in arguments), **values)  # type: ignore[union-attr]
        name = ast.unparse(node.func)
        raise self.fail(f"{name} is not a native function: it can be called at compile time only")

    def intrinsic(self, intrinsic: Intrinsic, node: ast.Call) -> Operand:
        from . import atomics, byte_order, vectors  # noqa: F401 - register their own
        from .intrinsics import LOWERINGS

        if intrinsic.name not in LOWERINGS:
            raise self.fail(f"{intrinsic.name} belongs in `return {intrinsic.name}(…)`")
        lower, takes = LOWERINGS[intrinsic.name]
        if not takes[0] <= len(node.args) + len(node.keywords) <= takes[1]:
            least, most = takes
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.fail(f"{intrinsic.name} takes {wanted} arguments, found {len(node.args)}")
        return lower(cast("BodyCompiler", self), node)

    def call_pointer(self, callee: Value, arguments: list[Operand]) -> Operand:
        if not isinstance(callee.type, FunctionType):
            raise self.fail(f"a {callee.type} cannot be called")
        return self.emit_call(callee.text, callee.type, arguments)

    def call_native(self, target: NativeFunction, arguments: list[Operand]) -> Operand:
        if target.inline:
            return self.expand(target, arguments)
        params = target.function.__annotations__
        names = target.function.__code__.co_varnames[: target.function.__code__.co_argcount]
        if len(names) != len(arguments):
            raise self.fail(f"{target.name} takes {len(names)} arguments, found {len(arguments)}")
        constant = []
        run_time = []
        for name, argument in zip(names, arguments):
            if isinstance(params.get(name), Const):
                if not isinstance(argument, Known):
                    raise self.fail(f"{target.name}: {name} must be known at compile time")
                constant.append(argument.value)
            else:
                run_time.append(argument)
        compiled = self.unit.instance(target, tuple(constant))
        return self.emit_call(compiled.symbol, compiled.type, run_time)

    def emit_call(
        self, symbol: str, t: FunctionType, arguments: list[Operand], kind: str = "call"
    ) -> Operand:
        if len(arguments) != len(t.params):
            raise self.fail(f"{symbol} takes {len(t.params)} arguments, found {len(arguments)}")
        values = [
            self.coerce(a, p, f"argument {i + 1}")
            for i, (a, p) in enumerate(zip(arguments, t.params))
        ]
        convention = self.unit.convention(t.convention)
        shown = ", ".join(f"{self.unit.parameter(v.type, t.convention)} {v.text}" for v in values)
        text = f"{kind} {convention} {self.unit.result(t)} {symbol}({shown})"
        if self.ir(t.result) == "void":
            self.b.emit(text)
            return Known(None)
        return Value(t.result, self.b.value(text))

    def expand(self, target: NativeFunction, arguments: list[Operand]) -> Operand:
        raise TypeError("statements.BodyCompiler expands inline functions")


def float_text(value: float, bits: int) -> str:
    """LLVM's exact spelling of a float constant."""
    if bits == 32:
        value = packing.unpack("<f", packing.pack("<f", value))[0]
    return f"0x{packing.unpack('<Q', packing.pack('<d', value))[0]:016X}"
