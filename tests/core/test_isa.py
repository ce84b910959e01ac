"""The instruction definitions: opcodes by an assembler, semantics by Python's arithmetic."""

import ctypes
import functools
import itertools
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from wasmote.core.status import TrapCode, ValueType
from wasmote.image.testing import Library
from wasmote.isa import (
    DEFAULT_FEATURES,
    INSTRUCTIONS,
    SUPPORTED_FEATURES,
    Feature,
    Immediate,
    Instruction,
    by_name,
    feature_of_reserved_opcode,
)
from wasmote.nativepy import inline, load, native, ptr, store, u8, u32
from wasmote.wat import wat2wasm

I32, I64, F32, F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
#: All but the vector instructions, which have a file of their own.
SCALAR = [i for i in INSTRUCTIONS.values() if i.prefix not in (0xFD, 0xFE)]
#: Those with one result.
WITH_SEMANTICS = [
    i for i in SCALAR if i.semantics is not None and not i.access and i.family != "wide"
]
TEXT_TYPES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64"}


# -- the table -------------------------------------------------------------------------------------


def test_all_of_webassembly_2_without_vectors() -> None:
    later = (
        Feature.TAIL_CALLS,
        Feature.FUNCTION_REFERENCES,
        Feature.GC,
        Feature.WIDE_ARITHMETIC,
        Feature.EXCEPTIONS,
        Feature.LEGACY_EXCEPTIONS,
    )
    scalar = [i for i in SCALAR if i.feature not in later]
    assert len([i for i in scalar if not i.prefix]) == 183
    assert [i.code for i in scalar if i.prefix == 0xFC] == list(range(18))


def test_names_and_opcodes_are_unique() -> None:
    assert len({i.name for i in INSTRUCTIONS.values()}) == len(INSTRUCTIONS)
    assert by_name("i32.add").opcode == 0x6A
    with pytest.raises(KeyError):
        by_name("i32.bogus")


def test_features_have_fixed_bits() -> None:
    assert Feature.MVP.bit == 0
    assert Feature.STACK_SWITCHING.mask & SUPPORTED_FEATURES == 0
    assert DEFAULT_FEATURES & ~SUPPORTED_FEATURES == 0
    assert all(i.feature.mask & SUPPORTED_FEATURES for i in INSTRUCTIONS.values())


def test_reserved_opcodes_are_not_defined() -> None:
    for opcode in range(256):
        if feature_of_reserved_opcode(opcode) is not None:
            assert opcode not in INSTRUCTIONS
    assert feature_of_reserved_opcode(0xE2) is Feature.STACK_SWITCHING
    assert feature_of_reserved_opcode(0xFF) is None


@pytest.mark.parametrize("instruction", WITH_SEMANTICS, ids=str)
def test_opcode_and_types_as_assembled(instruction: Instruction) -> None:
    """Assemble the instruction with parameters for its operands and look for the opcode."""
    params, results = instruction.params or (), instruction.results or ()
    text = f"""(module (func (param {" ".join(TEXT_TYPES[p] for p in params)})
        (result {" ".join(TEXT_TYPES[r] for r in results)})
        {" ".join(f"(local.get {i})" for i in range(len(params)))} {instruction.name}))"""
    opcode = bytes([instruction.opcode]) if instruction.opcode < 256 else None
    expected = opcode or bytes([instruction.prefix, instruction.code])
    body = b"".join(bytes([0x20, i]) for i in range(len(params))) + expected + b"\x0b"
    assert body in wat2wasm(text)


@pytest.mark.parametrize("instruction", [i for i in SCALAR if i.access], ids=str)
def test_memory_access_as_assembled(instruction: Instruction) -> None:
    params = instruction.params or ()
    operands = " ".join(f"({TEXT_TYPES[p]}.const 0)" for p in params)
    drop = "drop" if instruction.results else ""
    binary = wat2wasm(f"(module (memory 1) (func {operands} {instruction.name} {drop}))")
    natural = instruction.access.bit_length() - 1
    assert bytes([instruction.opcode, natural, 0]) in binary
    assert instruction.immediates == (Immediate.MEMARG,)


# -- semantics -------------------------------------------------------------------------------------


def _runner(instruction: Instruction) -> Any:
    """A native function: operands at `a` and `b`, the result to `out`; returns the trap code."""
    semantics = instruction.semantics
    types = [t for n, t in semantics.function.__annotations__.items() if n != "return"]
    name = f"op_{instruction.opcode:x}"
    first = types[0]

    @inline
    def trapped(code, a, b, out):
        return code

    if len(types) == 1:

        @native(export=name, on_trap=trapped)
        def run_unary(a: ptr[u8], b: ptr[u8], out: ptr[u8]) -> u32:
            store(out, semantics(load(first, a)))
            return 0

        return run_unary
    second = types[1]

    @native(export=name, on_trap=trapped)
    def run_binary(a: ptr[u8], b: ptr[u8], out: ptr[u8]) -> u32:
        store(out, semantics(load(first, a), load(second, b)))
        return 0

    return run_binary


