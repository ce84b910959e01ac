"""Shows how far a long compilation is: a line on a terminal, which is gone in the end."""

import sys
import time

from wasmote.cli.report import DEBUG, Reporter

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import TextIO

    from wasmote import Module
    from wasmote.compile.partition import Partition

#: Back to the line's start, and clear what is there.
_CLEAR = "\r\x1b[K"
#: Share of the work that has to be done before the time left can be told.
_ENOUGH = 0.05


class Progress:
    """Told after each part of a module that is compiled.

    With a high enough level of `-v` each part gets a line. Otherwise, if the standard error output
    is a terminal, one line says how much is done and how long the rest may take.
    """

    def __init__(self, name: str, reporter: Reporter, stream: "TextIO | None" = None) -> None:
        self.name, self.reporter = name, reporter
        self.stream = stream or sys.stderr
        self.verbose = reporter.level >= DEBUG
        self.shown = False
        self.start = time.monotonic()
        self.done = self.seconds = 0.0
        self.functions = self.parts = 0

    def __call__(self, part: "Partition", seconds: float) -> None:
        """A part is compiled, which took so many seconds of one processor."""
        self.done += part.share
        self.seconds += seconds
        self.functions += len(part.bodies)
        self.parts += 1
        if self.verbose:
            what = f"{len(part.bodies)} functions, {part.size} bytes" if part.bodies else "entries"
            self.reporter.log(DEBUG, f"part {part.number}: {what} in {seconds:.1f} s")
        elif self.stream.isatty() and self.done < 1:
            self.stream.write(f"{_CLEAR}{self.line()}")
            self.stream.flush()
            self.shown = True

    def line(self) -> str:
        """Such as `compiling x.wasm: 42 %, 4800 functions, 12 s left`."""
        text = f"compiling {self.name}: {self.done:.0%}, {self.functions} functions"
        if self.done < _ENOUGH:
            return text
        left = (time.monotonic() - self.start) * (1 - self.done) / self.done
        return f"{text}, {max(left, 0):.0f} s left"

    def end(self) -> None:
        """Nothing more comes, whatever the reason: the line goes away."""
        if self.shown:
            self.stream.write(_CLEAR)
            self.stream.flush()
            self.shown = False


def json_summary(
    path: str,
    format: str,
    module: "Module",
    data: bytes,
    progress: Progress,
    seconds: dict[str, float],
) -> str:
    """What was made, for scripts. `llvm` is the sum over all processes."""
    import json

    from wasmote.image.format import parse

    found = {
        "output": path,
        "format": format,
        "module_bytes": len(module._binary),
        "bytes": len(data),
        "functions": progress.functions,
        "parts": progress.parts,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
    if format == "aot":
        found["code_bytes"] = parse(data, verify=False).code_size
    return json.dumps(found)
