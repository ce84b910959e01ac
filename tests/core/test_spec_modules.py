"""The modules of the specification's test suite: accepted, malformed or invalid as it says."""

from collections.abc import Iterator

import pytest

from tests.core.loading import load
from tests.spec.suite import HOW_TO_GET, folder
from wasmote.core.messages import is_invalid, is_malformed
from wasmote.core.status import Status
from wasmote.script.commands import AssertRefused, Command, ModuleSource, parse_script
from wasmote.wat import WatError

SCRIPTS = sorted(path.name for path in folder().glob("*.wast"))


def modules(commands: list[Command]) -> Iterator[tuple[Command, bytes]]:
    """Commands with their modules, as far as those can be assembled."""
    for command in commands:
        source = getattr(command, "source", None)
        if isinstance(source, ModuleSource):
            try:
                yield command, source.binary()
            except WatError:  # about the text format
                continue


def verdict(status: Status) -> str:
    if is_malformed(status):
        return "assert_malformed"
    return "assert_invalid" if is_invalid(status) else str(status.name)


@pytest.mark.skipif(not SCRIPTS, reason=HOW_TO_GET)
@pytest.mark.parametrize("script", SCRIPTS)
def test_modules(script: str) -> None:
    commands = parse_script((folder() / script).read_text(encoding="utf-8"))
    for command, binary in modules(commands):
        loaded = load(binary)
        loaded.free()
        if loaded.status is Status.UNSUPPORTED_FEATURE:
            continue
        refused = isinstance(command, AssertRefused) and command.keyword != "assert_unlinkable"
        expected = command.keyword if refused else "OK"
        assert verdict(loaded.status) == expected, f"{script}:{command.line}"


def test_feature_modules_are_the_only_ones_skipped() -> None:
    """Scripts of features that every runtime has must not be skipped over."""
    if not SCRIPTS:
        pytest.skip(HOW_TO_GET)
    for script in (
        "i32.wast",
        "block.wast",
        "memory.wast",
        "conversions.wast",
        "binary-leb128.wast",
    ):
        commands = parse_script((folder() / script).read_text(encoding="utf-8"))
        for _, binary in modules(commands):
            loaded = load(binary)
            loaded.free()
            assert loaded.status is not Status.UNSUPPORTED_FEATURE, script
