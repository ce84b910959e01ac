"""Products of 128 bits that WebAssembly spells out: found, and never where there is none."""

import random

import pytest

from tests.compile.test_running import run
from wasmote import Module, Trap
from wasmote.compile.options import Options
from wasmote.compile.partition import Plan
from wasmote.compile.product_functions import stores_product
from wasmote.compile.source import Body, Source, read_source
from wasmote.compile.wide_products import TRACKED
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

WORD, ALL = (1 << 32) - 1, (1 << 64) - 1
MASK, SHIFT = "(i64.const 0xffffffff)", "(i64.const 32)"
LOW = {n: f"(i64.and (local.get {n}) {MASK})" for n in (1, 3)}
HIGH = {n: f"(i64.shr_u (local.get {n}) {SHIFT})" for n in (1, 3)}
NUMBERS = [0, 1, 2, WORD, WORD + 1, ALL, ALL - 1, 1 << 63, (1 << 63) - 1, ALL - WORD]


def op(name: str, *operands: str) -> str:
    return f"(i64.{name} {' '.join(operands)})"


def upper(style: int, a: dict, b: dict) -> str:
    """Text of the upper half of the product of parameters 1 and 3; locals 5 to 7 are free."""
    low, crossed = op("mul", a["l"], b["l"]), op("mul", a["h"], b["l"])
    other, top = op("mul", a["l"], b["h"]), op("mul", a["h"], b["h"])
    carried = f"(local.tee 6 {op('add', crossed, op('shr_u', f'(local.tee 5 {low})', SHIFT))})"
    if style == 0:  # one sum after the other
        t = op("shr_u", carried, SHIFT)
        rest = op("add", op("and", "(local.get 6)", MASK), other)
        return op("add", op("add", top, t), op("shr_u", f"(local.tee 7 {rest})", SHIFT))
    if style == 1:  # the middle of all four
        middle = op("add", op("and", f"(local.tee 6 {crossed})", MASK), op("shr_u", low, SHIFT))
        middle = op("add", middle, op("and", f"(local.tee 7 {other})", MASK))
        tops = op("add", op("shr_u", middle, SHIFT), op("shr_u", "(local.get 7)", SHIFT))
        return op("add", tops, op("add", top, op("shr_u", "(local.get 6)", SHIFT)))
    t = op("add", op("and", carried, MASK), other)  # as hash functions have it
    return op("add", op("shr_u", t, SHIFT), op("add", op("shr_u", "(local.get 6)", SHIFT), top))


HALVES = tuple({"l": LOW[n], "h": HIGH[n]} for n in (1, 3))


def multiply_text(style: int) -> str:
    """A function that stores the product of two 128-bit numbers."""
    more = op(
        "add",
        op("mul", "(local.get 4)", "(local.get 1)"),
        op("mul", "(local.get 2)", "(local.get 3)"),
    )
    high = op("add", more, upper(style, *HALVES))
    if style == 1:
        low = op("mul", "(local.get 3)", "(local.get 1)")
    else:
        low = op(
            "or",
            op("and", op("mul", LOW[1], LOW[3]), MASK),
            op("shl", op("add", op("mul", LOW[1], HIGH[3]), "(local.get 6)"), SHIFT),
        )
    return f"""(func $multiply (param i32 i64 i64 i64 i64) (local i64 i64 i64)
        (i64.store offset=8 (local.get 0) {high})
        (i64.store (local.get 0) {low}))"""


