"""`wasmote run`: programs, how they start and end, and what is wrong with what cannot be run."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from wasmote import heap

from .support import Shell

PUTS = """
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $print (param $text i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $text))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
"""
ENDLESS = '(module (func (export "_start") (loop (br 0))))'
#: A `main` that checks its arguments, and an allocator that gives out a fixed place.
MAIN_WITH_ARGUMENTS = """
(module
  (memory (export "memory") 1)
  (func (export "malloc") (param i32) (result i32) i32.const 64)
  ;; argc * 16 + the first character of argv[1] - '0'
  (func (export "main") (param $argc i32) (param $argv i32) (result i32)
    (i32.add
      (i32.shl (local.get $argc) (i32.const 4))
      (i32.sub (i32.load8_u (i32.load offset=4 (local.get $argv))) (i32.const 48)))))
"""


# How programs start and end


def test_a_c_program_gets_arguments_environment_and_directories(
    shell: Shell, program: Callable[[str], str]
) -> None:
    (shell.path / "input.txt").write_text("contents\n")
    path = program("report")
    outcome = shell.wasmote(
        "run", "--dir=.", "--env=COLOUR=red", path, "input.txt", "-v", "--dir=x"
    )
    assert outcome.out == f"{path}|input.txt|-v|--dir=x|red|contents\n"
    assert (outcome.err, outcome.status) == ("", 42)


def test_start_is_preferred(shell: Shell) -> None:
    file = shell.module(
        "both.wasm",
        f"""(module {PUTS} (data (i32.const 16) "start\\n")
          (func (export "_start") (call $print (i32.const 16) (i32.const 6)))
          (func (export "main") (result i32) unreachable))""",
    )
    outcome = shell.wasmote("run", file)
    assert (outcome.out, outcome.status) == ("start\n", 0)


@pytest.mark.parametrize("name", ["main", "__main_argc_argv", "_main"])
def test_the_result_of_main_is_the_exit_code(shell: Shell, name: str) -> None:
    file = shell.module(
        "main.wasm", f'(module (func (export "{name}") (result i32) i32.const 263))'
    )
    assert shell.wasmote("run", file).status == 263 & 0xFF
    assert shell.iwasm(file).status == 0


def test_main_gets_arguments_in_memory_from_malloc(shell: Shell) -> None:
    file = shell.module("main.wasm", MAIN_WITH_ARGUMENTS)
    assert shell.wasmote("run", file, "7", "x").status == 3 * 16 + 7


@pytest.mark.parametrize("malloc", ["i32.const 0", "i32.const -8"])
def test_malloc_may_fail(shell: Shell, malloc: str) -> None:
    file = shell.module("main.wasm", MAIN_WITH_ARGUMENTS.replace("i32.const 64", malloc))
    outcome = shell.wasmote("run", file, "7")
    assert outcome.err == "wasmote run: no memory is left for main's arguments\n"
    assert shell.iwasm(file, "7").out == "Exception: allocate memory failed\n"


def test_main_with_arguments_needs_malloc(shell: Shell) -> None:
    file = shell.module("main.wasm", '(module (func (export "main") (param i32 i32)))')
    outcome = shell.wasmote("run", file)
    assert "the module exports no memory" in outcome.err
    assert outcome.status == 2


def test_a_heap_makes_room_for_the_arguments_of_main(shell: Shell) -> None:
    old, new = '(memory (export "memory") 1)', '(memory (export "memory") 1 2)'
    text = MAIN_WITH_ARGUMENTS.replace(old, new)
    file = shell.module("main.wasm", text.replace('(export "malloc") ', ""))
    assert shell.wasmote("run", "--heap-size=8192", file, "7", "x").status == 3 * 16 + 7
    assert "--heap-size=8192 makes room" in shell.wasmote("run", file, "7").err
    long = "x" * 300
    assert "no memory is left" in shell.wasmote("run", "--heap-size=256", file, "7", long).err


def test_a_heap_that_there_is_no_room_for(shell: Shell) -> None:
    text = '(module (memory (export "memory") 65536) (func (export "main")))'
    file = shell.module("full.wasm", text)
    outcome = shell.wasmote("run", "--heap-size=4K", file)
    assert "it cannot grow by a heap of 4096 bytes" in outcome.err
    assert outcome.status == 126
    assert shell.iwasm("--heap-size=4K", file).out == (
        "WASM module instantiate failed: failed to insert app heap into linear memory, "
        "try using `--heap-size=0` option\n"
    )


def test_main_of_another_type_is_refused(shell: Shell) -> None:
    file = shell.module("main.wasm", '(module (func (export "main") (param i64)))')
    assert "main is of type (i64) -> ()" in shell.wasmote("run", file).err
    assert shell.iwasm(file).out == "Exception: invalid function type of main function\n"


def test_a_reactor_is_initialised_first(shell: Shell) -> None:
    file = shell.module(
        "reactor.wasm",
        """(module (global $g (mut i32) (i32.const 1))
          (func (export "_initialize") (global.set $g (i32.const 2)))
          (func (export "get") (result i32) global.get $g))""",
    )
    assert shell.wasmote("run", "-f", "get", file).out == "0x2:i32\n"


def test_constructors_of_a_plain_module_run_first(shell: Shell) -> None:
    text = """(module (global $g (mut i32) (i32.const 1)) {start}
      (func (export "__wasm_call_ctors") (global.set $g (i32.const 2)))
      (func (export "get") (result i32) global.get $g))"""
    plain = shell.module("plain.wasm", text.format(start=""))
    assert shell.wasmote("run", "-f", "get", plain).out == "0x2:i32\n"
    command = shell.module("command.wasm", text.format(start='(func (export "_start"))'))
    assert shell.wasmote("run", "-f", "get", command).out == "0x1:i32\n"


@pytest.mark.parametrize("name", ["_start", "_initialize"])
def test_entry_points_of_another_type_are_refused(shell: Shell, name: str) -> None:
    file = shell.module("odd.wasm", f'(module (func (export "{name}") (param i32)))')
    outcome = shell.wasmote("run", file)
    assert outcome.err == (
        f"wasmote run: odd.wasm: {name} is of type (i32) -> (), it must be () -> ()\n"
    )
    assert outcome.status == 126


def test_exit_codes_are_cut_as_a_shell_does(shell: Shell) -> None:
    file = shell.module(
        "exit.wasm",
        """(module
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (func (export "_start") (call $exit (i32.const 259)) unreachable)
          (func (export "_initialize")))""",
    )
    outcome = shell.wasmote("run", file)
    assert (outcome.out, outcome.err, outcome.status) == ("", "", 3)
    assert shell.process("run", file).status == 3


def test_text_is_assembled(shell: Shell) -> None:
    (shell.path / "add.wat").write_text(
        '(module (func (export "add") (param i32 i32) (result i32)\n'
        "  (i32.add (local.get 0) (local.get 1))))"
    )
    assert shell.wasmote("run", "-f", "add", "add.wat", "1", "2").out == "0x3:i32\n"
    (shell.path / "bad.wat").write_text("(module\n  (func oops))")
    outcome = shell.wasmote("run", "bad.wat")
    assert outcome.err.startswith("wasmote run: bad.wat: line 2: ")
    assert outcome.status == 126


# Traps


def test_a_trap_has_a_backtrace(shell: Shell) -> None:
    file = shell.module(
        "trap.wasm",
        '(module (func $inner unreachable) (func (export "_start") (call $inner)))',
    )
    outcome = shell.wasmote("run", file)
    assert outcome.err == "Exception: unreachable\n#00: 0x0024 - inner\n#01: 0x0028 - _start\n"
    assert (outcome.out, outcome.status) == ("", 1)


def test_a_trap_as_json(shell: Shell) -> None:
    file = shell.module("trap.wasm", '(module (func (export "f") unreachable))')
    outcome = shell.wasmote("run", "--json", "-f", "f", file)
    error = json.loads(outcome.out)["error"]
    assert error == {
        "trap": "unreachable",
        "message": "unreachable",
        "frames": [{"index": 0, "name": "f", "offset": 0x1E}],
    }
    assert outcome.status == 1


THROWS = """
(module
  (tag $oops (param i32))
  (func $inner (throw $oops (i32.const 5)))
  (func (export "_start") (call $inner)))
