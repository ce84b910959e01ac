"""Fixtures of the API's tests."""

from typing import Any

import pytest

from tests.api.support import compiled
from wasmote.api import instance

ENGINES = ("fast", "classic")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test once in each engine: meanwhile that is what `engine="auto"` means."""
    chosen = str(request.param)
    monkeypatch.setitem(instance._ENGINES, "auto", instance._ENGINES[chosen])
    return chosen


@pytest.fixture(params=[*ENGINES, "aot"])
def any_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with compiled code: each module is compiled when an instance is made of it."""
    chosen = str(request.param)
    if chosen != "aot":
        monkeypatch.setitem(instance._ENGINES, "auto", instance._ENGINES[chosen])
        return chosen
    start = instance.Instance.__init__

    def compile_and_start(self: Any, module: Any, *args: Any, **options: Any) -> None:
        start(self, module if module._code else compiled(module), *args, **options)

    monkeypatch.setattr(instance.Instance, "__init__", compile_and_start)
    return chosen
