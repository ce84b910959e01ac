"""`iwasm`: `wasmote run` with the messages and exit codes of WAMR's `iwasm`.

For scripts that are written for it: messages go to the standard output, options that make no sense
print the usage and exit with 1, a module that cannot be loaded exits with 255, and what a C `main`
without WASI returns does not matter.
"""

import sys
import time
from collections.abc import Sequence

from wasmote.cli.options import Command, UsageError
from wasmote.cli.report import TRAPPED, WARNING, CommandError, Reporter, printable
from wasmote.cli.run import OPTIONS, check, run
from wasmote.errors import Trap, TrapKind, backtrace

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import WasmException

COMMAND = Command(
    "iwasm",
    "[-options] wasm_file [args...]",
    "Run a WebAssembly program in the way of WAMR's iwasm. See also: wasmote run --help.",
    OPTIONS,
    """\
exit codes: that of the program (proc_exit), else 0 all went well, 1 an exception or wrong options,
255 the module cannot be loaded.
""",
    program=True,
)


class IwasmReporter(Reporter):
    """Speaks as `iwasm` does."""

    exact = False
    returns_status = False

    def usage_error(self, message: object) -> int:
        print(COMMAND.help())
        super().usage_error(message)
        return TRAPPED

    def refusal(self, error: CommandError) -> int:
        self.say(error.iwasm)
        return error.iwasm_status

    def trap(self, trap: "Trap | WasmException") -> int:
        if trap.frames:
            self.say("")
            self.say_backtrace(trap)
            self.say("")
        # WAMR ends a program whose time is up with wasm_runtime_terminate.
        late = isinstance(trap, Trap) and trap.kind is TrapKind.DEADLINE
        self.say(f"Exception: {TrapKind.TERMINATED.value if late else trap.message}")
        return TRAPPED

    def say_backtrace(self, trap: "Trap | WasmException") -> None:
        for line in backtrace(trap.frames, trap.omitted, brief=True).splitlines():
            self.say(line)

    def start_trap(self, trap: "Trap | WasmException") -> int:
        self.say(f"WASM module instantiate failed: {trap.message}")
        return 255

    def ended(self, end: Exception, status: int) -> int:
        if not str(end).startswith("env.exit"):
            return status
        self.say(f"Exception: {end}")  # exit of the C library that is built in
        return TRAPPED

    def log(self, level: int, message: str) -> None:
        if level <= self.level:
            self.say(f"[{_clock()}]: {'warning: ' if level == WARNING else ''}{message}")

    def say(self, line: str) -> None:
        print(printable(line), flush=True)


def _clock() -> str:
    """Time since the system started, and the thread, as `iwasm` marks its messages."""
    from _thread import get_ident

    seconds, milliseconds = divmod(time.monotonic_ns() // 1_000_000, 1000)
    minutes, hours = seconds // 60, seconds // 3600
    clock = f"{hours % 24:02}:{minutes % 60:02}:{seconds % 60:02}:{milliseconds:03}"
    return f"{clock} - {get_ident():X}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iwasm`; returns the exit code. `argv` is without the program's name."""
    if argv is None:
        from wasmote.cli.report import as_process

        return as_process(main)
    reporter = IwasmReporter(COMMAND.name)
    try:
        options = COMMAND.parse(argv)
        if options.version:
            return _print_version()
        if options.help:
            print(COMMAND.help())
            return TRAPPED
        check(options)
    except UsageError as error:
        return reporter.usage_error(error)
    reporter.level = options.v
    return run(options, reporter)


def _print_version() -> int:
    from wasmote.cli.version import proposals, version

    print(f"iwasm {version()} (Wasmote)\n\n{proposals()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
