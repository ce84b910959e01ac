"""Compiled modules of other machines, run under QEMU: they do what the interpreter does here."""

import os
import struct

import pytest

from tests.compile import emulator
from tests.compile.test_targets import TEXT
from tests.spec import suite
from wasmote import FuncType, Instance, Module, Trap
from wasmote.compile import compile_module
from wasmote.compile.machines.names import target_named
from wasmote.core.status import TrapCode
from wasmote.script.commands import AssertAbrupt, AssertReturn, Invoke, LoadModule, parse_script
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

NAMES = list(emulator.CORES)
#: Backtraces have no compiled frames there.
WITHOUT_FRAMES = ("mips", "mipsel", "xtensa")
_LOG = "(func $log (param i32 f64))"
_WIDTH = {"i32": 1, "f32": 1, "i64": 2, "f64": 2, "v128": 4}


def cells(kind: str, bits: int) -> list[int]:
    """A value's bits as cells, the lowest first."""
    return [bits >> 32 * i & 0xFFFF_FFFF for i in range(_WIDTH[kind])]


def compare(name: str, binary: bytes, calls: list[tuple[str, list[int]]]) -> None:
    """Call exported functions, with arguments as bits, here and there."""
    image = compile_module(Module(binary), target=target_named(name), level=2)
    instance = Instance(Module(binary), engine="fast")
    exports = {each.name: each for each in instance.module.exports}
    indices = _function_indices(instance)
    wanted, given = [], []
    # References are numbers of the store, which differ.
    calls = [call for call in calls if _has_numbers_only(exports[call[0]].type)]
    for export, arguments in calls:
        kinds = [str(kind) for kind in exports[export].type.params]
        pairs = zip(kinds, arguments, strict=True)
        given.append((indices[export], [cell for pair in pairs for cell in cells(*pair)]))
        results = [str(kind) for kind in exports[export].type.results]
        try:
            wanted.append((0, results, instance.exports[export].call_bits(*arguments)))
        except Trap as trap:
            wanted.append((TrapCode[trap.kind.name], results, None))
    for call, (code, results, values), found in zip(
        calls, wanted, emulator.run(name, image, given), strict=True
    ):
        assert found.code == code, call
        if code:
            assert found.frames or name in WITHOUT_FRAMES
            continue
        values = values if isinstance(values, tuple) else (values,) if results else ()
        at = 0
        for kind, value in zip(results, values, strict=True):
            width = _WIDTH[kind]
            bits = sum(found.cells[at + i] << 32 * i for i in range(width))
            assert same(kind, bits, value), (call, hex(bits), hex(value))
            at += width


def same(kind: str, a: int, b: int) -> bool:
    """Whether two results are, where any NaN is as good as another."""
    if kind == "v128":
        return a == b or any(all(map(same, *lanes(lane, a, b))) for lane in ("f32", "f64"))
    if kind[0] == "f":
        code = "<If" if kind == "f32" else "<Qd"
        x, y = (struct.unpack(code[0] + code[2], struct.pack(code[:2], n))[0] for n in (a, b))
        if x != x and y != y:
            return True
    return a == b


def lanes(kind: str, a: int, b: int) -> tuple[list[str], list[int], list[int]]:
    """Two vectors' lanes of a type, and the type as often as there are lanes."""
    bits = 32 * _WIDTH[kind]
    both = ([x >> at & (1 << bits) - 1 for at in range(0, 128, bits)] for x in (a, b))
    return [kind] * (128 // bits), *both


def _has_numbers_only(type: FuncType) -> bool:
    return all(str(kind) in _WIDTH for kind in (*type.params, *type.results))


def _function_indices(instance: Instance) -> dict[str, int]:
    """Exported functions' indices by their names."""
    return {name: index for name, (kind, index) in instance.exports._index.items() if kind == 0}


def f64(x: float) -> int:
    return int.from_bytes(struct.pack("<d", x), "little")


def f32(x: float) -> int:
    return int.from_bytes(struct.pack("<f", x), "little")


@pytest.mark.parametrize("name", NAMES)
def test_calls_traps_and_arithmetic(name):
    emulator.needs(name)
    text = TEXT.replace('(import "env" "log" (func $log (param i32 f64)))', _LOG)
    minus = (1 << 64) - 3
    compare(
        name,
        wat2wasm(text),
        [
            ("apply", [7, 0]), ("apply", [minus, 1]), ("apply", [5, 9]),
            ("divide", [(1 << 64) - 100, 7]), ("divide", [1, 0]), ("divide", [1 << 63, minus + 2]),
            ("mix", [f64(2.5), f32(-1.5)]), ("store", [16, 0x1122_3344_5566_7788]),
            ("store", [0xFFFF_0000, 1]), ("store", [65528, 1]), ("switch", [0]), ("switch", [3]),
            ("switch", [77]),
        ],
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("mips")])
def test_an_element_of_another_type(name):
    """Of a table that never changes, whose elements' types are constants: the order of bytes
    matters.
    """
    emulator.needs(name)
    text = """(module
      (table 2 funcref) (elem (i32.const 0) func $f $g)
      (func $f (result i32) (i32.const 7)) (func $g)
      (func (export "call") (param i32) (result i32)
        (call_indirect (result i32) (local.get 0))))"""
    compare(name, wat2wasm(text), [("call", [0]), ("call", [1])])


SCRIPTS = [
    "i32", "i64", "f32", "f64", "f32_cmp", "f64_cmp", "conversions", "int_exprs", "float_misc",
    "fac", "call_indirect", "br_table", "memory_trap", "address", "endianness", "stack", "nop",
    "left-to-right", "unwind", "return_call", "memory", "float_exprs", "memory64", "simd_const",
    "simd_lane", "simd_load", "simd_load_extend", "simd_load_splat", "simd_load_zero",
    "simd_load16_lane", "simd_store", "simd_store32_lane", "simd_conversions", "simd_bitwise",
    "simd_boolean", "simd_i8x16_arith2", "simd_i16x8_q15mulr_sat_s", "simd_i32x4_dot_i16x8",
    "simd_i64x2_extmul_i32x4", "simd_i16x8_extadd_pairwise_i8x16", "simd_bit_shift",
    "simd_int_to_int_extend", "simd_f64x2_pmin_pmax", "simd_f32x4_rounding", "relaxed_laneselect",
    "i8x16_relaxed_swizzle", "relaxed_dot_product", "global", "data", "memory_init",
    "array_init_data", "array_new_data", "array", "struct", "i31", "try_table",
    "proposals/threads/atomic",
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS if "WASMOTE_EMULATE_SCRIPTS" in os.environ else [])
@pytest.mark.parametrize("name", NAMES)
def test_scripts_of_the_specification(name, script):
    emulator.needs(name)
    if not suite.folder().exists():
        pytest.skip(suite.HOW_TO_GET)
    binary: bytes | None = None
    calls: list[tuple[str, list[int]]] = []
    for command in parse_script((suite.folder() / f"{script}.wast").read_text()):
        if isinstance(command, LoadModule):
            if binary is not None and calls:
                compare(name, binary, calls)
            binary, calls = command.source.binary(), []
            if Module(binary).imports:
                binary = None
        action = getattr(command, "action", None) or getattr(command, "target", None)
        if not isinstance(command, AssertReturn | AssertAbrupt) or not isinstance(action, Invoke):
            continue
        runs_out = isinstance(command, AssertAbrupt) and "exhaust" in command.message
        if binary is not None and not runs_out and action.instance is None:
            calls.append((action.export, [each.value for each in action.arguments]))
    if binary is not None and calls:
        compare(name, binary, calls)
