"""`--repl`: a prompt where each line calls an exported function.

The protocol is that of `iwasm`, which the test-suite runners of WAMR drive: the prompt without a
newline, words separated by spaces, `\\` in a function's name for a space, `__exit__` to leave.
"""

import sys
from collections.abc import Callable

from wasmote import Trap, WasmException
from wasmote.cli.report import CommandError, Reporter

PROMPT = "webassembly> "


def repl(call: Callable[[str, list[str]], None], reporter: Reporter) -> int:
    """Read lines and pass name and arguments to `call`, which prints; errors do not end it."""
    while True:
        print(PROMPT, end="", flush=True)
        line = sys.stdin.readline()
        words = line.split()
        if not line or words == ["__exit__"]:
            print("exit repl mode" if words else "")
            return 0
        if words:
            _run(call, words, reporter)


def _run(call: Callable[[str, list[str]], None], words: list[str], reporter: Reporter) -> None:
    try:
        call(words[0].replace("\\", " "), words[1:])
    except CommandError as error:
        reporter.refusal(error)
    except (Trap, WasmException) as trap:
        reporter.trap(trap)
    sys.stdout.flush()
