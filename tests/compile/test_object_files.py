"""`--format=object`: what native tools read of it."""

import pytest

from wasmote import Module
from wasmote.compile import Options
from wasmote.compile.compiler import output
from wasmote.dwarf.sources import Sources
from wasmote.image.debug_sections import debug_sections
from wasmote.image.elf import Object
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")
TEXT = """(module (memory 1)
  (func $leaf (param i32) (result i32) (i32.load offset=8 (local.get 0)))
  (func $outer (export "outer") (param i32) (result i32)
    (i32.add (call $leaf (local.get 0)) (i32.const 1)))
  (func $alone (export "alone") (param i32) (result i32)
    (i32.div_s (i32.const 7) (local.get 0))))"""


def sources_of(raw: bytes, name: str) -> set[tuple[tuple[str, int], ...]]:
    """All that the debug information says of the code of a symbol: functions and lines."""
    obj = Object(raw)
    symbol = next(each for each in obj.symbols if each.name == name)
    start = 0x1000
    sources = Sources(debug_sections(obj, {symbol.section: start}, 62))
    addresses = range(start + symbol.value, start + symbol.value + symbol.size)
    found = (sources.at(address) for address in addresses)
    return {tuple((each.function, each.line) for each in chain) for chain in found}


def test_functions_have_their_names_and_offsets_for_lines():
    binary = wat2wasm(TEXT)
    load, call = binary.index(b"\x28\x02\x08"), binary.index(b"\x10\x00\x41\x01")
    raw = output(Module(binary), Options(), "object")
    assert (("leaf", load), ("outer", call)) in sources_of(raw, "f1")
    division = binary.index(b"\x41\x07\x20\x00\x6d") + 4
    assert (("alone", division),) in sources_of(raw, "f2")


def test_ir_has_locations_unless_they_are_not_wanted():
    module = Module(wat2wasm(TEXT))
    for format in ("llvmir-unopt", "llvmir-opt"):
        assert b'!DISubprogram(name: "leaf"' in output(module, Options(), format)
        assert b"!DI" not in output(module, Options(debug=0), format)
