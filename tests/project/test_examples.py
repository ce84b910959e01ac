"""The examples print what their documentation shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "examples.md").read_text()
#: Command, and what it prints.
SHOWN = re.findall(r"^```\n\$ python (examples/.*)\n((?:.*\n)*?)```$", PAGE, re.M)


@pytest.fixture
def environment(tmp_path):
    """Without an installation of Wasmote, and without the user's cache."""
    paths = {"PYTHONPATH": str(ROOT / "src"), "WASMOTE_CACHE": str(tmp_path)}
    return {**os.environ, **paths, "PYTHONIOENCODING": "utf-8"}


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_example(command, shown, environment):
    pytest.importorskip("ziglang", reason="examples are compiled from C")
    pytest.importorskip("wasmtime", reason="examples are in the text format")
    if "numpy" in (ROOT / command.split()[0]).read_text():
        pytest.importorskip("numpy")
    process = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    pattern = ".*".join(map(re.escape, shown.split("…")))
    assert re.fullmatch(pattern, process.stdout), process.stdout


def test_each_example_is_shown():
    programs = {path.name for path in (ROOT / "examples").glob("*.py")} - {"build.py"}
    assert programs == {command.split()[0].removeprefix("examples/") for command, _ in SHOWN}


def test_no_example_is_compiled_code():
    sources = {".py", ".c", ".h", ".wat"}
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file() and not {".build", "__pycache__"} & set(path.parts):
            assert path.suffix in sources, path
