"""The options of `wasmote compile`, which are those of WAMR's `wamrc` and a few more."""

from wasmote.cli.features import DISABLE_FEATURE
from wasmote.cli.options import Command, Option, number, one_of
from wasmote.cli.report import HIGHEST, WARNING

FORMATS = ("aot", "object", "llvmir-unopt", "llvmir-opt")
#: Formats as `wamrc` names them in its first lines.
FORMAT_NAMES = {
    "aot": "AoT file",
    "object": "native object file",
    "llvmir-unopt": "unoptimized LLVM IR",
    "llvmir-opt": "optimized LLVM IR",
}
_IN_PLACE = "every image runs in place, without relocation"
_ON = "the feature is always on"
#: Options that ask for what Wasmote always does, or never needs; a note says so.
NOTES = {
    "--xip": _IN_PLACE,
    "--enable-indirect-mode": _IN_PLACE,
    "--disable-llvm-intrinsics": "images need no library, whatever LLVM makes of intrinsics",
    "--enable-builtin-intrinsics LIST": "images need no library, whatever LLVM makes of intrinsics",
    "--size-level N": "images always have the small, position-independent code model",
    "--stack-bounds-checks N": "the native stack is always checked, where a function begins",
    "--enable-bulk-memory-opt": _ON,
    "--enable-extended-const": _ON,
    "--enable-tail-call": _ON,
    "--enable-call-indirect-overlong": _ON,
    "--enable-lime1": _ON,
    "--enable-simd": _ON,
    "--enable-gc": _ON,
    "--enable-multi-thread": "shared memories and atomic instructions need no option",
    "--enable-dump-call-stack": "traps always have a backtrace",
    "--call-stack-features LIST": "backtraces always have functions and offsets, and cost nothing",
    "--enable-perf-profiling": "wasmote run --profile needs no help of the compiler",
    "--enable-memory-profiling": "wasmote run --memory-report needs no help of the compiler",
    "--enable-linux-perf": "wasmote run --enable-linux-perf needs no help of the compiler",
    "--disable-aux-stack-check": "the module's own stack in its memory is never checked",
    "--disable-llvm-lto": "LLVM's link-time optimisation is never used",
    "--enable-segue[=FLAGS]": "the address of the memory is in a register already",
    "--native-lib FILE": "calls of host functions need no library to compile",
    "--invoke-c-api-import": "calls of host functions are always made in the same way",
}
#: Options for features, by what is switched off, and what `wamrc` says of a module that needs it.
DISABLED = {
    "simd": ("--disable-simd", "SIMD instruction was found, try removing --disable-simd option"),
    "reference-types": (
        "--disable-ref-types",
        "reference type instruction was found, try removing --disable-ref-types option",
    ),
    "bulk-memory": (
        "--disable-bulk-memory",
        "bulk memory instruction was found, try removing --disable-bulk-memory option",
    ),
}
_NO_PROFILES = "llvmlite, by which Wasmote uses LLVM, gives no access to LLVM's profile passes"
_NO_SHARED_HEAP = "Wasmote has no shared heaps"


def _words(text: str) -> tuple[str, ...]:
    """The names of a list; a backslash stands for a space, as for `wamrc`."""
    return tuple(word.replace("\\", " ") for word in text.split(",") if word)


