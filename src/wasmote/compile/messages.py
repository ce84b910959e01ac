"""What LLVM says: it has no other way than the process's standard error output."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def captured(action: Callable[[], Result]) -> tuple[Result, str]:
    """What the action returns, and what is written to standard error output meanwhile."""
    import tempfile

    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            result = action()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return result, file.read().decode(errors="replace")


def run_python(code: str, *words: str) -> str:
    """What another process writes, that runs this code with these arguments: for what LLVM ends
    the process for, or does only once.
    """
    import subprocess

    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout
