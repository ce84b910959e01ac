"""The suite's scripts on references, with a garbage collector that never rests."""

from collections.abc import Iterator

import pytest

from wasmote import heap
from wasmote.script import run_script

from .later import feature_of
from .suite import folder, scripts

#: Scripts whose modules make objects, or have references to them in every place.
WITH_OBJECTS = [
    script
    for script in scripts()
    if script.startswith(
        ("array", "struct", "gc/", "i31", "br_on_", "ref_", "extern", "type-subtyping", "table_",
         "try_table", "throw", "return_call_ref", "call_ref", "local_init", "select", "linking")
    )
]  # fmt: skip


@pytest.fixture(params=[1, 1 << 30], ids=["bit by bit", "at once"])
def restless(request: pytest.FixtureRequest) -> Iterator[None]:
    """At each allocation the collector does a step: of one object, or of a whole collection."""
    before = heap.step, heap.growth, heap.minimum
    heap.step, heap.growth, heap.minimum = request.param, 0, 0
    yield
    heap.step, heap.growth, heap.minimum = before


@pytest.mark.parametrize("engine", ["fast", "classic", "aot"])
@pytest.mark.parametrize("script", WITH_OBJECTS)
def test_script(script: str, engine: str, restless: None) -> None:
    if engine == "aot":
        pytest.importorskip("llvmlite")
    if feature_of(script, engine):
        pytest.skip(f"{engine} has no {feature_of(script, engine)} yet")
    result = run_script(folder() / script, engine=engine)
    assert not result.failed, "\n".join(map(str, result.failed[:20]))
