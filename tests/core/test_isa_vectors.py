"""The vector instructions: opcodes against an assembler, results against another runtime.

Every instruction runs on the same operands in both, random ones and those where lanes overflow,
saturate or are NaNs. Operands come from locals, from an instruction and through `local.tee`, so
that each form of a handler runs.
"""

import functools
import random
import struct
from typing import Any

import pytest
import wasmtime

import wasmote
from wasmote.core.status import Status, ValueType
from wasmote.core.validate.vector import LANES
from wasmote.isa import DEFAULT_FEATURES, INSTRUCTIONS, Feature, Immediate, Instruction
from wasmote.isa.instruction import PREFIX_SIMD
from wasmote.wat import wat2wasm

from .binaries import MEMORY, functions, vector
from .loading import load, status_of

VECTORS = [i for i in INSTRUCTIONS.values() if i.opcode >> 16 == PREFIX_SIMD >> 16]
NAMES = {t: t.name.lower() for t in ValueType}
IMMEDIATES = {
    Immediate.MEMARG: "offset=3",
    Immediate.LANE: "1",
    Immediate.LANES: "0 17 2 31 4 5 22 7 8 1 1 16 30 13 14 15",
    Immediate.V128: "i32x4 1 -1 0x80000000 7",
}


def unsigned(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + unsigned(value >> 7)


def written(instruction: Instruction) -> str:
    """The instruction with immediates, in the text format."""
    return " ".join((instruction.name, *(IMMEDIATES[i] for i in instruction.immediates)))


def test_all_of_them_are_there() -> None:
    assert len([i for i in VECTORS if i.feature is Feature.SIMD]) == 236
    assert len([i for i in VECTORS if i.feature is Feature.RELAXED_SIMD]) == 20


@pytest.mark.parametrize("instruction", VECTORS, ids=str)
def test_opcode_and_types_as_assembled(instruction: Instruction) -> None:
    params, results = instruction.params or (), instruction.results or ()
    text = f"""(module (memory 1) (func (param {" ".join(NAMES[p] for p in params)})
        (result {" ".join(NAMES[r] for r in results)})
        {" ".join(f"(local.get {i})" for i in range(len(params)))} {written(instruction)}))"""
    operands = b"".join(bytes([0x20, i]) for i in range(len(params)))
    natural = [instruction.access.bit_length() - 1, 3] if instruction.access else []
    expected = operands + b"\xfd" + unsigned(instruction.code) + bytes(natural)
    assert expected in wat2wasm(text)


# -- validation ------------------------------------------------------------------------------------


def test_lane_numbers_are_checked() -> None:
    assert LANES[0x15] == 16  # i8x16.extract_lane_s
    for instruction in VECTORS:
        lanes = LANES[instruction.code]
        if not lanes:
            continue
        memory = bytes([0, 0]) if instruction.access else b""
        operands = b"\0\xfd" + unsigned(instruction.code) + memory  # unreachable: any operands
        for lane, status in ((lanes - 1, Status.OK), (lanes, Status.LANE_INDEX)):
            drop = b"\x1a" if instruction.results else b""
            body = operands + bytes([lane]) + drop
            memories = ((MEMORY, vector(b"\0\1")),)
            found = status_of(functions(body, before=memories))
            assert found == status, instruction.name


@pytest.mark.parametrize(("lane", "status"), [(31, Status.OK), (32, Status.LANE_INDEX)])
def test_shuffle_lanes_are_checked(lane: int, status: Status) -> None:
    body = b"\0\xfd\x0d" + bytes(15) + bytes([lane]) + b"\x1a"
    assert status_of(functions(body)) == status


@pytest.mark.parametrize("feature", [Feature.SIMD, Feature.RELAXED_SIMD])
def test_features_can_be_off(feature: Feature) -> None:
    code = b"\xfd\x4d" if feature is Feature.SIMD else b"\xfd\x80\x02"
    loaded = load(functions(b"\0" + code + b"\x1a"), features=DEFAULT_FEATURES & ~feature.mask)
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.UNSUPPORTED_FEATURE, feature.bit)


@pytest.mark.parametrize("code", [0x9A, 0xA2, 0xC2, 0x114, 0x3FFF, 0xFFFF_FFFF])
def test_unknown_sub_opcodes(code: int) -> None:
    assert status_of(functions(b"\xfd" + unsigned(code))) == Status.ILLEGAL_OPCODE


def test_unreachable_ones_are_skipped() -> None:
    body = " ".join(f"unreachable {written(i)} {'drop' * bool(i.results)}" for i in VECTORS)
    text = f"""(module (memory 1) (func (export "f") (result i32)
        (block (br 0) {body}) (i32.const 42)))"""
    assert wasmote.Instance(wasmote.Module(wat2wasm(text))).exports.f() == 42


# -- results ---------------------------------------------------------------------------------------