MEMORY = '(memory (export "memory") 1) (global $sp (mut i32) (i32.const 65536))'
CALLERS = """
  (func (export "product") (param i64 i64 i64 i64) (result i64 i64) (local $f i32)
    (local.set $f (i32.sub (global.get $sp) (i32.const 64)))
    (call $multiply (i32.add (local.get $f) (i32.const 32))
      (local.get 0) (local.get 1) (local.get 2) (local.get 3))
    (i64.load offset=32 (local.get $f)) (i64.load offset=40 (local.get $f)))
  (func (export "upper") (param i64 i64) (result i64) (local $f i32)
    (local.set $f (i32.sub (global.get $sp) (i32.const 16)))
    (call $multiply (local.get $f) (local.get 0) (i64.const 0) (local.get 1) (i64.const 0))
    (i64.load offset=8 (local.get $f)))
  (func (export "two") (param i32 i32 i64 i64) (result i64)
    (call $multiply (local.get 0)
      (local.get 2) (i64.const 0) (local.get 3) (i64.const 0))
    (call $multiply (local.get 1)
      (local.get 3) (i64.const 0) (local.get 3) (i64.const 0))
    (i64.load offset=8 (local.get 0)))
  (func (export "near") (param i32 i64) (result i64)
    (call $multiply (i32.add (local.get 0) (i32.const 24))
      (local.get 1) (i64.const 0) (local.get 1) (i64.const 0))
    (call $multiply (i32.add (local.get 0) (i32.const 16))
      (i64.const 3) (i64.const 0) (i64.const -1) (i64.const 0))
    (i64.load offset=24 (local.get 0)))
  (func (export "written") (param i32 i32 i64) (result i64)
    (call $multiply (local.get 0) (local.get 2) (i64.const 0) (i64.const 5) (i64.const 0))
    (i32.store8 (local.get 1) (i32.const 255))
    (i64.load (local.get 0)))
  (func (export "branched") (param i32 i32 i64) (result i64)
    (call $multiply (local.get 0) (local.get 2) (i64.const 0) (i64.const 5) (i64.const 0))
    (if (local.get 1)
      (then (call $multiply (local.get 0)
        (local.get 2) (i64.const 0) (i64.const 7) (i64.const 0))))
    (i64.load (local.get 0)))
  (func (export "wraps") (param i32) (result i64)
    (call $multiply (i32.add (local.get 0) (i32.const 32))
      (i64.const 3) (i64.const 0) (i64.const 5) (i64.const 0))
    (i64.load offset=32 (local.get 0)))"""


def numbers(count: int, seed: int) -> list[int]:
    """Random ones, of all sizes, and some at the borders."""
    r = random.Random(seed)
    return [r.choice((r.choice(NUMBERS), r.getrandbits(r.randint(1, 64)))) for _ in range(count)]


def signed(n: int) -> int:
    return n - (1 << 64) if n >> 63 else n


@pytest.mark.parametrize("style", [0, 1, 2])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_functions_that_multiply(style, level):
    exports = run(f"(module {MEMORY} {multiply_text(style)} {CALLERS})", level=level).exports
    values = iter(numbers(4000, style))
    for a, b, c, d in zip(values, values, values, values, strict=True):
        product = (a + (b << 64)) * (c + (d << 64))
        assert exports.product(*map(signed, (a, b, c, d))) == (
            signed(product & ALL),
            signed(product >> 64 & ALL),
        )
        assert exports.upper(signed(a), signed(c)) == signed(a * c >> 64)


@pytest.mark.parametrize("style", [0, 1, 2])
def test_what_was_stored_is_read(style):
    exports = run(f"(module {MEMORY} {multiply_text(style)} {CALLERS})").exports
    memory = memoryview(exports.memory)
    huge = (1 << 64) - 3
    for distance in range(-24, 25):
        memory[:256] = bytes(256)
        expected = bytearray(256)
        expected[100:116] = (huge * 9 % (1 << 128)).to_bytes(16, "little")
        expected[100 + distance : 116 + distance] = (81).to_bytes(16, "little")
        found = exports.two(100, 100 + distance, -3, 9)
        assert found == int.from_bytes(expected[108:116], "little", signed=True)
        assert memory[:256] == expected
    assert exports.near(0, 1 << 33) == (3 * ALL >> 64)
    for at in range(90, 115):
        product = bytearray((1000).to_bytes(8, "little"))
        if 0 <= at - 100 < 8:
            product[at - 100] = 255
        assert exports.written(100, at, 200) == int.from_bytes(product, "little", signed=True)
    assert [exports.branched(8, yes, 6) for yes in (0, 1)] == [30, 42]


