"""Compiled modules of other machines, run under QEMU: they do what the interpreter does here."""

import os
import struct

import pytest

from tests.compile import emulator
from tests.compile.test_targets import TEXT
from tests.spec import suite
from wasmote import Instance, Module, Trap
from wasmote.compile import compile_module
from wasmote.compile.machines.names import target_named
from wasmote.core.status import TrapCode
from wasmote.script.commands import AssertAbrupt, AssertReturn, Invoke, LoadModule, parse_script
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

NAMES = list(emulator.CORES)
_LOG = "(func $log (param i32 f64))"
_WIDTH = {"i32": 1, "f32": 1, "i64": 2, "f64": 2}


def cells(kind: str, bits: int) -> list[int]:
    return [bits & 0xFFFF_FFFF, bits >> 32][: _WIDTH[kind]]


def compare(name: str, binary: bytes, calls: list[tuple[str, list[int]]]) -> None:
    """Call exported functions, with arguments as bits, here and there."""
    image = compile_module(Module(binary), target=target_named(name), level=2)
    instance = Instance(Module(binary), engine="fast")
    exports = {each.name: each for each in instance.module.exports}
    indices = _function_indices(instance)
    wanted, given = [], []
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
            assert found.frames or name.startswith("mips")
            continue
        values = values if isinstance(values, tuple) else (values,) if results else ()
        at = 0
        for kind, value in zip(results, values, strict=True):
            width = _WIDTH[kind]
            bits = found.cells[at] | (found.cells[at + 1] << 32 if width == 2 else 0)
            assert same(kind, bits, value), (call, hex(bits), hex(value))
            at += width


def same(kind: str, a: int, b: int) -> bool:
    """Whether two results are, where any NaN is as good as another."""
    if kind[0] == "f":
        code = "<If" if kind == "f32" else "<Qd"
        x, y = (struct.unpack(code[0] + code[2], struct.pack(code[:2], n))[0] for n in (a, b))
        if x != x and y != y:
            return True
    return a == b


def _function_indices(instance: Instance) -> dict[str, int]:
    """Exported functions' indices by their names."""
    return {name: index for name, (kind, index) in instance.exports._index.items() if kind == 0}


def f64(x: float) -> int:
    return int.from_bytes(struct.pack("<d", x), "little")


def f32(x: float) -> int:
    return int.from_bytes(struct.pack("<f", x), "little")


@pytest.mark.parametrize("name", NAMES)
def test_calls_traps_and_arithmetic(name):
    if "WASMOTE_EMULATE" not in os.environ:
        pytest.skip("compiles the core for another machine: set WASMOTE_EMULATE=1")
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


SCRIPTS = [
    "i32", "i64", "f32", "f64", "f32_cmp", "f64_cmp", "conversions", "int_exprs", "float_misc",
    "fac", "call_indirect", "br_table", "memory_trap", "address", "endianness", "stack", "nop",
    "left-to-right", "unwind", "return_call",
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", NAMES)
def test_scripts_of_the_specification(name, script):
    if "WASMOTE_EMULATE_SCRIPTS" not in os.environ:
        pytest.skip("takes long: set WASMOTE_EMULATE_SCRIPTS=1")
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
