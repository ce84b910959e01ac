"""The interpreters as one switch, the form for machines without guaranteed tail calls.

The core is compiled once more for this machine, in that form, and runs scripts of the suite in a
process of its own.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wasmote.host import core_image
from wasmote.nativepy.targets import host_target

from .suite import HOW_TO_GET, folder, scripts

#: Each needs other handlers, or ways from one to the next that are not a handler.
SCRIPTS = (
    *("br_table", "call", "call_indirect", "fac", "f64", "i64", "imports4", "loop", "memory_grow"),
    *("memory_copy", "simd_i32x4_arith", "stack", "table_grow", "traps", "unwind"),
    *("throw_ref", "try_table", "legacy/rethrow", "legacy/try_delegate"),
)
_RUN = """
import sys
from wasmote.host import core_image
core_image.find = lambda: sys.argv[1]
from wasmote.script import run_script
for engine in ("fast", "classic"):
    for script in sys.argv[2:]:
        result = run_script(script, engine=engine)
        print(engine, script, result.passed, *result.failed[:3])
        assert result.passed and not result.failed
print("done")
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = copy.copy(host_target())
    target.tail_calls = False
    path = tmp_path_factory.mktemp("switch") / "core.img"
    path.write_bytes(core_image.build(target))
    return path


def test_scripts_pass_in_the_switch_form(image: Path) -> None:
    paths = [folder() / f"{name}.wast" for name in SCRIPTS if f"{name}.wast" in scripts()]
    if not paths and not os.environ.get("CI"):
        pytest.skip(HOW_TO_GET)
    assert len(paths) > len(SCRIPTS) - 3
    command = [sys.executable, "-c", _RUN, image, *paths]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    assert made.stdout.endswith("done\n")
