"""`wasmote inspect` and the reader behind it."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from wasmote.cli.colour import Palette
from wasmote.cli.report import printable
from wasmote.errors import DecodeError, WasmoteError
from wasmote.inspect import disassemble, engine_sizes, parse
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.wat import wat2wasm

from .support import Shell

MODULE = """
(module $demo
  (import "env" "log" (func $log (param i32)))
  (import "env" "limit" (global $limit i32))
  (memory (export "memory") 2 5)
  (table 3 funcref)
  (global $count (mut i64) (i64.const -7))
  (elem (i32.const 1) $log $run)
  (elem declare func $run)
  (data (i32.const 16) "hello")
  (data $later "passive")
  (func $run (export "run") (param $n i32) (result i32) (local $i i32) (local f64 f64)
    (block $out
      (loop $again
        (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
        (call $log (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (if (result i32) (i32.eqz (local.get $n))
      (then (i32.const 1)) (else (i32.load offset=8 align=2 (local.get $i)))))
  (func $start (global.set $count (i64.const 1)))
  (start $start))
"""

#: A module whose function's body is to be filled in, with something of everything to refer to.
SURROUNDINGS = """
(module
  (type (func (param i32 i64) (result f32)))
  (type (func (param f32) (result f32 f32)))
  (import "m" "n" (func $f0 (param i32)))
  (memory 1)
  (table 2 funcref) (table 2 externref)
  (global (mut i32) (i32.const 0)) (global f64 (f64.const 0))
  (tag $t (param i32)) (tag)
  (elem func $f0) (elem func $f0)
  (data "a") (data "b")
  (func $f1 (param i32 i64) (local f32 f64)
{body}))
"""
#: Lines for the instructions that refer to something; any other is one word.
LINES = {
    Immediate.BLOCK_TYPE: ["", "(result i32)", "(param f32) (result f32 f32)"],
    Immediate.LABEL: ["0", "3"],
    Immediate.TYPE_INDEX: ["0"],
    Immediate.LABEL_TABLE: ["0", "0 1 2"],
    Immediate.FUNCTION: ["$f0", "$f1"],
    Immediate.LOCAL: ["0", "3"],
    Immediate.GLOBAL: ["1"],
    Immediate.DATA: ["1"],
    Immediate.ELEMENT: ["0"],
    Immediate.TAG: ["$t", "1"],
    Immediate.I32: ["0", "-2147483648", "2147483647"],
    Immediate.I64: ["-1", "-9223372036854775808", "9223372036854775807", "64"],
    Immediate.F32: ["0.1", "-0", "inf", "-nan:0x1", "nan", "1e-45", "3.4028235e+38"],
    Immediate.F64: ["0.1", "-inf", "nan:0x4000000000001", "5e-324", "1.7976931348623157e+308"],
    Immediate.V128: ["i32x4 0 -1 0x80000000 7"],
    Immediate.LANE: ["0", "1"],
    Immediate.LANES: ["0 31 1 30 2 29 3 28 4 27 5 26 6 25 7 24"],
    Immediate.REF_TYPE: ["func", "extern"],
    Immediate.VALUE_TYPES: ["(result i32)", "(result funcref)"],
}


@pytest.fixture
def file(shell: Shell) -> str:
    return shell.module("demo.wasm", MODULE)


def test_the_summary(shell: Shell, file: str) -> None:
    outcome = shell.wasmote("inspect", file)
    lines = [re.sub(r" +", " ", line).strip() for line in outcome.out.splitlines()]
    size = (shell.path / file).stat().st_size
    assert lines[0] == f"demo.wasm: {size} bytes"
    for expected in (
        "type 0xa 13 3",
        "func env.log (i32) -> ()",
        "global env.limit i32",
        "memory memory 2 5",
        "func run (i32) -> (i32)",
        "memory of 2 pages (128 KiB), at most 5",
        "table of 3 funcref",
        "2 data segments, 12 bytes",
        "2 element segments, 3 elements",
        "start function: start",
        "largest of 2 functions",
    ):
        assert expected in lines
    assert (outcome.err, outcome.status) == ("", 0)


def test_sections_follow_each_other(shell: Shell, file: str) -> None:
    info = parse((shell.path / file).read_bytes())
    ends = [section.offset + section.size for section in info.sections]
    assert ends[-1] == len(info.binary)
    assert all(end < after.offset for end, after in zip(ends, info.sections[1:], strict=False))
    assert [section.name for section in info.sections if section.is_custom] == ["name"]


def test_the_disassembly(shell: Shell, file: str) -> None:
    outcome = shell.wasmote("inspect", file, "run")
    head, local_types, *lines = outcome.out.strip().splitlines()
    assert head == "func 1 run (i32) -> (i32)"
    assert local_types == "  locals: 1 i32, 2 f64"
    assert [line[14:] for line in lines] == [
        "block",
        "  loop",
        "    local.get $i",
        "    local.get $n",
        "    i32.ge_u",
        "    br_if 1",
        "    local.get $i",
        "    call $log",
        "    local.get $i",
        "    i32.const 1",
        "    i32.add",
        "    local.set $i",
        "    br 0",
        "  end",
        "end",
        "local.get $n",
        "i32.eqz",
        "if (result i32)",
        "  i32.const 1",
        "else",
        "  local.get $i",
        "  i32.load offset=8 align=2",
        "end",
    ]
    binary = (shell.path / file).read_bytes()
    for line in lines:  # each offset is that of the line's opcode
        assert line[14:].split()[0] == INSTRUCTIONS[binary[int(line[:13], 16)]].name


def _lines_of_every_instruction() -> list[str]:
    lines = ["block", "block", "block"]
    for instruction in INSTRUCTIONS.values():
        if instruction.name in ("else", "end", "catch", "catch_all", "delegate"):
            continue
        name = instruction.name.partition(" ")[0]
        choices = LINES.get(instruction.immediates[0], [""]) if instruction.immediates else [""]
        if instruction.access:
            choices = ["", "offset=4294967295", "offset=1 align=1"]
            choices = choices[:2] if instruction.access == 1 else choices
            if Immediate.LANE in instruction.immediates:
                choices = [f"{choice} 1".strip() for choice in choices]
        if instruction.family == "gc":
            choices = [_gc_operands(instruction)]
        if name == "call_indirect":
            choices = ["(param i32 i64) (result f32)"]
        if name in ("table.get", "table.size", "table.init"):
            choices = ["", "1"] if name != "table.init" else ["0", "1 1"]
        if name == "try_table":
            choices = [
                "",
                "(result i32) (catch $t 0) (catch_ref 1 2) (catch_all 0) (catch_all_ref 1)",
            ]
        if name == "table.copy":
            choices = ["", "0 1", "1 0"]
        lines += [f"{name} {choice}".strip() for choice in choices]
        if name == "try":
            lines += ["catch $t", "catch 1", "catch_all", "end", "delegate 0", "end"]
        if name in ("block", "loop", "if", "try_table"):
            lines += ["else"] * (name == "if") + ["end"] * len(choices)
    return [*lines, "end", "end", "end"]


def _gc_operands(instruction: Instruction) -> str:
    if instruction.name.startswith("br_on_cast"):
        return "1 (ref null any) (ref i31)"
    if Immediate.REF_TYPE in instruction.immediates:
        return "(ref null eq)" if instruction.name.endswith("null") else "(ref 0)"
    return " ".join("0" for _ in instruction.immediates)


def test_every_instruction_survives_assembling_its_disassembly() -> None:
    lines = _lines_of_every_instruction()
    binary = wat2wasm(SURROUNDINGS.format(body="\n".join(lines)))
    info = parse(binary)
    shown = list(disassemble(info, info.functions[1]))
    used = {line.text.split(" ")[0] for line in shown}
    assert used == {each.name.partition(" ")[0] for each in INSTRUCTIONS.values()}
    again = wat2wasm(SURROUNDINGS.format(body="\n".join(line.text for line in shown)))
    assert again == binary


def test_tags_are_shown(shell: Shell) -> None:
    text = '(module (import "m" "t" (tag)) (tag $e (export "e") (param i32)) (func (throw $e)))'
    file = shell.module("tags.wasm", text.replace("(throw $e)", "(throw $e (i32.const 1))"))
    lines = [line.strip() for line in shell.wasmote("inspect", file).out.splitlines()]
    assert {"tag m.t ()", "tag e (i32)"} <= set(lines)
    assert any(line.startswith("tag  ") and line.split()[-1] == "1" for line in lines)
    assert "throw $e" in shell.wasmote("inspect", file, "0").out
    assert "  tag 1 e\n" in shell.wasmote("inspect", "--names", file).out


def test_shared_memories_are_shown(shell: Shell) -> None:
    text = """(module (import "m" "m" (memory 1 2 shared)) (memory 0 3 shared)
      (memory 7 (pagesize 1)) (func atomic.fence))"""
    lines = [
        line.strip()
        for line in shell.wasmote("inspect", shell.module("s.wasm", text)).out.splitlines()
    ]
    assert {"memory m.m 1 2 shared", "memory of 0 pages (0 KiB), at most 3, shared"} <= set(lines)
    assert "memory of 7 pages (7 bytes)" in lines


def test_functions_are_found_by_index_name_and_export(shell: Shell, file: str) -> None:
    by_index = shell.wasmote("inspect", file, "1").out
    assert by_index == shell.wasmote("inspect", "--disassemble", file, "run").out
    both = shell.wasmote("inspect", file, "start", "run").out
    assert both.index("func 2 start") < both.index("func 1 run")
    outcome = shell.wasmote("inspect", file, "rum")
    assert outcome.err == "wasmote inspect: no function rum; did you mean run?\n"
    assert outcome.status == 2
    outcome = shell.wasmote("inspect", file, "99")
    assert "no function 99; functions have the indices 0 to 2" in outcome.err


def test_all_functions_are_disassembled(shell: Shell, file: str) -> None:
    out = shell.wasmote("inspect", "-d", file).out
    assert re.findall(r"^func .*$", out, re.MULTILINE) == [
        "func 0 log (i32) -> ()",
        "func 1 run (i32) -> (i32)",
        "func 2 start () -> ()",
    ]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--types", "      0 (i32) -> ()\n"),
        ("--imports", "  func env.log (i32) -> ()\n  global env.limit i32\n"),
        ("--exports", "  memory memory 2 5\n  func run (i32) -> (i32)\n"),
        ("--globals", "      1 count global mut i64 = i64.const -7\n"),
        ("--segments", "  data 1: passive, 7 bytes from 0x"),
        ("--segments", "  elem 0: active, 2 elements from 0x"),
        ("--segments", " to table 0 at i32.const 1\n"),
        ("--names", "  module demo\n  func 0 log\n"),
        ("--names", "  local 1.0 n\n  local 1.1 i\n"),
        ("--names", "  global 1 count\n  data 1 later\n"),
        ("--sections", "  start  "),
    ],
)
def test_parts(shell: Shell, file: str, option: str, expected: str) -> None:
    outcome = shell.wasmote("inspect", option, file)
    assert expected in outcome.out
    assert "largest of" not in outcome.out


def test_functions_with_their_size_in_each_engine(shell: Shell, file: str) -> None:
    header, run, start = shell.wasmote("inspect", "--functions", file).out.splitlines()
    assert header.split() == ["index", "offset", "bytes", "fast", "classic", "function"]
    index, _, size, fast, classic, name = run.split()[:6]
    assert (index, name) == ("1", "run")
    assert int(fast) > int(size) > 0
    assert int(classic) >= 24
    assert start.split()[5] == "start"


def test_the_bytes_of_a_section(shell: Shell, file: str) -> None:
    out = shell.wasmote("inspect", "--section", "start", file).out
    assert re.fullmatch(r"start: 1 bytes\n  0x[0-9a-f]{8}  02 {47}\.\n", out)
    outcome = shell.wasmote("inspect", "--section=nothing", file)
    assert outcome.err.startswith("wasmote inspect: no section nothing; there are type, import, ")
    assert outcome.status == 2


def test_everything_as_json(shell: Shell, file: str) -> None:
    found = json.loads(shell.wasmote("inspect", "--json", file, "start").out)
    assert found["imports"][0] == {
        "module": "env",
        "name": "log",
        "type": "(i32) -> ()",
        "index": 0,
    }
    assert found["names"]["module"] == "demo"
    assert found["start"] == 2
    assert found["engines"]["fast"].keys() == {"1", "2"}
    assert [line["text"] for line in found["code"]["2"]] == ["i64.const 1", "global.set $count"]


def test_what_made_a_c_program(shell: Shell, program: Callable[[str], str]) -> None:
    out = shell.wasmote("inspect", program("report")).out
    assert "func wasi_snapshot_preview1.fd_write (i32, i32, i32, i32) -> (i32)" in out
    assert "func _start () -> ()" in out
    sizes = engine_sizes_of(program("report"))
    assert sizes and min(sizes.values()) > 0


def engine_sizes_of(path: str) -> dict[int, int]:
    import wasmote

    return engine_sizes(wasmote.Module(path))["fast"]


def test_producers_and_features(shell: Shell) -> None:
    producers = b"\x01\x08language\x01\x03C11\x00"
    features = b"\x01+\x04simd"
    binary = wat2wasm("(module)")
    for name, contents in ((b"producers", producers), (b"target_features", features)):
        section = bytes([len(name)]) + name + contents
        binary += bytes([0, len(section)]) + section
    (shell.path / "made.wasm").write_bytes(binary)
    out = shell.wasmote("inspect", "made.wasm").out
    assert "  language: C11\n  features: +simd\n" in out


# What is wrong


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"plain text", "file: magic header not detected"),
        (b"\0asm\1\0\0\0\1\2\1\x61", "file: malformed definition type 0x61 (at offset 0xb)"),
    ],
)
def test_an_invalid_module_gets_its_error(shell: Shell, contents: bytes, message: str) -> None:
    (shell.path / "file").write_bytes(contents)
    outcome = shell.wasmote("inspect", "file")
    assert outcome.err.startswith(f"wasmote inspect: {message}")
    assert (outcome.out, outcome.status) == ("", 126)


def test_the_reader_survives_anything() -> None:
    whole = wat2wasm(MODULE)
    numbers = random.Random(20)
    refused = 0
    for _ in range(3000):
        binary = bytearray(whole)
        for _ in range(numbers.randint(1, 4)):
            binary[numbers.randrange(8, len(binary))] = numbers.randrange(256)
        del binary[numbers.randrange(len(binary)) if numbers.random() < 0.2 else len(binary) :]
        try:
            info = parse(bytes(binary))
            for function in info.functions:
                if not function.is_imported:
                    list(disassemble(info, function))
        except DecodeError as error:
            assert error.offset is not None and error.offset <= len(binary)
            refused += 1
    assert 1000 < refused < 3000


def test_a_malformed_name_section_is_no_error(shell: Shell) -> None:
    binary = wat2wasm('(module (func (export "f")))') + b"\x00\x08\x04name\x01\x02\xff"
    (shell.path / "odd.wasm").write_bytes(binary)
    outcome = shell.wasmote("inspect", "odd.wasm")
    assert "func f () -> ()" in outcome.out
    assert outcome.status == 0


def test_names_cannot_control_a_terminal(shell: Shell) -> None:
    file = shell.module("evil.wasm", r'(module (func (export "\1b[31m\r\u{202e}x")))')
    for words in ([], ["--exports"], ["--functions"], ["-d"]):
        out = shell.wasmote("inspect", *words, file).out
        assert "\x1b" not in out and "\r" not in out and "\u202e" not in out
        assert r"\x1b[31m\r\u202ex" in out
    assert printable("plain ünicode") == "plain ünicode"


# Colours


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Palette().word("call") == "\x1b[36mcall\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Palette().word("call") == "call"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Palette().word("call") == "call"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.setenv("TERM", "xterm")
    assert Palette().word("call") == "call"


def test_a_reader_that_stops_early_is_no_error(shell: Shell, program: Callable[[str], str]) -> None:
    command = f"{sys.executable} -m wasmote inspect -d {program('report')} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_errors_of_the_reader_are_errors_of_the_package() -> None:
    with pytest.raises(WasmoteError, match="magic header not detected"):
        parse(b"nothing")


def test_types_of_the_heap_are_listed(shell: Shell, tmp_path):
    text = """(module
      (type $a (array (mut i8)))
      (rec (type $s (sub (struct (field i32) (field (mut (ref null $t))))))
           (type $t (sub final $s (struct (field i32) (field (mut (ref null $t))) (field f32)))))
      (table $t 1 (ref $a) (array.new_default $a (i32.const 1)))
      (elem (ref $a) (array.new_default $a (i32.const 2))))"""
    path = tmp_path / "m.wasm"
    path.write_bytes(wat2wasm(text))
    shown = shell.wasmote("inspect", "--types", str(path)).out
    assert "array (mut i8)" in shown
    assert "sub struct (field i32) (field (mut (ref null 2)))  ; with 1 to 2" in shown
    assert "sub final 1 struct (field i32)" in shown
    found = json.loads(shell.wasmote("inspect", "--json", str(path)).out)
    assert found["types"][2]["supertypes"] == [1]
    assert found["types"][0]["type"] == {"element": {"storage": "i8", "mutable": True}}
