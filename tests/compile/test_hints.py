"""Branch hints become branch weights."""

import re

import pytest

from wasmote import Instance, Module
from wasmote.compile.compiler import compile_module, output
from wasmote.compile.hints import SECTION, read_hints
from wasmote.compile.options import Options
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

TEXT = r"""(module
  (func (export "f") (param i32) (result i32)
    (block
      (@metadata.code.branch_hint "\01") (br_if 0 (local.get 0))
      (@metadata.code.branch_hint "\00")
      (if (i32.eq (local.get 0) (i32.const 5)) (then (return (i32.const 1))))
      (br_if 0 (i32.eqz (local.get 0)))
      (unreachable))
    (i32.const 2)))"""


def section(contents: bytes) -> Module:
    """A module with two functions and this custom section."""
    name = SECTION.encode()
    payload = bytes([len(name)]) + name + contents
    binary = wat2wasm("(module (func) (func))")
    return Module(binary + b"\0" + bytes([len(payload)]) + payload)


def test_branches_have_the_weights_that_the_hints_say():
    module = Module(wat2wasm(TEXT))
    assert module.custom_sections(SECTION)
    ir = output(module, Options(level=1), "llvmir-unopt").decode()
    body = ir[ir.index("@f0(") :]
    branches = re.findall(r"br i1 [^\n]*", body[: body.index("\n}")])
    weights = [re.findall(r"!prof (!\d+)", each) for each in branches]
    assert weights[:4].count(["!7"]) >= 1 and ["!11"] in weights
    f = Instance(Module(compile_module(module, level=2).encode())).exports.f
    assert [f(0), f(1), f(5)] == [2, 2, 2]


def test_hints_by_function_and_offset():
    assert read_hints([b"\x01\x02\x02\x05\x01\x01\x07\x01\x00"]) == {2: {5: True, 7: False}}
    assert read_hints([]) == read_hints([b"\0", b"\0"]) == {}


@pytest.mark.parametrize(
    "contents",
    [b"", b"\1", b"\1\0\1\5\1\2", b"\1\0\1\5\2\1\1", b"\x80", b"\1\0\1\5\1", b"\1\0\x85"],
)
def test_what_is_wrong_with_the_section_does_not_matter(contents):
    assert read_hints([contents]) == {}
    compile_module(section(contents), level=0)
