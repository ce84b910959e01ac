"""The options of `wasmote compile`, and `wamrc`."""

import re
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from wasmote import Instance, Module
from wasmote.cli import main
from wasmote.cli.compile import wamrc
from wasmote.cli.compile_options import COMMAND, NOTES, OPTIONS
from wasmote.compile.messages import run_python
from wasmote.compile.passes import PASSES
from wasmote.inspect.image import parse_image
from wasmote.wat import wat2wasm

#: A switch that is worth a table of jumps, a call, a frame that takes room.
TEXT = """(module (memory 1)
  (func $switch (export "switch") (param i32) (result i32)
    (block (block (block (block (block (block (block
      (br_table 0 1 2 3 4 5 6 (local.get 0)))
      (return (call $far (i32.const 31))))
      (return (call $far (i32.const 17))))
      (return (i32.const 23))) (return (call $far (i32.const 5))))
      (return (i32.const 7))) (return (call $far (i32.const 71))))
    (i32.const 99))
  (func $far (export "far") (param i32) (result i32)
    (i32.add (memory.grow (local.get 0)) (i32.sub (i32.const 0x70000001)
      (i32.sub (i32.const 0x70000002) (i32.sub (i32.const 0x70000003)
        (i32.sub (i32.const 0x70000002) (local.get 0)))))))
  (@custom "with space" "kept") (@custom "other" "dropped"))"""
SIMD = '(module (func (export "f") (result i32) (v128.any_true (v128.const i64x2 1 0))))'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.wasm").write_bytes(wat2wasm(TEXT))
    Path("simd.wasm").write_bytes(wat2wasm(SIMD))
    return tmp_path


def compiled(*words: str, file: str = "m.wasm") -> bytes:
    assert main(["compile", *words, "-o", "m.aot", file]) == 0
    return Path("m.aot").read_bytes()


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "first"),
    [
        ("--cpu=help", "x86-64-v3 "),
        ("--cpu-features=+help", "avx2 "),
        ("--target-abi=help", "gnu"),
        ("--target=help", "x86_64"),
        ("--llvm-version", "LLVM "),
        ("--version", "wasmote compile "),
    ],
)
def test_lists(capfd, option, first):
    assert main(["compile", option]) == 0
    assert any(line.startswith(first) for line in capfd.readouterr().out.splitlines())


def test_help_has_every_option(capfd):
    assert main(["compile", "--help"]) == 0
    text = capfd.readouterr().out
    for option in OPTIONS:
        assert (option.flags[-1] in text) == (not option.refusal)
    for part in ("wasmote compile --cpu=x86-64-v3", "exit codes", "--stack-usage FILE"):
        assert part in text


#: Those of WAMR 2.4.3.
WAMRC_FLAGS = """
    -o --target --target-abi --cpu --cpu-features --opt-level --size-level -sgx --bounds-checks
    --stack-bounds-checks --stack-usage --format --disable-bulk-memory --enable-bulk-memory-opt
    --enable-extended-const --enable-tail-call --disable-simd --disable-ref-types --enable-simd
    --enable-call-indirect-overlong --enable-lime1 --enable-gc --enable-multi-thread
    --disable-aux-stack-check --enable-dump-call-stack --call-stack-features
    --enable-perf-profiling --enable-memory-profiling --xip --enable-indirect-mode
    --disable-llvm-intrinsics --enable-builtin-intrinsics --disable-llvm-jump-tables
    --disable-llvm-lto --enable-llvm-pgo --use-prof-file --enable-llvm-passes --enable-segue
    --emit-custom-sections --native-lib --invoke-c-api-import --enable-linux-perf --mllvm
    --enable-shared-heap --enable-shared-chain -v --version --llvm-version --help
"""


@pytest.mark.parametrize("flag", WAMRC_FLAGS.split())
def test_every_flag_of_wamrc_is_known_and_documented(flag):
    assert any(flag in option.flags for option in COMMAND.options)
    text = (Path(__file__).resolve().parents[2] / "docs" / "aot.md").read_text()
    assert re.search(rf"`{flag}[`= ]", text)


# -- options that do something ---------------------------------------------------------------------


def test_jump_tables(folder):
    def indirect(*words: str) -> int:
        main(["compile", "--format=object", "--opt-level=2", *words, "-o", "m.o", "m.wasm"])
        return Path("m.o").read_bytes().count(b".rodata\0")

    assert indirect() == 1
    assert indirect("--disable-llvm-jump-tables") == 0
    instance = Instance(Module(compiled("--disable-llvm-jump-tables")))
    assert [instance.exports.switch(n) for n in (2, 4, 9)] == [23, 7, 99]


