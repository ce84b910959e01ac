"""perf and gdb see compiled functions and source lines."""

import ctypes
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasmote import Instance, Module
from wasmote.api import compiled
from wasmote.debug import gdb, library, perf
from wasmote.debug.__main__ import mapped_images
from wasmote.debug.functions import Described, Line
from wasmote.dwarf.reader import Sections
from wasmote.dwarf.sources import Sources
from wasmote.image import elf, loader
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")
SOURCES = str(Path(__file__).parents[2] / "src")
TEXT = """(module (memory 1)
  (func $leaf (param i32) (result i32) (i32.load offset=8 (local.get 0)))
  (func $middle (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (i32.const 1)))
  (func $alone (export "alone") (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))
  (func $_start (export "_start") (local $i i32)
    (loop
      (i32.store (i32.const 0) (call $middle (i32.and (local.get $i) (i32.const 0xfff0))))
      (drop (call $alone (i32.const 7)))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                         (i32.const 0xf0000000))))))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    from wasmote.compile import compile_module

    path = tmp_path_factory.mktemp("native") / "native.aot"
    path.write_bytes(compile_module(Module(wat2wasm(TEXT)), cpu="x86-64").encode())
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCES, "DEBUGINFOD_URLS": ""}


def sections(raw: bytes) -> Sections:
    return {each.name: bytes(each.data) for each in elf.Object(raw).sections}


def test_functions_are_described_with_what_is_inlined(image):
    module = Module(image)
    code = Described(module)
    by_name = {each.name: each for each in code.functions}
    start = by_name["_start"]
    assert {"leaf", "middle"} <= {each.name for each in start.inlined}
    leaf = next(each for each in start.inlined if each.name == "leaf")
    assert start.inlined[leaf.parent - 1].name == "middle"
    assert all(start.address <= a < b <= start.end for a, b in leaf.ranges)
    assert all(isinstance(line, Line) and line.file == "native.wasm" for _, line in start.lines)
    assert [a for a, _ in start.lines] == sorted({a for a, _ in start.lines})
    end = code.address + code.size
    assert all(code.address <= each.address < each.end <= end for each in code.functions)
    with pytest.raises(ValueError, match="not compiled"):
        Described(Module(wat2wasm(TEXT)))


def test_the_object_file_says_what_the_table_of_places_says(image):
    module = Module(image)
    address = 0x10000
    sources = Sources(sections(gdb.object_file(module, address)))
    places = module._code.places()
    for i in range(len(places)):
        piece = places.piece(i)
        for start, scope, offset in piece.rows[1:]:
            expected = [
                (module.function_name(index), at) for index, at in piece.chain(scope, offset)
            ]
            found = sources.at(address + start)
            assert [each.function for each in found] == [name for name, _ in expected]
            if offset != piece.scopes[scope].body:
                assert [each.line for each in found] == [at for _, at in expected]


def test_perf_gets_names_lines_and_code(image, tmp_path, monkeypatch):
    monkeypatch.setattr(perf, "_perf", None)
    monkeypatch.setattr(loader, "IN_PLACE", True)
    monkeypatch.setattr(compiled, "LISTENERS", [])
    files = perf.enable(str(tmp_path))
    try:
        assert perf.enable() is files
        module = Module(image)
        lines = Path(files.map_path).read_text().splitlines()
        dump = Path(files.dump_path).read_bytes()
    finally:
        os.unlink(files.map_path)
    code = Described(module)
    expected = {f"{f.address:x} {f.size:x} {f.name}" for f in code.functions}
    assert expected <= set(lines)
    assert dump[:8] == struct.pack("<II", 0x4A695444, 1)
    loads, infos, position = {}, {}, 40
    while position < len(dump):
        kind, size, _ = struct.unpack_from("<IIQ", dump, position)
        body = dump[position + 16 : position + size]
        if kind == 0:
            pid, _, address, _, length, _ = struct.unpack_from("<IIQQQQ", body)
            name, _, rest = body[40:].partition(b"\0")
            assert pid == os.getpid()
            loads[name.decode()] = address, rest
            assert rest == ctypes.string_at(address, length)
        else:
            address, count = struct.unpack_from("<QQ", body)
            infos[address] = count
        position += size
    assert position == len(dump)
    assert loads.keys() == {f.name for f in code.functions}
    assert all(infos[address] > 1 for address, _ in loads.values())
    assert Instance(module).exports.alone(2) == 3  # from the copy


def test_the_library_has_what_gdb_looks_for():
    loaded = library.load()
    loaded[library.REGISTER]()
    version = ctypes.c_uint32.in_dll(loaded, library.DESCRIPTOR)
    assert version.value == 1


def test_gdb_is_told_as_long_as_the_code_is_there(image, monkeypatch):
    monkeypatch.setattr(compiled, "LISTENERS", [])
    told = gdb.Gdb()
    compiled.LISTENERS.append(told.add)
    first, second = Module(image), Module(image)
    entry = told._descriptor.first
    assert entry.contents.next.contents.size == entry.contents.size > 0
    assert entry.contents.next.contents.previous.contents.size == entry.contents.size
    del first
    assert not told._descriptor.first.contents.next
    del second
    assert not told._descriptor.first
    assert not told._entries


def gdb_output(*commands: str, program: list[str]) -> str:
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    steps = [part for step in ("set confirm off", *commands) for part in ("-ex", step)]
    result = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", *steps, *program],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if "ptrace" in result.stderr and "not permitted" in result.stderr:
        pytest.skip("this system does not let gdb trace processes")
    return result.stdout + result.stderr


def test_gdb_stops_at_a_function_of_a_module_that_it_runs(image):
    output = gdb_output(
        "set breakpoint pending on", "handle SIGSEGV nostop noprint pass", "break leaf", "run",
        "bt 3", program=["--args", sys.executable, "-m", "wasmote", "run", str(image)],
    )  # fmt: skip
    assert re.search(r"#0 .*\bleaf \(\) at native\.wasm:\d+", output), output
    assert re.search(r"#1 .*\bmiddle \(\) at native\.wasm:\d+", output), output
    assert re.search(r"#2 .*\b_start \(\) at native\.wasm:\d+", output), output


def test_gdb_can_be_attached_to_a_running_program(image, tmp_path):
    command = [sys.executable, "-m", "wasmote", "run", str(image)]
    with subprocess.Popen(command, env=environment()) as process:
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if any(str(image) in name for _, name, _ in mapped_images(process.pid)):
                    break
                time.sleep(0.01)
            time.sleep(0.3)  # by then it is in the module's code
            made = subprocess.run(
                [sys.executable, "-m", "wasmote.debug", str(process.pid)],
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert made.returncode == 0, made.stderr
            (tmp_path / "modules.gdb").write_text(made.stdout)
            symbols = f"source {tmp_path / 'modules.gdb'}"
            output = gdb_output(symbols, "bt 3", program=["-p", str(process.pid)])
        finally:
            process.kill()
    assert re.search(r"\b_start \(\) at native\.wasm:\d+", output), output


def test_the_command_refuses_what_is_no_process_with_modules(capsys, monkeypatch):
    from wasmote.debug.__main__ import main

    monkeypatch.setattr(sys, "argv", ["debug"])
    assert main() == 2
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setattr(sys, "argv", ["debug", str(process.pid)])
        assert main() == 1
    assert "no compiled module" in capsys.readouterr().err


def test_perf_names_functions(image, tmp_path):
    if shutil.which("perf") is None:
        pytest.skip("perf is not installed")
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-k", "mono", "-o", "perf.data"]
    program = [sys.executable, "-m", "wasmote", "run", "--timeout=500", "--enable-linux-perf"]
    result = subprocess.run(
        [*record, *program, str(image)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if not (tmp_path / "perf.data").exists():
        pytest.skip(f"perf cannot record here: {result.stderr}")
    report = ["perf", "report", "-i", "perf.data", "--stdio", "--no-children"]
    found = subprocess.run(report, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"\[\.\] _start$", found.stdout.replace(" \n", "\n"), re.M), found.stdout
    for path in tmp_path.glob("jit-*.dump"):
        os.unlink(f"/tmp/perf-{path.stem.removeprefix('jit-')}.map")