def test_addresses_end_where_the_memory_does():
    exports = run(f"(module {MEMORY} {multiply_text(0)} {CALLERS})").exports
    assert exports.wraps(65536 - 48) == 15
    for start in (65536 - 47, 65536, -65536, -32, -1, -33):
        with pytest.raises(Trap, match="out of bounds memory"):
            exports.wraps(start)
    assert memoryview(exports.memory)[:8] == bytes([15, 0, 0, 0, 0, 0, 0, 0])  # -32: it is written


def inline_text(style: int) -> str:
    text = upper(style, *HALVES)
    return f"""(module (func (export "upper") (param i64 i64 i64 i64) (result i64)
        (local i64 i64 i64 i64) (i64.xor (i64.add {text} (local.get 2)) (local.get 7))))"""


@pytest.mark.parametrize("style", [0, 1, 2])
def test_products_in_line(style):
    upper_half = run(inline_text(style)).exports.upper
    plain = run(inline_text(style), level=0).exports.upper
    values = iter(numbers(1000, style))
    for a, b in zip(values, values, strict=True):
        given = (0, signed(a), 12345, signed(b))
        assert upper_half(*given) == plain(*given)


def plan(text: str) -> Plan:
    return Plan(read_source(Module(wat2wasm(text))), Options())


def test_they_take_one_multiplication():
    from wasmote.compile.pipeline import optimised, partition_ir

    for style in range(3):
        made = plan(f"(module {MEMORY} {multiply_text(style)} {CALLERS})")
        assert made.products == {0}
        made = plan(inline_text(style).replace("(local.get 7))))", "(local.get 2))))"))
        module, _ = optimised(partition_ir(made, made.partitions[0]), made.options)
        assert str(module).count(" mul ") == 1


def evaluated(source: Source, body: Body, operands: list[int]) -> dict[int, int]:
    """What such a function stores, by offset."""
    from wasmote.compile.reading import Cursor

    cursor, stack, stored = Cursor(source.binary, body.start), [], {}
    locals = [0, *operands, *[0] * 3]
    assert (cursor.unsigned(), cursor.unsigned(), cursor.value_type()) == (1, 3, "i64")
    operations = {
        0x7C: lambda a, b: a + b,
        0x7E: lambda a, b: a * b,
        0x83: lambda a, b: a & b,
        0x84: lambda a, b: a | b,
        0x86: lambda a, b: a << (b & 63),
        0x88: lambda a, b: a >> (b & 63),
    }
    assert operations.keys() == TRACKED
    while cursor.pos < body.end - 1:
        opcode = cursor.opcode()
        if opcode == 0x20:
            stack.append(locals[cursor.unsigned()])
        elif opcode == 0x22:
            locals[cursor.unsigned()] = stack[-1]
        elif opcode == 0x42:
            stack.append(cursor.signed() & ALL)
        elif opcode == 0x37:
            _, offset = cursor.memarg()
            stored[offset] = stack.pop()
            stack.pop()
        else:
            b, a = stack.pop(), stack.pop()
            stack.append(operations[opcode](a, b) & ALL)
    return stored


@pytest.mark.parametrize("style", [0, 1, 2])
def test_whatever_is_found_is_a_product(style):
    """Code with one or two changes at random is found if it still is one, and only then."""
    module = Module(wat2wasm(f"(module {MEMORY} {multiply_text(style)})"))
    source = read_source(module)
    body, r = source.bodies[0], random.Random(style)
    places = [i for i in range(body.start, body.end) if source.binary[i] in TRACKED]
    gets = [i for i in range(body.start, body.end - 1) if source.binary[i] == 0x20]
    original, found = source.binary, 0
    for _ in range(1500):
        code = bytearray(original)
        for _ in range(r.choice((1, 1, 2))):
            if r.random() < 0.5:
                code[r.choice(places)] = r.choice(sorted(TRACKED))
            else:
                at = r.choice(gets) + 1
                code[at] = r.randint(1, 7) if code[at] else 0
        source.binary = bytes(code)
        if not stores_product(source, body):
            continue
        found += 1
        for seed in range(20):
            a, b, c, d = numbers(4, seed)
            product = (a + (b << 64)) * (c + (d << 64))
            assert evaluated(source, body, [a, b, c, d]) == {
                0: product & ALL,
                8: product >> 64 & ALL,
            }
    assert found  # some changes change nothing
