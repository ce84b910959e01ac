"""`wasmote compile`, and `wamrc`: modules to native code, ahead of time."""

import os
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

from wasmote.cli.compile_options import COMMAND, DISABLED, FORMAT_NAMES, NOTES, WAMRC
from wasmote.cli.features import allowed
from wasmote.cli.files import open_module, write_file
from wasmote.cli.options import Option, UsageError
from wasmote.cli.progress import Progress, json_summary
from wasmote.cli.report import (
    CANNOT_RUN,
    DEBUG,
    WARNING,
    CommandError,
    JsonReporter,
    LoadError,
    Reporter,
    printable,
)
from wasmote.errors import CompileError

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import Module
    from wasmote.compile.options import Options
    from wasmote.nativepy.targets import Target

#: The exit code of `wamrc` if input and output are the same.
_SAME_FILE = 255


class WamrcReporter(Reporter):
    """Speaks as `wamrc` does: it tells what it does, and errors exit with 1."""

    def log(self, level: int, message: str) -> None:
        if self.level >= WARNING:
            print(printable(message))

    def usage_error(self, message: object) -> int:
        return self._error(message, _SAME_FILE if isinstance(message, SameFileError) else 1)

    def refusal(self, error: CommandError) -> int:
        return self._error(error, 1)

    def _error(self, message: object, status: int) -> int:
        self.say(f"Error: {message}")
        return status


class SameFileError(UsageError):
    """The output would replace the input."""


def wamrc(argv: Sequence[str] | None = None) -> int:
    """Run `wamrc`; returns the exit code."""
    if argv is None:
        from wasmote.cli.report import as_process

        return as_process(wamrc)
    if not argv:
        print(WAMRC.help())
        return 1
    return _run(argv, WamrcReporter("wamrc"))


def main(argv: Sequence[str]) -> int:
    """Run `wasmote compile`; returns the exit code."""
    return _run(argv, Reporter(COMMAND.name))


def _run(argv: Sequence[str], reporter: Reporter) -> int:
    command = WAMRC if isinstance(reporter, WamrcReporter) else COMMAND
    try:
        options = command.parse(argv)
        if options.json:
            reporter = JsonReporter(command.name)
        reporter.level = options.v
        if options.help:
            print(command.help())
            return 0
        if options.version or options.llvm_version:
            print(_llvm_version() if options.llvm_version else _version(command.name))
            return 0
        listed = "\n".join(_listed(options))
        if listed:
            print(listed)
            return 0
        return _compile(options, reporter)
    except UsageError as error:
        return reporter.usage_error(error)
    except CommandError as error:
        return reporter.refusal(error)
    except ImportError as error:
        message = f"compiling needs the package {error.name}: pip install 'wasmote[build]'"
        return reporter.refusal(CommandError(message, CANNOT_RUN, message))


def _version(name: str) -> str:
    from wasmote.cli.version import version

    return f"{name} {version()}{' (Wasmote)' if name == 'wamrc' else ''}"


def _llvm_version() -> str:
    from llvmlite.binding import llvm_version_info

    return f"LLVM {'.'.join(map(str, llvm_version_info))}"


def _listed(options: SimpleNamespace) -> Iterator[str]:
    """What the value `help` of an option asks for; nothing if there is none."""
    from wasmote.compile import processor
    from wasmote.compile.machines import names

    if options.target == "help":
        yield from (f"{name:15} {names.about(name)}" for name in names.machine_names())
    elif options.target_abi == "help":
        yield from names.abis_of(options.target)
    elif options.cpu == "help" or options.cpu_features in ("help", "+help"):
        target = _target(options)
        found = processor.processors if options.cpu == "help" else processor.features
        for name, about in found(target).items():
            yield f"{name:26} {about}"


def _compile(options: SimpleNamespace, reporter: Reporter) -> int:
    path = _input(options)
    if reporter.level >= WARNING:
        for flag, why in _notes(options):
            reporter.say(f"note: {flag}: {why}")
    chosen = _chosen(options)
    for line in _introduction(options, chosen):
        reporter.log(DEBUG, line)
    start = time.perf_counter()
    module = _module(path, options)
    loaded = time.perf_counter()
    progress = Progress(os.path.basename(path), reporter)
    try:
        data, usage = _output(module, chosen, options, progress)
    except CompileError as error:
        raise LoadError(f"{path}: {error}", str(error)) from None
    finally:
        progress.end()
    compiled = time.perf_counter()
    if options.sign_key:
        from wasmote.cli.sign import signed_with

        data = signed_with(options.sign_key, path, data)
    write_file(options.output, data)
    if options.stack_usage:
        write_file(options.stack_usage, usage.encode())
    seconds = {"load": loaded - start, "compile": compiled - loaded, "llvm": progress.seconds}
    if options.json:
        print(json_summary(options.output, options.format, module, data, progress, seconds))
    reporter.log(DEBUG, f"Compile success, file {options.output} was generated.")
    return 0


