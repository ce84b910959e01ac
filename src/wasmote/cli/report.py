"""Messages and exit codes, and what a command needs to behave like a program of the system."""

import sys
from collections.abc import Callable, Sequence

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import Frame, Trap, WasmException

TRAPPED = 1
USAGE = 2
#: As in a shell: found but not runnable, not found, ended by Ctrl-C.
CANNOT_RUN = 126
NOT_FOUND = 127
INTERRUPTED = 130

#: Levels of `-v`: 0 and 1 leave out warnings, 3 to 5 also tell what happens.
WARNING = 2
DEBUG = 3
HIGHEST = 5


#: Objects made before Python looks for garbage. Importing makes many, and looking again and again
#: takes a tenth of a small program's time.
_GC_THRESHOLD = 20_000


def printable(text: str) -> str:
    """`text` with control characters as escapes: names in modules must not reach a terminal raw."""
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


class CommandError(Exception):
    """Something cannot be done; the message says why and what can.

    `status` is the exit code. `iwasm` is what `iwasm` says of it, exiting with `iwasm_status`.
    """

    iwasm_status = 1

    def __init__(self, message: str, status: int, iwasm: str) -> None:
        super().__init__(message)
        self.status = status
        self.iwasm = iwasm


class LoadError(CommandError):
    """A module cannot be read, loaded or linked."""

    iwasm_status = 255

    def __init__(self, message: str, iwasm: str, status: int = CANNOT_RUN) -> None:
        super().__init__(message, status, iwasm)


class CallError(CommandError):
    """A function cannot be called as asked."""

    def __init__(self, message: str, iwasm: str) -> None:
        super().__init__(message, USAGE, f"Exception: {iwasm}")


class Reporter:
    """How `wasmote` speaks: messages go to the standard error output, a line each."""

    #: Whether numbers are read and printed exactly, see `values`.
    exact = True
    #: Whether what `main` returns is the exit code.
    returns_status = True

    def __init__(self, name: str, level: int = WARNING) -> None:
        self.name = name
        self.level = level

    def usage_error(self, message: object) -> int:
        """Options that make no sense. This and the next two return the exit code."""
        self.say(f"{self.name}: {message}")
        return USAGE

    def refusal(self, error: CommandError) -> int:
        """Something that cannot be done."""
        self.say(f"{self.name}: {error}")
        return error.status

    def trap(self, trap: "Trap | WasmException") -> int:
        """WebAssembly code that trapped, or threw an exception that nobody caught."""
        self.say(f"Exception: {trap.message}")
        self.say_backtrace(trap)
        return TRAPPED

    def start_trap(self, trap: "Trap | WasmException") -> int:
        """A module that trapped or threw when it was instantiated."""
        return self.trap(trap)

    def ended(self, end: Exception, status: int) -> int:
        """A program that ended itself with an exit code."""
        return status

    def log(self, level: int, message: str) -> None:
        """Something along the way, if the level of `-v` allows."""
        if level <= self.level:
            self.say(f"warning: {message}" if level == WARNING else message)

    def say(self, line: str) -> None:
        """Print a line."""
        print(printable(line), file=sys.stderr)

    def say_backtrace(self, trap: "Trap | WasmException") -> None:
        """Print where it was, innermost frame first."""
        for line in trap.backtrace().splitlines():
            self.say(line)


class JsonReporter(Reporter):
    """Reports what ends the run as a JSON object on the standard output."""

    def refusal(self, error: CommandError) -> int:
        self._print({"message": str(error)})
        return error.status

    def trap(self, trap: "Trap | WasmException") -> int:
        from wasmote.errors import Trap

        frames = [
            {"index": each.function_index, "name": each.function_name, "offset": each.offset}
            | _sources(each)
            for each in trap.frames
        ]
        kind = trap.kind.value if isinstance(trap, Trap) else "uncaught exception"
        error = {"trap": kind, "message": trap.message, "frames": frames}
        omitted = {"omitted": trap.omitted} if trap.omitted else {}
        self._print({**error, **omitted})
        return TRAPPED

    def _print(self, error: dict[str, object]) -> None:
        import json

        print(json.dumps({"error": error}))


def _sources(frame: "Frame") -> dict[str, object]:
    """The source lines of a frame, if they are known."""
    found = [
        {"file": each.file, "line": each.line, "column": each.column, "function": each.function}
        for each in frame.sources
    ]
    return {"sources": found} if found else {}


def as_process(main: Callable[[Sequence[str]], int]) -> int:
    """Run a command for the process: Ctrl-C and a closed pipe end it without a traceback."""
    import gc
    import signal

    gc.set_threshold(_GC_THRESHOLD)
    # Words and lines that are not valid text are passed on as they are, and shown with escapes.
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if hasattr(stream, "reconfigure"):  # there is a stream, and a Python file
            stream.reconfigure(errors=errors)
    if hasattr(signal, "SIGPIPE"):  # as other programs of the system
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # the disk is full, or the output is closed
        print(f"{sys.argv[0].rpartition('/')[2]}: {error}", file=sys.stderr)
        return TRAPPED
