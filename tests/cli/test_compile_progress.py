"""Long compilations: what is shown of them, how they end, and what they leave behind."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasmote.cli import main
from wasmote.cli.progress import Progress
from wasmote.cli.report import DEBUG, Reporter
from wasmote.compile.partition import Partition
from wasmote.compile.source import Body
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

FUNCTIONS = "".join(
    f'(func (export "f{i}") (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))'
    for i in range(6)
)
#: Runs the command with parts of one function each.
IN_PARTS = """\
import sys
from wasmote.compile import partition
partition.PART_SIZE = 1
from wasmote.cli import main
sys.exit(main())
"""


@pytest.fixture
def wasm(tmp_path: Path) -> Path:
    path = tmp_path / "m.wasm"
    path.write_bytes(wat2wasm(f"(module {FUNCTIONS})"))
    return path


@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setattr("wasmote.compile.partition.PART_SIZE", 1)


def part(number: int, functions: int, share: float) -> Partition:
    bodies = tuple(Body(i, 0, 10 * i, 10 * i + 10) for i in range(functions))
    return Partition(number, bodies, not functions, share, True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_which_goes_away():
    stream = Terminal()
    progress = Progress("m.wasm", Reporter("x"), stream)
    progress.start -= 10
    progress(part(0, 4, 0.25), 1.5)
    assert stream.getvalue() == "\r\x1b[Kcompiling m.wasm: 25%, 4 functions, 30 s left"
    progress(part(1, 2, 0.5), 1.5)
    assert stream.getvalue().endswith("\r\x1b[Kcompiling m.wasm: 75%, 6 functions, 3 s left")
    progress.end()
    assert stream.getvalue().endswith("left\r\x1b[K")
    assert progress.seconds == 3.0


def test_no_guess_of_the_time_left_from_too_little():
    progress = Progress("m.wasm", Reporter("x"), Terminal())
    progress(part(0, 4, 0.01), 1.5)
    assert progress.line() == "compiling m.wasm: 1%, 4 functions"


def test_nothing_is_shown_elsewhere():
    stream = io.StringIO()
    progress = Progress("m.wasm", Reporter("x"), stream)
    progress(part(0, 4, 0.25), 1.5)
    progress.end()
    assert stream.getvalue() == ""


def test_a_high_level_of_messages_has_a_line_for_each_part(capfd):
    progress = Progress("m.wasm", Reporter("x", DEBUG), Terminal())
    progress(part(7, 4, 0.25), 1.5)
    progress(part(8, 0, 0.0), 0.25)
    assert capfd.readouterr().err.splitlines() == [
        "part 7: 4 functions, 40 bytes in 1.5 s",
        "part 8: entries in 0.2 s",
    ]


def test_the_command_tells_of_parts(wasm, in_parts, capfd):
    output = str(wasm.with_suffix(".aot"))
    assert main(["compile", "-v", "3", "--jobs=2", "--opt-level=0", "-o", output, str(wasm)]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("part ")]
    assert len(lines) == 7
    assert main(["run", "--function", "f5", output, "4"]) == 0
    assert capfd.readouterr().out == "0x9:i32\n"


def test_the_bytes_do_not_depend_on_jobs(wasm, in_parts):
    outputs = [wasm.with_suffix(f".{jobs}.aot") for jobs in (1, 3)]
    for jobs, output in zip((1, 3), outputs):
        assert main(["compile", f"--jobs={jobs}", "-o", str(output), str(wasm)]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_json(wasm, in_parts, capfd):
    output = wasm.with_suffix(".aot")
    assert main(["compile", "--json", "--opt-level=0", "-o", str(output), str(wasm)]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["bytes"] == output.stat().st_size > found["code_bytes"] > 0
    assert [found["functions"], found["parts"], found["format"]] == [6, 7, "aot"]
    assert found["module_bytes"] == wasm.stat().st_size
    assert set(found["seconds"]) == {"load", "compile", "llvm"}
    assert all(seconds >= 0 for seconds in found["seconds"].values())


def test_errors_as_json(wasm, capfd):
    assert main(["compile", "--json", "-o", f"{wasm}.aot", f"{wasm}.missing"]) == 127
    assert "no such file" in json.loads(capfd.readouterr().out)["error"]["message"]


def test_a_folder_that_is_not_there_is_noticed_at_once(wasm, monkeypatch, capfd):
    monkeypatch.setattr("wasmote.compile.compiler.output", None)
    assert main(["compile", "-o", str(wasm.parent / "no" / "m.aot"), str(wasm)]) == 126
    assert "its folder is missing" in capfd.readouterr().err


def test_a_full_disk_leaves_nothing(wasm):
    """A limit of the size of files stands for it."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [sys.executable, "-c", IN_PARTS, "compile", "-o", f"{wasm}.aot", str(wasm)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 126
    assert f"cannot write {wasm}.aot: File too large" in done.stderr
    assert os.listdir(wasm.parent) == [wasm.name]


def test_ctrl_c_ends_all_processes_and_leaves_nothing(tmp_path):
    wasm = tmp_path / "m.wasm"
    wasm.write_bytes(wat2wasm(f"(module {FUNCTIONS})"))
    command = [sys.executable, "-c", IN_PARTS, "compile", "--jobs=2", "-o", f"{wasm}.aot"]
    process = subprocess.Popen(
        [*command, str(wasm)], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not _children(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    children = _children(process.pid)
    assert children
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert messages == ""
    assert os.listdir(tmp_path) == [wasm.name]
    assert not any(_runs(child) for child in children)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def _runs(pid: int) -> bool:
    """Whether a process has not ended, though nobody may have asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
