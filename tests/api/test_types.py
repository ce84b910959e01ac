"""Types, errors and the package's front."""

import copy
import os
import pickle
import subprocess
import sys

import pytest

import wasmote
from wasmote import (
    ExportType,
    Frame,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    TableType,
    Trap,
    TrapKind,
    ValType,
)

I32, I64, F32 = ValType.I32, ValType.I64, ValType.F32


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (FuncType(), "() -> ()"),
        (FuncType((I32, I64), (F32,)), "(i32, i64) -> (f32)"),
        (TableType(ValType.FUNCREF, 1), "table 1 funcref"),
        (TableType(ValType.EXTERNREF, 1, 2), "table 1 2 externref"),
        (MemoryType(0, 3), "memory 0 3"),
        (GlobalType(I32), "global i32"),
        (GlobalType(I64, True), "global mut i64"),
    ],
)
def test_types_are_values(type, text: str) -> None:
    assert str(type) == text
    for twin in (copy.copy(type), pickle.loads(pickle.dumps(type))):
        assert twin == type
        assert hash(twin) == hash(type)
    with pytest.raises(AttributeError, match="immutable"):
        type.minimum = 3
    with pytest.raises(AttributeError):
        del type.minimum


def test_different_types_differ() -> None:
    types = [
        FuncType(),
        FuncType((I32,)),
        FuncType((), (I32,)),
        MemoryType(1),
        MemoryType(1, 1),
        MemoryType(1, is64=True),
        MemoryType(1, page_size=1),
        GlobalType(I32),
        GlobalType(I32, True),
        ImportType("a", "b", FuncType()),
        ExportType("b", FuncType()),
    ]
    assert len(set(types)) == len(types)
    assert all(a != b for i, a in enumerate(types) for b in types[i + 1 :])
    assert MemoryType(1) != (1, None)
    shown = "MemoryType(minimum=1, maximum=2, is64=False, page_size=65536, shared=False)"
    assert repr(MemoryType(1, 2)) == shown


def test_types_match_patterns() -> None:
    match FuncType((I32,), (I64,)):
        case FuncType((only,), results):
            assert (only, results) == (I32, (I64,))
        case _:
            pytest.fail("did not match")


def test_a_trap_shows_its_backtrace() -> None:
    trap = Trap(TrapKind.UNREACHABLE, frames=(Frame(3, "f", 0x1A, "m"), Frame(4, None, 0x100)))
    assert str(trap) == trap.message == "unreachable"
    assert trap.backtrace() == "#00: 0x001a - f\n#01: 0x0100 - $f4"
    assert isinstance(trap, wasmote.WasmoteError)


def test_every_public_name_can_be_imported() -> None:
    for name in wasmote.__all__:
        assert getattr(wasmote, name) is not None
    assert set(wasmote.__all__) <= set(dir(wasmote))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wasmote.nothing


def test_importing_the_package_loads_no_core() -> None:
    program = (
        "import sys; before = set(sys.modules); import wasmote;print(*(set(sys.modules) - before))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    ).stdout.split()
    assert loaded == ["wasmote"]
