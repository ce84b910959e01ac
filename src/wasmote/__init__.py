"""Wasmote: a WebAssembly micro runtime in Python.

    import wasmote

    module = wasmote.Module("program.wasm")
    instance = wasmote.Instance(module, {"env": {"log": print}})
    instance.exports.main(1, 2)

The names below are imported when they are first used, so that the parts of the package that need no
running core (the compiler, the command line's help) do not load it.
"""

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.aggregates import I31, Aggregate
    from wasmote.api.c_library import NativeLibrary
    from wasmote.api.call_stack import CallStack
    from wasmote.api.caller import Caller
    from wasmote.api.control import Fuel, checkpoint, timeout
    from wasmote.api.exceptions import Tag, WasmException
    from wasmote.api.func import Func, func
    from wasmote.api.globals import Global
    from wasmote.api.heap import HeapStatistics, heap
    from wasmote.api.instance import Exports, Instance
    from wasmote.api.linker import CircularImportError, Linker
    from wasmote.api.live_frames import LiveFrame
    from wasmote.api.memory import Memory
    from wasmote.api.memory_report import MemoryReport, memory_report
    from wasmote.api.module import Module
    from wasmote.api.natives import Natives
    from wasmote.api.profile import FunctionTime, Profile, profile
    from wasmote.api.table import Table
    from wasmote.core.limits import Limits
    from wasmote.dwarf.sources import Source
    from wasmote.errors import (
        CompileError,
        DecodeError,
        Frame,
        LimitError,
        LinkError,
        ModuleError,
        SignatureError,
        Trap,
        TrapKind,
        ValidationError,
        WasmoteError,
    )
    from wasmote.isa.features import FEATURES
    from wasmote.libc.library import Libc
    from wasmote.libc.pthread import Pthreads
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
    "FEATURES",
    "I31",
    "Aggregate",
    "CallStack",
    "Caller",
    "CircularImportError",
    "CompileError",
    "DecodeError",
    "ExportType",
    "Exports",
    "ExternType",
    "Frame",
    "Fuel",
    "Func",
    "FuncType",
    "FunctionTime",
    "Global",
    "GlobalType",
    "HeapStatistics",
    "ImportType",
    "Instance",
    "Libc",
    "LimitError",
    "Limits",
    "LinkError",
    "Linker",
    "LiveFrame",
    "Memory",
    "MemoryReport",
    "MemoryType",
    "Module",
    "ModuleError",
    "NativeLibrary",
    "Natives",
    "Profile",
    "Pthreads",
    "RefType",
    "SignatureError",
    "Source",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "Trap",
    "TrapKind",
    "ValType",
    "ValidationError",
    "WasmException",
    "WasmoteError",
    "checkpoint",
    "func",
    "heap",
    "memory_report",
    "profile",
    "timeout",
]

_HOMES = {
    "api.aggregates": ("I31", "Aggregate"),
    "api.c_library": ("NativeLibrary",),
    "api.call_stack": ("CallStack",),
    "api.caller": ("Caller",),
    "api.control": ("Fuel", "checkpoint", "timeout"),
    "api.exceptions": ("Tag", "WasmException"),
    "api.func": ("Func", "func"),
    "api.globals": ("Global",),
    "api.heap": ("HeapStatistics", "heap"),
    "api.instance": ("Exports", "Instance"),
    "api.linker": ("CircularImportError", "Linker"),
    "api.live_frames": ("LiveFrame",),
    "api.memory": ("Memory",),
    "api.memory_report": ("MemoryReport", "memory_report"),
    "api.module": ("Module",),
    "api.natives": ("Natives",),
    "api.profile": ("FunctionTime", "Profile", "profile"),
    "api.table": ("Table",),
    "core.limits": ("Limits",),
    "dwarf.sources": ("Source",),
    "errors": (
        "CompileError",
        "DecodeError",
        "Frame",
        "LimitError",
        "LinkError",
        "ModuleError",
        "SignatureError",
        "Trap",
        "TrapKind",
        "ValidationError",
        "WasmoteError",
    ),
    "isa.features": ("FEATURES",),
    "libc.library": ("Libc",),
    "libc.pthread": ("Pthreads",),
    "types": (
        "ExportType",
        "ExternType",
        "FuncType",
        "GlobalType",
        "ImportType",
        "MemoryType",
        "RefType",
        "TableType",
        "TagType",
        "ValType",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'wasmote' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"wasmote.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