def forms(instruction: Instruction) -> dict[str, str]:
    """Functions whose operands are found in different places, by a suffix of their names."""
    params = instruction.params or ()
    count = len(params)
    results = " ".join(NAMES[r] for r in instruction.results or ())
    head = f"(param {' '.join(NAMES[p] for p in params)}) (result {results})"
    locals_ = " ".join(f"(local.get {i})" for i in range(count))
    made = {"": f"{head} {locals_} {written(instruction)}"}
    identity = {
        ValueType.V128: "(v128.not (v128.not (local.get {0})))",
        ValueType.I32: "(i32.xor (i32.const 0) (local.get {0}))",
        ValueType.I64: "(i64.xor (i64.const 0) (local.get {0}))",
        ValueType.F32: "(f32.neg (f32.neg (local.get {0})))",
        ValueType.F64: "(f64.neg (f64.neg (local.get {0})))",
    }
    for computed in range(count):
        operands = " ".join(
            identity[p].format(i) if i == computed else f"(local.get {i})"
            for i, p in enumerate(params)
        )
        # A local keeps the result, and the operands are used again after it.
        made[f" computed {computed}"] = f"""{head} (local $r {results})
            {operands} {written(instruction)} local.set $r
            {operands} {written(instruction)} drop (local.get $r)"""
    made[" teed"] = f"""{head} {
        " ".join(f"(local.tee {i} {identity[p].format(i)})" for i, p in enumerate(params))
    } {written(instruction)}"""
    return made


#: Address of the result.
RESULT = 48
PURE = [i for i in VECTORS if i.semantics is not None and not i.access]


def _unfused(shape: str, first: str) -> dict[str, str]:
    """The specification's deterministic profile rounds twice, the other runtime's once."""
    product = f"({shape}.mul {first} (local.get 1))"
    head = "(param v128 v128 v128) (result v128)"
    return {" unfused": f"{head} ({shape}.add {product} (local.get 2))"}


UNFUSED = {
    f"{shape}.relaxed_{name}": _unfused(shape, first)
    for shape in ("f32x4", "f64x2")
    for name, first in (("madd", "(local.get 0)"), ("nmadd", f"({shape}.neg (local.get 0))"))
}


def with_memory(name: str, instruction: Instruction) -> str:
    """Takes operands from memory, 16 bytes each, and stores the result after them."""
    params, (result,) = instruction.params or (), instruction.results or ()
    loads = " ".join(f"({NAMES[p]}.load (i32.const {16 * i}))" for i, p in enumerate(params))
    return f"""(func (export "{name}")
        ({NAMES[result]}.store (i32.const {RESULT}) (call ${identifier(name)} {loads})))"""


def identifier(name: str) -> str:
    return name.replace(" ", "_")


@functools.cache
def instances() -> tuple[Any, Any, Any]:
    """Exports here, and there with their store."""
    text = "".join(
        f"(func ${identifier(i.name + suffix)} {body}) {with_memory(i.name + suffix, i)}"
        for i in PURE
        for suffix, body in (forms(i) | UNFUSED.get(i.name, {})).items()
    )
    binary = wat2wasm(f'(module (memory (export "memory") 1) {text})')
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    config.wasm_relaxed_simd_deterministic = True
    store = wasmtime.Store(wasmtime.Engine(config))
    there = wasmtime.Instance(store, wasmtime.Module(store.engine, binary), [])
    return wasmote.Instance(wasmote.Module(binary)).exports, there.exports(store), store


FLOATS = [0.0, -0.0, 1.0, -1.5, 0.5, 2.5, -2.5, 1e30, -1e30, 2147483647.0, 4294967295.0, 3e9]
FLOATS += [-2147483648.0, float("inf"), float("-inf"), float("nan"), 1e-40, 0.1]


def operands(seed: int) -> list[bytes]:
    """Three vectors; the seed says of what kind."""
    generator = random.Random(seed)
    if seed % 4 == 0:
        return [struct.pack("<4f", *generator.choices(FLOATS, k=4)) for _ in range(3)]
    if seed % 4 == 1:
        return [struct.pack("<2d", *generator.choices(FLOATS, k=2)) for _ in range(3)]
    if seed % 4 == 2:  # edges of integers
        edges = (0x00, 0x01, 0x7F, 0x80, 0xFF)
        return [bytes(generator.choices(edges, k=16)) for _ in range(3)]
    return [generator.randbytes(16) for _ in range(3)]


def _canonical(instruction: Instruction, bits: int) -> int:
    """Bits in which all NaNs of a lane are alike; which NaN results is not specified."""
    if not instruction.name.startswith("f"):
        return bits
    is_single = instruction.name.startswith("f32")
    width, top = (32, 0x7F80_0000) if is_single else (64, 0x7FF0_0000_0000_0000)
    lanes = []
    for position in range(0, 128, width):
        lane = bits >> position & ((1 << width) - 1)
        is_nan = lane & ((1 << width - 1) - 1) > top
        lanes.append((top | top >> 1 if is_nan else lane) << position)
    return sum(lanes)


def run_here(name: str, raw: bytes) -> int:
    here = instances()[0]
    here.memory.write(0, raw + bytes(16))
    here[name]()
    return int.from_bytes(here.memory.read(RESULT, 16), "little")


def run_there(name: str, raw: bytes) -> int:
    _, there, store = instances()
    there["memory"].write(store, raw + bytes(16), 0)
    there[name](store)
    return int.from_bytes(there["memory"].read(store, RESULT, RESULT + 16), "little")


@pytest.mark.parametrize("instruction", PURE, ids=str)
def test_results(instruction: Instruction) -> None:
    model = instruction.name + "".join(UNFUSED.get(instruction.name, {}))
    for seed in range(24):
        raw = b"".join(operands(seed))
        expected = _canonical(instruction, run_there(model, raw))
        for suffix in forms(instruction):
            found = _canonical(instruction, run_here(instruction.name + suffix, raw))
            assert found == expected, f"{suffix or 'locals'}: {raw.hex(' ', 16)}"
