"""Fixtures: a directory to work in, and programs compiled from C."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wasmote.jit.settings import SETTINGS

from .support import SOURCES, Shell

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """An empty directory, which is the current one, and the commands."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    return Shell(tmp_path, monkeypatch, capfd)


@pytest.fixture(autouse=True)
def compiled_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's cache stays as it is, and programs run in this process are not compiled."""
    monkeypatch.setenv("WASMOTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(SETTINGS, "delay", 3600.0)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Compiles a C program of the folder `programs` for WASI, once; returns the path."""
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("programs")

    def compiled(name: str) -> str:
        target = folder / f"{name}.wasm"
        if not target.exists():
            compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-Os"]
            source = str(PROGRAMS / f"{name}.c")
            subprocess.run([*compiler, "-o", str(target), source], check=True, timeout=300)
        return str(target)

    return compiled
