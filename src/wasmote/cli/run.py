"""`wasmote run`: runs a program, or calls functions of a module."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

from wasmote.cli.features import DISABLE_FEATURE
from wasmote.cli.options import Command, Option, UsageError, number, one_of
from wasmote.cli.report import HIGHEST, WARNING, CommandError, JsonReporter, Reporter

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.cli.program import Program

_STACK_SIZE = 1 << 20
_SMALLEST_STACK, _LARGEST_STACK = 1 << 16, 1 << 30
_LARGEST_HEAP = 1 << 30
_LONGEST_TIMEOUT = 1 << 31
_MOST_FUEL = (1 << 63) - 1


def _variable(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError(f"expected NAME=VALUE, not {word}")
    return name, value


def _same_directory(word: str) -> tuple[str, str]:
    return word, word


def _mapped_directory(word: str) -> tuple[str, str]:
    guest, colons, host = word.partition("::")
    if not colons or not guest or not host:
        raise ValueError(f"expected GUEST::HOST, not {word}")
    return guest, host


def _addresses(word: str) -> str:
    from wasmote.wasi.network import parse_network

    return _checked(word, parse_network)


def _names(word: str) -> str:
    from wasmote.wasi.network import parse_name

    return _checked(word, parse_name)


def _checked(word: str, parse: "Callable[[str], object]") -> str:
    """`word` if all that its commas separate can be parsed."""
    from wasmote.wasi import WasiError

    try:
        for each in word.split(","):
            parse(each)
    except WasiError as error:
        raise ValueError(str(error)) from None
    return word


def _stack_size(word: str) -> int:
    """What `iwasm` needs is often less than the smallest stack here."""
    return max(number(0, _LARGEST_STACK)(word), _SMALLEST_STACK)


#: Flags that stand for an engine.
_ENGINE_FLAGS = {"--interp": "classic", "--llvm-jit": "jit", "--multi-tier-jit": "auto"}
_ONE_JIT = "Wasmote has one compiler for code at run time: --llvm-jit"
_INTERPRETED = "Wasmote has nothing like it yet"

#: All options of `wasmote run` and `iwasm`.
OPTIONS = (
    Option("-f, --function NAME", "call the exported function NAME with ARGS, print its results"),
    Option("--repl", "read functions to call and their arguments, a line each"),
    Option(
        "--env NAME=VALUE",
        "set an environment variable of the program; may be repeated",
        convert=_variable,
        repeated=True,
    ),
    Option(
        "--dir DIR",
        "let the program use this directory; may be repeated",
        name="dirs",
        convert=_same_directory,
        repeated=True,
    ),
    Option(
        "--map-dir GUEST::HOST",
        "let the program use the directory HOST under the name GUEST; may be repeated",
        name="dirs",
        convert=_mapped_directory,
        repeated=True,
    ),
    Option("--read-only", "the program can only read what is in its directories"),
    Option(
        "--scratch",
        "what the program changes in its directories stays in memory, and is forgotten at the end",
    ),
    Option(
        "--addr-pool ADDRESS/BITS,…",
        "let sockets of the program be bound and connected to addresses in these networks, IPv4 and"
        " IPv6; 0.0.0.0/0 and ::/0 are all; may be repeated",
        convert=_addresses,
        repeated=True,
    ),
    Option(
        "--allow-resolve NAME,…",
        "let the program look up the addresses of these names; *.example.com are all that end so;"
        " may be repeated",
        convert=_names,
        repeated=True,
    ),
    Option(
        "--module-path DIR",
        "take imported modules from here: module NAME from DIR/NAME.wasm, or compiled DIR/NAME.aot;"
        " may be repeated",
        repeated=True,
    ),
    Option(
        "--native-lib FILE",
        "let modules import the functions of a shared library made for WAMR; may be repeated",
        name="native_libs",
        repeated=True,
    ),
    Option(
        "--engine NAME",
        "auto (the default), fast, classic, jit or aot: the fast interpreter translates each "
        "function to code for registers, the classic one runs the module's bytes as they are and "
        "takes less memory; auto begins in the fast interpreter, has the module compiled if it "
        "runs for a while, and goes on in the compiled code; jit has it compiled at once; aot is "
        "for what wasmote compile made, and only that runs it",
        convert=one_of("auto", "fast", "classic", "jit", "aot"),
        default="auto",
    ),
    Option("--interp", "use the classic interpreter: the same as --engine=classic"),
    Option("--llvm-jit", "the same as --engine=jit"),
    Option("--multi-tier-jit", "the same as --engine=auto"),
    Option(
        "--llvm-jit-opt-level N",
        "how much auto and jit optimise, 0 to 3 (the default)",
        convert=number(0, 3),
        default=3,
    ),
    Option(
        "--llvm-jit-size-level N",
        "accepted, 0 to 3: compiled code always is as small as WAMR's of level 3",
        convert=number(0, 3),
    ),
    Option("--no-cache", "neither use nor fill the cache of compiled modules"),
    DISABLE_FEATURE,
    Option(
        "--require-signature KEY",
        "run nothing that is not signed with a key of the PEM file KEY; see wasmote sign --help",
    ),
    Option(
        "--stack-size BYTES",
        "space for the values of all active functions, 64K to 1G (default 1M); less counts as 64K",
        convert=_stack_size,
        default=_STACK_SIZE,
    ),
    Option(
        "--heap-size BYTES",
        "the app heap: room in the module's memory for malloc of the C library that is built in,"
        " and for main's arguments (default 16K for a module that imports from env and needs it for"
        " either, else 0); none if the module exports malloc and free",
        convert=number(0, _LARGEST_HEAP),
    ),
    Option(
        "--gc-heap-size BYTES",
        "room for the structures, arrays and exceptions that the program makes, 64K to 16G"
        " (default 512M); their garbage is collected",
        convert=number(1 << 16, 1 << 34),
    ),
    Option(
        "--max-threads N",
        "threads that a program may start at once, by wasi-threads or pthread_create (default 4)",
        convert=number(0, 1 << 16),
        default=4,
    ),
    Option(
        "--timeout MS",
        "stop the program after so many milliseconds",
        convert=number(1, _LONGEST_TIMEOUT),
    ),
    Option(
        "--fuel N",
        "stop the program after it has executed so many instructions (K, M, G: powers of 1024);"
        " counting them takes time: some 15 percent, in the classic interpreter as much again; an"
        " image must have been compiled with --enable-fuel",
        convert=number(0, _MOST_FUEL),
    ),
    Option(
        "--profile[=FILE]",
        "sample what the program does; print the functions that took longest, and write the call"
        " stacks to FILE: as a flame graph if its name ends in .svg, else as lines for other tools",
    ),
    Option(
        "--memory-report",
        "print at the end what the program takes of memory (with -v=3 or more for each function;"
        " with --json as JSON)",
    ),
    Option(
        "--dump-call-stack",
        "print all call stacks, and go on, whenever the process gets SIGQUIT (Ctrl-\\)",
    ),
    Option(
        "--enable-linux-perf",
        "name compiled functions for perf: in /tmp/perf-PID.map, and with their code and lines in "
        "jit-PID.dump here, for perf inject --jit",
    ),
    Option(
        "--enable-gdb",
        "tell gdb of compiled functions, for one that is attached later; one that starts the "
        "program is told anyway",
    ),
    Option(
        "-v LEVEL",
        "0 or 1: no warnings, 2: warnings (the default), 3 to 5: also what happens",
        convert=number(0, HIGHEST),
        default=WARNING,
    ),
    Option("--json", "print results, and what went wrong, as JSON"),
    Option("--version", "show the version"),
    Option("--fast-jit", refusal=_ONE_JIT),
    Option("--jit-codecache-size BYTES", refusal=_ONE_JIT),
    Option("--enable-segue FLAGS", refusal=_INTERPRETED),
    Option("--gen-prof-file FILE", refusal=_INTERPRETED),
    Option("--disable-bounds-checks", refusal="every access to memory is checked in Wasmote"),
    Option("--shared-heap-size BYTES", refusal="Wasmote has no shared heaps yet"),
    Option("-g ADDRESS", refusal="Wasmote has no debugger yet"),
)

COMMAND = Command(
    "wasmote run",
    "[OPTIONS] FILE [ARGS…]",
    "Run a program: call its _start (WASI) or main with the arguments. A reactor's _initialize is "
    "called first. FILE is a WebAssembly binary, or text (.wat) if the package wasmtime is there. "
    "Options end at FILE; what follows belongs to the program.",
    OPTIONS,
    """\
