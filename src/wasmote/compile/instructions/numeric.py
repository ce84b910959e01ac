"""Instructions that have templates, loads and stores among them, and wide arithmetic."""

import re

from wasmote.compile.function import Function
from wasmote.compile.instructions.registry import HANDLED, Handler, handles
from wasmote.isa import Instruction, by_name

_ACCESS = re.compile(r"(?<![\w.])(load|store) ")

# -- wide arithmetic ---------------------------------------------------------------------------


def halves(f: Function, wide: str) -> None:
    """Push an i128 as two i64."""
    f.push("i64", f.value(f"trunc i128 {wide} to i64"))
    upper = f.value(f"lshr i128 {wide}, 64")
    f.push("i64", f.value(f"trunc i128 {upper} to i64"))


def joined(f: Function, low: str, high: str) -> str:
    extended = f.value(f"zext i64 {high} to i128")
    upper = f.value(f"shl i128 {extended}, 64")
    return f.value(f"or disjoint i128 {upper}, {f.value(f'zext i64 {low} to i128')}")


def wide_sum(operation: str) -> Handler:
    def handler(f: Function) -> None:
        a_low, a_high, b_low, b_high = f.pop_many(4)
        a, b = joined(f, a_low, a_high), joined(f, b_low, b_high)
        halves(f, f.value(f"{operation} i128 {a}, {b}"))

    return handler


def wide_product(extend: str) -> Handler:
    def handler(f: Function) -> None:
        a, b = (f.value(f"{extend} i64 {x} to i128") for x in f.pop_many(2))
        halves(f, f.value(f"mul i128 {a}, {b}"))

    return handler


HANDLED[0xFC0013] = wide_sum("add")
HANDLED[0xFC0014] = wide_sum("sub")
HANDLED[0xFC0015] = wide_product("sext")
HANDLED[0xFC0016] = wide_product("zext")


# -- templates ---------------------------------------------------------------------------------
#: Constants that LLVM takes for an operation's identity, which WebAssembly does not: a NaN becomes
#: a quiet one.
_IDENTITIES = {
    "0x3FF0000000000000",
    "0xBFF0000000000000",
    "0x0000000000000000",
    "0x8000000000000000",
}
_FLOATS = {"float": "f32", "double": "f64"}


def fenced(f: Function, value: str, kind: str) -> str:
    """A value that LLVM does not look behind."""
    name = f"@llvm.arithmetic.fence.{_FLOATS[kind]}"
    f.unit.declare(f"declare {kind} {name}({kind})")
    return f.value(f"call {kind} {name}({kind} {value})")


def numeric(i: Instruction) -> Handler:
    opcode = i.opcode
    count = len(i.params or ())
    is_float = i.name[0] == "f" and i.family == "numeric"

    def unary(f: Function) -> None:
        template = f.unit.template(opcode)
        a = f.values[-1]
        f.count = n = f.count + 1
        f.lines.append(template.lines(n, a))
        value = f.values[-1] = template.value(n, a)  # type: ignore[misc]
        f.kinds[-1] = template.type
        if template.condition is not None:
            f.conditions[value] = template.condition(n, a)

    def binary(f: Function) -> None:
        template = f.unit.template(opcode)
        b, a = f.values.pop(), f.values[-1]
        kind = f.kinds.pop()
        if is_float:
            if b in _IDENTITIES:
                b = fenced(f, b, kind)
            elif a in _IDENTITIES:
                a = fenced(f, a, kind)
        f.count = n = f.count + 1
        f.lines.append(template.lines(n, a, b))
        value = f.values[-1] = template.value(n, a, b)  # type: ignore[misc]
        f.kinds[-1] = template.type
        if template.condition is not None:
            f.conditions[value] = template.condition(n, a, b)

    def ternary(f: Function) -> None:
        template = f.unit.template(opcode)
        a, b, c = f.pop_many(3)
        f.count = n = f.count + 1
        f.lines.append(template.lines(n, a, b, c))
        f.push(template.type, template.value(n, a, b, c))  # type: ignore[misc]

    return (unary, binary, ternary)[count - 1]


