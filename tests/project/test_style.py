"""The linter and the type checker have nothing to say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", [["ruff", "check", "--quiet"], ["mypy"]], ids=lambda c: c[0])
def test_no_complaints(command):
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_files_stay_short():
    sources = [p for folder in ("src", "tests", "bench") for p in (ROOT / folder).rglob("*.py")]
    sizes = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in sources}
    assert {name: size for name, size in sizes.items() if size > 620} == {}
