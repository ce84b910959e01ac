"""`wasmote inspect` of images."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from wasmote import Module
from wasmote.cli import main
from wasmote.compile import compile_module
from wasmote.errors import WasmoteError
from wasmote.host import core_image
from wasmote.image.format import VERSION, Image
from wasmote.image.format import parse as parse_front
from wasmote.inspect.image import parse_image
from wasmote.wat import wat2wasm

TEXT = """(module
  (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1) (data (i32.const 4) "data")
  (func $double (export "double") (param i32) (result i32)
    (i32.shl (local.get 0) (i32.const 1)))
  (func $twice (export "twice") (param i32)
    (if (local.get 0) (then (call $twice (i32.sub (local.get 0) (i32.const 1)))))
    (call $log (i32.load (local.get 0))))
  (func $outer (export "outer") (param i32) (call $twice (local.get 0))
    (call $twice (i32.const 1)) (call $twice (i32.const 2)) (call $twice (i32.const 3)))
  (func $never))"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    image = compile_module(Module(wat2wasm(TEXT)), level=1, cpu="x86-64-v3")
    path = tmp_path_factory.mktemp("images") / "m.aot"
    path.write_bytes(image.encode())
    return str(path)


def shown(capfd, *words: str) -> str:
    assert main(["inspect", *words]) == 0
    return capfd.readouterr().out


def test_the_summary(file, capfd):
    lines = shown(capfd, file).splitlines()
    size = Path(file).stat().st_size
    assert lines[0] == f"{file}: image of {size} bytes"
    facts = {line[2:20].strip(): line[21:] for line in lines[1:12] if line[20:21] == " "}
    assert facts["format"] == f"version {VERSION}"
    assert facts["target"] == "x86_64-linux"
    assert facts["compiled for"] == "x86-64-v3"
    assert facts["optimisation level"] == "1"
    assert facts["memory is checked"] == "by inaccessible pages"
    assert facts["signature"] == "none"
    assert facts["SHA-256"] == Path(file).read_bytes()[40:72].hex()
    text = "\n".join(lines)
    for part in ("func env.log (i32) -> ()", "memory memory 1", "1 data segments, 4 bytes"):
        assert part in text
    assert "largest of 4 functions" in text


def test_sections_are_where_it_says(file):
    raw = Path(file).read_bytes()
    info = parse_image(raw)
    parts = {each.name: raw[each.offset : each.offset + each.size] for each in info.parts}
    assert list(parts) == ["header and tables", "code", "compiled", "module", "places"]
    assert parts["module"].startswith(b"\0asm")
    assert b"cpu=x86-64-v3\n" in parts["compiled"]
    assert not raw[len(parts["header and tables"]) : info.code_offset].strip(b"\0")


def test_functions_and_their_order(file, capfd):
    def listed(key: str) -> list[list[str]]:
        lines = shown(capfd, "--functions", f"--sort={key}", file).splitlines()
        return [line.split() for line in lines[1:-1]]

    assert [row[0] for row in listed("index")] == ["1", "2", "3", "4"]
    assert [row[3] for row in listed("name")] == ["double", "never", "outer", "twice"]
    sizes = [int(row[2].replace("-", "0")) for row in listed("size")]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0
    assert sizes[-1] == 0  # of what nothing calls


def test_machine_code(file, capfd):
    pytest.importorskip("capstone")
    lines = shown(capfd, file, "double").splitlines()
    size = next(each.size for each in parse_image(Path(file).read_bytes()).functions)
    assert lines[1] == f"func 1 double {size} bytes"
    words = [line.split()[1] for line in lines[2:]]
    assert words[-1] == "ret"
    assert "push" in words
    assert shown(capfd, file, "1").splitlines() == lines
    everything = shown(capfd, "--disassemble", file)
    assert all(f" {name} " in everything for name in ("double", "twice", "outer"))
    assert "; twice" in everything
    assert "no code of its own" in shown(capfd, file, "never")
    assert "wasmote" not in shown(capfd, file, "enter")
    assert "enter " in shown(capfd, file, "enter")


def test_where_machine_code_comes_from(file, capfd):
    """Offsets are those of the instructions in the module that was compiled."""
    pytest.importorskip("capstone")
    wasm = wat2wasm(TEXT)
    lines = shown(capfd, file, "double").splitlines()
    origins = [line.split("; ")[1].split() for line in lines if "  ; " in line]
    assert {name for name, _ in origins} == {"double"}
    opcodes = {wasm[int(offset, 16)] for _, offset in origins}
    assert 0x74 in opcodes  # i32.shl


def test_inlined_functions_are_named(capfd, tmp_path):
    pytest.importorskip("capstone")
    text = """(module (func $inner (param i32) (result i32) (i32.div_u (i32.const 9) (local.get 0)))
      (func (export "outer") (param i32) (result i32) (call $inner (local.get 0))))"""
    path = tmp_path / "inlined.aot"
    path.write_bytes(compile_module(Module(wat2wasm(text)), level=2).encode())
    assert re.search("; inner 0x[0-9a-f]+, inlined in outer 0x", shown(capfd, str(path), "outer"))
    found = json.loads(shown(capfd, "--json", "--disassemble", str(path), "outer"))
    chains = [line["origin"] for code in found["code"].values() for line in code]
    assert ["inner", "outer"] in [[each.split()[0] for each in chain] for chain in chains]


