"""Options of LLVM itself, as its command line tools have them: `--mllvm`."""

import re
from difflib import get_close_matches
from functools import cache

from wasmote.compile.messages import run_python
from wasmote.errors import CompileError

_APPLY = "from wasmote.compile.llvm_options import apply_options; apply_options(tuple("
_PROGRAM = "wasmote compile --mllvm"


def check_options(words: tuple[str, ...]) -> None:
    """Raise CompileError for options that LLVM does not have or whose values it does not take.

    LLVM passes over what it does not know, so its own list is asked; then another process tries.
    """
    if not words:
        return
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
