"""Execution in place: compiled code is run where it lies, and no page of it is ever copied."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")
if sys.platform != "linux":
    pytest.skip("asks Linux about pages", allow_module_level=True)

import wasmote
from wasmote import Instance, Module
from wasmote.api import source
from wasmote.compile import compile_module
from wasmote.host.mappings import usage
from wasmote.wat import wat2wasm

#: Functions enough for several pages of code, a trap among them.
TEXT = f"""(module (memory (export "memory") 1) (table 20 funcref) (elem (i32.const 0) $f0 $f1)
  (global (mut i32) (i32.const 1)) (data (i32.const 8) "{"data" * 5000}")
  {
    "".join(
        f'''(func $f{i} (export "f{i}") (param i32) (result i32)
    (i32.store (local.get 0) (i32.const {i})) (call_indirect (param i32) (result i32)
      (local.get 0) (i32.and (local.get 0) (i32.const 1))))'''
        for i in range(2, 150)
    )
}
  (func $f0 (param i32) (result i32) (i32.load (local.get 0)))
  (func $f1 (param i32) (result i32) unreachable))"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("in place") / "m.aot"
    with open(path, "wb") as file:
        file.write(compile_module(Module(wat2wasm(TEXT)), level=1).encode())
        os.fsync(file.fileno())  # else the kernel counts pages that the disk has not yet as dirty
    return path


def run(module: Module) -> Instance:
    instance = Instance(module)
    exports = instance.exports
    for i in range(2, 150):
        assert exports[f"f{i}"](16) == i
    with pytest.raises(wasmote.Trap):
        exports.f2(17)
    with pytest.raises(wasmote.Trap):
        exports.f3(-1)
    return instance


def is_on_disk(path: Path) -> bool:
    """Files in memory have no other place, so all their pages count as dirty."""
    kinds = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    point = max((k[1] for k in kinds if str(path).startswith(k[1].rstrip("/") + "/")), key=len)
    return next(k[2] for k in reversed(kinds) if k[1] == point) not in ("tmpfs", "ramfs")


def test_no_page_of_the_code_is_private(path):
    module = Module(path)
    instance = run(module)
    pages = usage(module._code.image.address)
    assert pages["Rss"] > 0
    assert pages["Anonymous"] == 0  # nothing was copied
    if is_on_disk(path):
        assert pages["Private_Dirty"] == pages["Shared_Dirty"] == 0
    report = wasmote.memory_report(instance)
    assert report.native_code == module._code.image.size > 8192
    assert report.native_resident == pages["Rss"]
    assert report.native_private == 0
    assert report.binary_mapped
    assert (report.fast_code, report.side_tables) == (0, 0)


def test_the_module_is_not_copied_either(path):
    """Its types, data and names are read where they are in the image."""
    module = Module(path)
    instance = run(module)
    pages = usage(module._layout.binary)
    assert pages["Rss"] > 0
    assert pages["Anonymous"] == 0
    assert instance.exports.memory.read(8, 4) == b"data"


CHILD = f"""
import json, sys
sys.path[:] = {sys.path!r}
from tests.api.test_in_place import *
module = Module(sys.argv[1])
instance = run(module)
print(json.dumps(usage(module._code.image.address)), flush=True)
sys.stdin.read()
"""


def test_processes_share_the_code(path):
    alone = Module(path)
    run(alone)
    before = usage(alone._code.image.address)
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin and process.stdout
        other = json.loads(process.stdout.readline())
        shared = usage(alone._code.image.address)
        process.stdin.close()
    assert before["Private_Clean"] + before["Private_Dirty"] > 0
    for pages in (other, shared):
        assert pages["Pss"] * 2 == pytest.approx(pages["Rss"], abs=8192)
        assert pages["Private_Clean"] == pages["Private_Dirty"] == 0


def test_code_in_memory_that_nobody_can_write(path):
    sealed = source.in_memory("m", path.read_bytes(), verify=True).file
    with sealed:
        run(Module(f"/proc/self/fd/{sealed.fileno()}"))


READ_ONLY = f"""
import os, subprocess, sys
sys.path[:] = {sys.path!r}
folder, image = sys.argv[1:]
mount = ["mount", "-t", "tmpfs", "none", folder]
subprocess.run(mount, check=True)
subprocess.run(["cp", image, f"{{folder}}/m.aot"], check=True)
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
assert os.statvfs(folder).f_flag & os.ST_RDONLY
from tests.api.test_in_place import *
module = Module(f"{{folder}}/m.aot")
run(module)
assert usage(module._code.image.address)["Anonymous"] == 0
print("fine")
"""


def test_code_on_a_file_system_that_is_read_only(path, tmp_path):
    unshare = ["unshare", "--map-root-user", "--mount"]
    try:
        probe = ["mount", "-t", "tmpfs", "none", str(tmp_path)]
        subprocess.run([*unshare, *probe], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets nobody mount")
    command = [*unshare, sys.executable, "-c", READ_ONLY, str(tmp_path), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_a_place_that_forbids_execution(path, tmp_path):
    unshare = ["unshare", "--map-root-user", "--mount"]
    script = tmp_path / "load.py"
    script.write_text(
        f"import sys\nsys.path[:] = {sys.path!r}\nimport wasmote\nwasmote.Module(sys.argv[1])"
    )
    folder = tmp_path / "noexec"
    folder.mkdir()
    command = f"mount -t tmpfs -o noexec none {folder} && cp '{path}' {folder}/m.aot && "
    command += f"exec {sys.executable} {script} {folder}/m.aot"
    try:
        done = subprocess.run([*unshare, "sh", "-c", command], capture_output=True, text=True)
    except OSError:
        pytest.skip("there is no unshare")
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this system lets nobody mount")
    assert "PermissionError" in done.stderr
    assert "its code cannot be mapped: Operation not permitted; is its file" in done.stderr
