"""The modules of the specification's suite become code for every machine.

A few of them by default; all with WASMOTE_EVERY_MODULE=1, which takes some hours.
"""

import os
from collections.abc import Iterator

import pytest

from tests.compile.test_targets import NAMES
from tests.spec import suite
from wasmote import CompileError, Module, WasmoteError
from wasmote.compile import compile_module
from wasmote.compile.machines.names import target_named
from wasmote.script.commands import LoadModule, parse_script

pytest.importorskip("llvmlite")

#: Scripts of the sample, and how many modules of each.
SCRIPTS = ("simd_load", "try_table", "struct", "br_table", "atomic", "conversions", "return_call")
FEW = 1


def modules() -> Iterator[tuple[str, bytes]]:
    """Where each valid module is from, and its binary."""
    everything = "WASMOTE_EVERY_MODULE" in os.environ
    paths = sorted(suite.folder().rglob("*.wast"))
    for path in paths if everything else [p for p in paths if p.stem in SCRIPTS]:
        loads = [c for c in parse_script(path.read_text()) if isinstance(c, LoadModule)]
        for number, load in enumerate(loads if everything else loads[:FEW]):
            yield f"{path.stem} {number}", load.source.binary()


@pytest.mark.parametrize("name", NAMES)
def test_modules_of_the_suite(name):
    if not suite.folder().exists():
        pytest.skip(suite.HOW_TO_GET)
    try:
        target = target_named(name)
    except CompileError as error:
        pytest.skip(str(error))
    failed = []
    for where, binary in modules():
        try:
            module = Module(binary)
        except WasmoteError:
            continue  # a feature that is off, or scripts of proposals that came to nothing
        try:
            assert compile_module(module, target=target, level=1).code
        except Exception as error:
            failed.append(f"{where}: {error}")
    assert not failed, "\n".join(failed)
