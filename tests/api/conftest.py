"""Fixtures of the API's tests."""

import pytest

from wasmote.api import instance

ENGINES = ("fast", "classic")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test once in each engine: meanwhile that is what `engine="auto"` means."""
    chosen = str(request.param)
    monkeypatch.setitem(instance._ENGINES, "auto", instance._ENGINES[chosen])
    return chosen
