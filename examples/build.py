"""Compiles the sources of the examples, each when it has changed, into `examples/.build`.

C needs the package ziglang, the text format the package wasmtime: `pip install ziglang wasmtime`.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import wasmote

sys.stdout.reconfigure(line_buffering=True)  # so that it mixes well with what modules print

HERE = Path(__file__).resolve().parent
BUILD = HERE / ".build"
#: A module for an embedder: no libc, all functions that it marks are exported.
PLAIN = ("-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry")
#: A module for an embedder that uses the C library: `_initialize` is to be called first.
REACTOR = ("-target", "wasm32-wasi", "-mexec-model=reactor")
#: A program for WASI.
WASI = ("-target", "wasm32-wasi")
#: One that starts threads, which share a memory.
THREADS = (
    *(*WASI, "-mcpu=generic+atomics+bulk_memory"),
    "-Wl,--import-memory,--shared-memory,--max-memory=67108864",
)


def wasm(source: str, *flags: str) -> Path:
    """The module of a C program (`flags` are for the compiler) or of a text, as a file."""
    if source.endswith(".wat"):
        return _wat(HERE / source)
    return _compiled(source, ".wasm", *(flags or WASI))


def library(source: str, *flags: str) -> Path:
    """A shared library for this machine."""
    return _compiled(source, ".so", "-shared", "-fPIC", *flags)


def _compiled(source: str, suffix: str, *flags: str) -> Path:
    path = HERE / source
    target = _target(path, suffix)
    sources = [*path.parent.glob("*.[ch]"), *HERE.glob("*.h")]
    if _is_older(target, *sources):
        if importlib.util.find_spec("ziglang") is None:
            sys.exit("this example is compiled from C: pip install ziglang")
        strip = () if "-g" in flags else ("-s",)
        compiler = [sys.executable, "-m", "ziglang", "cc", "-O2", f"-I{HERE}", *strip]
        made = target.with_name(f"{os.getpid()}-{target.name}")  # others may be at it, too
        subprocess.run([*compiler, *flags, "-o", made, path], check=True)
        made.replace(target)
    return target


def _wat(path: Path) -> Path:
    from wasmote.wat import wat2wasm

    target = _target(path, ".wasm")
    if _is_older(target, path):
        if importlib.util.find_spec("wasmtime") is None:
            sys.exit("this example is in the text format: pip install wasmtime")
        target.write_bytes(wat2wasm(path.read_text()))
    return target


def _target(path: Path, suffix: str) -> Path:
    target = BUILD / path.relative_to(HERE).with_suffix(suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _is_older(target: Path, *sources: Path) -> bool:
    made = target.stat().st_mtime if target.exists() else 0
    return made < max(source.stat().st_mtime for source in sources)


def run(module: Path, *options: str, args: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start `wasmote run` with a module, as a process whose output can be read."""
    command = [sys.executable, "-m", "wasmote", "run", *options, str(module), *args]
    sys.stdout.flush()
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def module(source: str, *flags: str) -> wasmote.Module:
    """The module of a source."""
    return wasmote.Module(wasm(source, *flags))
