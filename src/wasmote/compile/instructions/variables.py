"""Parametric instructions, locals, globals and constants."""

from wasmote.compile.function import Function
from wasmote.compile.instructions.registry import handles
from wasmote.compile.reading import float_text
from wasmote.compile.runtime import GLOBAL, INVARIANT

# -- parametric and variables ------------------------------------------------------------------


@handles(0x1A)
def drop(f: Function) -> None:
    f.pop()


@handles(0x1B)
def select(f: Function) -> None:
    condition = f.truth(f.pop())
    second, kind = f.values.pop(), f.kinds.pop()
    first = f.values.pop()
    f.values.append(f.value(f"select i1 {condition}, {kind} {first}, {kind} {second}"))


@handles(0x1C)
def typed_select(f: Function) -> None:
    for _ in range(f.unsigned()):
        f.value_type()
    select(f)


@handles(0x20)
def local_get(f: Function) -> None:
    i = f.unsigned()
    value = f.known.get(i)
    kind = f.local_kinds[i]
    if value is None:
        value = f.known[i] = f.value(f"load {kind}, ptr %l{i}")
    f.values.append(value)
    f.kinds.append(kind)


@handles(0x21)
def local_set(f: Function) -> None:
    i = f.unsigned()
    value, kind = f.values.pop(), f.kinds.pop()
    f.known[i] = value
    f.lines.append(f"  store {kind} {value}, ptr %l{i}\n")


@handles(0x22)
def local_tee(f: Function) -> None:
    i = f.unsigned()
    value = f.known[i] = f.values[-1]
    f.lines.append(f"  store {f.kinds[-1]} {value}, ptr %l{i}\n")


@handles(0x23)
def global_get(f: Function) -> None:
    i = f.unsigned()
    facts = f.source.globals[i]
    if facts.constant is not None:
        after, f.code, f.pos = (f.code, f.pos), facts.constant, 1
        CONSTANTS[facts.constant[0]](f)
        f.code, f.pos = after
        return
    value = f.load_cells(facts.type, global_address(f, i), f"align 4, {GLOBAL}")
    f.push(facts.type, value)


@handles(0x24)
def global_set(f: Function) -> None:
    i = f.unsigned()
    value = f.pop()
    kind = f.source.globals[i].type
    f.store_cells(kind, value, global_address(f, i), f"align 4, {GLOBAL}")


def global_address(f: Function, i: int) -> str:
    offsets = f.unit.offsets
    at = f.value(f"getelementptr i8, ptr %ctx, i64 {offsets.globals + offsets.pointer * i}")
    return f.value(f"load ptr, ptr {at}, {INVARIANT}")


# -- constants ---------------------------------------------------------------------------------


@handles(0x41)
def i32_const(f: Function) -> None:
    f.values.append(str(f.signed()))
    f.kinds.append("i32")


@handles(0x42)
def i64_const(f: Function) -> None:
    f.values.append(str(f.signed()))
    f.kinds.append("i64")


@handles(0x43)
def f32_const(f: Function) -> None:
    constant_float(f, f.raw(4), "float", "i32")


@handles(0x44)
def f64_const(f: Function) -> None:
    constant_float(f, f.raw(8), "double", "i64")


def constant_float(f: Function, raw: bytes, kind: str, bits: str) -> None:
    text = float_text(raw)
    if text is None:
        text = f.value(f"bitcast {bits} {int.from_bytes(raw, 'little')} to {kind}")
    f.push(kind, text)


@handles(0xFD000C)
def v128_const(f: Function) -> None:
    raw = f.raw(16)
    low, high = (int.from_bytes(raw[i : i + 8], "little", signed=True) for i in (0, 8))
    f.push("<2 x i64>", f"<i64 {low}, i64 {high}>")


CONSTANTS = {0x41: i32_const, 0x42: i64_const, 0x43: f32_const, 0x44: f64_const}
