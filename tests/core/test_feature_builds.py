"""Builds without some features: what needs one is refused, all else is as before."""

import ctypes
from collections.abc import Iterator

import pytest

from tests.core import loading
from wasmote.core.decode.module import module_free, module_load
from wasmote.core.decode.names import function_name
from wasmote.core.status import Status
from wasmote.host.build import main
from wasmote.image.testing import Library
from wasmote.isa.features import FEATURES, Feature, build_without, is_built, without
from wasmote.wat import wat2wasm

VECTOR = "(module (func (result v128) (i32x4.splat (i32.const 1))))"
RELAXED = "(module (func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0)))))"
STRUCT = "(module (type $t (struct)) (func (drop (struct.new $t))))"
ATOMIC = "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))"
PLAIN = "(module (memory 1) (func (result i32) (i32.extend8_s (i32.load (i32.const 1)))))"


@pytest.fixture(scope="module")
def small() -> Iterator[Library]:
    """The loader without vectors, objects and threads."""
    build_without(["simd", "gc", "threads"])
    try:
        yield Library(module_load, module_free, function_name, level=1)
    finally:
        build_without(())


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        (VECTOR, Feature.SIMD),
        (RELAXED, Feature.SIMD),
        (STRUCT, Feature.GC),
        (ATOMIC, Feature.THREADS),
        (PLAIN, None),
    ],
)
def test_modules_in_a_small_build(
    small: Library, monkeypatch: pytest.MonkeyPatch, text: str, feature: Feature | None
) -> None:
    monkeypatch.setattr(loading, "library", lambda: small)
    loaded = loading.load(wat2wasm(text))
    if feature is None:
        assert loaded.status == Status.OK
    else:
        assert loaded.status == Status.UNSUPPORTED_FEATURE
        assert loaded.error.detail == feature.bit
    small.module_free(ctypes.addressof(loaded.native))


def test_what_is_built_on_a_feature_goes_with_it() -> None:
    assert FEATURES - without(["simd"]) == {"simd", "relaxed-simd"}
    assert "gc" not in without(["reference-types"])
    assert without([]) == FEATURES
    build_without(["simd"])
    try:
        assert not is_built(Feature.RELAXED_SIMD)
        assert is_built(Feature.MVP) and is_built(Feature.GC)
    finally:
        build_without(())
    assert is_built(Feature.SIMD)


def test_the_command_names_features(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--without", "warp-drive"])
    assert "no feature 'warp-drive'; there are bulk-memory," in capsys.readouterr().err