def test_passes(folder, capfd):
    main(["compile", "--format=llvmir-opt", "--opt-level=0", "-o", "plain.ll", "m.wasm"])
    words = ["--enable-llvm-passes=sroa,instnamer", "--format=llvmir-opt", "--opt-level=0"]
    assert main(["compile", *words, "-o", "passes.ll", "m.wasm"]) == 0
    plain, passes = Path("plain.ll").read_text(), Path("passes.ll").read_text()
    assert plain.count("alloca") > passes.count("alloca")
    assert main(["compile", "--enable-llvm-passes=sroa,magic", "-o", "x", "m.wasm"]) == 2
    assert "no pass magic; there are aa-eval" in capfd.readouterr().err


def test_every_pass_can_be_run(folder):
    assert (
        Instance(Module(compiled(f"--enable-llvm-passes={','.join(PASSES)}"))).exports.far(0) == 1
    )


def test_options_of_llvm(folder):
    """In another process: LLVM keeps them."""
    words = ["compile", "--format=llvmir-opt", "--mllvm=-inline-threshold=0", "-o", "few.ll"]
    code = "from wasmote.cli import main; sys.exit(main(sys.argv[1:]))"
    assert run_python(code, *words, "m.wasm") == ""
    main(["compile", "--format=llvmir-opt", "-o", "many.ll", "m.wasm"])
    few, many = (
        len(re.findall(r"call .*@f1\(", Path(f).read_text())) for f in ("few.ll", "many.ll")
    )
    assert few > many


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("-inlin-threshold=1", "LLVM has no option inlin-threshold; is it inline-threshold?"),
        ("-inline-threshold=few", "'few' value invalid for integer argument!"),
        ("--help", "LLVM does not accept --help"),
    ],
)
def test_options_that_llvm_does_not_take(folder, capfd, option, message):
    assert main(["compile", f"--mllvm={option}", "-o", "x", "m.wasm"]) == 2
    assert message in capfd.readouterr().err
    assert not Path("x").exists()


def test_stack_usage(folder):
    measured = compiled("--stack-usage=m.su")
    rows = [line.split("\t") for line in Path("m.su").read_text().splitlines()]
    sizes = {name: int(size) for name, size, kind in rows if kind == "static"}
    assert len(sizes) == len(rows)
    assert 0 < sizes["far"] < 500
    assert measured == compiled()  # it only looks


def test_stack_usage_of_a_module_in_parts(folder, monkeypatch):
    from wasmote.compile import compiler, partition

    functions = "".join(f'(func (export "f{i}"))' for i in range(50))
    Path("m.wasm").write_bytes(wat2wasm(f"(module (memory 1) {functions})"))
    plan = partition.Plan
    monkeypatch.setattr(compiler, "Plan", lambda source, options: plan(source, options, 64))
    compiled("--stack-usage=m.su")
    names = {line.split("\t")[0] for line in Path("m.su").read_text().splitlines()}
    assert {f"f{i}" for i in range(50)} <= names


def test_custom_sections(folder):
    module = Module(compiled("--emit-custom-sections=with\\space"))
    assert module.custom_sections("with space") == [b"kept"]
    assert module.custom_sections("other") == []


def test_sgx_means_checks(folder):
    assert parse_image(compiled()).facts["guard"] == "1"
    assert parse_image(compiled("-sgx")).facts["guard"] == "0"


def test_signing(folder, capfd):
    pytest.importorskip("cryptography")
    assert main(["keygen", "my.key"]) == 0
    compiled("--sign-key=my.key")
    assert main(["verify", "--key=my.key.pub", "m.aot"]) == 0
    assert main(["compile", "--sign-key=none", "-o", "x.aot", "m.wasm"]) == 127
    assert not Path("x.aot").exists()


# -- features --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("simd", SIMD, "SIMD instruction was found, try removing --disable-simd option"),
        (
            "ref-types",
            "(module (table 1 externref))",
            "reference type instruction was found, try removing --disable-ref-types option",
        ),
        (
            "bulk-memory",
            "(module (memory 1) (func (memory.fill (i32.const 0)(i32.const 0)(i32.const 0))))",
            "bulk memory instruction was found, try removing --disable-bulk-memory option",
        ),
    ],
)
def test_features_that_are_off(folder, capfd, option, text, message):
    Path("f.wasm").write_bytes(wat2wasm(text))
    assert main(["compile", f"--disable-{option}", "-o", "f.aot", "f.wasm"]) == 126
    assert capfd.readouterr().err == f"wasmote compile: f.wasm: {message}\n"
    assert main(["compile", f"--disable-{option}", "-o", "m.aot", "m.wasm"]) == 0
    assert main(["compile", "-o", "f.aot", "f.wasm"]) == 0


