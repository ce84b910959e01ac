"""Values and the types of what modules import and export (`wasm_val_t`, `wasm_externtype_t`)."""

from dataclasses import dataclass
from enum import IntEnum

from wasmote.types import (
    ExportType,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    RefType,
    TableType,
    TagType,
    ValType,
)

__all__ = [
    "ExportType",
    "ExternKind",
    "ExternType",
    "FuncType",
    "GlobalType",
    "ImportType",
    "MemoryType",
    "RefType",
    "TableType",
    "Val",
    "ValKind",
    "ValType",
    "extern_kind",
    "val_kind",
]


class ValKind(IntEnum):
    """`wasm_valkind_t`."""

    I32 = 0
    I64 = 1
    F32 = 2
    F64 = 3
    V128 = 4
    EXTERNREF = 128
    FUNCREF = 129


class ExternKind(IntEnum):
    """`wasm_externkind_t`."""

    FUNC = 0
    GLOBAL = 1
    TABLE = 2
    MEMORY = 3
    TAG = 4


_EXTERNS = {
    FuncType: ExternKind.FUNC,
    GlobalType: ExternKind.GLOBAL,
    TableType: ExternKind.TABLE,
    MemoryType: ExternKind.MEMORY,
    TagType: ExternKind.TAG,
}


def extern_kind(type: ExternType) -> ExternKind:
    """`wasm_externtype_kind`."""
    return _EXTERNS[type.__class__]


def val_kind(type: ValType | RefType) -> ValKind:
    """`wasm_valtype_kind`; all references but functions are EXTERNREF."""
    name = type.name if isinstance(type, ValType) else "EXTERNREF"
    return ValKind[name]


@dataclass
class Val:
    """`wasm_val_t`: an int, a float, 16 bytes, or a reference: a `Ref`, any object, or None."""

    kind: ValKind
    of: object

    @classmethod
    def i32(cls, value: int) -> "Val":
        """`WASM_I32_VAL`."""
        return cls(ValKind.I32, value)

    @classmethod
    def i64(cls, value: int) -> "Val":
        """`WASM_I64_VAL`."""
        return cls(ValKind.I64, value)

    @classmethod
    def f32(cls, value: float) -> "Val":
        """`WASM_F32_VAL`."""
        return cls(ValKind.F32, value)

    @classmethod
    def f64(cls, value: float) -> "Val":
        """`WASM_F64_VAL`."""
        return cls(ValKind.F64, value)

    @classmethod
    def ref(cls, value: object) -> "Val":
        """`WASM_REF_VAL`; None is `WASM_INIT_VAL` for references."""
        from wasmote.capi.externs import Func

        return cls(ValKind.FUNCREF if isinstance(value, Func) else ValKind.EXTERNREF, value)
