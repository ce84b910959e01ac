"""Fixtures of the core runtime's tests."""

from collections.abc import Iterator

import pytest

from .support import WatchedPlatform, World


@pytest.fixture
def platform() -> Iterator[WatchedPlatform]:
    """A platform; the test fails if anything of it is not given back."""
    made = WatchedPlatform()
    yield made
    made.check_balance()


@pytest.fixture
def world() -> Iterator[World]:
    """A store on a watched platform, checked like `platform`."""
    made = World()
    yield made
    made.close()
