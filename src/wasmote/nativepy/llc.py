"""LLVM's compiler `llc`, for machines that llvmlite was built without: Xtensa.

LLVM's optimiser runs in this process, as if for a machine much like it; then `llc`, which has to be
of the same version, makes the code.
"""

import os
import re
import shutil
import subprocess
from functools import cache

from .targets import Target

#: The version of LLVM in llvmlite, whose text `llc` is to read.
VERSION = 22
#: What optimisation takes the machine for: its triple, processor and features.
STAND_IN = ("riscv32-unknown-none-elf", "generic-rv32", "+m")
LAYOUT = "e-m:e-p:32:32-i8:8:32-i16:16:32-i64:64-n32"
#: Code has no tables of addresses; each function is in a section of its own, as only so llc 22
#: makes object files (see `image.relocations.xtensa`).
_OPTIONS = ("-function-sections", "-min-jump-table-entries=4294967295", "-filetype=obj")
_NAMES = (f"llc-{VERSION}", "llc", f"/usr/lib/llvm-{VERSION}/bin/llc")


class ToolError(Exception):
    """There is no `llc` that can be used, or it failed; says why."""


@cache
def find() -> str:
    """The path of an `llc` of the right version that knows the machine. Raises ToolError."""
    problem = "it is not on the PATH"
    for name in _NAMES:
        path = shutil.which(name)
        if path is None:
            continue
        text = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"LLVM version (\d+)", text)
        if version is None or int(version[1]) != VERSION:
            problem = f"{path} is version {version[1] if version else 'unknown'}"
        elif not re.search(r"^\s+xtensa\b", text, re.MULTILINE):
            problem = f"{path} was built without Xtensa"
        else:
            return path
    raise ToolError(
        f"code for Xtensa needs LLVM {VERSION}'s llc with that machine, and {problem} "
        f"(Debian: apt install llvm-{VERSION})"
    )


def is_installed() -> bool:
    """Whether there is an `llc` that can be used."""
    try:
        return os.path.exists(find())
    except ToolError:
        return False


def emit_object(text: str, target: Target, cpu: str, features: str, level: int) -> bytes:
    """The object file of a module's LLVM IR. Raises ToolError."""
    how = [f"-mtriple={target.triple}", f"-mcpu={cpu}", f"-mattr={features}", f"-O{level}"]
    while True:
        done = subprocess.run(
            [find(), *how, *_OPTIONS, "-o", "-"], input=text.encode(), capture_output=True
        )
        if not done.returncode:
            return done.stdout
        reason = done.stderr.decode(errors="replace")
        changed = with_room(text, reason)
        if changed == text:
            raise ToolError(
                f"llc failed: {(reason.strip() or str(done.returncode)).splitlines()[0]}"
            )
        text = changed


def with_room(text: str, reason: str) -> str:
    """The text with a larger frame of the function that llc failed for, if that helps.

    LLVM 22 has a spare register in functions with frames of 2 KiB, but needs it from 1 KiB on.
    """
    failed = re.search(r"Frame Finalization' on function '@(.+)'", reason)
    if "without an emergency spill slot" not in reason or failed is None:
        return text
    start = rf'^define [^\n]*@"?{re.escape(failed[1])}"?\([^\n]*\{{\n(?:[^\n ][^\n]*:[^\n]*\n)?'
    room = (
        "  %llc.room = alloca [2048 x i8], align 4\n"
        '  call void asm sideeffect "", "r"(ptr %llc.room)\n'
    )
    found = re.search(start, text, flags=re.MULTILINE)
    if found is None or text.startswith(room, found.end()):
        return text
    return text[: found.end()] + room + text[found.end() :]


def help_text() -> str:
    """What `llc` says of processors and features. Raises ToolError."""
    command = [find(), "-march=xtensa", "-mattr=help"]
    done = subprocess.run(command, input="", capture_output=True, text=True)
    return done.stderr + done.stdout
