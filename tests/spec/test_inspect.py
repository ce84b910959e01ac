"""Inspection of all modules of the specification's test suite."""

import os

import pytest

from tests.fuzz.decoder import read_corpus
from tests.spec.suite import HOW_TO_GET, folder
from wasmote import Module, ModuleError
from wasmote.inspect import disassemble, parse


def test_every_valid_module_can_be_inspected():
    if not folder().is_dir():
        assert not os.environ.get("CI"), HOW_TO_GET
        pytest.skip(HOW_TO_GET)
    found = 0
    for binary in read_corpus(folder()):
        try:
            Module(binary)
        except ModuleError:
            continue
        info = parse(binary)
        for function in info.functions:
            if not function.is_imported:
                list(disassemble(info, function))
        found += 1
    assert found > 1500
