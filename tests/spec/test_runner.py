"""What the script runner calls passed and failed, and how `wasmote wast` reports it."""

import argparse
import json
import sys
from pathlib import Path

import pytest

from wasmote.script import ScriptError, ScriptResult, run_script
from wasmote.script.command import add_arguments, main

MODULE = """(module $m
  (func (export "id") (param i32) (result i32) (local.get 0))
  (func (export "bits") (param f32) (result f32) (local.get 0))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "boom") (unreachable))
  (func $loop (export "loop") (call $loop))
  (global (export "g") i32 (i32.const 7)))
"""


@pytest.fixture
def run(tmp_path: Path):
    def run_text(text: str) -> ScriptResult:
        script = tmp_path / "script.wast"
        script.write_text(text)
        return run_script(script)

    return run_text


@pytest.mark.parametrize(
    "command",
    [
        '(invoke "id" (i32.const 1))',
        '(get "g")',
        '(assert_return (invoke "id" (i32.const -1)) (i32.const 0xffffffff))',
        '(assert_return (invoke $m "two") (i32.const 1) (i64.const 2))',
        '(assert_return (invoke "bits" (f32.const nan:0x200000)) (f32.const nan:0x200000))',
        '(assert_return (get $m "g") (i32.const 7))',
        '(assert_trap (invoke "boom") "unreachable")',
        '(assert_trap (invoke "boom") "unreachable executed")',
        '(assert_trap (module (func $f unreachable) (start $f)) "unreachable")',
        '(assert_exhaustion (invoke "loop") "call stack exhausted")',
        '(assert_malformed (module binary "asm") "magic header not detected")',
        '(assert_malformed (module quote "(func $)") "empty identifier")',
        '(assert_malformed (module quote "(func $f) (start $f) (start $f)") "multiple start")',
        '(assert_invalid (module (func (result i32))) "type mismatch")',
        '(assert_unlinkable (module (import "no" "no" (func))) "unknown import")',
        '(assert_unlinkable (module (import "spectest" "print" (func (param i32)))) "incompat")',
        '(module (import "spectest" "memory" (memory 1 2)))',
        '(module (import "spectest" "table" (table 10 20 funcref)))',
        '(module (import "spectest" "global_f32" (global f32)))',
        "(module definition $d (func))",
    ],
)
def test_what_passes(run, command: str) -> None:
    result = run(MODULE + command)
    assert (result.passed, result.failed) == (2, [])


@pytest.mark.parametrize(
    ("command", "name", "message"),
    [
        ('(assert_return (invoke "id" (i32.const 1)) (i32.const 2))', "assert_return 'id'",
         "expected i32 2, got i32 1"),
        ('(assert_return (invoke "two") (i32.const 1))', "assert_return 'two'",
         "expected i32 1, got i32 1, i64 2"),
        ('(assert_return (invoke "two") (i32.const 1) (i32.const 2))', "assert_return 'two'",
         "expected i32 1, i32 2, got i32 1, i64 2"),
        ('(assert_return (invoke "bits" (f32.const nan:0x200000)) (f32.const nan:canonical))',
         "assert_return 'bits'", "expected f32 nan:canonical, got f32 nan:0x200000"),
        ('(assert_return (invoke "boom"))', "assert_return 'boom'", "trap: unreachable"),
        ('(invoke "boom")', "invoke 'boom'", "trap: unreachable"),
        ('(invoke "no")', "invoke 'no'", "no export 'no'"),
        ('(invoke $no "id")', "invoke 'id'", "no instance $no"),
        ('(invoke "g")', "invoke 'g'", "export 'g' is not a function"),
        ('(get "id")', "get 'id'", "export 'id' is not a global"),
        ('(register "r" $no)', "register", "no instance $no"),
        ("(module instance $i $no)", "module", "no module definition $no"),
        ('(assert_trap (invoke "boom") "integer overflow")', "assert_trap 'boom'",
         "expected the trap 'integer overflow', got the trap 'unreachable'"),
        ('(assert_trap (invoke "id" (i32.const 1)) "unreachable")', "assert_trap 'id'",
         "expected the trap 'unreachable', got i32 1"),
        ('(assert_trap (module) "unreachable")', "assert_trap",
         "expected the trap 'unreachable', got nothing"),
        ('(assert_exception (invoke "boom"))', "assert_exception 'boom'",
         "expected an exception, got the trap 'unreachable'"),
        ('(assert_malformed (module quote "(func)") "x")', "assert_malformed",
         "accepted, but malformed: x"),
        ('(assert_invalid (module (func)) "x")', "assert_invalid", "accepted, but invalid: x"),
        ('(assert_unlinkable (module) "x")', "assert_unlinkable", "accepted, but unlinkable: x"),
        ("(module (fonc))", "module", "the assembler refuses this module: line 8: expected valid"),
        ("(module (func (result i32)))", "module", "ValidationError: "),
        ('(assert_malformed (module (func (result i32))) "x")', "assert_malformed",
         "ValidationError: "),
        ('(assert_invalid (module binary "asm") "x")', "assert_invalid", "DecodeError: "),
        ('(module (import "no" "no" (func)))', "module", "LinkError: "),
        ("(wait $T)", "wait", "no thread $T"),
    ],
)  # fmt: skip
def test_what_fails(run, command: str, name: str, message: str) -> None:
    result = run(f'{MODULE}{command}\n(assert_return (get $m "g") (i32.const 7))')
    assert result.passed == 2  # the module before, the assertion after
    (failure,) = result.failed
    assert (failure.line, failure.command) == (8, name)
    assert failure.message.startswith(message)


