"""Programs without WASI, which import the C library that is built in."""

import subprocess
import sys
from pathlib import Path

import pytest

from .support import Shell

PROGRAM = """(module
  (import "env" "printf" (func $printf (param i32 i32) (result i32)))
  (import "env" "malloc" (func $malloc (param i32) (result i32)))
  (import "env" "exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "%d bytes\\0a\\00") (data (i32.const 64) "\\e8\\03\\00\\00")
  (func (export "main")
    (if (i32.eqz (call $malloc (i32.const 1000))) (then unreachable))
    (drop (call $printf (i32.const 16) (i32.const 64)))
    (call $exit (i32.const 7))))"""


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_a_program_prints_allocates_and_exits(shell: Shell, engine: str) -> None:
    file = shell.module("tiny.wasm", PROGRAM)
    outcome = shell.wasmote("run", f"--engine={engine}", file)
    assert (outcome.out, outcome.err, outcome.status) == ("1000 bytes\n", "", 7)
    assert shell.wasmote("run", "--heap-size=0", file).status == 1
    outcome = shell.iwasm(file)
    assert (outcome.out, outcome.status) == ("1000 bytes\nException: env.exit(7)\n", 1)


def test_arguments_of_main_have_room(shell: Shell) -> None:
    file = shell.module(
        "words.wasm",
        """(module (import "env" "puts" (func $puts (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "main") (param i32 i32) (result i32)
          (drop (call $puts (i32.load offset=4 (local.get 1)))) (local.get 0)))""",
    )
    outcome = shell.wasmote("run", file, "word")
    assert (outcome.out, outcome.status) == ("word\n", 2)


def test_functions_of_another_type_are_left_out(shell: Shell) -> None:
    """AssemblyScript's abort has four parameters."""
    file = shell.module(
        "script.wasm",
        '(module (import "env" "abort" (func (param i32 i32 i32 i32))) (memory 1)'
        ' (func (export "main")))',
    )
    outcome = shell.wasmote("run", file)
    assert outcome.status == 0
    assert "failed to check signature '(i)'" in outcome.err
    assert "failed to link import function (env, abort)" in outcome.err


def test_a_module_of_the_path_adds_to_it(shell: Shell) -> None:
    shell.module("env.wasm", '(module (func (export "own") (result i32) (i32.const 5)))')
    file = shell.module(
        "both.wasm",
        """(module (import "env" "own" (func $own (result i32)))
        (import "env" "isdigit" (func $isdigit (param i32) (result i32))) (memory 1)
        (func (export "go") (result i32)
          (i32.add (call $own) (call $isdigit (i32.const 50)))))""",
    )
    assert shell.wasmote("run", "--module-path=.", "-f", "go", file).out == "0x6:i32\n"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program that is linked with no C library."""
    pytest.importorskip("ziglang")
    output = tmp_path_factory.mktemp("libc") / "builtin.wasm"
    source = Path(__file__).parent / "programs" / "builtin.c"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2"]
    command += ["-nostdlib", "-fno-builtin", "-w", "-Wl,--no-entry", "-Wl,--export=main"]
    command += ["-Wl,--import-symbols", "-Wl,--export=__heap_base", "-o", str(output)]
    subprocess.run([*command, str(source)], check=True)
    return output


EXPECTED = """\
Hello, tiny.wasm and 2 words
[  3.14] [1e+10] [0x1.8p+1] [   42] [2a]
sorted: 1 2 3 5 8 13 21
strtol: -255, rest " apples"
reallocated: 0123456789 and more
"""


@pytest.mark.parametrize("engine", ["fast", "classic", "jit"])
def test_a_program_in_c(shell: Shell, compiled: Path, engine: str) -> None:
    (shell.path / "tiny.wasm").write_bytes(compiled.read_bytes())
    outcome = shell.wasmote("run", f"--engine={engine}", "tiny.wasm", "two", "words")
    assert (outcome.out, outcome.err, outcome.status) == (EXPECTED, "", 3)


@pytest.mark.parametrize("checks", ["0", "1"])
def test_a_compiled_program(shell: Shell, compiled: Path, checks: str) -> None:
    pytest.importorskip("llvmlite")
    (shell.path / "tiny.wasm").write_bytes(compiled.read_bytes())
    options = [f"--bounds-checks={checks}", "-o", "tiny.aot", "tiny.wasm"]
    assert shell.wasmote("compile", *options).status == 0
    outcome = shell.wasmote("run", "tiny.aot", "two", "words")
    assert (outcome.out.replace(".aot", ".wasm"), outcome.status) == (EXPECTED, 3)


def test_a_program_with_pthreads(shell: Shell) -> None:
    file = shell.module(
        "threads.wasm",
        """(module
        (import "env" "pthread_create" (func $create (param i32 i32 i32 i32) (result i32)))
        (import "env" "pthread_join" (func $join (param i32 i32) (result i32)))
        (memory (export "memory") 1 1 shared) (table 1 funcref) (elem (i32.const 0) $double)
        (func $double (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
        (func (export "main") (result i32)
          (if (call $create (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 21))
            (then unreachable))
          (drop (call $join (i32.load (i32.const 8)) (i32.const 12)))
          (i32.load (i32.const 12))))""",
    )
    assert shell.wasmote("run", file).status == 42
    assert shell.wasmote("run", "--max-threads=0", file).status == 1
