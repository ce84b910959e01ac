"""The host module `spectest`, which every script may import from.

The specification's reference interpreter defines it (`interpreter/host/spectest.ml`).
"""

from wasmote import (
    FuncType,
    Global,
    GlobalType,
    Memory,
    MemoryType,
    Table,
    TableType,
    ValType,
    func,
)

_I32, _I64, _F32, _F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64

_PRINTS = {
    "print": (),
    "print_i32": (_I32,),
    "print_i64": (_I64,),
    "print_f32": (_F32,),
    "print_f64": (_F64,),
    "print_i32_f32": (_I32, _F32),
    "print_f64_f64": (_F64, _F64),
}


def spectest() -> dict[str, object]:
    """A fresh copy of the module's exports; the instances of one script share a copy."""
    prints = {name: func(FuncType(params), _print_nothing) for name, params in _PRINTS.items()}
    return prints | {
        "global_i32": Global(GlobalType(_I32), 666),
        "global_i64": Global(GlobalType(_I64), 666),
        "global_f32": Global(GlobalType(_F32), 666.6),
        "global_f64": Global(GlobalType(_F64), 666.6),
        "table": Table(TableType(ValType.FUNCREF, 10, 20)),
        "table64": Table(TableType(ValType.FUNCREF, 10, 20, is64=True)),
        "memory": Memory(MemoryType(1, 2)),
        "shared_memory": Memory(MemoryType(1, 2, shared=True)),
    }


def _print_nothing(*values: object) -> None:
    """Scripts print only to be seen working, and a report should hold nothing but failures."""
