"""The cache of compiled modules: what is trusted, what is kept, and what may go wrong with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasmote import Instance, Module, jit
from wasmote.jit import worker
from wasmote.jit.cache import IMAGE, REFUSAL, Cache
from wasmote.jit.settings import SETTINGS
from wasmote.jit.worker import WORKER
from wasmote.wat import wat2wasm

SOURCES = Path(__file__).parents[2] / "src"


def module(number: int) -> Module:
    return Module(wat2wasm(f'(module (func (export "f") (result i32) (i32.const {number})))'))


def compiled(number: int) -> bool:
    """Compile a module; whether it then has code, and gives the right result."""
    m = module(number)
    instance = Instance(m, engine="jit")
    done = jit.wait(m, 300)
    return instance.exports.f() == number and done


def images(cache: Cache) -> list[Path]:
    return sorted(Path(cache.folder).glob(f"*{IMAGE}"))


def test_only_files_that_nobody_else_can_write_are_trusted(cache: Cache) -> None:
    assert compiled(1)
    (image,) = images(cache)
    key = image.stem
    assert cache.find(key) == str(image)
    image.chmod(0o666)
    assert cache.find(key) is None
    image.chmod(0o600)
    os.chmod(cache.folder, 0o777)
    assert cache.find(key) is None
    assert compiled(2)  # without the cache
    assert len(images(cache)) == 1


def test_a_damaged_entry_is_compiled_again(cache: Cache) -> None:
    assert compiled(3)
    (image,) = images(cache)
    whole = image.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1] + bytes([whole[-1] ^ 1]), b"\0asm\1\0\0\0"):
        image.write_bytes(damaged)
        assert compiled(3)
        assert image.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_time_only(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = Path(cache.folder).parent / "a file"
    blocked.write_text("")
    monkeypatch.setenv("WASMOTE_CACHE", str(blocked / "cache"))
    assert compiled(4)
    assert blocked.read_text() == ""


def test_what_cannot_be_compiled_is_remembered(cache: Cache) -> None:
    cache.make_folder()
    m = module(5)
    from wasmote.jit.tier import key_of

    cache.write(key_of(m), b"no reason at all", REFUSAL)
    instance = Instance(m, engine="jit")
    assert not jit.wait(m, 300)
    assert m._tier is not None and m._tier.reason == "no reason at all"
    assert instance.exports.f() == 5


def test_without_the_cache_nothing_is_written(cache: Cache) -> None:
    SETTINGS.cache = False
    assert compiled(6)
    assert not os.path.exists(cache.folder)


def test_what_was_not_used_for_longest_goes_first(cache: Cache) -> None:
    cache.make_folder()
    for age, name in enumerate(("new", "middle", "old")):
        path = cache.write(name, bytes(1000))
        then = time.time() - 1000 * age
        os.utime(path, (then, then))
    assert [entry.key for entry in cache.entries()] == ["new", "middle", "old"]
    cache.find("old")  # is a use
    cache.prune(2500)
    assert [entry.key for entry in cache.entries()] == ["old", "new"]
    assert cache.clear() == 2000
    assert cache.entries() == []


def test_what_a_crash_left_behind_is_removed(cache: Cache) -> None:
    cache.make_folder()
    left, fresh = (Path(cache.folder) / name for name in (".new-left", ".new-fresh"))
    for path in (left, fresh):
        path.write_bytes(bytes(10))
    os.utime(left, (1, 1))
    cache.prune()
    assert not left.exists() and fresh.exists()


def test_a_full_disk_leaves_nothing_behind(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.make_folder()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        cache.write("key", bytes(100))
    assert os.listdir(cache.folder) == []


def test_processes_that_compile_the_same_at_once_all_succeed(cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "same.wasm"
    path.write_bytes(wat2wasm('(module (func (export "f") (result i32) (i32.const 9)))'))
    program = (
        "import sys\nfrom wasmote import Instance, Module, jit\n"
        "m = Module(sys.argv[1])\ni = Instance(m, engine='jit')\n"
        "print(jit.wait(m, 300), i.exports.f())"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, env=environment
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0] for process in processes] == [b"True 9\n"] * 3
    assert len(images(cache)) == 1
    assert [name for name in os.listdir(cache.folder) if not name.endswith(IMAGE)] == []


def test_the_compiler_ends_when_there_is_nothing_to_do(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there is a program that may be worth compiling one day."""
    monkeypatch.setattr(worker, "PATIENCE", 0.2)
    WORKER.stop()
    SETTINGS.auto, SETTINGS.delay = True, 1000.0
    idle = Instance(Module(wat2wasm('(module (func (export "g")))')), engine="auto")
    idle.exports.g()
    assert compiled(7)
    end = time.monotonic() + 60
    while WORKER.process and time.monotonic() < end:
        time.sleep(0.05)
    assert not WORKER.process
    assert compiled(8)


def test_a_compiler_that_crashes_leaves_the_program_in_the_interpreter(cache: Cache) -> None:
    WORKER.stop()
    assert compiled(10)
    os.kill(WORKER.process, 9)
    m = module(11)
    instance = Instance(m, engine="jit")
    assert not jit.wait(m, 300)
    assert m._tier is not None and "ended unexpectedly" in str(m._tier.reason)
    assert instance.exports.f() == 11
    assert compiled(12)  # by the next one
