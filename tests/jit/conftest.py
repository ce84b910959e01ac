"""Fixtures: a cache of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmote.jit.cache import Cache
from wasmote.jit.settings import SETTINGS

pytest.importorskip("llvmlite")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """An empty cache, which compiled modules go to."""
    monkeypatch.setenv("WASMOTE_CACHE", str(tmp_path / "cache"))
    return Cache()


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """The settings are as before afterwards, and compiling is quick, beside other tests too."""
    before = vars(SETTINGS).copy()
    SETTINGS.level, SETTINGS.nice = 1, 0
    yield
    vars(SETTINGS).update(before)
