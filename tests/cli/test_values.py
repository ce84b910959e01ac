"""Arguments and results of `--function`; expectations marked so were observed with iwasm 2.4.3."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmote.floats import float_text
from wasmote.types import ValType

from .support import Shell

IDENTITIES = """
(module
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "extern") (param externref) (result externref) local.get 0)
  (func $func (export "func") (param funcref) (result funcref) local.get 0)
  (func (export "self") (result funcref) ref.func $func)
  (func (export "multi") (result i32 i64 f32 f64)
    i32.const -1 i64.const -1 f32.const 1.1 f64.const 0.1)
  (func (export "none"))
  (memory (export "memory") 1))
"""

OBSERVED = [
    ("add 1 2", "0x3:i32"),
    ("add -1 0", "0xffffffff:i32"),
    ("add 0x10 010", "0x18:i32"),
    ("add 0X1F +1", "0x20:i32"),
    ("add 4294967296 5", "0x5:i32"),
    ("add 5_000 1", "0x6:i32"),
    ("add 99999999999999999999 0", "0xffffffff:i32"),
    ("add -99999999999999999999 0", "0xffffffff:i32"),
    ("i64 -1", "0xffffffffffffffff:i64"),
    ("i64 9223372036854775808", "0x8000000000000000:i64"),
    ("f32 nan", "nan:f32"),
    ("f32 -nan:0x200000", "-nan:f32"),
    ("f32 inf", "inf:f32"),
    ("f32 -infinity", "-inf:f32"),
    ("f32 .5", "0.5:f32"),
    ("f32 5.", "5:f32"),
    ("f32 1e40", "inf:f32"),
    ("f32 -1e40", "-inf:f32"),
    ("f32 0x1.8p3", "12:f32"),
    ("f64 1e300", "1e+300:f64"),
    ("f64 3.14159265358979", "3.141593:f64"),
    ("f64 1e-400", "0:f64"),
    ("extern 5", "0x5:ref.extern"),
    ("extern null", "extern:ref.null"),
    ("extern NULL", "extern:ref.null"),
    ("func null", "func:ref.null"),
    ("func 5", "5:ref.func"),
    ("self", "5:ref.func"),
    ("multi", "0xffffffff:i32,0xffffffffffffffff:i64,1.1:f32,0.1:f64"),
    ("none", ""),
]

OBSERVED_ERRORS = [
    ("add 1 abc", "invalid input argument 1: abc"),
    ("add abc 1", "invalid input argument 0: abc"),
    ("add 1", "invalid input argument count"),
    ("add", "invalid input argument count"),
    ("add 08 1", "invalid input argument 0: 08"),
    ("add 0x 1", "invalid input argument 0: 0x"),
    ("add 1e5 1", "invalid input argument 0: 1e5"),
    ("f32 nanx", "invalid input argument 0: nanx"),
    ("missing", "lookup function missing failed"),
    ("memory", "lookup function memory failed"),
]


@pytest.fixture
def file(shell: Shell) -> str:
    return shell.module("identities.wasm", IDENTITIES)


@pytest.mark.parametrize(("call", "result"), OBSERVED)
def test_iwasm_prints_results(shell: Shell, file: str, call: str, result: str) -> None:
    name, *arguments = call.split()
    outcome = shell.iwasm("-f", name, file, *arguments)
    assert (outcome.out, outcome.err, outcome.status) == (f"{result}\n", "", 0)


@pytest.mark.parametrize(("call", "message"), OBSERVED_ERRORS)
def test_iwasm_refuses_arguments(shell: Shell, file: str, call: str, message: str) -> None:
    name, *arguments = call.split()
    outcome = shell.iwasm("-f", name, file, *arguments)
    assert (outcome.out, outcome.err, outcome.status) == (f"Exception: {message}\n", "", 1)


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("add 4294967295 -2147483648", "0x7fffffff:i32"),
        ("f64 3.14159265358979", "3.14159265358979:f64"),
        ("f64 0.1", "0.1:f64"),
        ("f32 0.1", "0.1:f32"),
        ("f32 16777217", "16777216:f32"),
        ("f64 nan:0x1", "nan:0x1:f64"),
        ("f64 -nan", "-nan:f64"),
        ("f64 5e-324", "4.94065645841247e-324:f64"),
        ("multi", "0xffffffff:i32,0xffffffffffffffff:i64,1.1:f32,0.1:f64"),
    ],
)
def test_wasmote_prints_results(shell: Shell, file: str, call: str, result: str) -> None:
    name, *arguments = call.split()
    assert shell.wasmote("run", "-f", name, file, *arguments).out == f"{result}\n"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("add 4294967296 0", "add: argument 1 of type i32: 4294967296 is out of range"),
        ("add 0 -2147483649", "add: argument 2 of type i32: -2147483649 is out of range"),
        ("add 1_000 0", "add: argument 1 of type i32: '1_000' is not a whole number; write it wi"),
        ("add x 0", "add: argument 1 of type i32: 'x' is not a whole number"),
        ("f32 1e40", "f32: argument 1 of type f32: '1e40' is not a number: number out of range"),
        ("f64 nan:0x0", "f64: argument 1 of type f64: 'nan:0x0' is not a number: NaN payload"),
        ("add 1", "add (i32, i32) -> (i32) takes 2 arguments, not 1"),
        ("func 99", "func: argument 1 of type funcref: function 99 is not exported"),
        ("ad 1 2", "no function ad is exported; did you mean add?; the exported functions: add, "),
        ("memory", "memory is a memory, not a function"),
        ("add " + "9" * 5000 + " 1", "add: argument 1 of type i32: a number of 5000 digits"),
    ],
)
def test_wasmote_says_what_is_wrong(shell: Shell, file: str, call: str, message: str) -> None:
    name, *arguments = call.split()
    outcome = shell.wasmote("run", "-f", name, file, *arguments)
    assert outcome.err.startswith(f"wasmote run: {message}")
    assert outcome.err.count("\n") == 1
    assert (outcome.out, outcome.status) == ("", 2)


def test_results_as_json(shell: Shell, file: str) -> None:
    outcome = shell.wasmote("run", "--json", "-f", "multi", file)
    assert outcome.out == (
        '{"results": [{"type": "i32", "value": -1}, {"type": "i64", "value": -1}, '
        '{"type": "f32", "value": 1.1}, {"type": "f64", "value": 0.1}]}\n'
    )
    assert shell.wasmote("run", "--json", "-f", "f32", file, "inf").out == (
        '{"results": [{"type": "f32", "value": "inf"}]}\n'
    )
    assert shell.wasmote("run", "--json", "-f", "extern", file, "null").out == (
        '{"results": [{"type": "externref", "value": null}]}\n'
    )


@given(st.integers(0, 0xFFFF_FFFF))
def test_f32_text_reads_back(bits: int) -> None:
    value = struct.unpack("<f", struct.pack("<I", bits))[0]
    text = float_text(ValType.F32, bits)
    if not math.isnan(value):
        assert struct.pack("<f", float(text)) == struct.pack("<f", value)


@given(st.floats(allow_nan=False))
def test_f64_text_reads_back(value: float) -> None:
    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
    assert struct.pack("<d", float(float_text(ValType.F64, bits))) == struct.pack("<d", value)
    assert float_text(ValType.F64, bits, 7) == f"{value:.7g}"
