"""The compiled programs of WebAssembly/wasi-testsuite, where they are there.

WASMOTE_WASI_TESTSUITE names a checkout of that repository's branch prod/testsuite-base.
"""

import io
import json
import os
import shutil
from pathlib import Path

import pytest

from wasmote import Instance, Module
from wasmote.wasi import Directory, Exit, HostDir, MemoryDir, OverlayDir, Wasi

TESTSUITE = os.environ.get("WASMOTE_WASI_TESTSUITE", "")
PROGRAMS = sorted(Path(TESTSUITE).glob("tests/*/testsuite/wasm32-wasip1/*.wasm"))

pytestmark = pytest.mark.skipif(not TESTSUITE, reason="WASMOTE_WASI_TESTSUITE is not set")


def test_the_programs_are_there() -> None:
    assert len(PROGRAMS) > 60


def tree(path: Path) -> dict[str, object]:
    return {
        each.name: tree(each) if each.is_dir() else each.read_bytes() for each in path.iterdir()
    }


def directory(kind: str, path: Path) -> Directory:
    if kind == "memory":
        return MemoryDir(tree(path))
    return OverlayDir(path) if kind == "overlay" else HostDir(path)


@pytest.mark.parametrize("kind", ["host", "memory", "overlay"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program(tmp_path: Path, program: Path, kind: str) -> None:
    spec = {}
    if program.with_suffix(".json").exists():
        spec = json.loads(program.with_suffix(".json").read_text())
    dirs = {}
    if "root" in spec:
        shutil.copytree(program.parent / spec["root"], tmp_path / "root", symlinks=True)
        dirs["/"] = directory(kind, tmp_path / "root")
    out, err, code = io.BytesIO(), io.BytesIO(), 0
    args, env = [program.name, *spec.get("args", [])], spec.get("env", {})
    with Wasi(args, env, dirs, io.BytesIO(), out, err) as wasi:
        try:
            Instance(Module(program), wasi.imports()).exports._start()
        except Exit as end:
            code = end.code
    assert code == spec.get("exit_code", 0), err.getvalue().decode()
    if "stdout" in spec:
        assert out.getvalue().decode() == spec["stdout"]
