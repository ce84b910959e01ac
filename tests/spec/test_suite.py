"""WebAssembly's test suite, script by script, in every engine."""

import os
import re

import pytest

from wasmote.script import parse_script, run_script
from wasmote.script.commands import AssertAbrupt, AssertRefused, LoadModule, ModuleSource
from wasmote.wat import WatError

from . import later
from .suite import HOW_TO_GET, compiling_at_once, features, folder, scripts

#: In "mixed", half of the functions are compiled, and the other half interpreted.
ENGINES = ["fast", "classic", "aot", "jit", "mixed"]
SCRIPTS = scripts()

#: Scripts that do not begin each command on a line of its own; counted by hand.
IRREGULAR = {
    "annotations.wast": 74,
    "binary-leb128.wast": 91,
    "comments.wast": 8,
    "inline-module.wast": 1,
    "left-to-right.wast": 96,
    "table_size64.wast": 37,
}


def test_the_suite_is_here() -> None:
    """A missing suite is a reason to skip on a developer's machine, and a failure in CI."""
    if not SCRIPTS and not os.environ.get("CI"):
        pytest.skip(HOW_TO_GET)
    assert SCRIPTS, HOW_TO_GET
    assert len(SCRIPTS) > 250, f"{folder()} holds only part of the suite"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script: str, engine: str) -> None:
    with compiling_at_once(mixed=engine == "mixed"):
        used = "jit" if engine == "mixed" else engine
        result = run_script(folder() / script, engine=used, features=features(script))
    allowed, feature = later.failures_allowed(script, engine), later.feature_of(script, engine)
    failed = len(result.failed)
    shown = "\n".join(map(str, result.failed[:20]))
    if allowed == 0:
        assert failed == 0, f"{failed} commands fail:\n{shown}"
    elif failed == 0:
        pytest.fail(f"{script} passes: take it off the list of {feature} in later.py")
    elif allowed is not None:
        assert failed <= allowed, f"{failed} commands fail, {allowed} are listed:\n{shown}"
        assert failed == allowed, (
            f"only {failed} commands fail: bring PARTLY in later.py up to date"
        )
    else:
        pytest.xfail(f"needs {feature}: {failed} of {failed + result.passed} commands fail")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_is_read(script: str) -> None:
    """Comparing with a count of the lines that begin a command shows none is swallowed."""
    text = (folder() / script).read_bytes().decode()
    begun = re.findall(r"^\((?:module|register|invoke|get|assert_|thread|wait)", text, re.MULTILINE)
    assert len(parse_script(text)) == IRREGULAR.get(script, len(begun))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_assembler_knows_every_module(script: str) -> None:
    """All modules in text can be assembled, but those that are malformed on purpose."""
    refused = []
    for command in parse_script((folder() / script).read_bytes().decode()):
        match command:
            case AssertRefused(keyword="assert_malformed" | "assert_malformed_custom"):
                continue
            case LoadModule(source=source) | AssertRefused(source=source):
                pass
            case AssertAbrupt(target=ModuleSource() as source):
                pass
            case _:
                continue
        try:
            source.binary()
        except WatError as error:
            refused.append(f"line {source.line}: {error}")
    assert not refused, "\n".join(refused)


def test_the_lists_name_real_scripts_once() -> None:
    if not SCRIPTS:
        pytest.skip(HOW_TO_GET)
    listed = [script for names in later.LATER.values() for script in names.split()]
    listed += [script for names in later.PARTLY.values() for script in names]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(SCRIPTS)
