"""gdb shows the Python lines of the virtual machine (docs/debugging-the-core.md)."""

import os
import shutil
import subprocess
import sys

import pytest

from wasmote.host import core_image, debug

PROGRAM = """
import os, signal, sys
import wasmote
from wasmote.host import debug
wasmote.Module(bytes.fromhex("0061736d01000000"))
with open(sys.argv[1], "w") as file:
    file.write(debug.gdb_commands())
os.kill(os.getpid(), signal.SIGTRAP)
wasmote.Module(bytes.fromhex("0061736d01000000"))
"""
SOURCE = os.path.dirname(core_image.PACKAGE)


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_gdb_stops_at_a_line_of_the_core(tmp_path):
    program, symbols = tmp_path / "program.py", tmp_path / "core.gdb"
    program.write_text(PROGRAM)
    steps = ["run", f"source {symbols}", "break module_load", "signal 0", "info source", "frame"]
    commands = [part for step in ("set confirm off", *steps) for part in ("-ex", step)]
    result = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", *commands, "--args", sys.executable, program, symbols],
        env={**os.environ, "PYTHONPATH": SOURCE, "DEBUGINFOD_URLS": ""},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if "ptrace" in result.stderr and "not permitted" in result.stderr:
        pytest.skip("this system does not let gdb trace processes")
    output = result.stdout + result.stderr
    assert "module_load" in output, output
    assert "wasmote/core/decode/module.py:" in output, output
    assert "Producer is nativepy" in output, output


def test_the_command_refuses_what_has_no_core(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["debug"])
    assert debug.main() == 2
    assert "usage:" in capsys.readouterr().err
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setattr(sys, "argv", ["debug", str(process.pid)])
        assert debug.main() == 1
        assert "has not loaded Wasmote's virtual machine" in capsys.readouterr().err
