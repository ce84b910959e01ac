"""What `wasmote run` gives programs beyond WASI: native libraries, threads."""

import subprocess
import sys
from pathlib import Path

import pytest

from .support import Shell


def test_functions_of_native_libraries(shell: Shell) -> None:
    pytest.importorskip("ziglang")
    source = Path(__file__).parents[1] / "api" / "programs" / "natives.c"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-w"]
    subprocess.run([*compiler, "-o", shell.path / "natives.so", source], check=True)
    file = shell.module(
        "uses.wasm",
        '(module (import "env" "add" (func $add (param i32 i32) (result i32)))'
        '(func (export "go") (result i32) (call $add (i32.const 20) (i32.const 22))))',
    )
    outcome = shell.wasmote("run", "--native-lib=natives.so", "-f", "go", file)
    assert (outcome.out, outcome.status) == ("0x2a:i32\n", 0)
    outcome = shell.wasmote("run", "--native-lib=missing.so", "-f", "go", file)
    assert "failed to load native library missing.so" in outcome.err
    assert outcome.status == 126


def test_a_program_with_threads(shell: Shell) -> None:
    from tests.wasi.test_threads import COUNT

    text = COUNT.replace("(i32.load (i32.const 0))", "(i32.const 5)")
    file = shell.module("threads.wasm", text)
    assert shell.wasmote("run", "--max-threads=5", file).status == 0
    outcome = shell.wasmote("run", "--max-threads=0", file)
    assert (outcome.status, "unreachable" in outcome.err) == (1, True)
