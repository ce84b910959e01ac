"""The core's structures as ctypes sees them, and their types as `wasmote.types`.

Each name ending in `Layout` is the mirror of the structure of that name in `wasmote.core.structs`
or `wasmote.host.cpython.structs`.
"""

import ctypes

from wasmote.core import structs as core
from wasmote.core.status import ExternKind
from wasmote.host.cpython import structs as host
from wasmote.nativepy import mirror
from wasmote.types import ExternType, FuncType, GlobalType, MemoryType, TableType, value_type

ErrorLayout = mirror(core.Error)
NameLayout = mirror(core.Name)
FuncTypeLayout = mirror(core.FuncType)
FunctionLayout = mirror(core.Function)
TableTypeLayout = mirror(core.TableType)
MemoryTypeLayout = mirror(core.MemoryType)
GlobalTypeLayout = mirror(core.GlobalType)
ImportLayout = mirror(core.Import)
ExportLayout = mirror(core.Export)
CustomSectionLayout = mirror(core.CustomSection)
ModuleLayout = mirror(core.Module)
FuncInstLayout = mirror(core.FuncInst)
MemoryLayout = mirror(core.Memory)
TableLayout = mirror(core.Table)
GlobalLayout = mirror(core.Global)
InstanceLayout = mirror(core.Instance)
OwnerLayout = mirror(host.OwnerObject)
ActivationLayout = mirror(host.Activation)

_HAS_MAXIMUM = 1
_PAGE_SHIFT = 16


def text(name: ctypes.Structure) -> str:
    """The string that a `Name` is."""
    return ctypes.string_at(name.data, name.size).decode() if name.size else ""


def items(layout: type[ctypes.Structure], address: int, count: int) -> list[ctypes.Structure]:
    """The elements of an array of structures."""
    return list((layout * count).from_address(address)) if count else []


def addresses(address: int, count: int) -> list[int]:
    """The elements of an array of pointers."""
    if not count:
        return []
    return [pointer or 0 for pointer in (ctypes.c_void_p * count).from_address(address)]


def func_type(address: int) -> FuncType:
    """Read a function type."""
    layout = FuncTypeLayout.from_address(address)
    params, results = layout.param_count, layout.result_count
    if not params + results:
        return FuncType()
    numbers = (ctypes.c_uint32 * (params + results)).from_address(layout.types)
    types = tuple([value_type(number) for number in numbers])
    return FuncType(types[:params], types[params:])


def table_type(layout: ctypes.Structure) -> TableType:
    """A table's type from its structure."""
    maximum = layout.maximum if layout.flags & _HAS_MAXIMUM else None
    return TableType(value_type(layout.element), layout.minimum, maximum)


def memory_type(layout: ctypes.Structure) -> MemoryType:
    """A memory's type from its structure."""
    return MemoryType(layout.minimum, layout.maximum if layout.flags & _HAS_MAXIMUM else None)


def global_type(layout: ctypes.Structure) -> GlobalType:
    """A global's type from the structure of the type or of the global."""
    return GlobalType(value_type(layout.content), bool(layout.mutable))


def table_type_layout(type: TableType) -> ctypes.Structure:
    """The structure for a table's type."""
    maximum = core.NO_MAXIMUM if type.maximum is None else type.maximum
    flags = 0 if type.maximum is None else _HAS_MAXIMUM
    return TableTypeLayout(type.element.value, type.minimum, maximum, flags)


def memory_type_layout(type: MemoryType) -> ctypes.Structure:
    """The structure for a memory's type."""
    maximum = core.NO_MAXIMUM if type.maximum is None else type.maximum
    flags = 0 if type.maximum is None else _HAS_MAXIMUM
    return MemoryTypeLayout(type.minimum, maximum, flags, _PAGE_SHIFT)


def extern_type(module: ctypes.Structure, kind: int, index: int) -> ExternType:
    """The type of what is at `index` of one of a module's index spaces."""
    match kind:
        case ExternKind.FUNCTION:
            function = _element(FunctionLayout, module.functions, index)
            return func_type(module.types + function.type * ctypes.sizeof(FuncTypeLayout))
        case ExternKind.TABLE:
            return table_type(_element(TableTypeLayout, module.tables, index))
        case ExternKind.MEMORY:
            return memory_type(_element(MemoryTypeLayout, module.memories, index))
    return global_type(_element(GlobalTypeLayout, module.globals, index))


def _element(layout: type[ctypes.Structure], address: int, index: int) -> ctypes.Structure:
    return layout.from_address(address + index * ctypes.sizeof(layout))
