"""The core's structures as ctypes sees them, and their types as `wasmote.types`.

Each name ending in `Layout` is the mirror of the structure of that name in `wasmote.core.structs`
or `wasmote.host.cpython.structs`.
"""

import ctypes

from wasmote.core import structs as core
from wasmote.core.status import ExternKind
from wasmote.host.cpython import structs as host
from wasmote.nativepy import mirror
from wasmote.types import (
    PAGE_SIZE,
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    value_type,
)

ErrorLayout = mirror(core.Error)
NameLayout = mirror(core.Name)
FuncTypeLayout = mirror(core.FuncType)
FunctionLayout = mirror(core.Function)
TableTypeLayout = mirror(core.TableType)
MemoryTypeLayout = mirror(core.MemoryType)
GlobalTypeLayout = mirror(core.GlobalType)
ImportLayout = mirror(core.Import)
ExportLayout = mirror(core.Export)
ElementSegmentLayout = mirror(core.ElementSegment)
CustomSectionLayout = mirror(core.CustomSection)
ModuleLayout = mirror(core.Module)
FuncInstLayout = mirror(core.FuncInst)
MemoryLayout = mirror(core.Memory)
TableLayout = mirror(core.Table)
TagTypeLayout = mirror(core.TagType)
TagLayout = mirror(core.Tag)
GlobalLayout = mirror(core.Global)
HostGlobalLayout = mirror(core.HostGlobal)
InstanceLayout = mirror(core.Instance)
FuelLayout = mirror(core.Fuel)
TraceFrameLayout = mirror(core.TraceFrame)
FrameDescriptionLayout = mirror(core.FrameDescription)
FrameValueLayout = mirror(core.FrameValue)
OwnerLayout = mirror(host.OwnerObject)
ActivationLayout = mirror(host.Activation)
PoolLayout = mirror(host.Pool)
DeadlineLayout = mirror(host.Deadline)
StackRequestLayout = mirror(host.StackRequest)
ProfileLayout = mirror(host.Profile)
ProfileNodeLayout = mirror(host.ProfileNode)

# Bits of `flags` in the types of tables and memories.
_HAS_MAXIMUM = 1
_SHARED = 2
_INDEX_64 = 4
_PAGE_SIZE = 8


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
    is64 = bool(layout.flags & _INDEX_64)
    return TableType(value_type(layout.element), layout.minimum, maximum, is64)


def memory_type(layout: ctypes.Structure) -> MemoryType:
    """A memory's type from its structure."""
    maximum = layout.maximum if layout.flags & _HAS_MAXIMUM else None
    is64 = bool(layout.flags & _INDEX_64)
    shared = bool(layout.flags & _SHARED)
    return MemoryType(layout.minimum, maximum, is64, 1 << layout.page_shift, shared)


def global_type(layout: ctypes.Structure) -> GlobalType:
    """A global's type from the structure of the type or of the global."""
    return GlobalType(value_type(layout.content), bool(layout.mutable))


def table_type_layout(type: TableType) -> ctypes.Structure:
    """The structure for a table's type."""
    maximum = core.NO_MAXIMUM if type.maximum is None else type.maximum
    return TableTypeLayout(type.element.value, type.minimum, maximum, _limits_flags(type))


def memory_type_layout(type: MemoryType) -> ctypes.Structure:
    """The structure for a memory's type."""
    maximum = core.NO_MAXIMUM if type.maximum is None else type.maximum
    flags = _limits_flags(type)
    if type.page_size != PAGE_SIZE:
        flags |= _PAGE_SIZE
    if type.shared:
        flags |= _SHARED
    return MemoryTypeLayout(type.minimum, maximum, flags, type.page_size.bit_length() - 1)


def _limits_flags(type: TableType | MemoryType) -> int:
    flags = 0 if type.maximum is None else _HAS_MAXIMUM
    return flags | _INDEX_64 if type.is64 else flags


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
        case ExternKind.TAG:
            tag = _element(TagTypeLayout, module.tags, index)
            type = func_type(module.types + tag.type * ctypes.sizeof(FuncTypeLayout))
            return TagType(type.params)
    return global_type(_element(GlobalTypeLayout, module.globals, index))


def _element(layout: type[ctypes.Structure], address: int, index: int) -> ctypes.Structure:
    return layout.from_address(address + index * ctypes.sizeof(layout))