def _input(options: SimpleNamespace) -> str:
    """The module's path, if the words make sense."""
    if len(options.words) != 1:
        raise UsageError("which FILE? For example: wasmote compile -o plugin.aot plugin.wasm")
    path: str = options.words[0]
    if not options.output:
        raise UsageError(f"where to? For example: wasmote compile -o plugin.aot {path}")
    both = os.path.exists(options.output) and os.path.exists(path)
    if both and os.path.samefile(options.output, path):
        raise SameFileError("input file and output file are the same")
    if not os.access(os.path.dirname(os.path.abspath(options.output)), os.W_OK):
        message = f"cannot write {options.output}: its folder is missing or may not be written to"
        raise CommandError(message, CANNOT_RUN, message)
    for flag in ("stack_usage", "sign_key"):
        if getattr(options, flag) and options.format != "aot":
            raise UsageError(f"--{flag.replace('_', '-')} is for images (--format=aot)")
    return path


def _notes(options: SimpleNamespace) -> Iterator[tuple[str, str]]:
    """The options given that change nothing, and why."""
    for flag, why in NOTES.items():
        option = Option(flag)
        if getattr(options, option.name) not in (None, False):
            yield option.flags[-1], why


def _target(options: SimpleNamespace) -> "Target":
    from wasmote.compile.options import target_named

    try:
        return target_named(options.target, options.target_abi or "")
    except CompileError as error:
        raise CommandError(str(error), CANNOT_RUN, str(error)) from None


def _chosen(options: SimpleNamespace) -> "Options":
    """What the compiler is told."""
    from wasmote.compile.llvm_options import check_options
    from wasmote.compile.options import Options
    from wasmote.compile.passes import check_passes
    from wasmote.compile.processor import check_processor

    chosen = Options(
        target=_target(options),
        level=options.opt_level,
        cpu=options.cpu or "",
        features=options.cpu_features or "",
        bounds_checks=bool(options.bounds_checks) or options.sgx,
        fuel=options.enable_fuel,
        custom_sections=("name", *options.emit_custom_sections),
        debug=options.debug_info,
        jump_tables=not options.disable_llvm_jump_tables,
        passes=options.enable_llvm_passes,
        llvm_options=tuple(options.mllvm),
        polls="counting" if options.sgx else options.polls,
    )
    try:
        check_processor(chosen)
        check_passes(chosen.passes)
        check_options(chosen.llvm_options)
    except CompileError as error:
        raise UsageError(str(error)) from None
    return chosen


def _introduction(options: SimpleNamespace, chosen: "Options") -> Iterator[str]:
    """What `wamrc` says at first, in its words."""
    cpu, features = chosen.processor()
    yield "Create AoT compiler with:"
    yield f"  target:        {chosen.target.name.partition('-')[0]}"
    yield f"  target cpu:    {cpu}"
    yield f"  target triple: {chosen.target.triple}"
    yield f"  cpu features:  {features}"
    yield f"  opt level:     {options.opt_level}"
    yield f"  size level:    {3 if options.size_level is None else options.size_level}"
    yield f"  output format: {FORMAT_NAMES[options.format]}"


def _module(path: str, options: SimpleNamespace) -> "Module":
    """The module to compile, without the features that are off."""
    off = {
        feature: message
        for feature, (flag, message) in DISABLED.items()
        if getattr(options, Option(flag).name)
    }
    try:
        module = open_module(path, allowed([*off, *options.disabled]))
    except LoadError as error:
        for feature, message in off.items():
            if f"unsupported feature {feature}:" in str(error):
                raise LoadError(f"{path}: {message}", message) from None
        raise
    if module.is_compiled:
        message = f"{path} is compiled already; give the module that it was made from"
        raise LoadError(message, message)
    return module


def _output(
    module: "Module", chosen: "Options", options: SimpleNamespace, progress: Progress
) -> tuple[bytes, str]:
    """What the options ask for, as bytes, and the text for `--stack-usage`."""
    from wasmote.compile import compiler

    if options.stack_usage:
        image, usage = compiler.compile_measured(module, chosen, progress)
        return image.encode(), usage
    data = compiler.output(module, chosen, options.format, options.jobs, progress)
    return data, ""
