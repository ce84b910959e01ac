"""What takes a compiler out of all proportion is refused, in good time."""

import time

import pytest
import wasmtime

from wasmote import CompileError, Module
from wasmote.compile import compile_module


def test_a_function_with_many_references_and_many_calls() -> None:
    """Each call writes all references that are used after it: the text grows with the product."""
    count = 700
    locals_ = " ".join(["externref"] * count)
    uses = " ".join(f"(call $use (local.get {i}))" for i in range(count))
    calls = "(loop $l (call $step) (br_if $l (i32.const 0)))" * count
    binary = wasmtime.wat2wasm(f"""
      (module (import "env" "use" (func $use (param externref))) (import "env" "step" (func $step))
        (func (export "f") (param {locals_}) {calls} {uses}))
    """)
    start = time.process_time()
    with pytest.raises(CompileError, match=r"cannot compile function f: it becomes .* MiB of code"):
        compile_module(Module(bytes(binary)))
    assert time.process_time() - start < 60
