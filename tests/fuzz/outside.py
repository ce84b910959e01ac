"""Generators that others wrote, where they are installed: `wasm-opt -ttf`, `wasm-tools smith`.

The environment variables WASM_OPT and WASM_TOOLS name another one than that on the PATH.
"""

import json
import os
import random
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from wasmote.isa import Feature

#: The first version of `wasm-opt` that writes what was standardised.
_FINAL = 120
#: Its options for features, with the first version that they are for.
_BINARYEN_FLAGS = {
    Feature.SIGN_EXTENSION: ("sign-ext", 0),
    Feature.SATURATING_CONVERSION: ("nontrapping-float-to-int", 0),
    Feature.MULTI_VALUE: ("multivalue", 0),
    Feature.BULK_MEMORY: ("bulk-memory", 0),
    Feature.REFERENCE_TYPES: ("reference-types", 0),
    Feature.TAIL_CALLS: ("tail-call", 0),
    Feature.SIMD: ("simd", _FINAL),
    Feature.EXTENDED_CONST: ("extended-const", _FINAL),
    Feature.GC: ("gc", _FINAL),
    Feature.MEMORY64: ("memory64", _FINAL),
    Feature.MULTI_MEMORY: ("multimemory", _FINAL),
    Feature.EXCEPTIONS: ("exception-handling", _FINAL),
    Feature.THREADS: ("threads", _FINAL),
    Feature.WIDE_ARITHMETIC: ("wide-arithmetic", 130),
    Feature.CUSTOM_PAGE_SIZES: ("custom-page-sizes", 130),
}
_PASSES = ("-O1", "-O2", "-O3", "-O4", "-Os", "--flatten --rereloop", "--local-cse", "--precompute")
#: Options of `wasm-tools smith`.
_SMITH_FLAGS = {
    Feature.SIGN_EXTENSION: "sign-extension-ops",
    Feature.SATURATING_CONVERSION: "saturating-float-to-int",
    Feature.MULTI_VALUE: "multi-value",
    Feature.BULK_MEMORY: "bulk-memory",
    Feature.REFERENCE_TYPES: "reference-types",
    Feature.EXTENDED_CONST: "extended-const",
    Feature.TAIL_CALLS: "tail-call",
    Feature.SIMD: "simd",
    Feature.RELAXED_SIMD: "relaxed-simd",
    Feature.GC: "gc",
    Feature.MEMORY64: "memory64",
    Feature.EXCEPTIONS: "exceptions",
    Feature.THREADS: "threads",
    Feature.WIDE_ARITHMETIC: "wide-arithmetic",
    Feature.CUSTOM_PAGE_SIZES: "custom-page-sizes",
}
#: Calls and turns of loops that a module of `wasm-tools smith` may make.
SMITH_FUEL = 200
_LIMITS = {
    "fuel": SMITH_FUEL,
    "max-tables": 3,
    "max-table-elements": 500,
    "max-memory32-bytes": 2_000_000,
    "max-memory64-bytes": 2_000_000,
    "min-types": 8,
    "max-types": 25,
    "min-funcs": 4,
    "max-funcs": 9,
    "min-globals": 2,
    "max-globals": 8,
    "max-imports": 6,
    "max-tags": 4,
    "max-data-segments": 4,
    "max-element-segments": 4,
    "max-elements": 20,
    "max-instructions": 150,
}
_ON = (
    *("export-everything", "memory-max-size-required", "table-max-size-required"),
    "limit-arrays-in-const-exprs",
)
_SECONDS = 60  # that a module may take


class Binaryen:
    """Makes modules with `wasm-opt`."""

    def __init__(self, features: frozenset[Feature]) -> None:
        self.command = _command("WASM_OPT", "wasm-opt")
        self.version = _version(self.command[0])
        known = [
            flag
            for feature, (flag, version) in _BINARYEN_FLAGS.items()
            if feature in features and version <= self.version
        ]
        self.flags = ["--enable-mutable-globals", *(f"--enable-{flag}" for flag in known)]
        self.folder = tempfile.TemporaryDirectory()

    def close(self) -> None:
        self.folder.cleanup()

    @staticmethod
    def available() -> bool:
        return bool(_command("WASM_OPT", "wasm-opt"))

    def module(self, rng: random.Random) -> bytes | None:
        """A module, sometimes an optimised one; None if this version fails to make one."""
        folder = Path(self.folder.name)
        (folder / "input").write_bytes(rng.randbytes(rng.choice((100, 500, 1500, 4000))))
        flags = list(self.flags)
        if rng.random() < 0.5 and self.version < _FINAL:
            flags.remove("--enable-reference-types")  # its references are often not valid
        if rng.random() < 0.4:
            flags.append("--denan")
        if rng.random() < 0.5:
            flags += rng.choice(_PASSES).split()
        output = folder / "output.wasm"
        command = [*self.command, "-q", "-ttf", *flags, str(folder / "input"), "-o", str(output)]
        return output.read_bytes() if _run(command) else None


class Smith:
    """Makes modules with `wasm-tools smith`: all that validates, much of it never reached."""

    def __init__(self, features: frozenset[Feature]) -> None:
        self.command = [*_command("WASM_TOOLS", "wasm-tools"), "smith"]
        for feature, flag in _SMITH_FLAGS.items():
            self.command += [f"--{flag}-enabled", json.dumps(feature in features)]
        for flag, value in _LIMITS.items():
            self.command += [f"--{flag}", str(value)]
        self.command += ["--max-memories", "3" if Feature.MULTI_MEMORY in features else "1"]
        for flag in _ON:
            self.command += [f"--{flag}", "true"]
        for flag in ("custom-descriptors", "compact-imports"):
            self.command += [f"--{flag}-enabled", "false"]
        self.command.append("--ensure-termination")
        self.folder = tempfile.TemporaryDirectory()

    def close(self) -> None:
        self.folder.cleanup()

    @staticmethod
    def available() -> bool:
        return bool(_command("WASM_TOOLS", "wasm-tools"))

    def module(self, rng: random.Random) -> bytes | None:
        """A module; None if the random bytes did not make one."""
        folder = Path(self.folder.name)
        (folder / "input").write_bytes(rng.randbytes(rng.choice((4000, 12000, 30000))))
        output = folder / "output.wasm"
        command = [*self.command, "--disallow-traps", json.dumps(rng.random() < 0.5)]
        command += [str(folder / "input"), "-o", str(output)]
        return output.read_bytes() if _run(command) else None


def _command(variable: str, program: str) -> list[str]:
    """How to run a program; empty if it is not there."""
    found = os.environ.get(variable) or shutil.which(program)
    return [found] if found else []


@cache
def _version(program: str) -> int:
    text = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return next((int(word) for word in text.split() if word.isdigit()), 0)


def _run(command: list[str]) -> bool:
    try:
        made = subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return made.returncode == 0
