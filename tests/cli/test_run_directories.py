"""What programs see and may do in the directories that `wasmote run` gives them."""

from collections.abc import Callable

import pytest

from .support import Shell


def test_directories_have_the_names_that_are_given(
    shell: Shell, program: Callable[[str], str]
) -> None:
    (shell.path / "data").mkdir()
    (shell.path / "data" / "input.txt").write_text("mapped\n")
    outcome = shell.wasmote("run", "--map-dir", "/d::data", program("report"), "/d/input.txt")
    assert outcome.out.endswith("|/d/input.txt|none|mapped\n")


@pytest.mark.parametrize("flag", ["--read-only", "--scratch", None])
def test_what_a_program_may_do_in_its_directories(
    shell: Shell, program: Callable[[str], str], flag: str | None
) -> None:
    (shell.path / "data").mkdir()
    (shell.path / "data" / "file").write_text("original")
    flags = [flag] if flag else []
    outcome = shell.wasmote("run", *flags, "--map-dir=/d::data", program("scribble"), "/d/file")
    refused = "Read-only file system|"
    expected = f"original|{refused}{refused}original|No such file or directory|"
    if flag != "--read-only":
        expected = "original|written|written|changed|changed|"
    assert outcome.out == expected
    found = {file.name: file.read_text() for file in (shell.path / "data").iterdir()}
    kept = {"file": "changed", "file.new": "changed"}
    assert found == (kept if flag is None else {"file": "original"})


def test_nothing_else_of_the_host_is_visible(shell: Shell, program: Callable[[str], str]) -> None:
    (shell.path / "input.txt").write_text("secret\n")
    assert "secret" not in shell.wasmote("run", program("report"), "input.txt").out


@pytest.mark.parametrize("flags", [[], ["--read-only"], ["--scratch"]])
def test_a_directory_that_is_not_there(
    shell: Shell, program: Callable[[str], str], flags: list[str]
) -> None:
    outcome = shell.wasmote("run", *flags, "--map-dir=/d::nowhere", program("scribble"), "/d/file")
    assert outcome.status == 126 and outcome.out == ""
    assert "'/d'" in outcome.err and "'nowhere' on the host: No such file" in outcome.err