arguments of --function:
  integers as 12, 0x12 or 012 (octal), floats as 1.5, 0x1.8p3, inf, nan or nan:0x200000 (its
  payload), references as null or a number. Results are printed as 0x3:i32,1.5:f64; floats have as
  many digits as needed to read the same number back (iwasm: at most 7).

exit codes:
  that of the program (proc_exit, or what main returns), else
  0    all went well               126  not a module that can be run
  1    WebAssembly code trapped    127  no such file
  2    wrong options or arguments  130  stopped by Ctrl-C

examples:
  wasmote run hello.wasm
  wasmote run --dir=. --env=LANG=C tool.wasm --verbose input.txt
  wasmote run --map-dir=/data::./build/data --timeout=5000 tool.wasm
  wasmote run --addr-pool=127.0.0.0/8,::1/128 --allow-resolve=localhost server.wasm
  wasmote run --dir=. --scratch untrusted.wasm
  wasmote run -f add math.wasm 1 2
  wasmote run --heap-size=64K tiny.wasm
  wasmote run --require-signature=vendor.pub plugin.aot
""",
    program=True,
)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote run`; returns the exit code."""
    reporter = Reporter(COMMAND.name)
    try:
        options = COMMAND.parse(argv)
        if options.help:
            print(COMMAND.help())
            return 0
        if options.version:
            return _print_version()
        check(options)
    except UsageError as error:
        return reporter.usage_error(error)
    if options.json:
        reporter = JsonReporter(COMMAND.name)
    reporter.level = options.v
    return run(options, reporter)


