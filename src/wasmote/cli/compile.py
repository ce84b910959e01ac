"""`wasmote compile`, and `wamrc`: modules to native code, ahead of time."""

import os
import sys
from collections.abc import Sequence
from types import SimpleNamespace

from wasmote.cli.files import write_file
from wasmote.cli.options import Command, Option, UsageError, number, one_of
from wasmote.cli.report import CANNOT_RUN, CommandError, LoadError, Reporter

#: Options of WAMR's compiler that ask for what Wasmote always does, or never needs.
_ALWAYS = {
    "--enable-indirect-mode": "every image runs in place, without relocation",
    "--xip": "every image runs in place, without relocation",
    "--disable-llvm-intrinsics": "images need no library",
    "--enable-tail-call": "tail calls are compiled as such",
    "--enable-bulk-memory-opt": "the feature is always on",
    "--enable-extended-const": "the feature is always on",
    "--enable-call-indirect-overlong": "the feature is always on",
    "--enable-lime1": "the feature is always on",
    "--enable-dump-call-stack": "traps always have a backtrace",
    "--enable-linux-perf": "frame pointers are always kept",
    "--disable-aux-stack-check": "the module's own stack is never checked",
}
_FORMATS = ("aot", "object", "llvmir-unopt", "llvmir-opt")

COMMAND = Command(
    "wasmote compile",
    "[OPTIONS] -o OUTPUT FILE",
    "Compile a module to an image of native code, which wasmote run runs like a module. Needs the "
    "extra 'build': pip install 'wasmote[build]'.",
    (
        Option("-o, --output FILE", "where the image goes"),
        Option("--target NAME", "the machine to compile for (default: this one); help lists them"),
        Option("--cpu NAME", "LLVM's name of the processor (default: this one's)"),
        Option("--cpu-features LIST", "LLVM's features, such as +avx2,-avx512f"),
        Option("--opt-level N", "0 to 3 (default 3), as for C", convert=number(0, 3), default=3),
        Option(
            "--size-level N",
            "accepted: images are always position-independent",
            convert=number(0, 3),
        ),
        Option(
            "--bounds-checks N",
            "1: check each access; 0: inaccessible pages behind the memory stand in for checks "
            "(default)",
            convert=number(0, 1),
            default=0,
        ),
        Option(
            "--stack-bounds-checks N",
            "accepted: the native stack is always checked",
            convert=number(0, 1),
        ),
        Option(
            "--format NAME",
            f"what to write: {', '.join(_FORMATS)} (default aot, the image)",
            convert=one_of(*_FORMATS),
            default="aot",
        ),
        Option(
            "--emit-custom-sections LIST",
            "custom sections that the image keeps, besides name",
            default="",
        ),
        *(Option(flag, f"accepted: {why}") for flag, why in _ALWAYS.items()),
    ),
    """\
exit codes:
  0  all went well               126  not a valid module, or one that cannot be compiled
  2  wrong options or arguments  127  no such file

examples:
  wasmote compile -o plugin.aot plugin.wasm && wasmote run plugin.aot
  wasmote compile --bounds-checks=1 -o plugin.aot plugin.wasm
  wasmote compile --format=llvmir-opt -o plugin.ll plugin.wasm
""",
)


def wamrc(argv: Sequence[str] | None = None) -> int:
    """Run `wamrc`; returns the exit code."""
    return main(sys.argv[1:] if argv is None else argv)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote compile`; returns the exit code."""
    reporter = Reporter(COMMAND.name)
    try:
        options = COMMAND.parse(argv)
        if options.help:
            print(COMMAND.help())
            return 0
        if options.target == "help":
            return _list_targets()
        return _compile(options)
    except UsageError as error:
        return reporter.usage_error(error)
    except CommandError as error:
        return reporter.refusal(error)


def _list_targets() -> int:
    from wasmote.compile.compiler import TARGETS

    print("\n".join(TARGETS))
    return 0


def _compile(options: SimpleNamespace) -> int:
    if len(options.words) != 1:
        raise UsageError("which FILE? For example: wasmote compile -o plugin.aot plugin.wasm")
    (path,) = options.words
    if not options.output:
        raise UsageError(f"where to? For example: wasmote compile -o plugin.aot {path}")
    if os.path.exists(options.output) and os.path.samefile(options.output, path):
        raise UsageError("input and output are the same file")
    try:
        data = _output(path, options)
    except ImportError as error:
        message = f"compiling needs the package {error.name}: pip install 'wasmote[build]'"
        raise CommandError(message, CANNOT_RUN, message) from None
    write_file(options.output, data)
    return 0


def _output(path: str, options: SimpleNamespace) -> bytes:
    """What the options ask for, as bytes."""
    from wasmote.cli.files import open_module
    from wasmote.compile import compiler
    from wasmote.errors import CompileError

    module = open_module(path)
    try:
        chosen = compiler.Options(
            compiler.target_named(options.target),
            options.opt_level,
            options.cpu or "",
            options.cpu_features or "",
            bool(options.bounds_checks),
            ("name", *filter(None, options.emit_custom_sections.split(","))),
        )
        return compiler.output(module, chosen, options.format)
    except CompileError as error:
        raise LoadError(f"{path}: {error}", str(error)) from None
