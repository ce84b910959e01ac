"""Options of LLVM itself, as its command line tools have them: `--mllvm`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from wasmote.compile.messages import run_python
from wasmote.compile.options import Options
from wasmote.errors import CompileError
from wasmote.image.elf import I386, X86_64

ALWAYS = (
    # A function makes its frame where it begins: a backtrace of a fault follows the frame pointers,
    # and would miss the caller of a function that makes its frame only on some of its ways.
    "-enable-shrink-wrap=0",
    # LLVM may count a loop's iterations in 128 bits: a division of such is expanded, as there is no
    # library that has it.
    "-expand-div-rem-bits=64",
    # Debug information has no variables; following where they are takes a tenth of code generation.
    "-experimental-debug-variable-locations=false",
    # It is of this version, and `optimised` verifies it.
    "-disable-auto-upgrade-debug-info",
)
_LSR, _POST_RA = "disable-lsr", "post-RA-scheduler"
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


def leave_out_scheduling(options: Options) -> None:
    """Do not order instructions once more after they have registers, which takes a tenth of code
    generation: x86 processors find an order themselves.

    For a process that compiles for one target only, as LLVM has no way back to what a target has.
    """
    import llvmlite.binding as llvm

    if options.target.machine in (I386, X86_64) and not _is_given(_POST_RA, options):
        llvm.set_option(_PROGRAM, f"-{_POST_RA}=false")


def _is_given(name: str, options: Options) -> bool:
    return any(word.lstrip("-").partition("=")[0] == name for word in options.llvm_options)


@contextmanager
def loop_reduction(wanted: bool, options: Options) -> Iterator[None]:
    """Whether LLVM meanwhile makes loops count what addresses need (loop strength reduction).

    It takes a sixth of the time that machine code does, and mostly addresses are better as they
    are: without it coremix, sha256, stencil and strings are a tenth faster. In `life` it matters.
    """
    import llvmlite.binding as llvm

    if wanted or _is_given(_LSR, options):
        yield
        return
    llvm.set_option(_PROGRAM, f"-{_LSR}=true")
    try:
        yield
    finally:
        llvm.set_option(_PROGRAM, f"-{_LSR}=false")
