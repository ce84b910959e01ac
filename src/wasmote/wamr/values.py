"""Kinds of values (`wasm_valkind_t`), `wasm_val_t`, and numbers as 32-bit cells."""

from collections.abc import Iterable, MutableSequence, Sequence
from dataclasses import dataclass

from wasmote.types import FuncType, RefType, ValType

WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_V128 = range(5)
WASM_EXTERNREF, WASM_FUNCREF = 128, 129

_KINDS = {
    ValType.I32: WASM_I32,
    ValType.I64: WASM_I64,
    ValType.F32: WASM_F32,
    ValType.F64: WASM_F64,
    ValType.V128: WASM_V128,
    ValType.FUNCREF: WASM_FUNCREF,
}
#: 32-bit cells that a value of a kind takes.
_CELLS = {WASM_I64: 2, WASM_F64: 2, WASM_V128: 4}


@dataclass
class WasmVal:
    """`wasm_val_t`: a value and its kind. References are Python objects, v128 is 16 bytes."""

    kind: int = WASM_I32
    of: object = 0


def valkind(type: ValType | RefType) -> int:
    """The kind of a type; all references but functions are WASM_EXTERNREF."""
    return _KINDS.get(type, WASM_EXTERNREF) if isinstance(type, ValType) else WASM_EXTERNREF


def cell_count(types: Iterable[ValType | RefType]) -> int:
    """32-bit cells of values of these types."""
    return sum(_CELLS.get(valkind(type), 1) for type in types)


def bits_from_cells(types: Sequence[ValType | RefType], cells: Sequence[int]) -> list[object]:
    """Bit patterns as `Func.call_bits` takes them. References are in cells as they are."""
    found: list[object] = []
    position = 0
    for type in types:
        count = _CELLS.get(valkind(type), 1)
        if type.is_reference:
            found.append(cells[position])
        else:
            parts = cells[position : position + count]
            found.append(sum((part & 0xFFFF_FFFF) << 32 * i for i, part in enumerate(parts)))
        position += count
    return found


def write_cells(
    types: Sequence[ValType | RefType], values: Iterable[object], cells: "MutableSequence[object]"
) -> None:
    """Write results to the first cells."""
    position = 0
    for type, value in zip(types, values, strict=True):
        if type.is_reference:
            cells[position] = value
            position += 1
            continue
        assert isinstance(value, int)
        for i in range(_CELLS.get(valkind(type), 1)):
            cells[position] = value >> 32 * i & 0xFFFF_FFFF
            position += 1


# -- types of functions -------------------------------------------------------------------------


def wasm_func_type_get_param_count(func_type: FuncType) -> int:
    """How many parameters a type has."""
    return len(func_type.params)


def wasm_func_type_get_param_valkind(func_type: FuncType, param_index: int) -> int:
    """The kind of a parameter."""
    return valkind(func_type.params[param_index])


def wasm_func_type_get_result_count(func_type: FuncType) -> int:
    """How many results a type has."""
    return len(func_type.results)


def wasm_func_type_get_result_valkind(func_type: FuncType, result_index: int) -> int:
    """The kind of a result."""
    return valkind(func_type.results[result_index])
