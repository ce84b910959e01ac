"""What modules and instances take of memory."""

import json

import pytest

import wasmote
from wasmote import Instance, MemoryReport

from .support import module

TEXT = """
(import "env" "m" (memory 1))
(table 3 10 funcref)
(global (mut i32) (i32.const 1))
(global i64 (i64.const 1))
(func $small (export "small") (result i32) i32.const 1)
(func (export "large") (result i64) (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
  (drop (call $small)) (local.get 9))
(func (export "unused"))
"""


def instance(**options: object) -> Instance:
    memory = wasmote.Memory(wasmote.MemoryType(2, 10))
    return Instance(module(TEXT), {"env": {"m": memory}}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_functions_count_once_they_have_run(engine: str) -> None:
    i = instance(engine=engine)
    before = wasmote.memory_report(i)
    assert (before.functions, before.largest_frame) == ([], None)
    i.exports.large()
    after = wasmote.memory_report(i)
    assert [(each.name, each.engine) for each in after.functions] == [
        ("large", engine),
        ("small", engine),
    ]
    assert after.largest_frame == after.functions[0]
    assert 80 <= after.functions[0].frame < 200  # ten locals of 8 bytes
    code = sum(each.code for each in after.functions)
    if engine == "fast":
        assert 0 < code <= after.fast_code <= after.fast_code_committed <= after.fast_code_reserved
        assert after.side_tables == 0
    else:
        assert after.side_tables == code > 0
        assert (after.fast_code, after.fast_code_reserved) == (0, 0)


def test_extents() -> None:
    report = wasmote.memory_report(instance(stack_size=1 << 17))
    (memory,) = report.memories
    assert (memory.used, memory.imported) == (2 * 65536, True)
    assert memory.reserved >= memory.used
    (table,) = report.tables
    assert table.used >= 3 * 4 and not table.imported
    assert report.stack == 1 << 17
    assert report.globals > 0 and report.structures > 0
    assert report.binary > 100 and not report.binary_mapped


def test_metered_code_counts_too() -> None:
    i = instance(fuel=1000)
    i.exports.small()
    report = wasmote.memory_report(i)
    assert [each.name for each in report.functions] == ["small"]
    assert report.fast_code > 0


def test_as_text_and_as_json() -> None:
    i = instance()
    i.exports.large()
    report = MemoryReport(i)
    assert "largest frame" in str(report) and "large" not in str(report).splitlines()[0]
    assert any(line.endswith("small") for line in report.lines(verbose=True))
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["largest_frame"]["name"] == "large"
    assert len(plain["functions"]) == 2
    assert "functions" not in report.to_dict(verbose=False)