def test_images_that_do_not_say_where_code_comes_from(file, capfd, tmp_path):
    pytest.importorskip("capstone")
    raw = Path(file).read_bytes()
    front = parse_front(raw)
    sections = {name: raw[at : at + size] for name, (at, size) in front.sections.items()}
    code = raw[front.code_offset :][: front.code_size]
    del sections["places"]
    path = tmp_path / "plain.aot"
    path.write_bytes(Image(front.target, front.symbols, code, sections).encode())
    assert "  ; " not in shown(capfd, str(path), "double")
    damaged = Image(front.target, front.symbols, code, {**sections, "places": b"what?"})
    path.write_bytes(damaged.encode())
    assert main(["inspect", str(path), "double"]) == 126
    assert "the table of places is damaged" in capfd.readouterr().err


def test_parts_of_the_module(file, capfd):
    text = shown(capfd, "--types", "--exports", "--segments", "--names", file)
    assert "func double (i32) -> (i32)" in text
    assert "active, 4 bytes" in text
    assert "func 4 never" in text
    assert "compiled: " in shown(capfd, "--section=compiled", file)


def test_json(file, capfd):
    found = json.loads(shown(capfd, "--json", file))
    assert found["target"] == "x86_64-linux"
    assert found["facts"]["level"] == "1"
    assert [each["name"] for each in found["functions"]] == ["double", "twice", "outer", "never"]
    assert [each["name"] for each in found["module"]["exports"]] == [
        *("memory", "double", "twice", "outer"),
    ]
    assert "code" not in found
    pytest.importorskip("capstone")
    found = json.loads(shown(capfd, "--json", "--disassemble", file, "outer"))
    (lines,) = found["code"].values()
    assert {each["target"] for each in lines} >= {"", "twice"}
    assert sum(len(each["bytes"]) // 2 for each in lines) == found["functions"][2]["size"]


def test_signed_images(file, capfd, tmp_path):
    pytest.importorskip("cryptography")
    from wasmote.image.signature import make_keys, sign, signer

    signed = sign(Path(file).read_bytes(), make_keys()[0])
    path = tmp_path / "signed.aot"
    path.write_bytes(signed)
    text = shown(capfd, str(path))
    assert f"by the key {signer(signed)}" in text
    assert "signature" in shown(capfd, "--sections", str(path))


def test_the_image_of_the_virtual_machine(capfd):
    path = core_image.find()
    text = shown(capfd, path)
    assert "target             " in text
    assert "classic_run" in shown(capfd, "--functions", path)
    info = parse_image(Path(path).read_bytes())
    assert sum(each.size for each in info.symbols) <= info.code_size
    pytest.importorskip("capstone")
    assert "ret" in shown(capfd, path, "memcpy")


@pytest.mark.parametrize(
    ("target", "code", "text"),
    [
        ("x86_64-linux", "31c0c3", ["xor eax, eax", "ret"]),
        ("i386-linux", "31c0c3", ["xor eax, eax", "ret"]),
        ("aarch64-linux", "00008052c0035fd6", ["mov w0, #0", "ret"]),
        ("aarch64_be-linux", "00008052c0035fd6", ["mov w0, #0", "ret"]),
        ("thumbv7em", "00207047", ["movs r0, #0", "bx lr"]),
        ("armv7-linux", "0000a0e31eff2fe1", ["mov r0, #0", "bx lr"]),
        ("riscv32", "01458280", ["c.li a0, 0", "c.jr ra"]),
        ("riscv64-linux", "01458280", ["c.li a0, 0", "c.jr ra"]),
        ("mipsel-linux", "00000224", ["addiu $v0, $zero, 0"]),
        ("mips-linux", "24020000", ["addiu $v0, $zero, 0"]),
    ],
)
def test_other_machines(target, code, text, tmp_path, capfd):
    pytest.importorskip("capstone")
    path = tmp_path / "m.img"
    path.write_bytes(Image(target, {"f": 0}, bytes.fromhex(code)).encode())
    lines = shown(capfd, "-d", str(path)).splitlines()[2:]
    assert [" ".join(line.split()[1:]) for line in lines] == text


def test_thumb_code_is_marked_by_odd_offsets(tmp_path, capfd):
    pytest.importorskip("capstone")
    path = tmp_path / "m.img"
    code = bytes.fromhex("00bf00207047")  # nop; movs r0, #0; bx lr
    path.write_bytes(Image("thumbv7em", {"f": 3}, code).encode())
    lines = [line.split() for line in shown(capfd, str(path), "f").splitlines()[2:]]
    assert [(line[0][-1], line[1]) for line in lines] == [("2", "movs"), ("4", "bx")]


def test_mistakes(file, capfd, tmp_path):
    def refusal(*words: str) -> tuple[int, str]:
        return main(["inspect", *words]), capfd.readouterr().err

    assert refusal(file, "doubel") == (
        2, "wasmote inspect: no function doubel; did you mean double?\n",
    )  # fmt: skip
    assert refusal(file, "log")[0] == 2
    assert "no section text" in refusal("--section=text", file)[1]
    damaged = tmp_path / "damaged.aot"
    damaged.write_bytes(Path(file).read_bytes()[:-1])
    status, message = refusal(str(damaged))
    assert status == 126
    assert "damaged.aot: the image is truncated" in message
    odd = tmp_path / "odd.img"
    odd.write_bytes(Image("pdp11", {"f": 0}, b"\0\0").encode())
    assert refusal("-d", str(odd)) == (
        126, f"wasmote inspect: {odd}: no disassembler for pdp11\n",
    )  # fmt: skip


def test_tables_that_lead_out_of_the_code(file):
    image = compile_module(Module(wat2wasm(TEXT)), level=0)
    image.symbols["functions"] = len(image.code) - 4
    with pytest.raises(WasmoteError, match="table of functions is not in the code"):
        parse_image(image.encode())


def test_without_capstone(file, capfd, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "capstone", None)
    assert main(["inspect", file, "double"]) == 126
    assert "pip install 'wasmote[disassemble]'" in capfd.readouterr().err
