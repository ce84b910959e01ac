"""The object model of the WebAssembly C API (`wasm.h`), for programs that are ported from it.

    from wasmote.capi import Engine, Func, FuncType, Instance, Module, Store, Val, ValType

    store = Store(Engine())
    module = Module(store, binary)
    hello = Func(store, FuncType(), lambda args, results: print("Hello World!"))
    instance, trap = Instance.new(store, module, [hello])
    run = instance.exports()[0]
    trap = run.call()

Each class stands for the type of that name, and its methods for the functions: `wasm_func_call` is
`Func.call`. Nothing has to be deleted, vectors are lists, and what C reports by a null pointer
raises an exception, except for traps, which are returned. Thin over `wasmote.Module` and
`wasmote.Instance`; docs/porting.md has the list.

- `store`: engine, store, references; `values`: values and types; `traps`;
- `externs`: functions, globals, tables, memories; `modules`: modules and instances.
"""

from wasmote.capi.externs import Extern, Func, Global, Memory, Table
from wasmote.capi.modules import Instance, Module, SharedModule
from wasmote.capi.store import Config, Engine, Foreign, Ref, Store
from wasmote.capi.traps import Frame, Trap
from wasmote.capi.values import (
    ExportType,
    ExternKind,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    RefType,
    TableType,
    Val,
    ValKind,
    ValType,
)

__all__ = [
    "Config",
    "Engine",
    "ExportType",
    "Extern",
    "ExternKind",
    "ExternType",
    "Foreign",
    "Frame",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "Memory",
    "MemoryType",
    "Module",
    "Ref",
    "RefType",
    "SharedModule",
    "Store",
    "Table",
    "TableType",
    "Trap",
    "Val",
    "ValKind",
    "ValType",
]
