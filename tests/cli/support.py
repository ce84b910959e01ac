"""Runs commands, in this process where that makes no difference."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from wasmote.cli import main as wasmote_main
from wasmote.cli.iwasm import main as iwasm_main
from wasmote.wat import wat2wasm

SOURCES = Path(__file__).parents[2] / "src"
#: The command `wasmote` without its installation.
WASMOTE = (sys.executable, "-m", "wasmote")
TIMEOUT = 60


@dataclass
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


class Shell:
    """A directory with modules in it, and the commands to use on them."""

    def __init__(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.path = path
        self._capfd = capfd
        monkeypatch.chdir(path)

    def module(self, name: str, text: str) -> str:
        """Write a module; returns its file name."""
        (self.path / name).write_bytes(wat2wasm(text))
        return name

    def wasmote(self, *words: str) -> Outcome:
        """Run `wasmote` in this process."""
        return self._outcome(wasmote_main(words))

    def iwasm(self, *words: str) -> Outcome:
        """Run `iwasm` in this process."""
        return self._outcome(iwasm_main(words))

    def _outcome(self, status: int) -> Outcome:
        captured = self._capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start `wasmote` as a process of its own."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*WASMOTE, *words], stdout=pipe, stderr=pipe, text=True, cwd=self.path
        )

    def process(self, *words: str) -> Outcome:
        """Run `wasmote` as a process of its own."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=TIMEOUT)
        return Outcome(process.returncode, out, err)

    def piped(self, script: str, typed: str, *words: str) -> Outcome:
        """Run a Python script with `typed` as its input."""
        command = [sys.executable, "-c", script, *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=self.path
        ) as process:
            out, err = process.communicate(typed, timeout=TIMEOUT)
        return Outcome(process.returncode, out, err)
