#!/usr/bin/env python3
"""Everything a checkout needs, with nothing but Python: sets `.venv` up, then runs a task in it.

    python3 dev.py run                     compile examples/hello.c and run it
    python3 dev.py run program.wasm a b    run a program of yours (or a .c file)
    python3 dev.py test                    run all tests; more arguments go to pytest
    python3 dev.py lint                    ruff and mypy
    python3 dev.py docs                    write docs/instructions.md again
    python3 dev.py python -m wasmote …     anything else, in the environment

The first use downloads packages from PyPI; later ones find the environment complete.
"""

import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - checked first: an older Python cannot read what follows
    sys.exit(f"dev.py: needs Python 3.11 or later, and this is {sys.version.split()[0]}")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
#: The extras of pyproject.toml that a task needs; `dev` has them all.
EXTRAS = {"run": "build,examples", "bench": "bench"}


def main() -> int:
    """Run the task that the command line names; returns its exit status."""
    task, *arguments = sys.argv[1:] or ["help"]
    if task not in TASKS:
        print(__doc__.strip())
        return 0 if task in ("help", "-h", "--help") else 2
    install(EXTRAS.get(task, "dev"))
    return TASKS[task](arguments)


# -- the environment -----------------------------------------------------------------------------


def install(extras: str) -> None:
    """Make `.venv` with the package in editable form and these extras, unless that is done."""
    done = VENV / "installed" / extras
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    complete = (done, VENV / "installed" / "dev")
    if any(path.exists() and path.read_text() == state for path in complete):
        return
    if not PYTHON.exists():
        say(f"creating {VENV.name} for Python {sys.version.split()[0]}")
        venv.create(VENV, with_pip=True, clear=True)
    say(f"installing wasmote[{extras}] into {VENV.name} (a minute or two, once)")
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar"]
    step([*pip, "on" if sys.stdout.isatty() else "off", "--editable", f".[{extras}]"])
    done.parent.mkdir(exist_ok=True)
    done.write_text(state)


def step(command: list[str | Path]) -> None:
    """Run a command that has to succeed."""
    status = call(*command)
    if status != 0:
        print(f"dev.py: failed with status {status}: {' '.join(map(str, command))}")
        sys.exit(1)


def call(*command: str | Path) -> int:
    """Run a command from the repository's root; returns its exit status."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def compile_core() -> None:
    """Compile the virtual machine if its sources have changed; processes that start find it."""
    started = time.monotonic()
    step([PYTHON, "-c", "from wasmote.host import core_image; core_image.find()"])
    if time.monotonic() - started > 3:
        say(f"compiled the virtual machine in {time.monotonic() - started:.0f} s")


# -- the tasks -----------------------------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """`wasmote run`, with C sources compiled first; examples/hello.c if nothing is named."""
    name, *rest = arguments or [str(ROOT / "examples" / "hello.c"), "world"]
    program = Path(name).resolve()
    compile_core()
    if program.suffix == ".c":
        source, program = program, ROOT / "build" / f"{program.stem}.wasm"
        program.parent.mkdir(exist_ok=True)
        say(f"compiling {source.name} with zig cc for wasm32-wasi")
        zig = [PYTHON, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2"]
        step([*zig, "-o", program, source])
    say(f"wasmote run {program.name} {' '.join(rest)}".rstrip())
    return call(BIN / "wasmote", "run", program, *rest)


def test(arguments: list[str]) -> int:
    """All tests, one process per core."""
    compile_core()
    parallel = (
        [] if any(a.startswith("-n") for a in arguments) else ["-n", "auto", "--dist", "loadfile"]
    )
    return call(PYTHON, "-m", "pytest", *parallel, *arguments)


def lint(arguments: list[str]) -> int:
    """Style and types."""
    return call(PYTHON, "-m", "ruff", "check", ".", *arguments) or call(PYTHON, "-m", "mypy")


def docs(arguments: list[str]) -> int:
    """The generated pages of the documentation."""
    return call(PYTHON, "docs/make_instructions.py", *arguments)


def bench(arguments: list[str]) -> int:
    """The benchmarks."""
    return call(PYTHON, "bench/run.py", *arguments)


def python(arguments: list[str]) -> int:
    """The environment's Python."""
    return call(PYTHON, *arguments)


TASKS = {
    "run": run,
    "test": test,
    "lint": lint,
    "docs": docs,
    "bench": bench,
    "python": python,
}

if __name__ == "__main__":
    sys.exit(main())