_EQZ = numeric(by_name("i32.eqz"))
_PROMOTE = numeric(by_name("f64.promote_f32"))
_DEMOTE = numeric(by_name("f32.demote_f64"))


@handles(0x45)
def eqz(f: Function) -> None:
    """i32.eqz of what a comparison gave is the opposite comparison."""
    condition = f.conditions.get(f.values[-1])
    if condition is None:
        _EQZ(f)
        return
    opposite = f.value(f"xor i1 {condition}, true")
    value = f.values[-1] = f.value(f"zext i1 {opposite} to i32")
    f.conditions[value] = opposite


@handles(0xB6)
def demote(f: Function) -> None:
    if f.values[-1] in f.promoted:
        f.values[-1] = fenced(f, f.values[-1], "double")
    _DEMOTE(f)


@handles(0xBB)
def promote(f: Function) -> None:
    _PROMOTE(f)
    f.promoted.add(f.values[-1])


def lane_operation(i: Instruction) -> Handler:
    """Instructions on one lane, whose number is an immediate."""

    def handler(f: Function) -> None:
        template = f.unit.template(i.opcode, f.code[f.pos])
        f.pos += 1
        operands = f.pop_many(len(i.params or ()))
        f.count = n = f.count + 1
        f.lines.append(template.lines(n, *operands))
        f.push(template.type, template.value(n, *operands))  # type: ignore[misc]

    return handler


@handles(0xFD000D)
def shuffle(f: Function) -> None:
    numbers = list(f.raw(16))
    if f.unit.target.big_endian:  # where LLVM has the bytes of each half in reverse
        numbers = [numbers[i ^ 7] ^ 7 for i in range(16)]
    lanes = ", ".join(f"i32 {number}" for number in numbers)
    b, a = (f.value(f"bitcast <2 x i64> {f.pop()} to <16 x i8>") for _ in range(2))
    bytes_ = f.value(f"shufflevector <16 x i8> {a}, <16 x i8> {b}, <16 x i32> <{lanes}>")
    f.push("<2 x i64>", f.value(f"bitcast <16 x i8> {bytes_} to <2 x i64>"))


def access_text(f: Function, memory: int, lines: str) -> str:
    """A load's or store's text. Where it traps by itself LLVM must neither leave it out, though
    nobody needs its value, nor change its place among other traps: measured, that costs nothing.
    In a memory that threads share it must make each access just once: the next one may find
    something else there.
    """
    traps = f.unit.is_guarded(memory)
    if not (traps or f.source.memories[memory].shared):
        return lines
    return _ACCESS.sub(r"\1 volatile ", lines)


def load(i: Instruction) -> Handler:
    opcode, access = i.opcode, i.access

    def handler(f: Function) -> None:
        memory, offset = f.memarg()
        at = f.unit.address(f, memory, offset, access)
        template = f.unit.template(opcode)
        f.count = n = f.count + 1
        f.lines.append(access_text(f, memory, template.lines(n, at)))
        f.push(template.type, template.value(n, at))  # type: ignore[misc]

    return handler


def store(i: Instruction) -> Handler:
    opcode, access = i.opcode, i.access

    def handler(f: Function) -> None:
        memory, offset = f.memarg()
        value = f.pop()
        at = f.unit.address(f, memory, offset, access)
        f.count = n = f.count + 1
        f.lines.append(access_text(f, memory, f.unit.template(opcode).lines(n, at, value)))

    return handler


def lane_access(i: Instruction) -> Handler:
    """Loads and stores of one lane."""

    def handler(f: Function) -> None:
        memory, offset = f.memarg()
        template = f.unit.template(i.opcode, f.code[f.pos])
        f.pos += 1
        vector = f.pop()
        at = f.unit.address(f, memory, offset, i.access)
        f.count = n = f.count + 1
        f.lines.append(access_text(f, memory, template.lines(n, at, vector)))
        if template.value is not None:
            f.push(template.type, template.value(n, at, vector))

    return handler