_MACHINE = (
    Option("--target NAME", "the machine to compile for (default: this one); help lists them"),
    Option("--target-abi NAME", "its ABI, such as gnu or eabihf; help lists them"),
    Option(
        "--cpu NAME",
        "LLVM's name of the processor (default: this one's, if the machine is); help lists them",
    ),
    Option(
        "--cpu-features LIST",
        "LLVM's features to add and leave out, such as +avx2,-avx512f; +help lists them",
    ),
)
_CODE = (
    Option("--opt-level N", "0 to 3 (default 3), as for C", convert=number(0, 3), default=3),
    Option(
        "--bounds-checks N",
        "1: check each access to memory; 0: inaccessible pages behind the memory stand in for "
        "checks (default)",
        convert=number(0, 1),
        default=0,
    ),
    Option(
        "--polls NAME",
        "how Ctrl-C, timeouts and other threads reach running code: signals (default) costs it "
        "nothing; counting, of loops and calls, needs nothing of the system",
        convert=one_of("signals", "counting"),
        default="signals",
    ),
    Option(
        "-sgx",
        "the same as --bounds-checks=1 --polls=counting, for where signals cannot be handled",
    ),
    *(
        Option(flag, f"refuse a module that needs the feature {feature}")
        for feature, (flag, _) in DISABLED.items()
    ),
    DISABLE_FEATURE,
    Option(
        "--enable-fuel",
        "count instructions, so that wasmote run --fuel can limit them; this takes time",
    ),
    Option("--disable-llvm-jump-tables", "no jumps through tables of addresses"),
    Option(
        "--enable-llvm-passes LIST",
        "passes of LLVM to run before the usual ones, such as newgvn,adce",
        convert=_words,
        default=(),
    ),
    Option(
        "--mllvm OPTION",
        "an option of LLVM itself, such as --mllvm=-inline-threshold=100; may be repeated",
        repeated=True,
    ),
)
_OUTPUT = (
    Option("-o, --output FILE", "where the image goes"),
    Option(
        "--format NAME",
        f"what to write: {', '.join(FORMATS)} (default aot, the image)",
        convert=one_of(*FORMATS),
        default="aot",
    ),
    Option(
        "--emit-custom-sections LIST",
        "custom sections that the image keeps, besides name; a \\ in a name stands for a space",
        convert=_words,
        default=(),
    ),
    Option(
        "--debug-info N",
        "what backtraces show: 0 functions, 1 also inlined ones and exact offsets, 2 also source "
        "lines, if the module has them (default)",
        convert=number(0, 2),
        default=2,
    ),
    Option(
        "--stack-usage FILE",
        "write here how many bytes of the native stack each function takes, a line each, as "
        "clang -fstack-usage does",
    ),
    Option("--sign-key FILE", "sign the image with this private key, see wasmote sign --help"),
    Option(
        "--jobs N",
        "how many processes share the work on a large module (default: one for each processor); "
        "the output does not depend on it",
        convert=number(1, 1024),
    ),
    Option("--json", "print a JSON object: bytes, functions, parts and seconds, or the error"),
    Option(
        "-v LEVEL",
        "0 or 1: say nothing but errors; 2: also notes (default); 3 to 5: also what is done",
        convert=number(0, HIGHEST),
        default=WARNING,
    ),
    Option("--version", "show the version"),
    Option("--llvm-version", "show LLVM's version"),
)
OPTIONS = (
    *_OUTPUT,
    *_MACHINE,
    *_CODE,
    *(Option(flag, f"accepted: {why}") for flag, why in NOTES.items()),
    Option("--enable-llvm-pgo", refusal=_NO_PROFILES),
    Option("--use-prof-file FILE", refusal=_NO_PROFILES),
    Option("--enable-shared-heap", refusal=_NO_SHARED_HEAP),
    Option("--enable-shared-chain", refusal=_NO_SHARED_HEAP),
)

COMMAND = Command(
    "wasmote compile",
    "[OPTIONS] -o OUTPUT FILE",
    "Compile a module to an image of native code, which wasmote run runs like a module. Needs the "
    "extra 'build': pip install 'wasmote[build]'.",
    OPTIONS,
    """\
exit codes:
  0  all went well               126  not a valid module, or one that cannot be compiled
  2  wrong options or arguments  127  no such file

examples:
  wasmote compile -o plugin.aot plugin.wasm && wasmote run plugin.aot
  wasmote compile --cpu=x86-64-v3 --sign-key=vendor.key -o plugin.aot plugin.wasm
  wasmote compile --bounds-checks=1 -o plugin.aot plugin.wasm
  wasmote compile --enable-fuel -o plugin.aot plugin.wasm && wasmote run --fuel=1G plugin.aot
  wasmote compile --format=llvmir-opt -o plugin.ll plugin.wasm
  wasmote compile --stack-usage=plugin.su -o plugin.aot plugin.wasm && sort -nrk2 plugin.su
  wasmote compile --jobs=4 --json -o large.aot large.wasm
  wasmote inspect plugin.aot
""",
)
WAMRC = Command(
    "wamrc",
    "[options] -o output_file wasm_file",
    "Compile a module in the way of WAMR's wamrc. See also: wasmote compile --help.",
    OPTIONS,
    """\
exit codes: 0 all went well, 1 an error, 255 input and output are the same file.

examples:
  wamrc -o plugin.aot plugin.wasm
  wamrc --target=thumbv7em --cpu=cortex-m7 -o plugin.aot plugin.wasm
""",
)
