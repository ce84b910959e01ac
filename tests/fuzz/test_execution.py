"""A short run of the execution fuzzer, and that it would notice what it looks for."""

import contextlib
import random
from collections.abc import Iterator

import pytest
import wasmtime

from tests.fuzz.engines import RESTLESS, Wasmtime
from tests.fuzz.execution import Case, Fuzzer, Source, difference, engines
from tests.fuzz.generate import own_module, supported
from tests.fuzz.observe import Event, Observation
from tests.fuzz.outside import Binaryen, Smith
from tests.fuzz.reduce import listing, reduce
from tests.fuzz.worker import Worker

FEATURES = supported()
SEED = 1_000


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    made = Fuzzer(engines(), FEATURES)
    yield made
    made.close()


@pytest.mark.parametrize(
    "kind", ["own", "objects", "legacy", "pair", "mutant", "binaryen", "smith"]
)
def test_engines_agree(fuzzer: Fuzzer, kind: str) -> None:
    if kind == "binaryen" and not Binaryen.available():
        pytest.skip("wasm-opt is not installed")
    if kind == "smith" and not Smith.available():
        pytest.skip("wasm-tools is not installed")
    before = fuzzer.counts["calls"]
    with contextlib.closing(Source([kind], FEATURES, [])) as source:
        for seed in range(SEED, SEED + 25):
            case = source.case(seed)
            assert case is None or fuzzer.check(case) == "", seed
    assert fuzzer.counts["calls"] > before  # few mutants are valid


@pytest.mark.parametrize("engine", ["jit", "parts", "mixed", "switch"])
def test_what_is_compiled_meanwhile_agrees(engine: str) -> None:
    """However a module comes to its code, and whatever of it is compiled."""
    pytest.importorskip("llvmlite")
    fuzzer = Fuzzer(["fast", engine], FEATURES)
    with (
        contextlib.closing(fuzzer),
        contextlib.closing(Source(["own", "objects", "pair"], FEATURES, [])) as source,
    ):
        for seed in range(SEED, SEED + 6):
            case = source.case(seed)
            assert case is not None and fuzzer.check(case) == "", seed


def test_a_garbage_collector_that_is_always_at_work_changes_nothing() -> None:
    fuzzer = Fuzzer([each + RESTLESS for each in engines()], FEATURES)
    with (
        contextlib.closing(fuzzer),
        contextlib.closing(Source(["objects"], FEATURES, [])) as source,
    ):
        for seed in range(SEED, SEED + 20):
            case = source.case(seed)
            assert case is not None and fuzzer.check(case) == "", seed


def test_generated_modules_are_valid() -> None:
    engine = Wasmtime(frozenset(map(str, FEATURES))).engine
    for seed in range(30):
        for objects in (False, True):
            wasmtime.Module.validate(engine, own_module(random.Random(seed), FEATURES, objects))


def observed(*events: Event, state: list[Event] | None = None) -> Observation:
    return Observation(events=list(events), state=[] if state is None else state)


def test_differences_are_seen() -> None:
    result = ("results", ("i32", 1))
    one, none = observed(result), observed()
    assert difference(one, observed(result)) == ""
    assert difference(one, observed(("results", ("i32", 2))))
    assert difference(one, none) and difference(none, one)
    assert difference(observed(result, state=[("memory", "m", 1, 2)]), one)
    assert difference(one, "crash (SIGSEGV)") == "crash (SIGSEGV)"
    assert difference(one, Observation(refusal="ValidationError: no"))
    # An engine may run out of stack, and then has seen less.
    assert difference(one, observed(("trap", "call stack exhausted"))) == ""


def test_a_crash_is_reported_and_survived() -> None:
    worker = Worker("fast", FEATURES)
    binary = bytes(wasmtime.wat2wasm('(module (func (export "f")))'))
    try:
        worker.process.kill()
        assert worker.observe((binary,), []) == "crash (SIGKILL)"
        assert isinstance(worker.observe((binary,), []), Observation)
    finally:
        worker.close()


def test_a_wrong_result_is_found_and_made_small(fuzzer: Fuzzer) -> None:
    """Take a module that divides for one that fails: what remains is the division."""
    text = """(module
        (func $unused (result i32) i32.const 1)
        (func (export "f") (param i32) (result i32) (local i64)
            block local.get 0 i32.eqz br_if 0 i64.const 5 local.set 1 end
            local.get 0 i32.const 0 i32.div_u)
        (func (export "g")))"""
    oracle = Wasmtime(FEATURES)

    def divides(binary: bytes) -> bool:
        events = oracle.observe((binary,), 1).events
        return ("trap", "integer divide by zero") in [event[:2] for event in events]

    reduced = reduce(bytes(wasmtime.wat2wasm(text)), divides)
    assert fuzzer.check(Case((reduced,), 1, "own")) == ""
    assert "i32.div_u" in listing(reduced)
    assert listing(reduced).count("\n") < 10, listing(reduced)
