"""Options of LLVM itself, as its command line tools have them: `--mllvm`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from wasmote.compile.messages import run_python
from wasmote.compile.options import Options
from wasmote.errors import CompileError

ALWAYS = (
    # A function makes its frame where it begins: a backtrace of a fault follows the frame pointers,
    # and would miss the caller of a function that makes its frame only on some of its ways.
    "-enable-shrink-wrap=0",
    # Debug information has no variables; following where they are takes a tenth of code generation.
    "-experimental-debug-variable-locations=false",
    # It is of this version, and `optimised` verifies it.
    "-disable-auto-upgrade-debug-info",
)
_LSR = "-disable-lsr"
_APPLY = "from wasmote.compile.llvm_options import apply_options; apply_options(tuple("
_PROGRAM = "wasmote compile --mllvm"


def check_options(words: tuple[str, ...]) -> None:
    """Raise CompileError for options that LLVM does not have or whose values it does not take.

    LLVM passes over what it does not know, so its own list is asked; then another process tries.
    """
    if not words:
        return
    from difflib import get_close_matches

    known = set(
        re.findall(r"^ +--?([\w-]+)", run_python(f"{_APPLY}['--help-list-hidden']))"), re.M)
    )
    for word in words:
        name = word.lstrip("-").partition("=")[0]
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise CompileError(f"LLVM has no option {name}{f'; is it {near[0]}?' if near else ''}")
    said = run_python(f"{_APPLY}sys.argv[1:]))", *words)
    if said:
        raise CompileError(
            f"LLVM does not accept {' '.join(words)}: {' '.join(said.split())[:200]}"
        )


@cache
def apply_options(words: tuple[str, ...]) -> None:
    """Give LLVM options, which it keeps as long as the process lives."""
    import llvmlite.binding as llvm

    for word in words:
        llvm.set_option(_PROGRAM, word if word.startswith("-") else f"-{word}")


@contextmanager
def loop_reduction(wanted: bool, options: Options) -> Iterator[None]:
    """Whether LLVM meanwhile makes loops count what addresses need (loop strength reduction).

    It takes a sixth of the time that machine code does, and mostly addresses are better as they
    are: without it coremix, sha256, stencil and strings are a tenth faster. In `life` it matters.
    """
    import llvmlite.binding as llvm

    if wanted or any(word.lstrip("-").startswith("disable-lsr") for word in options.llvm_options):
        yield
        return
    llvm.set_option(_PROGRAM, f"{_LSR}=true")
    try:
        yield
    finally:
        llvm.set_option(_PROGRAM, f"{_LSR}=false")
