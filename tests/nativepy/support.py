"""What the tests of nativepy have in common."""

from pathlib import Path
from typing import Any

from wasmote.nativepy import NativeFunction, Target, host_target
from wasmote.nativepy.unit import Unit

PRELUDE = "from wasmote.nativepy import *\n"


def define(folder: Path, source: str) -> dict[str, Any]:
    """Run nativepy source from a file of its own, from line 2 on; returns its names."""
    path = folder / "program.py"
    number = 1
    while path.exists():  # the compiler reads each file once
        number += 1
        path = folder / f"program{number}.py"
    text = PRELUDE + source
    path.write_text(text)
    names: dict[str, Any] = {"__name__": str(path)}
    exec(compile(text, str(path), "exec"), names)
    return names


def compile_ir(*functions: NativeFunction, target: Target | None = None) -> str:
    """The LLVM IR of exported functions."""
    unit = Unit(target or host_target())
    for function in functions:
        unit.add(function)
    return unit.llvm_ir()
