"""Compiled modules as files: the same each time, and refused where they cannot run."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wasmote import Instance, Module, ModuleError
from wasmote.cli import main
from wasmote.compile import compile_module
from wasmote.image.format import Image, digest, parse
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

TEXT = """(module (memory (export "memory") 1) (data (i32.const 4) "data")
  (func $double (export "double") (param i32) (result i32)
    (i32.shl (local.get 0) (i32.const 1)))
  (@custom "mine" "contents"))"""


@pytest.fixture(scope="module")
def image() -> bytes:
    return compile_module(Module(wat2wasm(TEXT)), level=1).encode()


def test_the_image_carries_the_module_without_its_code(image):
    instance = Instance(Module(image))
    assert instance.exports.double(21) == 42
    assert instance.exports.memory.read(4, 4) == b"data"
    assert [str(each.name) for each in instance.module.exports] == ["memory", "double"]
    assert instance.module.custom_sections("mine") == []


def test_the_same_module_gives_the_same_bytes(image):
    code = "import sys; from wasmote import Module; from wasmote.compile import compile_module\n"
    code += (
        "sys.stdout.buffer.write(compile_module(Module(sys.stdin.buffer.read()), level=1).encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=wat2wasm(TEXT), capture_output=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout == image


def test_every_damaged_bit_of_header_tables_and_sections_is_noticed(image):
    front = parse(image)
    sections = [range(at, at + size) for at, size in front.sections.values()]
    for position in itertools.chain(range(front.tables_end), *sections):
        for bit in range(8):
            damaged = bytearray(image)
            damaged[position] ^= 1 << bit
            with pytest.raises(ModuleError):
                Module(bytes(damaged))


def test_truncated_images_are_refused(image):
    front = parse(image)
    sizes = {*range(4, 400), *range(400, len(image), 997), len(image) - 1}
    sizes |= {offset + d for offset, _ in front.sections.values() for d in (-1, 0, 1)}
    for size in sizes:
        with pytest.raises(ModuleError):
            Module(image[:size])


def sealed(raw: bytes | bytearray) -> bytes:
    """The image with the hash that goes with its bytes."""
    return bytes(raw[:40] + digest(raw) + raw[72:])


def resealed(image: bytes, old: bytes, new: bytes) -> bytes:
    """The image with other bytes of the same length."""
    assert image.count(old) == 1
    assert len(old) == len(new)
    return sealed(image.replace(old, new))


def test_images_for_others_are_refused_with_the_reason(image):
    abi = image[image.index(b"abi=") :][:12]
    with pytest.raises(ModuleError, match="another version of Wasmote"):
        Module(resealed(image, abi, b"abi=00000000"))
    raw = compile_module(Module(wat2wasm(TEXT)), level=0, features="+avx2").encode()
    with pytest.raises(ModuleError, match="a processor with xyz2, which this one has not"):
        Module(resealed(raw, b"needs=avx2", b"needs=xyz2"))
    with pytest.raises(ModuleError, match="riscv64-linux"):
        Module(resealed(image, b"x86_64-linux\0", b"riscv64-linux"))
    with pytest.raises(ModuleError, match="image format 99"):
        Module(image[:4] + b"\x63" + image[5:])


def test_tables_that_lead_out_of_the_code_are_refused(image):
    front = parse(image)
    start = front.code_offset + front.symbols["functions"]
    for offset, number in ((start, 1 << 31), (start + 4, front.code_size)):
        raw = bytearray(image)
        raw[offset : offset + 4] = number.to_bytes(4, "little")
        with pytest.raises(ModuleError, match="lead out of the code"):
            Module(sealed(raw))
    other = compile_module(Module(wat2wasm(f"(module {'(func)' * 9000})")), level=0)
    other.symbols["functions"] = len(other.code) - 100
    with pytest.raises(ModuleError, match="the table of functions is not in the code"):
        Module(other.encode())


def test_images_without_what_a_module_needs_are_refused(image):
    front = parse(image)
    parts = {n: image[at : at + size] for n, (at, size) in front.sections.items()}
    code = image[front.code_offset :][: front.code_size]
    for name in ("module", "compiled"):
        others = {each: part for each, part in parts.items() if each != name}
        with pytest.raises(ModuleError, match="is not a compiled module"):
            Module(Image(front.target, front.symbols, code, others).encode())
        with pytest.raises(ModuleError, match="is empty"):
            Module(Image(front.target, front.symbols, code, {**parts, name: b""}).encode())
    for name in front.symbols:
        symbols = {each: at for each, at in front.symbols.items() if each != name}
        with pytest.raises(ModuleError, match=f"it has no symbol {name}"):
            Module(Image(front.target, symbols, code, parts).encode())


def test_another_file_may_take_the_name_meanwhile(image, tmp_path):
    """All of an image comes from the file that was opened first."""
    path = tmp_path / "m.aot"
    path.write_bytes(image)
    module = Module(path)
    (tmp_path / "other").write_bytes(b"something else")
    (tmp_path / "other").replace(path)
    instance = Instance(module)
    assert (instance.exports.double(4), instance.exports.memory.read(4, 4)) == (8, b"data")


def test_only_the_right_engine_is_accepted(image):
    with pytest.raises(ValueError, match="its engine is aot, not fast"):
        Instance(Module(image), engine="fast")
    with pytest.raises(ValueError, match="for fuel, compile it with --enable-fuel"):
        Instance(Module(image), fuel=1000)
    with pytest.raises(ValueError, match="runs compiled modules"):
        Instance(Module(wat2wasm(TEXT)), engine="aot")


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def wasm(tmp_path: Path) -> Path:
    path = tmp_path / "m.wasm"
    path.write_bytes(wat2wasm(TEXT))
    return path


def test_compile_and_run(wasm, capfd):
    output = str(wasm.with_suffix(".aot"))
    arguments = ["--opt-level=1", "--emit-custom-sections=mine,other"]
    assert main(["compile", *arguments, "-o", output, str(wasm)]) == 0
    assert Module(output).custom_sections("mine") == [b"contents"]
    assert main(["run", "--function", "double", output, "4"]) == 0
    assert capfd.readouterr().out == "0x8:i32\n"


@pytest.mark.parametrize(
    ("format", "start"),
    [("llvmir-unopt", b"target triple"), ("llvmir-opt", b"; ModuleID"), ("object", b"\x7fELF")],
)
def test_other_formats(wasm, format, start):
    output = wasm.with_suffix(".out")
    assert main(["compile", f"--format={format}", "-o", str(output), str(wasm)]) == 0
    assert output.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "which FILE"),
        (["{wasm}"], 2, "where to"),
        (["-o", "{wasm}", "{wasm}"], 2, "input file and output file are the same"),
        (["-o", "{out}", "--target=pdp11", "{wasm}"], 126, "no code for pdp11"),
        (["-o", "{out}", "--format=coff", "{wasm}"], 2, "expected aot or object"),
        (["-o", "{out}", "missing.wasm"], 127, "no such file"),
        (["-o", "{folder}/no/where.aot", "{wasm}"], 126, "cannot write"),
    ],
)
def test_mistakes(wasm, capfd, arguments, status, message):
    names = {"wasm": wasm, "out": wasm.with_suffix(".aot"), "folder": wasm.parent}
    assert main(["compile", *(word.format(**names) for word in arguments)]) == status
    assert message in capfd.readouterr().err
    assert sorted(os.listdir(wasm.parent)) == ["m.wasm"]
