"""Mapping an image: read-only, in place, and only on the machine that it is for."""

import ctypes

import pytest

from wasmote.image.build import build_image
from wasmote.image.format import Image, ImageError
from wasmote.image.loader import LoadedImage
from wasmote.nativepy import TARGETS, constants, host_target, native, u32

PRIMES = constants(u32, [2, 3, 5, 7, 11])


@native(export="prime")
def prime(n: u32) -> u32:
    return PRIMES[n]


@pytest.fixture(scope="module")
def image():
    return build_image([prime], host_target())


def write(path, raw):
    path.write_bytes(raw)
    return str(path)


def test_runs_wherever_it_is_mapped(tmp_path, image):
    path = write(tmp_path / "a.img", image.encode())
    first, second = LoadedImage(path), LoadedImage(path)
    assert first.address != second.address
    for loaded in (first, second):
        function = loaded.function("prime", ctypes.c_uint32, ctypes.c_uint32)
        assert [function(n) for n in range(5)] == [2, 3, 5, 7, 11]


def test_is_mapped_from_its_file_and_never_writable(tmp_path, image):
    path = write(tmp_path / "mapped.img", image.encode())
    loaded = LoadedImage(path)
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps if line.rstrip().endswith(path)]
    assert [line[1] for line in lines] == ["r-xp"]
    start = int(lines[0][0].partition("-")[0], 16)
    assert start + loaded.layout.code_offset == loaded.address


def test_an_image_for_another_machine_is_refused(tmp_path, image):
    other = next(name for name in TARGETS if name != host_target().name)
    foreign = Image(other, image.symbols, image.code)
    path = write(tmp_path / "foreign.img", foreign.encode())
    with pytest.raises(ImageError, match=f"is for {other}, this machine is {host_target().name}"):
        LoadedImage(path)


def test_a_truncated_image_is_refused(tmp_path, image):
    path = write(tmp_path / "short.img", image.encode()[:-1])
    with pytest.raises(ImageError, match="truncated"):
        LoadedImage(path)


def test_a_missing_image_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        LoadedImage(str(tmp_path / "none.img"))