def _print_version() -> int:
    from wasmote.cli.version import version

    print(f"wasmote {version()}")
    return 0


def check(options: SimpleNamespace) -> None:
    """Raise UsageError for options that do not fit together, and settle what they mean."""
    if not options.words:
        raise UsageError("which FILE? For example: wasmote run hello.wasm")
    if options.repl and options.function:
        raise UsageError("--repl and --function exclude each other; the prompt takes the function")
    if options.repl and options.json:
        raise UsageError("--repl and --json exclude each other")
    if options.read_only and options.scratch:
        raise UsageError("--read-only and --scratch exclude each other")
    for flag, engine in _ENGINE_FLAGS.items():
        if getattr(options, flag.strip("-").replace("-", "_")):
            if options.engine not in ("auto", engine):
                raise UsageError(
                    f"{flag} is --engine={engine}; "
                    f"it and --engine={options.engine} exclude each other"
                )
            options.engine = engine


def run(options: SimpleNamespace, reporter: Reporter) -> int:
    """Load, link and run; returns the exit code."""
    from wasmote import Trap, WasmException
    from wasmote.cli.compiling import compiling
    from wasmote.cli.deadline import Deadline
    from wasmote.cli.observe import observed, reported
    from wasmote.cli.program import Program, exit_status

    started = False
    try:
        with observed(options, reporter), compiling(options), Deadline(options.timeout):
            program = Program(options, reporter)
            started = True
            with reported(program):
                return _start(program, reporter)
    except CommandError as error:
        return reporter.refusal(error)
    except (Trap, WasmException) as trap:
        return reporter.trap(trap) if started else reporter.start_trap(trap)
    except Exception as error:
        status = exit_status(error)
        if status is None:
            raise
        return reporter.ended(error, status)


def _start(program: "Program", reporter: Reporter) -> int:
    options = program.options
    if options.repl:
        from wasmote.cli.repl import repl

        return repl(lambda name, words: _call(program, reporter, name, words), reporter)
    if options.function:
        _call(program, reporter, options.function, options.words[1:])
        return 0
    from wasmote.cli.entry import run_main

    status = run_main(program)
    return status & 0xFF if reporter.returns_status else 0


def _call(program: "Program", reporter: Reporter, name: str, words: list[str]) -> None:
    """Call a function with arguments in words, and print its results."""
    from wasmote.cli import values

    function = program.function(name)
    kind = function.type
    exact = reporter.exact
    arguments = values.read_arguments(name, kind, words, program.instance, exact=exact)
    results = function.call_bits(*arguments)
    if program.options.json:
        import json

        print(json.dumps({"results": values.results_as_json(kind.results, results)}))
    else:
        print(values.show_results(kind.results, results, exact=exact))
