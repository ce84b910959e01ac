"""The benchmark programs: what they are, how much work each gets, and how they are compiled.

The sources are C, in ``programs/``. Compiled files go to ``build/``, which git ignores, and are
made again when a source is newer. Nothing here knows of engines: see ``peers.py``.
"""

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

BENCH = Path(__file__).resolve().parent
SOURCES = BENCH / "programs"
BUILD = BENCH / "build"

# No fused multiply-add: every engine and the native peer must print the same checksum.
_COMMON = ["-O3", "-std=gnu17", "-ffp-contract=off", "-s"]
# The stack in linear memory: 16 MiB by default, which every engine would have to clear.
_WASM = ["-target", "wasm32-wasi", *_COMMON, "-Wl,-z,stack-size=262144"]
_WASM_LIBRARY = ["-target", "wasm32-freestanding", *_COMMON, "-nostdlib", "-Wl,--no-entry"]
_NATIVE = [*_COMMON, "-lm"]


@dataclass(frozen=True)
class Program:
    """One benchmark; *size* and *quick_size* are what it gets as its only argument."""

    name: str
    kind: str
    size: int
    quick_size: int

    def arguments(self, quick: bool) -> list[str]:
        return [str(self.quick_size if quick else self.size)]


# A size is chosen so that a good interpreter needs a little under a second on a desktop machine.
PROGRAMS = (
    Program("ackermann", "recursion, deep", 1000, 50),
    Program("arith64", "64-bit integer arithmetic", 1600, 80),
    Program("binarytrees", "malloc and free", 450, 22),
    Program("collatz", "integer loop, no memory", 700, 50),
    Program("compress", "LZ77, bytes and copies", 200, 10),
    Program("coremix", "list, matrix, state machine, CRC", 15000, 750),
    Program("crc32", "table look-ups by byte", 700, 35),
    Program("fannkuch", "small arrays in place", 2400, 120),
    Program("fib", "recursion, broad", 250, 12),
    Program("filters", "single precision, FIR and FFT", 600, 30),
    Program("hashmap", "hash table, linear probing", 240, 12),
    Program("indirect", "calls of function pointers", 1000, 50),
    Program("json", "recursive-descent parser", 160, 8),
    Program("life", "grid of bytes", 650, 32),
    Program("mandelbrot", "double precision, no memory", 2000, 100),
    Program("matmul", "matrix product in doubles", 70, 4),
    Program("memory", "memcpy, memmove, memset", 600, 30),
    Program("mulhash", "products of 128 bits, folded", 100, 5),
    Program("nbody", "double precision in structs", 600, 30),
    Program("primes", "products of 128 bits, Montgomery form", 200000, 10000),
    Program("queens", "backtracking on bit sets", 6000, 300),
    Program("quicksort", "sorting", 30, 2),
    Program("sha256", "rotations and logic", 200, 10),
    Program("sieve", "integer loop over bytes", 40, 2),
    Program("stencil", "nested loops over doubles", 90, 5),
    Program("strings", "libc string functions", 160, 8),
    Program("vm", "bytecode switch (br_table)", 100, 5),
    Program("x25519", "products of 128 bits, elliptic curve", 1500, 75),
)


class BuildError(Exception):
    """A program does not compile, or there is no compiler."""


def select(names: str | None) -> list[Program]:
    """The programs in *names*, separated by commas; all for None. KeyError for an unknown one."""
    if names is None:
        return list(PROGRAMS)
    known = {program.name: program for program in PROGRAMS}
    return [known[name] for name in names.split(",")]


def build_wasm(name: str) -> Path:
    """``programs/NAME.c`` as a WASI command."""
    return _build(name, BUILD / f"{name}.wasm", _WASM)


def build_wasm_library(name: str) -> Path:
    """``programs/NAME.c`` as a module without libc and start function, to call from Python."""
    return _build(name, BUILD / f"{name}.wasm", _WASM_LIBRARY)


def build_native(name: str) -> Path:
    """``programs/NAME.c`` for this machine."""
    return _build(name, BUILD / "native" / name, _NATIVE)


def _build(name: str, target: Path, options: list[str]) -> Path:
    source = SOURCES / f"{name}.c"
    newest = max(path.stat().st_mtime for path in (source, SOURCES / "bench.h"))
    if not target.exists() or target.stat().st_mtime < newest:
        target.parent.mkdir(parents=True, exist_ok=True)
        compiler = [sys.executable, "-m", "ziglang", "cc"]
        command = [*compiler, str(source), *options, "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            hint = (
                "" if find_spec("ziglang") else "\nThe compiler is a package: pip install ziglang"
            )
            raise BuildError(f"cannot compile {source.name}:\n{done.stderr.strip()}{hint}")
    return target