@functools.cache
def compiled() -> Library:
    return Library(*map(_runner, WITH_SEMANTICS))


def run(instruction: Instruction, operands: tuple[int, ...]) -> int | TrapCode:
    """The result's bits, or the trap, for operands as bits."""
    cells = [ctypes.c_uint64(x) for x in (*operands, 0)[:2]]
    out = ctypes.c_uint64(0)
    function = getattr(compiled(), f"op_{instruction.opcode:x}")
    code = function(*(ctypes.addressof(c) for c in (*cells, out)))
    return TrapCode(code) if code else out.value


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def bits_of(value: float, width: int) -> int:
    if width == 64:
        return int(struct.unpack("<Q", struct.pack("<d", value))[0])
    try:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return 0x7F80_0000 | (0x8000_0000 if value < 0 else 0)


def float_of(bits: int, width: int) -> float:
    form = ("<I", "<f") if width == 32 else ("<Q", "<d")
    return float(struct.unpack(form[1], struct.pack(form[0], bits))[0])


INTS = [0, 1, 2, 3, 5, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 0x7FFF, 0x8000, 0xFFFF, 123456789]


def int_operands(bits: int) -> list[int]:
    top = 1 << bits
    edges = [top - 1, top - 2, top // 2, top // 2 - 1, top // 2 + 1, 0x9E3779B97F4A7C15 % top]
    return [*INTS, *edges]


def _shift(value: int, by: int, bits: int) -> int:
    """Rotate left."""
    by %= bits
    return (value << by | value >> (bits - by)) & ((1 << bits) - 1)


def _divide(a: int, b: int, bits: int) -> int | TrapCode:
    a, b = signed(a, bits), signed(b, bits)
    if b == 0:
        return TrapCode.DIVIDE_BY_ZERO
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return TrapCode.INTEGER_OVERFLOW if quotient == 1 << (bits - 1) else quotient


def _remainder(a: int, b: int, bits: int) -> int | TrapCode:
    a, b = signed(a, bits), signed(b, bits)
    if b == 0:
        return TrapCode.DIVIDE_BY_ZERO
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


def _extend(width: int) -> Callable[[int, int], int]:
    return lambda a, bits: signed(a & ((1 << width) - 1), width)


INT_UNARY: dict[str, Callable[[int, int], int]] = {
    "eqz": lambda a, n: a == 0,
    "clz": lambda a, n: n - a.bit_length(),
    "ctz": lambda a, n: (a & -a).bit_length() - 1 if a else n,
    "popcnt": lambda a, n: a.bit_count(),
    "extend8_s": _extend(8),
    "extend16_s": _extend(16),
    "extend32_s": _extend(32),
}
INT_BINARY: dict[str, Callable[[int, int, int], int | TrapCode]] = {
    "add": lambda a, b, n: a + b,
    "sub": lambda a, b, n: a - b,
    "mul": lambda a, b, n: a * b,
    "div_s": _divide,
    "div_u": lambda a, b, n: a // b if b else TrapCode.DIVIDE_BY_ZERO,
    "rem_s": _remainder,
    "rem_u": lambda a, b, n: a % b if b else TrapCode.DIVIDE_BY_ZERO,
    "and": lambda a, b, n: a & b,
    "or": lambda a, b, n: a | b,
    "xor": lambda a, b, n: a ^ b,
    "shl": lambda a, b, n: a << b % n,
    "shr_s": lambda a, b, n: signed(a, n) >> b % n,
    "shr_u": lambda a, b, n: a >> b % n,
    "rotl": _shift,
    "rotr": lambda a, b, n: _shift(a, n - b % n, n),
    "eq": lambda a, b, n: a == b,
    "ne": lambda a, b, n: a != b,
    "lt_s": lambda a, b, n: signed(a, n) < signed(b, n),
    "lt_u": lambda a, b, n: a < b,
    "gt_s": lambda a, b, n: signed(a, n) > signed(b, n),
    "gt_u": lambda a, b, n: a > b,
    "le_s": lambda a, b, n: signed(a, n) <= signed(b, n),
    "le_u": lambda a, b, n: a <= b,
    "ge_s": lambda a, b, n: signed(a, n) >= signed(b, n),
    "ge_u": lambda a, b, n: a >= b,
}


def wrapped(value: int | TrapCode, bits: int) -> int | TrapCode:
    return value if isinstance(value, TrapCode) else int(value) & ((1 << bits) - 1)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", INT_UNARY)
def test_integer_unary(name: str, bits: int) -> None:
    if name == "extend32_s" and bits == 32:
        return
    instruction = by_name(f"i{bits}.{name}")
    for a in int_operands(bits):
        assert run(instruction, (a,)) == wrapped(INT_UNARY[name](a, bits), bits), a


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", INT_BINARY)
def test_integer_binary(name: str, bits: int) -> None:
    instruction = by_name(f"i{bits}.{name}")
    for a, b in itertools.product(int_operands(bits), repeat=2):
        assert run(instruction, (a, b)) == wrapped(INT_BINARY[name](a, b, bits), bits), (a, b)


FLOATS = [
    0.0,
    1.0,
    0.5,
    1.5,
    2.5,
    3.0,
    0.1,
    1e-40,
    1e-310,
    4.2e9,
    1e30,
    8388607.5,
    4503599627370495.5,
]
FLOATS += [2.0**31, 2.0**32, 2.0**63, 2.0**64, 2147483647.0, 2147483648.5, 0.9999999, math.inf]


def float_operands(width: int) -> list[int]:
    """As bits: numbers of both signs, quiet and signalling NaNs."""
    numbers = [bits_of(sign * x, width) for x in FLOATS for sign in (1.0, -1.0)]
    if width == 32:
        return [*numbers, 0x7FC00000, 0xFFC00000, 0x7FA00000, 0xFF800001, 1, 0x7F7FFFFF]
    return [*numbers, 0x7FF8 << 48, 0xFFF8 << 48, 0x7FF4 << 48, (0xFFF0 << 48) | 1, 1]


def _nearest(x: float) -> float:
    rounded = float(round(x)) if math.isfinite(x) else x
    return math.copysign(rounded, x)


def _rounded(how: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: math.copysign(float(how(x)), x) if math.isfinite(x) else x


def _div(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def _mul(a: float, b: float) -> float:
    return a * b


def _minimum(a: float, b: float) -> float:
    if a == b == 0:
        return math.copysign(0.0, min(math.copysign(1, a), math.copysign(1, b)))
    return min(a, b)


FLOAT_UNARY: dict[str, Callable[[float], float]] = {
    "ceil": _rounded(math.ceil),
    "floor": _rounded(math.floor),
    "trunc": _rounded(math.trunc),
    "nearest": _nearest,
    "sqrt": lambda a: math.nan if a < 0 else math.sqrt(a),
}
FLOAT_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": _mul,
    "div": _div,
    "min": _minimum,
    "max": lambda a, b: -_minimum(-a, -b),
}
FLOAT_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "ge": lambda a, b: a >= b,
}


def is_arithmetic_nan(bits: int, width: int) -> bool:
    """A quiet NaN."""
    quiet = 0x7FC00000 if width == 32 else 0x7FF8 << 48
    return bits & quiet == quiet


def check_float(
    instruction: Instruction, operands: tuple[int, ...], expected: float, width: int
) -> None:
    got = run(instruction, operands)
    assert isinstance(got, int)
    if math.isnan(expected):
        assert is_arithmetic_nan(got, width), (operands, hex(got))
    else:
        assert got == bits_of(expected, width), (operands, hex(got))


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", FLOAT_UNARY)
def test_float_unary(name: str, width: int) -> None:
    for a in float_operands(width):
        x = float_of(a, width)
        expected = x if math.isnan(x) else FLOAT_UNARY[name](x)
        check_float(by_name(f"f{width}.{name}"), (a,), expected, width)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", FLOAT_BINARY)
def test_float_binary(name: str, width: int) -> None:
    for a, b in itertools.product(float_operands(width), repeat=2):
        x, y = float_of(a, width), float_of(b, width)
        expected = math.nan if math.isnan(x) or math.isnan(y) else FLOAT_BINARY[name](x, y)
        check_float(by_name(f"f{width}.{name}"), (a, b), expected, width)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", FLOAT_COMPARE)
def test_float_compare(name: str, width: int) -> None:
    for a, b in itertools.product(float_operands(width), repeat=2):
        expected = FLOAT_COMPARE[name](float_of(a, width), float_of(b, width))
        assert run(by_name(f"f{width}.{name}"), (a, b)) == int(expected)


@pytest.mark.parametrize("width", [32, 64])
def test_sign_operations_are_bit_exact(width: int) -> None:
    sign = 1 << (width - 1)
    for a, b in itertools.product(float_operands(width), repeat=2):
        assert run(by_name(f"f{width}.abs"), (a,)) == a & ~sign
        assert run(by_name(f"f{width}.neg"), (a,)) == a ^ sign
        assert run(by_name(f"f{width}.copysign"), (a, b)) == a & ~sign | b & sign


# -- conversions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("sign", "su")
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("bits", [32, 64])
def test_truncation(bits: int, width: int, sign: str, saturating: bool) -> None:
    kind = "trunc_sat" if saturating else "trunc"
    instruction = by_name(f"i{bits}.{kind}_f{width}_{sign}")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if sign == "s" else (0, (1 << bits) - 1)
    neighbours = [float(low), float(low - 1), float(high), float(high + 1), -0.9, -1.0]
    beside = [math.nextafter(x, to) for x in neighbours for to in (-math.inf, math.inf)]
    operands = [*float_operands(width), *(bits_of(x, width) for x in (*neighbours, *beside))]
    operands += [bits_of(x, width) + d for x in neighbours if x for d in (-1, 1)]
    for a in operands:
        x = float_of(a, width)
        expected: int | TrapCode
        if math.isnan(x):
            expected = 0 if saturating else TrapCode.INVALID_CONVERSION
        elif math.isinf(x) or not low <= math.trunc(x) <= high:
            expected = (low if x < 0 else high) if saturating else TrapCode.INTEGER_OVERFLOW
        else:
            expected = math.trunc(x)
        assert run(instruction, (a,)) == wrapped(expected, bits), x


def _to_f32_exactly(value: int) -> int:
    """Bits of the nearest f32, ties to even (a double in between would round twice)."""
    if value == 0:
        return 0
    magnitude = abs(value)
    shift = max(0, magnitude.bit_length() - 24)
    kept, rest = magnitude >> shift, magnitude & ((1 << shift) - 1)
    half = 1 << shift >> 1
    kept += int(rest > half or (rest == half and shift and kept & 1))
    return bits_of(math.copysign(float(kept << shift), value), 32)


@pytest.mark.parametrize("sign", "su")
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("bits", [32, 64])
def test_conversion_to_float(bits: int, width: int, sign: str) -> None:
    instruction = by_name(f"f{width}.convert_i{bits}_{sign}")
    ties = [
        0x1000001,
        0x1000003,
        0x7FFFFF4000000001 % (1 << bits),
        0x8000008000000001 % (1 << bits),
    ]
    for a in [*int_operands(bits), *ties]:
        value = signed(a, bits) if sign == "s" else a
        expected = _to_f32_exactly(value) if width == 32 else bits_of(float(value), 64)
        assert run(instruction, (a,)) == expected, a


def test_other_conversions() -> None:
    for a in int_operands(64):
        assert run(by_name("i32.wrap_i64"), (a,)) == a & 0xFFFF_FFFF
        assert run(by_name("f64.reinterpret_i64"), (a,)) == a
        assert run(by_name("i64.reinterpret_f64"), (a,)) == a
    for a in int_operands(32):
        assert run(by_name("i64.extend_i32_s"), (a,)) == signed(a, 32) % (1 << 64)
        assert run(by_name("i64.extend_i32_u"), (a,)) == a
        assert run(by_name("f32.reinterpret_i32"), (a,)) == a
        assert run(by_name("i32.reinterpret_f32"), (a,)) == a
    for a in float_operands(64):
        check_float(by_name("f32.demote_f64"), (a,), float_of(a, 64), 32)
    for a in float_operands(32):
        check_float(by_name("f64.promote_f32"), (a,), float_of(a, 32), 64)


# -- memory ----------------------------------------------------------------------------------------


def _memory_runner(instruction: Instruction) -> Any:
    semantics = instruction.semantics
    name = f"op_{instruction.opcode:x}"
    if instruction.family == "load":

        @native(export=name)
        def run_load(p: ptr[u8], value: ptr[u8]) -> u32:
            store(value, semantics(p))
            return 0

        return run_load
    operand = semantics.function.__annotations__["x"]

    @native(export=name)
    def run_store(p: ptr[u8], value: ptr[u8]) -> u32:
        semantics(p, load(operand, value))
        return 0

    return run_store


def test_loads_and_stores() -> None:
    accesses = [i for i in SCALAR if i.access]
    library = Library(*map(_memory_runner, accesses))
    for instruction in accesses:
        memory = ctypes.create_string_buffer(bytes(range(0xE0, 0x100)), 32)
        value = ctypes.c_uint64(0)
        call = getattr(library, f"op_{instruction.opcode:x}")
        size = instruction.access
        if instruction.family == "load":
            call(ctypes.addressof(memory) + 3, ctypes.addressof(value))  # unaligned
            raw = bytes(range(0xE3, 0xE3 + size))
            width = 64 if instruction.name.startswith(("i64", "f64")) else 32
            number = int.from_bytes(raw, "little", signed=instruction.name.endswith("_s"))
            assert value.value == number % (1 << width), instruction.name
        else:
            value.value = 0x1122334455667788
            call(ctypes.addressof(memory) + 3, ctypes.addressof(value))
            expected = bytearray(range(0xE0, 0x100))
            expected[3 : 3 + size] = value.value.to_bytes(8, "little")[:size]
            assert memory.raw == bytes(expected), instruction.name
