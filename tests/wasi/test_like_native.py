"""C programs print the same, and leave the same files, as when compiled for the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ziglang")

SOURCE = Path(__file__).parent / "programs" / "native.c"
PARTS = ["walking", "renaming", "large", "waiting", "zones", "attributes", "streams"]
PACKAGES = Path(__file__).parents[2] / "src"
INPUT = b"some text in a pipe\n"
MACHINE = os.uname().machine


def build(target: str, output: Path) -> Path:
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-O1", "-D_GNU_SOURCE"]
    subprocess.run([*command, str(SOURCE), "-o", str(output)], check=True)
    return output


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The program for this machine, with the C library that WASI's is made from, and for WASI."""
    folder = tmp_path_factory.mktemp("programs")
    native = build(f"{MACHINE}-linux-musl", folder / "native")
    return native, build("wasm32-wasi", folder / "native.wasm")


def run(command: list[str], folder: Path, zone: str) -> tuple[int, bytes, bytes]:
    folder.mkdir()
    environment = {**os.environ, "TZ": zone, "PYTHONPATH": str(PACKAGES)}
    reading, writing = os.pipe()
    os.write(writing, INPUT)  # there from the beginning
    os.close(writing)
    with open(reading, "rb") as stdin:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=stdin, capture_output=True
        )
    return done.returncode, done.stdout, done.stderr


def files_below(folder: Path) -> dict[str, object]:
    """All names below a folder, with the contents of files that are not too large."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = "directory"
        else:
            size = path.stat().st_size
            found[name] = size if size > 1 << 20 else path.read_bytes()
    return found


@pytest.mark.parametrize("engine", ["fast", "jit"])
@pytest.mark.parametrize("part", PARTS)
def test_same_as_native(
    programs: tuple[Path, Path], tmp_path: Path, part: str, engine: str
) -> None:
    native, wasm = programs
    expected = run([str(native), part], tmp_path / "expected", "UTC0")
    options = ["--dir=.", "--env=TZ=UTC0", f"--engine={engine}"]
    command = [sys.executable, "-m", "wasmote", "run", *options, str(wasm), part]
    found = run(command, tmp_path / "found", "UTC0")
    assert found[1].decode().splitlines() == expected[1].decode().splitlines()
    assert found == expected
    assert files_below(tmp_path / "found") == files_below(tmp_path / "expected")
    assert expected[1].count(b"\n") > 15