def test_after_a_module_that_fails_no_older_one_is_used(run) -> None:
    result = run(f'{MODULE}(module (func (result i32)))\n(invoke "id" (i32.const 1))')
    assert [failure.line for failure in result.failed] == [8, 9]
    assert result.failed[1].message == "no instance"


def test_instances_of_a_definition_are_separate(run) -> None:
    result = run(
        """(module definition $d
          (global $g (mut i32) (i32.const 0))
          (func (export "set") (global.set $g (i32.const 1)))
          (func (export "get") (result i32) (global.get $g)))
        (module instance $a $d)
        (module instance $b $d)
        (invoke $a "set")
        (assert_return (invoke $a "get") (i32.const 1))
        (assert_return (invoke $b "get") (i32.const 0))
        (register "r" $a)
        (module (import "r" "get" (func $get (result i32)))
          (func (export "get") (result i32) (call $get)))
        (assert_return (invoke "get") (i32.const 1))"""
    )
    assert (result.passed, result.failed) == (9, [])


def test_threads_report_when_waited_for(run) -> None:
    result = run(
        MODULE
        + """(thread $T (shared (module $m))
          (assert_return (get $m "g") (i32.const 7))
          (assert_return (get $m "g") (i32.const 8)))
        (wait $T)"""
    )
    assert result.passed == 4
    assert [failure.line for failure in result.failed] == [10]


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_threads_of_a_script_share_memory(tmp_path: Path, engine: str) -> None:
    """Each waits for what the other stores, so they really run at the same time."""
    script = tmp_path / "script.wast"
    turns = """
      (module
        (memory (import "m" "shared") 1 1 shared)
        (func (export "play") (param $mine i32) (param $other i32) (result i32)
          (local $rounds i32)
          (loop $again
            (loop $wait
              (if (i32.ne (i32.atomic.load (i32.const 0)) (local.get $mine))
                (then
                  (drop (memory.atomic.wait32
                    (i32.const 0) (local.get $other) (i64.const 30000000000)))
                  (br $wait))))
            (i32.atomic.store (i32.const 0) (local.get $other))
            (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))
            (br_if $again (i32.lt_u (local.tee $rounds (i32.add (local.get $rounds) (i32.const 1)))
              (i32.const 1000))))
          (local.get $rounds)))"""
    script.write_text(
        '(module $M (memory (export "shared") 1 1 shared))'
        + "".join(
            f"""(thread $T{mine} (shared (module $M))
                 (register "m" $M) {turns}
                 (assert_return
                   (invoke "play" (i32.const {mine}) (i32.const {1 - mine})) (i32.const 1000)))
            """
            for mine in (0, 1)
        )
        + "(wait $T0) (wait $T1)"
    )
    result = run_script(script, engine=engine)
    assert (result.passed, result.failed) == (11, [])


def test_other_messages_are_noted(run) -> None:
    result = run('(assert_invalid (module (func (result i32))) "something else")')
    assert (result.passed, result.failed) == (1, [])
    assert "expected 'something else', got " in result.notes[0].message


def test_files_that_are_no_scripts(tmp_path: Path) -> None:
    script = tmp_path / "a.wast"
    script.write_bytes(b"\xff")
    with pytest.raises(ScriptError, match="not UTF-8"):
        run_script(script)
    with pytest.raises(FileNotFoundError):
        run_script(tmp_path / "missing.wast")


# The command


def command_line(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return main(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "s.wast"
    path.write_text(MODULE + '(assert_return (get "g") (i32.const 8))\n(assert_invalid (module')
    path.write_text(path.read_text() + ' (func (result i32))) "no such message")')
    return path


def test_report(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(script) == 1
    assert capsys.readouterr().out == (
        f"{script}:8: assert_return 'g': expected i32 8, got i32 7\n2 passed, 1 failed\n"
    )


def test_older_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "s.wast"
    script.write_text('(assert_invalid (module (memory 0) (memory 0)) "multiple memories")')
    assert command_line(script) == 1
    assert command_line(script, "--disable-feature", "multi-memory") == 0
    with pytest.raises(SystemExit):
        command_line(script, "--disable-feature", "mvp")
    assert "invalid choice: 'mvp'" in capsys.readouterr().err


def test_verbose_report(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line("-v", script, script) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(f"{script}:9: note: assert_invalid: expected 'no such message', got")
    assert lines[-1] == "4 passed, 2 failed"


def test_json_report(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line("--json", script) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["failed"]) == (2, 1)
    assert report["failures"] == [
        {
            "file": str(script),
            "line": 8,
            "command": "assert_return 'g'",
            "message": "expected i32 8, got i32 7",
        }
    ]


def test_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.wast"
    path.write_text("(module)")
    assert command_line(path) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


def test_usage_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.wast"
    assert command_line(path) == 2
    assert f"cannot read {path}: No such file" in capsys.readouterr().err
    path.write_text("(module)\n(oops)")
    assert command_line(path) == 2
    assert f"{path}:2: unknown command (oops" in capsys.readouterr().err
    path.write_text("(module)")
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    assert command_line(path) == 2
    assert "pip install 'wasmote[wat]'" in capsys.readouterr().err