def test_disable_feature(folder, capfd):
    assert main(["compile", "--disable-feature=simd", "-o", "f.aot", "simd.wasm"]) == 126
    assert "unsupported feature simd" in capfd.readouterr().err


# -- options that change nothing -------------------------------------------------------------------


def test_notes(folder, capfd):
    words = []
    for flag in NOTES:
        word, _, value = flag.partition(" ")
        words.append(f"{word}=1" if value else word.partition("[")[0])
    plain = compiled()
    assert compiled(*words) == plain
    noted = [line.split(": ")[1] for line in capfd.readouterr().err.splitlines()]
    assert noted == [word.partition("=")[0] for word in words]
    assert compiled("-v=1", *words) == plain
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "option", ["--enable-llvm-pgo", "--use-prof-file=x", "--enable-shared-heap"]
)
def test_what_there_is_not(folder, capfd, option):
    assert main(["compile", option, "-o", "x.aot", "m.wasm"]) == 2
    assert f"{option.partition('=')[0]} is not available: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--cpu=znver99", "-o", "x", "m.wasm"], 2, "has no processor znver99; did you mean"),
        (["--cpu=!", "-o", "x", "m.wasm"], 2, "--cpu=help lists them"),
        (["--cpu-features=+avx3", "-o", "x", "m.wasm"], 2, "has no feature avx3; did you mean avx"),
        (["--target-abi=msvc", "-o", "x", "m.wasm"], 126, "msvc"),
        (["--opt-level=4", "-o", "x", "m.wasm"], 2, "4 is not in 0 to 3"),
        (["--stack-usage=s", "--format=object", "-o", "x", "m.wasm"], 2, "is for images"),
        (["-o", "x", "text.wasm"], 126, "text.wasm"),
        (["-o", "x", "image.aot"], 126, "image.aot is compiled already"),
    ],
)
def test_mistakes(folder, capfd, words, status, message):
    Path("text.wasm").write_text("hello")
    main(["compile", "-o", "image.aot", "m.wasm"])
    assert main(["compile", *words]) == status
    assert message in capfd.readouterr().err
    assert not Path("x").exists()


def test_nothing_is_left_of_a_file_that_there_is_no_room_for(folder):
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
    code += "from wasmote.cli import main; sys.exit(main(sys.argv[1:]))"
    compiled()  # what the compiler keeps in the user's cache is there, then
    Path("x.aot").write_bytes(b"what was there before")
    before = sorted(Path().iterdir())
    said = run_python(code, "compile", "-o", "x.aot", "m.wasm")
    assert said == "wasmote compile: cannot write x.aot: File too large\n"
    assert sorted(Path().iterdir()) == before
    assert Path("x.aot").read_bytes() == b"what was there before"


# -- wamrc -----------------------------------------------------------------------------------------


def test_wamrc_says_what_it_does(folder, capfd):
    assert (
        wamrc(["--cpu=x86-64-v3", "--size-level=1", "--opt-level=2", "-o", "m.aot", "m.wasm"]) == 0
    )
    out, err = capfd.readouterr()
    assert out == (
        "Create AoT compiler with:\n"
        "  target:        x86_64\n"
        "  target cpu:    x86-64-v3\n"
        "  target triple: x86_64-unknown-linux-gnu\n"
        "  cpu features:  \n"
        "  opt level:     2\n"
        "  size level:    1\n"
        "  output format: AoT file\n"
        "Compile success, file m.aot was generated.\n"
    )
    assert err.startswith("note: --size-level: ")
    assert wamrc(["-v=0", "-o", "m.aot", "m.wasm"]) == 0
    assert capfd.readouterr() == ("", "")


def test_wamrc_errors(folder, capfd):
    assert wamrc([]) == 1
    assert "usage: wamrc" in capfd.readouterr().out
    assert wamrc(["-o", "m.wasm", "m.wasm"]) == 255
    assert capfd.readouterr().err == "Error: input file and output file are the same\n"
    assert wamrc(["-o", "x", "none.wasm"]) == 1
    assert capfd.readouterr().err.startswith("Error: none.wasm: no such file")
    assert wamrc(["--version"]) == 0
    assert re.match(r"wamrc \S+ \(Wasmote\)\n", capfd.readouterr().out)
    assert wamrc(["--help"]) == 0
