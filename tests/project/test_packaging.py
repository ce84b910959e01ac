"""A wheel, made from the sdist, holds the compiled virtual machine and runs without LLVM."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from wasmote.image.format import parse

ROOT = Path(__file__).resolve().parents[2]

#: A module whose export `add` adds two numbers.
PROGRAM = """
import importlib.util, sys
assert importlib.util.find_spec("llvmlite") is None
import wasmote
module = wasmote.Module(bytes.fromhex(
    "0061736d01000000010701 60027f7f017f 03020100 0707010361646400 00 0a0901 0700200020016a0b"
))
print(wasmote.Instance(module).exports.add(2, 40), sys.prefix in wasmote.__file__)
"""


def run(*command, **options):
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build(folder, kind, source):
    """Build with the packages that are installed here; returns the file."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(folder)!r}))"
    name = run(sys.executable, "-c", code, cwd=source).split()[-1]
    return folder / name


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build(tmp_path_factory.mktemp("sdist"), "sdist", ROOT)


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """A wheel made from the sdist, as an installer without a wheel would."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build(folder, "wheel", folder / sdist.name.removesuffix(".tar.gz"))


def test_the_sdist_has_what_a_checkout_has(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "dev.py", "LICENSE", "README.md"} <= names
    assert {"src/wasmote/__init__.py", "docs/architecture.md", "examples/hello.c"} <= names
    assert not [name for name in names if name.endswith((".img", ".wasm", ".pyc"))]


def test_the_wheel_has_an_image_for_each_hosted_target(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        images = [name for name in names if name.endswith(".img")]
        targets = sorted(parse(archive.read(name)).target for name in images)
        metadata = next(archive.read(n).decode() for n in names if n.endswith("/METADATA"))
    assert targets == ["aarch64-linux", "x86_64-linux"]
    assert not [name for name in names if not name.startswith("wasmote")]
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert all("extra ==" in line for line in required)


def test_an_installed_wheel_runs_without_llvm(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_"))}
    environment["HOME"] = str(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    assert run(python, program, cwd=tmp_path, env=environment) == "42 True\n"
    assert not (tmp_path / ".cache").exists()  # nothing was compiled
    command = tmp_path / "venv" / "bin" / "wasmote"
    assert "wasmote" in run(command, "--version", cwd=tmp_path, env=environment)
    assert "iwasm" in run(tmp_path / "venv" / "bin" / "iwasm", "--version", cwd=tmp_path)
