"""The engines that are measured: Wasmote, and beside it whatever other engines this machine has.

A peer is a command line to put before a program. To add one that is always looked for, add it to
``find``; for one run, ``--peer NAME=COMMAND`` does.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import measure
import suite

# The options that give an engine room for deep recursion (bytes); WAMR and wasm3 have little.
_OPTIONS = {
    "iwasm": ["--stack-size=1000000"],
    "wasm3": ["--stack-size", "1000000"],
}


@dataclass(frozen=True)
class Peer:
    """An engine: its name in the table, its command line, and the form of program it runs."""

    name: str
    prefix: tuple[str, ...]
    artifact: Callable[[str], Path] = suite.build_wasm

    def command(self, program: str, arguments: list[str]) -> list[str]:
        """The command line that runs *program*, which is compiled if need be."""
        return [*self.prefix, str(self.artifact(program)), *arguments]


def find(engines: list[str], given: list[str]) -> list[Peer]:
    """Wasmote with each of *engines*, the peers *given* as NAME=COMMAND, and those found here."""
    peers = [_wasmote(engine) for engine in engines]
    peers += [_parse(text) for text in given]
    taken = {peer.name for peer in peers}
    return peers + [peer for peer in _installed() if peer.name not in taken]


def _wasmote(engine: str) -> Peer:
    command = [sys.executable, "-m", "wasmote", "run"]
    if engine == "auto":
        return Peer("wasmote", tuple(command))
    return Peer(f"wasmote-{engine}", (*command, "--engine", engine))


def _parse(text: str) -> Peer:
    """A peer from NAME=COMMAND; a name such as ``iwasm-old`` gets the options of ``iwasm``."""
    name, separator, command = text.partition("=")
    if not (name and separator and command):
        raise ValueError(f"--peer takes NAME=COMMAND, not {text!r}")
    return Peer(name, (*shlex.split(command), *_OPTIONS.get(name.split("-")[0], [])))


def _installed() -> list[Peer]:
    found = []
    for name in ("iwasm", "iwasm-classic", "wasm3"):
        if path := shutil.which(name):
            found.append(_parse(f"{name}={shlex.quote(path)}"))
    iwasm, wamrc = shutil.which("iwasm"), shutil.which("wamrc")
    if iwasm and wamrc:
        found.append(Peer("wamrc", (iwasm, *_OPTIONS["iwasm"]), _ahead_of_time(wamrc)))
    if find_spec("wasmtime"):
        found.append(Peer("wasmtime", (sys.executable, str(suite.BENCH / "run_wasmtime.py"))))
    found.append(Peer("native", (), suite.build_native))
    return found


def _ahead_of_time(wamrc: str) -> Callable[[str], Path]:
    def compile_program(name: str) -> Path:
        wasm, target = suite.build_wasm(name), suite.BUILD / f"{name}.aot"
        if not target.exists() or target.stat().st_mtime < wasm.stat().st_mtime:
            command = [wamrc, "-o", str(target), str(wasm)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise suite.BuildError(f"wamrc cannot compile {name}:\n{done.stderr.strip()}")
        return target

    return compile_program


def start_up(peer: Peer, timeout: float) -> measure.Run:
    """A run of the least program: what every other run of *peer* includes, and if it works."""
    done = measure.run(peer.command("hello", []), timeout)
    if not done.problem and done.output != "hello\n":
        return replace(done, problem=f"printed {done.output[:40]!r} instead of hello")
    return done
