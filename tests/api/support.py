"""What the API's tests have in common."""

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmote
from wasmote.host.cpython.binding import BINDING


def module(text: str, **options: Any) -> wasmote.Module:
    """Assemble and load a module."""
    return wasmote.Module(bytes(wasmtime.wat2wasm(f"(module {text})")), **options)


def exports(text: str, imports: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The exports of a new instance of a module, which the engine `aot` runs as its image."""
    made = module(text)
    if options.get("engine") == "aot":
        made = compiled(made)
    return wasmote.Instance(made, imports, **options).exports


def compiled(module: wasmote.Module, **options: Any) -> wasmote.Module:
    """The module as an image of native code."""
    options.setdefault("level", 1)
    compiler = pytest.importorskip("wasmote.compile")
    pytest.importorskip("llvmlite")
    return wasmote.Module(compiler.compile_module(module, **options).encode(), name=module.name)


def functions_alive() -> int:
    """How many function references exist in the process, after a garbage collection."""
    gc.collect()
    return int(BINDING.store.function_count)


def resident_kilobytes() -> int:
    """Memory of this process that is in use."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError("VmRSS")
