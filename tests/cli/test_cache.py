"""`wasmote cache`, and what `wasmote run` does with it."""

import json
from pathlib import Path

import pytest

from .support import Shell

MODULE = (
    '(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))'
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WASMOTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without a virtual machine: no other process finds one there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def kept(shell: Shell) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(shell.wasmote("cache", "list", "--json").out)
    return found


def fill(shell: Shell) -> str:
    """Have a module compiled into the cache."""
    pytest.importorskip("llvmlite")
    from wasmote import Instance, jit
    from wasmote.jit.opening import open_module

    name = shell.module("m.wasm", MODULE)
    module = open_module(name)
    Instance(module, engine="jit")
    assert jit.wait(module, 60)
    return name


def test_path(shell: Shell, folder: Path) -> None:
    assert shell.wasmote("cache", "path").out == f"{folder}\n"
    assert json.loads(shell.wasmote("cache", "path", "--json").out) == {"path": str(folder)}


def test_an_empty_cache(shell: Shell, home: Path) -> None:
    assert kept(shell) == []
    assert shell.wasmote("cache", "list").out.startswith("0 modules, 0 bytes")
    assert shell.wasmote("cache", "clear").out == "removed 0 modules, 0 bytes\n"


def test_a_module_runs_from_the_cache_and_is_removed_from_it(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fill(shell)
    (entry,) = kept(shell)
    assert entry["refused"] is None
    assert shell.wasmote("cache", "list").out.startswith(str(entry["key"]))
    for engine in ("auto", "jit"):
        outcome = shell.wasmote("run", "-v=3", f"--engine={engine}", "-f", "f", name, "14")
        assert outcome.out == "0x2a:i32\n"
        assert "compiled code" in outcome.err
    assert (
        "compiled code" not in shell.wasmote("run", "-v=3", "--no-cache", "-f", "f", name, "1").err
    )
    core = tmp_path / "home" / "wasmote" / "core-x86_64-linux-of-former-sources.img"
    core.parent.mkdir(parents=True)
    core.write_bytes(bytes(1000))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    outcome = shell.wasmote("cache", "clear", "--json")
    assert json.loads(outcome.out) == {"modules": 1, "bytes": int(str(entry["bytes"])) + 1000}
    assert not core.exists()
    assert kept(shell) == []


def test_engines_that_exclude_each_other(shell: Shell) -> None:
    name = shell.module("m.wasm", MODULE)
    for words, message in (
        (("--llvm-jit", "--engine=fast"), "--llvm-jit is --engine=jit"),
        (("--interp", "--llvm-jit"), "it and --engine=classic exclude each other"),
    ):
        outcome = shell.wasmote("run", *words, name)
        assert outcome.status == 2
        assert message in outcome.err


def test_jit_runs_what_is_not_compiled_yet(shell: Shell) -> None:
    name = shell.module("m.wasm", MODULE)
    for flag in ("--llvm-jit", "--multi-tier-jit", "--engine=jit"):
        assert shell.wasmote("run", flag, "-f", "f", name, "2").out == "0x6:i32\n"
        assert shell.iwasm(flag, "-f", "f", name, "2").out == "0x6:i32\n"


def test_jit_counts_instructions(shell: Shell) -> None:
    name = shell.module("m.wasm", MODULE)
    outcomes = [
        shell.wasmote("run", engine, "--fuel=1", "-f", "f", name, "2")
        for engine in ("--engine=jit", "--engine=fast")
    ]
    assert outcomes[0].status == outcomes[1].status != 0
    assert outcomes[0].err == outcomes[1].err


def test_wrong_words(shell: Shell) -> None:
    for words in ((), ("lost",), ("list", "clear")):
        outcome = shell.wasmote("cache", *words)
        assert outcome.status == 2
        assert "list, clear or path" in outcome.err
