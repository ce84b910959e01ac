"""A short run of the fuzzer of images, and that it would notice a problem."""

import random

import pytest

pytest.importorskip("llvmlite")

from tests.fuzz import images
from wasmote.image.format import ImageError, parse


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    return images.compiled_modules(3)


def test_damaged_images_are_refused(corpus, tmp_path):
    counts = images.run(corpus, seed=1, seconds=60, most=1000, findings=tmp_path / "findings")
    assert counts["PROBLEM"] == 0
    assert counts["refused, refused"] > 100
    assert counts["accepted, accepted"] > 20
    assert not (tmp_path / "findings").exists()


def test_mutants_reach_what_is_behind_the_hash(corpus):
    rng = random.Random(5)
    mutants = [images.mutant(corpus[0], rng) for _ in range(200)]
    assert len(set(mutants)) > 150
    passed = 0
    for raw in mutants:
        try:
            parse(raw)
            passed += 1
        except ImageError:
            pass
    assert 40 < passed < 190


def test_a_crash_is_a_problem(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(images.Child, "load", lambda self, raw: "PROBLEM it crashed")
    counts = images.run(corpus, seed=1, seconds=60, most=3, findings=tmp_path)
    assert counts["PROBLEM"] == 3
    assert list(tmp_path.iterdir())
