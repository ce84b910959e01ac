"""Code for other machines: it is made, holds no address of itself, and is refused here."""

import shutil
import subprocess

import pytest

from wasmote import CompileError, Module, ModuleError
from wasmote.cli import main
from wasmote.compile import compile_module
from wasmote.compile.machines import machine_of
from wasmote.compile.machines.names import machine_names, target_named
from wasmote.nativepy import llc
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

#: Calls of all kinds, constants in memory, a switch, and arithmetic that few machines have whole.
TEXT = """(module
  (import "env" "log" (func $log (param i32 f64)))
  (type $unary (func (param i64) (result i64)))
  (memory (export "memory") 1)
  (table funcref (elem $square $cube))
  (func $square (type $unary) (i64.mul (local.get 0) (local.get 0)))
  (func $cube (type $unary) (i64.mul (local.get 0) (call $square (local.get 0))))
  (func (export "apply") (param i64 i32) (result i64)
    (call_indirect (type $unary) (local.get 0) (local.get 1)))
  (func (export "divide") (param i64 i64) (result i64)
    (i64.div_s (local.get 0) (local.get 1)))
  (func (export "mix") (param f64 f32) (result f64)
    (call $log (i32.const 7) (local.get 0))
    (f64.add (f64.sqrt (f64.mul (local.get 0) (f64.const 3.25)))
             (f64.promote_f32 (f32.floor (local.get 1)))))
  (func (export "store") (param i32 i64) (result i32)
    (i64.store offset=4 (local.get 0) (local.get 1)) (i32.load16_s offset=6 (local.get 0)))
  (func (export "switch") (param i32) (result f64)
    (block (block (block (block (block
      (br_table 0 1 2 3 4 (local.get 0))) (return (f64.const 1.5))) (return (f64.const 2.25)))
      (return (f64.const 3.125))) (return (f64.const 4.0625)))
    (f64.const 5.5)))
"""
NAMES = ["i386", "aarch64v8", "armv4", "armv7", "thumbv4t", "thumbv6m", "thumbv7em",
         "thumbv8m.base", "thumbv8.1m.main", "riscv32", "riscv64", "mips", "mipsel",
         "xtensa"]  # fmt: skip


@pytest.fixture(scope="module")
def module() -> bytes:
    return wat2wasm(TEXT)


@pytest.mark.parametrize("name", NAMES)
def test_code_is_made_and_refused_here(module, name):
    if name == "xtensa" and not llc.is_installed():
        pytest.skip(f"needs llc {llc.VERSION} (Debian: apt install llvm-{llc.VERSION})")
    image = compile_module(Module(module), target=target_named(name), level=1)
    assert 0 < image.symbols["enter"] < len(image.code)
    with pytest.raises(ModuleError, match=f"is for {image.target}, this machine is"):
        Module(image.encode())
    again = compile_module(Module(module), target=target_named(name), level=1)
    assert again.encode() == image.encode()


@pytest.mark.parametrize(
    ("name", "triple", "abi"),
    [
        ("arm", "armv4-unknown-none-eabi", ""),
        ("thumb", "thumbv4t-unknown-none-eabi", ""),
        ("armv7em", "thumbv7em-unknown-none-eabi", ""),
        ("aarch64", "aarch64-unknown-linux-gnu", ""),
        ("armv7-unknown-linux-gnueabihf", "armv7-unknown-linux-gnueabihf", ""),
        ("i686-pc-linux-gnu", "i686-pc-linux-gnu", ""),
        ("riscv32", "riscv32-unknown-none-elf", "ilp32d"),
    ],
)
def test_names_of_machines(name, triple, abi):
    target = target_named(name)
    assert (target.triple, target.abi) == (triple, abi)
    assert machine_of(target).code


def test_an_abi_is_chosen():
    assert target_named("riscv32", "ilp32").abi == "ilp32"
    assert target_named("armv7", "gnueabihf").triple == "armv7-unknown-linux-gnueabihf"
    with pytest.raises(CompileError, match="no ABI 'lp64' for riscv32; there is ilp32d"):
        target_named("riscv32", "lp64")
    with pytest.raises(CompileError, match="no code for vax"):
        target_named("vax")


def test_the_command_lists_them(capsys):
    assert main(["compile", "--target=help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(machine_names())
    assert ("xtensa" in listed) == llc.is_installed()
    assert {"x86_64", "thumbv6m", "mipsel"} <= set(listed)


ASSEMBLERS = ("llvm-mc-22", "/usr/lib/llvm-22/bin/llvm-mc", "llvm-mc")


@pytest.mark.parametrize(
    ("name", "triple"),
    [("i386", "i386"), ("aarch64", "aarch64"), ("armv4", "armv4"), ("thumbv6m", "thumbv6m"),
     ("riscv32", "riscv32"), ("riscv64", "riscv64"), ("mips", "mips"),
     ("mipsel", "mipsel"), ("xtensa", "xtensa")],
)  # fmt: skip
def test_the_machine_code_is_what_its_description_says(name, triple):
    assembler = next(filter(None, map(shutil.which, ASSEMBLERS)), None)
    if assembler is None:
        pytest.skip("needs llvm-mc (Debian: apt install llvm)")
    machine = machine_of(target_named(name))
    words = " ".join(f"0x{byte:02x}" for byte in machine.code)
    done = subprocess.run(
        [assembler, "-disassemble", f"-triple={triple}"], input=words, text=True,
        capture_output=True,
    )  # fmt: skip
    if "unable to get target" in done.stderr:
        pytest.skip(f"{assembler} was built without {name}")
    assert done.returncode == 0, done.stderr
    assert "invalid" not in done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("\t")]
    assert len(lines) - ("\t.text" in lines) >= 15
