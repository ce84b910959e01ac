"""Exported globals and tables, and objects as references."""

import ctypes
from dataclasses import dataclass

from wasmote import Func, Global, Table
from wasmote.api.layouts import InstanceLayout
from wasmote.api.lifetime import owner_layout
from wasmote.api.table import wrap_table
from wasmote.wamr.instances import ModuleInst
from wasmote.wamr.values import valkind


@dataclass
class GlobalInst:
    """`wasm_global_inst_t`; `data` is the global, whose `value` can be read and set."""

    kind: int
    is_mutable: bool
    data: Global


@dataclass
class TableInst:
    """`wasm_table_inst_t`."""

    elem_kind: int
    cur_size: int
    max_size: int
    elems: Table


def wasm_runtime_get_export_global_inst(module_inst: ModuleInst, name: str) -> GlobalInst | None:
    """An exported global; None: there is none of that name."""
    found = _export(module_inst, name)
    if not isinstance(found, Global):
        return None
    return GlobalInst(valkind(found.type.content), found.type.mutable, found)


def wasm_runtime_get_export_table_inst(module_inst: ModuleInst, name: str) -> TableInst | None:
    """An exported table; None: there is none of that name."""
    found = _export(module_inst, name)
    if not isinstance(found, Table):
        return None
    most = 0xFFFF_FFFF if found.type.maximum is None else found.type.maximum
    return TableInst(valkind(found.type.element), len(found), most, found)


def wasm_table_get_func_inst(
    module_inst: ModuleInst, table_inst: TableInst, idx: int
) -> Func | None:
    """The function at an element of a table; None: there is none."""
    table = table_inst.elems
    found = table[idx] if 0 <= idx < len(table) else None
    return found if isinstance(found, Func) else None


def first_table(inst: ModuleInst) -> Table | None:
    """Table 0 of an instance, exported or not."""
    if not inst.module.module._layout.table_count:
        return None
    tables = InstanceLayout.from_address(owner_layout(inst.owner).resource).tables
    return wrap_table(ctypes.c_void_p.from_address(tables).value or 0, inst.owner)


def _export(inst: ModuleInst, name: str) -> object:
    exports = inst.instance.exports
    return exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