"""


def test_an_uncaught_exception_has_a_name_and_a_backtrace(shell: Shell) -> None:
    file = shell.module("throw.wasm", THROWS)
    outcome = shell.wasmote("run", file)
    lines = outcome.err.splitlines()
    assert lines[0] == "Exception: uncaught exception oops(5)"
    assert [line.partition(" - ")[2] for line in lines[1:]] == ["inner", "_start"]
    assert (outcome.status, outcome.out) == (1, "")
    error = json.loads(shell.wasmote("run", "--json", "-f", "_start", file).out)["error"]
    assert error["trap"] == "uncaught exception"
    assert error["message"] == "uncaught exception oops(5)"
    assert [frame["name"] for frame in error["frames"]] == ["inner", "_start"]
    outcome = shell.iwasm(file)
    assert outcome.status == 1
    assert outcome.out.endswith("Exception: uncaught exception oops(5)\n")


def test_a_start_function_may_throw(shell: Shell) -> None:
    file = shell.module("start.wasm", "(module (tag $e) (func $f (throw $e)) (start $f))")
    outcome = shell.wasmote("run", file)
    assert outcome.err.startswith("Exception: uncaught exception e()\n#00: 0x")
    assert outcome.status == 1
    assert shell.iwasm(file).status == 255


def test_a_start_function_may_trap(shell: Shell) -> None:
    file = shell.module("start.wasm", "(module (func $f unreachable) (start $f))")
    outcome = shell.wasmote("run", file)
    assert outcome.err.startswith("Exception: unreachable\n")
    assert outcome.status == 1
    outcome = shell.iwasm(file)
    assert outcome.out == "WASM module instantiate failed: unreachable\n"
    assert outcome.status == 255


def test_missing_functions_trap_when_called(shell: Shell) -> None:
    file = shell.module(
        "missing.wasm",
        """(module (import "env" "foo" (func $foo))
          (func (export "call") call $foo) (func (export "fine")))""",
    )
    warning = "warning: failed to link import function (env, foo)\n"
    assert shell.wasmote("run", "-f", "fine", file).err == warning
    outcome = shell.wasmote("run", "-f", "call", file)
    assert outcome.err.startswith(
        f"{warning}Exception: failed to call unlinked import function (env, foo)\n"
    )
    assert outcome.status == 1
    assert shell.wasmote("run", "-v=1", "-f", "fine", file).err == ""


def test_deep_recursion_is_a_trap(shell: Shell) -> None:
    file = shell.module("deep.wasm", '(module (func $f (export "_start") (call $f)))')
    outcome = shell.wasmote("run", "--stack-size=64K", file)
    assert outcome.err.startswith("Exception: call stack exhausted\n")
    assert outcome.status == 1


# Linking


def test_missing_memories_cannot_be_linked(shell: Shell) -> None:
    file = shell.module("memory.wasm", '(module (import "env" "memory" (memory 1)))')
    outcome = shell.wasmote("run", file)
    assert "memory.wasm: unknown import: env.memory" in outcome.err
    assert outcome.status == 126
    outcome = shell.iwasm(file)
    assert outcome.out.startswith("WASM module instantiate failed: unknown import")
    assert outcome.status == 255


def test_imported_modules_come_from_the_module_path(shell: Shell) -> None:
    (shell.path / "lib").mkdir()
    shell.module(
        "lib/math.wasm",
        '(module (func (export "twice") (param i32) (result i32)'
        "  (i32.mul (local.get 0) (i32.const 2))))",
    )
    file = shell.module(
        "main.wasm",
        """(module (import "math" "twice" (func $twice (param i32) (result i32)))
          (func (export "quadruple") (param i32) (result i32)
            (call $twice (call $twice (local.get 0)))))""",
    )
    outcome = shell.wasmote("run", "--module-path=lib", "-f", "quadruple", file, "5")
    assert outcome.out == "0x14:i32\n"
    outcome = shell.wasmote("run", "--module-path=lib", "-f", "$math$twice", file, "5")
    assert outcome.out == "0xa:i32\n"
    assert "(math, twice)" in shell.wasmote("run", "-f", "quadruple", file, "5").err


def test_modules_that_import_each_other_are_refused(shell: Shell) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        shell.module(f"{name}.wasm", f'(module (import "{other}" "f" (func)))')
    outcome = shell.wasmote("run", "--module-path=.", "a.wasm")
    assert "a.wasm: circular dependency: b imports a imports b" in outcome.err
    assert outcome.status == 126
    outcome = shell.iwasm("--module-path=.", "a.wasm")
    assert outcome.out == "WASM module load failed: found circular dependency\n"


def test_a_module_in_two_places_is_refused(shell: Shell) -> None:
    for folder in ("one", "two"):
        (shell.path / folder).mkdir()
        shell.module(f"{folder}/math.wasm", '(module (func (export "f")))')
    file = shell.module("main.wasm", '(module (import "math" "f" (func)))')
    outcome = shell.wasmote("run", "--module-path=one", "--module-path=two", file)
    assert "module 'math' is in several places: one/math.wasm and two/math.wasm" in outcome.err
    assert outcome.status == 126


def test_an_import_cannot_leave_the_module_path(shell: Shell) -> None:
    (shell.path / "lib").mkdir()
    shell.module("secret.wasm", '(module (func (export "f")))')
    file = shell.module("main.wasm", '(module (import "../secret" "f" (func)) (func (export "g")))')
    outcome = shell.wasmote("run", "--module-path=lib", "-f", "g", file)
    assert outcome.err == "warning: failed to link import function (../secret, f)\n"


# What cannot be run


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        (["missing.wasm"], "missing.wasm: no such file", 127),
        (["nothing/a.wasm"], "nothing/a.wasm: no such file: there is no directory nothing", 127),
        (["helo.wasm"], "helo.wasm: no such file; did you mean hello.wasm?", 127),
        (["."], ". is a directory; the modules in it: hello.wasm", 126),
        (["empty"], "empty is a directory without modules", 126),
        (["text.txt"], "text.txt: magic header not detected: a module starts with", 126),
        (["source.txt"], "source.txt: magic header not detected: this is the text format", 126),
        (["old.aot"], "old.aot: magic header not detected: this is an ahead-of-time compil", 126),
        (["short.wasm"], "short.wasm: unexpected end: a module has at least 8 bytes", 126),
        (["hello.wasm"], "hello.wasm is no program: it exports neither _start nor main; with", 2),
        (["--dir=missing", "wasi.wasm"], "cannot give directory 'missing' to the program", 126),
        ([], "which FILE? For example: wasmote run hello.wasm", 2),
        (["--enw=A=B", "hello.wasm"], "unknown option --enw; did you mean --env?", 2),
        (["--env=A", "hello.wasm"], "--env: expected NAME=VALUE, not A", 2),
        (["--env==A", "hello.wasm"], "--env: expected NAME=VALUE, not =A", 2),
        (["--map-dir=/a:b", "hello.wasm"], "--map-dir: expected GUEST::HOST, not /a:b", 2),
        (["--heap-size=-1", "hello.wasm"], "--heap-size", 2),
        (["--engine=turbo", "hello.wasm"], "--engine: expected auto or fast or classic", 2),
        (["--timeout=0", "hello.wasm"], "--timeout: 0 is not in 1 to", 2),
        (["-v=6", "hello.wasm"], "-v: 6 is not in 0 to 5", 2),
        (["-g=127.0.0.1:1234", "hello.wasm"], "-g is not available: Wasmote has no debugger", 2),
        (["--addr-pool=::1,1.2.3.4/33", "x.wasm"], "--addr-pool: address pool: '1.2.3.4/33' is", 2),
        (["--addr-pool=", "hello.wasm"], "--addr-pool needs a value: --addr-pool=ADDRESS/BITS", 2),
        (["--allow-resolve=a.*.b", "hello.wasm"], "--allow-resolve: name to resolve: 'a.*.b'", 2),
        (["--repl", "-f", "x", "hello.wasm"], "--repl and --function exclude each other", 2),
        (["--read-only", "--scratch", "x"], "--read-only and --scratch exclude each other", 2),
    ],
)
def test_one_line_says_what_is_wrong(
    shell: Shell, words: list[str], message: str, status: int
) -> None:
    shell.module("hello.wasm", '(module (func (export "greet")))')
    (shell.path / "empty").mkdir()
    (shell.path / "text.txt").write_text("plain text, no module")
    (shell.path / "source.txt").write_text("(module)")
    (shell.path / "old.aot").write_bytes(b"\0aot\6\0\0\0")
    (shell.path / "short.wasm").write_bytes(b"\0asm")
    shell.module("wasi.wasm", f'(module {PUTS} (func (export "_start")))')
    outcome = shell.wasmote("run", *words)
    assert outcome.err.startswith(f"wasmote run: {message}")
    assert outcome.err.count("\n") == 1
    assert (outcome.out, outcome.status) == ("", status)


def test_verbose_levels_tell_what_happens(shell: Shell) -> None:
    file = shell.module("f.wasm", '(module (func (export "f")))')
    assert shell.wasmote("run", "-v", "3", "-f", "f", file).err == "loaded f.wasm\n"
    assert shell.wasmote("run", "-f", "f", file).err == ""


# Time, signals and pipes


def test_a_timeout_ends_an_endless_loop(shell: Shell) -> None:
    file = shell.module("endless.wasm", ENDLESS)
    before = time.monotonic()
    outcome = shell.wasmote("run", "--timeout=100", file)
    assert 0.1 <= time.monotonic() - before < 20
    assert outcome.err.startswith("Exception: deadline exceeded\n#00: ")
    assert outcome.status == 1


def test_a_timeout_ends_a_program_that_sleeps(shell: Shell, program: Callable[[str], str]) -> None:
    outcome = shell.wasmote("run", "--timeout=100", program("wait"))
    assert outcome.out == "running\n"
    assert outcome.err.startswith("Exception: deadline exceeded\n#00: ")
    assert outcome.status == 1


def test_a_timeout_ends_a_start_function(shell: Shell) -> None:
    file = shell.module("start.wasm", "(module (func $f (loop (br 0))) (start $f))")
    outcome = shell.wasmote("run", "--timeout=100", file)
    assert outcome.err.startswith("Exception: deadline exceeded\n")


def test_fuel_ends_an_endless_loop(shell: Shell) -> None:
    file = shell.module("endless.wasm", ENDLESS)
    outcome = shell.wasmote("run", "--fuel=1M", file)
    assert outcome.err.startswith("Exception: all fuel consumed\n#00: ")
    assert outcome.status == 1
    file = shell.module("quick.wasm", '(module (func (export "_start")))')
    assert shell.wasmote("run", "--fuel=0", "--engine=classic", file).status == 0


def test_a_profile_of_a_program(shell: Shell) -> None:
    file = shell.module(
        "busy.wasm",
        """(module
          (func $work (param i32)
            (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
          (func (export "_start") (call $work (i32.const 20000000))))""",
    )
    outcome = shell.wasmote("run", "--profile", file)
    assert outcome.err.splitlines()[0].endswith("function")
    assert outcome.err.splitlines()[1].endswith("  work")
    assert shell.wasmote("run", "--profile=stacks.txt", file).status == 0
    assert (shell.path / "stacks.txt").read_text().startswith("_start;work ")
    assert shell.wasmote("run", "--profile=graph.svg", "--timeout=1", file).status == 1
    assert "<svg" in (shell.path / "graph.svg").read_text()


def test_a_report_of_memory(shell: Shell) -> None:
    text = '(module (memory 3) (func (export "f") (result i32) i32.const 7))'
    file = shell.module("m.wasm", text)
    outcome = shell.wasmote("run", "--memory-report", "-f", "f", file)
    assert outcome.out == "0x7:i32\n"
    assert any(line.split()[:3] == ["memory", "0", "196,608"] for line in outcome.err.splitlines())
    outcome = shell.wasmote("run", "--memory-report", "--json", "-f", "f", file)
    results, report = (json.loads(line) for line in outcome.out.splitlines())
    assert results["results"]
    assert report["memory"]["memories"][0]["used"] == 196_608


def test_a_signal_shows_the_call_stack(shell: Shell) -> None:
    text = f"""(module {PUTS} (data (i32.const 16) "running\\n") (func $spin (loop (br 0)))
      (func (export "_start") (call $print (i32.const 16) (i32.const 8)) (call $spin)))"""
    file = shell.module("loop.wasm", text)
    with shell.start("run", "--dump-call-stack", "--timeout=30000", file) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.2)  # it has to come back from the call of the system
        for _ in range(2):
            process.send_signal(signal.SIGQUIT)
            lines = [process.stderr.readline() for _ in range(3)]
            assert lines[0].startswith("call stack of thread ")
            assert [line.split(" - ")[1] for line in lines[1:]] == ["spin\n", "_start\n"]
        process.kill()


def test_a_timeout_that_is_not_reached_does_nothing(shell: Shell) -> None:
    file = shell.module("quick.wasm", '(module (func (export "_start")))')
    assert shell.wasmote("run", "--timeout=60000", file).status == 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["endless", "wait"])
def test_ctrl_c_ends_a_program(shell: Shell, program: Callable[[str], str], name: str) -> None:
    text = f"""(module {PUTS} (data (i32.const 16) "running\\n")
      (func (export "_start") (call $print (i32.const 16) (i32.const 8)) (loop (br 0))))"""
    file = shell.module("loop.wasm", text) if name == "endless" else program(name)
    with shell.start("run", file) as process:
        assert process.stdout and process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("", "", 130)


def test_a_closed_pipe_ends_a_program(shell: Shell, program: Callable[[str], str]) -> None:
    with shell.start("run", program("endless")) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "a line of text\n"
        process.stdout.close()
        assert process.wait(timeout=20) == -signal.SIGPIPE
        assert process.stderr.read() == ""


def test_a_full_disk_is_reported(shell: Shell) -> None:
    file = shell.module("f.wasm", '(module (func (export "f")))')
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "wasmote", "run", "-f", "f", file],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "No space left on device" in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode != 0


# Hostile names


def test_names_in_messages_cannot_control_a_terminal(shell: Shell) -> None:
    file = shell.module(
        "evil.wasm",
        r"""(module (import "\1b[2J" "a\nb" (func $f)) (func $g (export "\1b]0;x\07") call $f))""",
    )
    for words in (["-f", "\x1b]0;x\x07", file], [file], ["-f", "nothing", file]):
        outcome = shell.wasmote("run", *words)
        assert outcome.err.startswith("warning: failed to link import function (\\x1b[2J, a\\nb)\n")
        assert "\x1b" not in outcome.err
        assert r"\x1b]0;x\x07" in outcome.err
        outcome = shell.iwasm(*words)
        assert "\x1b" not in outcome.out


def test_words_and_lines_need_not_be_text(shell: Shell) -> None:
    file = shell.module("f.wasm", '(module (func (export "f")))')
    command = [sys.executable, "-c", "from wasmote.cli.iwasm import main; print(main())"]
    done = subprocess.run(
        [*command, "--repl", file], input=b"\xff\nf\n", capture_output=True, check=True
    )
    assert b"Exception: lookup function \\udcff failed\n" in done.stdout
    done = subprocess.run([*command, b"\xff.wasm"], capture_output=True, check=True)
    assert done.stdout == b"Read file to buffer failed: open file \\udcff.wasm failed.\n255\n"


# Starting up


def test_starting_a_program_imports_little(shell: Shell) -> None:
    file = shell.module("hello.wasm", f'(module {PUTS} (func (export "_start")))')
    script = (
        "import sys; from wasmote.cli import main; status = main(sys.argv[1:]); "
        "print(*sys.modules, sep='\\n'); sys.exit(status)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, "run", file], stdout=subprocess.PIPE, text=True, check=True
    )
    loaded = set(process.stdout.split())
    heavy = {"argparse", "json", "difflib", "textwrap", "llvmlite", "socket", "asyncio"}
    assert "wasmote.cli.run" in loaded
    assert not loaded & heavy
    assert not [name for name in loaded if name.startswith(("wasmote.script", "wasmote.inspect"))]


def test_the_command_names_its_commands(shell: Shell) -> None:
    outcome = shell.wasmote()
    assert outcome.out.startswith("usage: wasmote COMMAND …")
    assert shell.wasmote("--help").out == outcome.out
    assert shell.wasmote("rum").err == "wasmote: unknown command rum; did you mean run?\n"
    file = shell.module("prog.wasm", "(module)")
    outcome = shell.wasmote(file)
    assert outcome.err == (
        "wasmote: unknown command prog.wasm; to run a file: wasmote run prog.wasm\n"
    )
    assert outcome.status == 2


@pytest.mark.parametrize("command", ["run", "validate", "inspect", "wast"])
def test_every_command_explains_itself_with_examples(shell: Shell, command: str) -> None:
    outcome = shell.wasmote(command, "--help")
    assert f"usage: wasmote {command}" in outcome.out
    assert "examples:\n  wasmote" in outcome.out
    assert outcome.status == 0


def test_versions(shell: Shell) -> None:
    version = shell.wasmote("--version").out
    assert version.startswith("wasmote ")
    assert shell.wasmote("run", "--version").out == version
    outcome = shell.iwasm("--version")
    assert "(Wasmote)\n\nAbout Wasm Proposals:\n  Always-on:\n" in outcome.out
    assert "    - multi-value\n" in outcome.out
    assert outcome.status == 0


def test_the_heap_of_objects_can_be_limited(shell: Shell) -> None:
    file = shell.module(
        "objects.wasm",
        """(module (type $a (array i8))
        (func (export "fill") (param i32)
          (drop (array.new_default $a (local.get 0)))))""",
    )
    words = ["-f", "fill", file, "1000000"]
    limit = heap.limit  # of the process, which other tests share
    try:
        assert shell.wasmote("run", "--gc-heap-size=2M", *words).status == 0
        assert "out of memory" in shell.wasmote("run", "--gc-heap-size=64K", *words).err
        assert "--gc-heap-size" in shell.wasmote("run", "--gc-heap-size=1", *words).err
    finally:
        heap.limit = limit
