"""`--profile`, `--memory-report`, `--dump-call-stack` and the like: what a program does while it
runs, and who else may see that.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace

from wasmote.cli.report import CANNOT_RUN, DEBUG, CommandError, Reporter

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import Profile
    from wasmote.cli.program import Program

#: Functions that `--profile` prints.
_FUNCTIONS = 25


@contextmanager
def observed(options: SimpleNamespace, reporter: Reporter) -> Iterator[None]:
    """What these options ask for happens within this context, and at its end, however it ends."""
    tell_tools(options)
    if options.dump_call_stack:
        previous = signal.signal(signal.SIGQUIT, _dump)
    profile = None
    if options.profile is not None:
        from wasmote import profile as make_profile

        profile = make_profile()
        profile.__enter__()
    try:
        yield
    finally:
        if profile is not None:
            profile.__exit__()
            _report(profile, options.profile, reporter)
        if options.dump_call_stack:
            signal.signal(signal.SIGQUIT, previous)


def tell_tools(options: SimpleNamespace) -> None:
    """`--enable-linux-perf`, `--enable-gdb`. Raises CommandError."""
    try:
        if options.enable_linux_perf:
            from wasmote.debug import perf

            perf.enable()
        if options.enable_gdb or _is_traced():
            from wasmote.debug import gdb

            gdb.enable()
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        message = f"cannot write{where} for native tools: {error.strerror or error}"
        raise CommandError(message, CANNOT_RUN, message) from None


def _is_traced() -> bool:
    """Whether a debugger has started this process, as far as the system tells."""
    try:
        with open("/proc/self/status", "rb") as file:
            return b"\nTracerPid:\t0\n" not in file.read()
    except OSError:
        return False


@contextmanager
def reported(program: "Program") -> Iterator[None]:
    """`--memory-report`: printed when this context ends, however it ends."""
    try:
        yield
    finally:
        if program.options.memory_report:
            _report_memory(program)


def _report_memory(program: "Program") -> None:
    from wasmote import memory_report

    sys.stdout.flush()
    verbose = program.reporter.level >= DEBUG
    report = memory_report(program.instance)
    if program.options.json:
        import json

        print(json.dumps({"memory": report.to_dict(verbose)}))
        return
    for line in report.lines(verbose):
        program.reporter.say(line)


def _report(profile: "Profile", path: str, reporter: Reporter) -> None:
    sys.stdout.flush()
    for line in profile.table(_FUNCTIONS).splitlines():
        reporter.say(line)
    if path:
        profile.write(path)


def _dump(number: int, frame: FrameType | None) -> None:
    """All call stacks, on the standard error output."""
    from wasmote.api.call_stack import call_stacks
    from wasmote.cli.report import printable

    lines = []
    for stack in call_stacks(None):
        lines += [f"call stack of thread {stack.thread}:", *str(stack).splitlines()]
    print("\n".join(map(printable, lines or ["no call is under way"])), file=sys.stderr, flush=True)
