"""`iwasm`: what scripts written for WAMR's depend on; all of it was observed with iwasm 2.4.3."""

import re

import pytest

from wasmote.cli import iwasm
from wasmote.cli.options import UsageError
from wasmote.cli.run import check

from .support import Shell

PROGRAM = """
(module
  (import "env" "foo" (func $foo))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "with space") (result i32) i32.const 7)
  (func (export "trap") unreachable)
  (func (export "call") call $foo))
"""


def test_messages_go_to_the_standard_output(shell: Shell) -> None:
    file = shell.module("m.wasm", PROGRAM)
    outcome = shell.iwasm("-f", "trap", file)
    assert re.fullmatch(
        r"\[\d\d:\d\d:\d\d:\d\d\d - [0-9A-F]+\]: "
        r"warning: failed to link import function \(env, foo\)\n"
        r"\n#00: 0x[0-9a-f]{4} - trap\n\nException: unreachable\n",
        outcome.out,
    )
    assert (outcome.err, outcome.status) == ("", 1)


def test_a_call_of_a_missing_function(shell: Shell) -> None:
    outcome = shell.iwasm("-v=0", "-f", "call", shell.module("m.wasm", PROGRAM))
    assert outcome.out.endswith("Exception: failed to call unlinked import function (env, foo)\n")


def test_what_cannot_be_loaded_exits_with_255(shell: Shell) -> None:
    outcome = shell.iwasm("missing.wasm")
    assert outcome.out == "Read file to buffer failed: open file missing.wasm failed.\n"
    assert outcome.status == 255
    (shell.path / "text.wasm").write_text("this is no module")
    outcome = shell.iwasm("text.wasm")
    assert outcome.out.startswith("WASM module load failed: magic header not detected")
    assert outcome.status == 255


def test_options_that_make_no_sense_print_the_usage(shell: Shell) -> None:
    for words in ([], ["--unknown", "m.wasm"], ["--help"], ["--stack-size=", "m.wasm"]):
        outcome = shell.iwasm(*words)
        assert outcome.out.startswith("usage: iwasm [-options] wasm_file [args...]")
        assert outcome.status == 1


def test_a_module_without_main(shell: Shell) -> None:
    outcome = shell.iwasm("-v=0", shell.module("m.wasm", PROGRAM))
    assert outcome.out == (
        "Exception: lookup the entry point symbol "
        "(like _start, main, _main, __main_argc_argv) failed\n"
    )
    assert outcome.status == 1


def test_small_stacks_are_accepted(shell: Shell) -> None:
    file = shell.module("m.wasm", PROGRAM)
    assert shell.iwasm("-v=0", "--stack-size=1", "-f", "add", file, "1", "2").out == "0x3:i32\n"
    assert shell.iwasm("-v=0", "--heap-size=0", "-f", "add", file, "1", "2").out == "0x3:i32\n"
    assert shell.iwasm("-v=0", "--interp", "-f", "add", file, "1", "2").out == "0x3:i32\n"


def test_interp_is_the_classic_interpreter() -> None:
    options = iwasm.COMMAND.parse(["--interp", "m.wasm"])
    check(options)
    assert options.engine == "classic"
    with pytest.raises(UsageError, match="--interp is --engine=classic"):
        check(iwasm.COMMAND.parse(["--interp", "--engine=fast", "m.wasm"]))


def test_features_can_be_off(shell: Shell) -> None:
    file = shell.module("m.wasm", "(module (type (struct)))")
    outcome = shell.iwasm("--disable-feature=reference-types", file)  # gc is built on it
    assert outcome.out.startswith("WASM module load failed: unsupported feature gc: the module")
    assert outcome.status == 255


def test_the_prompt(shell: Shell) -> None:
    file = shell.module("m.wasm", PROGRAM)
    typed = "add 1 2\n\nwith\\space\nadd 1\nmissing\ntrap\n__exit__\nadd 3 4\n"
    script = "import sys; from wasmote.cli.iwasm import main; sys.exit(main(sys.argv[1:]))"
    outcome = shell.piped(script, typed, "-v=0", "--repl", file)
    prompt = "webassembly> "
    assert re.sub(r"\n#00: .*\n\n", "", outcome.out) == (
        f"{prompt}0x3:i32\n{prompt}{prompt}0x7:i32\n"
        f"{prompt}Exception: invalid input argument count\n"
        f"{prompt}Exception: lookup function missing failed\n"
        f"{prompt}Exception: unreachable\n"
        f"{prompt}exit repl mode\n"
    )
    assert outcome.status == 0


def test_the_prompt_ends_with_the_input(shell: Shell) -> None:
    file = shell.module("m.wasm", PROGRAM)
    script = "import sys; from wasmote.cli import main; sys.exit(main(['run', *sys.argv[1:]]))"
    outcome = shell.piped(script, "add 1 x", "-v=0", "--repl", file)
    assert outcome.out == "webassembly> webassembly> \n"
    assert outcome.err == ("wasmote run: add: argument 2 of type i32: 'x' is not a whole number\n")
    assert outcome.status == 0
