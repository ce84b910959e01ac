"""Modules: loading, names, sections, imports and exports."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from wasmote import Limits, Module, WasmoteError
from wasmote.types import ExternType, FuncType, GlobalType, MemoryType, TableType
from wasmote.wamr.state import ENGINES, fill, runtime
from wasmote.wamr.values import valkind


class PackageType(IntEnum):
    """`package_type_t`."""

    WASM_MODULE_BYTECODE = 0
    WASM_MODULE_AOT = 1
    PACKAGE_TYPE_UNKNOWN = 0xFFFF


WASM_IMPORT_EXPORT_KIND_FUNC, WASM_IMPORT_EXPORT_KIND_TABLE = 0, 1
WASM_IMPORT_EXPORT_KIND_MEMORY, WASM_IMPORT_EXPORT_KIND_GLOBAL = 2, 3
WASM_IMPORT_EXPORT_KIND_TAG = 4
_KINDS = {FuncType: 0, TableType: 1, MemoryType: 2, GlobalType: 3}
_IMAGE_VERSION_PLACE = slice(4, 8)
_NO_PAGES = 0xFFFF_FFFF


@dataclass
class WasiArgs:
    """What `wasm_runtime_set_wasi_args_ex` sets: directories, environment, arguments, stdio."""

    dirs: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    argv: list[str] = field(default_factory=list)
    stdio: tuple[int, int, int] = (-1, -1, -1)  # descriptors; -1: those of the process
    addr_pool: list[str] = field(default_factory=list)
    ns_lookup_pool: list[str] = field(default_factory=list)


class WasmModule:
    """`wasm_module_t`: a module, its name, and how its instances see WASI."""

    def __init__(self, module: Module, binary: bytes) -> None:
        self.module = module
        self.binary = binary
        self.name = module.name
        self.wasi = WasiArgs()


@dataclass
class LoadArgs:
    """`LoadArgs`. The module never refers to the buffer afterwards, so it is always freeable."""

    name: str = ""
    no_resolve: bool = False


@dataclass
class WasmImport:
    """`wasm_import_t`."""

    module_name: str
    name: str
    kind: int
    linked: bool
    type: ExternType


@dataclass
class WasmExport:
    """`wasm_export_t`."""

    name: str
    kind: int
    type: ExternType


def wasm_runtime_load(
    buf: bytes | bytearray, error_buf: bytearray | None = None
) -> WasmModule | None:
    """Load a binary or an image; None, with a message in `error_buf`, if it is refused."""
    return wasm_runtime_load_ex(buf, LoadArgs(), error_buf)


def wasm_runtime_load_ex(
    buf: bytes | bytearray, args: LoadArgs, error_buf: bytearray | None = None
) -> WasmModule | None:
    """`wasm_runtime_load` with a name."""
    try:
        module = Module(bytes(buf), name=args.name or None, limits=Limits())
    except (WasmoteError, MemoryError) as error:
        fill(error_buf, f"WASM module load failed: {error}")
        return None
    return WasmModule(module, bytes(buf))


def wasm_runtime_unload(module: WasmModule) -> None:
    """Nothing to do: a module lives as long as somebody refers to it."""


def wasm_runtime_resolve_symbols(module: WasmModule) -> bool:
    """Whether all functions that the module imports are there."""
    return all(
        is_linked(each.module, each.name)
        for each in module.module.imports
        if isinstance(each.type, FuncType)
    )


def wasm_runtime_is_import_func_linked(module_name: str, func_name: str) -> bool:
    """Whether there is a native function of that name, or WASI has it."""
    return is_linked(module_name, func_name)


def wasm_runtime_is_import_global_linked(module_name: str, global_name: str) -> bool:
    """Whether a registered module exports a global of that name."""
    found = runtime.modules.get(module_name)
    names = () if found is None else found.exports
    return any(each.name == global_name and isinstance(each.type, GlobalType) for each in names)


def is_linked(module: str, name: str) -> bool:
    """Whether the import would be found when a module is instantiated."""
    from wasmote.wamr.natives import find_native
    from wasmote.wasi import Wasi

    if find_native(module, name) is not None:
        return True
    if module in runtime.modules:
        return any(each.name == name for each in runtime.modules[module].exports)
    return name in Wasi().imports().get(module, ())


# -- names and packages --------------------------------------------------------------------------


def wasm_runtime_set_module_name(
    module: WasmModule, name: str, error_buf: bytearray | None = None
) -> bool:
    """Set the name that messages have."""
    module.name = name
    return True


def wasm_runtime_get_module_name(module: WasmModule) -> str:
    """The module's name; empty if it has none."""
    return module.name


def get_package_type(buf: bytes) -> int:
    """What a buffer holds, by its first bytes."""
    from wasmote.image.format import MAGIC

    if buf[:4] == b"\0asm":
        return PackageType.WASM_MODULE_BYTECODE
    return PackageType.WASM_MODULE_AOT if buf[:4] == MAGIC else PackageType.PACKAGE_TYPE_UNKNOWN


wasm_runtime_get_file_package_type = get_package_type


def wasm_runtime_get_module_package_type(module: WasmModule) -> int:
    """Bytecode or compiled code."""
    return get_package_type(module.binary)


def wasm_runtime_get_file_package_version(buf: bytes) -> int:
    """The version number after the magic number; 0 if there is none."""
    if get_package_type(buf) == PackageType.PACKAGE_TYPE_UNKNOWN:
        return 0
    return int.from_bytes(buf[_IMAGE_VERSION_PLACE], "little")


def wasm_runtime_get_module_package_version(module: WasmModule) -> int:
    """The version of the format that the module was loaded from."""
    return wasm_runtime_get_file_package_version(module.binary)


def wasm_runtime_get_current_package_version(package_type: int) -> int:
    """The version of a format that this runtime reads: 1 for WebAssembly, the image format's."""
    from wasmote.image.format import VERSION

    versions = {PackageType.WASM_MODULE_BYTECODE: 1, PackageType.WASM_MODULE_AOT: VERSION}
    return versions.get(PackageType(package_type), 0)


def wasm_runtime_is_xip_file(buf: bytes) -> bool:
    """Whether code runs in place: that of every image does."""
    return get_package_type(buf) == PackageType.WASM_MODULE_AOT


def wasm_runtime_is_underlying_binary_freeable(module: WasmModule) -> bool:
    """True: a module has its own copy."""
    return True


# -- imports, exports, sections ------------------------------------------------------------------


def wasm_runtime_get_import_count(module: WasmModule) -> int:
    """How many imports a module has."""
    return len(module.module.imports)


def wasm_runtime_get_import_type(module: WasmModule, import_index: int) -> WasmImport:
    """What an import is. Raises IndexError."""
    found = module.module.imports[import_index]
    linked = is_linked(found.module, found.name)
    return WasmImport(found.module, found.name, _kind(found.type), linked, found.type)


def wasm_runtime_get_export_count(module: WasmModule) -> int:
    """How many exports a module has."""
    return len(module.module.exports)


def wasm_runtime_get_export_type(module: WasmModule, export_index: int) -> WasmExport:
    """What an export is. Raises IndexError."""
    found = module.module.exports[export_index]
    return WasmExport(found.name, _kind(found.type), found.type)


def _kind(type: ExternType) -> int:
    return next((n for kind, n in _KINDS.items() if isinstance(type, kind)), 4)


def wasm_runtime_get_custom_section(module: WasmModule, name: str) -> bytes | None:
    """The contents of the first custom section of that name; None: there is none."""
    return next(iter(module.module.custom_sections(name)), None)


def wasm_global_type_get_valkind(global_type: GlobalType) -> int:
    """The kind of a global's value."""
    return valkind(global_type.content)


def wasm_global_type_get_mutable(global_type: GlobalType) -> bool:
    """Whether a global may be set."""
    return global_type.mutable


def wasm_memory_type_get_shared(memory_type: MemoryType) -> bool:
    """Whether a memory is shared by threads."""
    return memory_type.shared


def wasm_memory_type_get_init_page_count(memory_type: MemoryType) -> int:
    """Pages that a memory starts with."""
    return memory_type.minimum


def wasm_memory_type_get_max_page_count(memory_type: MemoryType) -> int:
    """Pages that a memory may have; 0xFFFFFFFF without a limit."""
    return _NO_PAGES if memory_type.maximum is None else memory_type.maximum


def wasm_table_type_get_elem_kind(table_type: TableType) -> int:
    """The kind of a table's elements."""
    return valkind(table_type.element)


def wasm_table_type_get_shared(table_type: TableType) -> bool:
    """False: WebAssembly has no shared tables."""
    return False


def wasm_table_type_get_init_size(table_type: TableType) -> int:
    """Elements that a table starts with."""
    return table_type.minimum


def wasm_table_type_get_max_size(table_type: TableType) -> int:
    """Elements that a table may have; 0xFFFFFFFF without a limit."""
    return _NO_PAGES if table_type.maximum is None else table_type.maximum


# -- several modules -----------------------------------------------------------------------------


def wasm_runtime_set_module_reader(reader: "object", destroyer: "object" = None) -> None:
    """`reader(package_type, name)` gives the bytes of modules that others import from, or None.

    `destroyer(bytes)` is called when they are loaded.
    """
    runtime.reader, runtime.destroyer = reader, destroyer  # type: ignore[assignment]


def wasm_runtime_register_module(
    module_name: str, module: WasmModule, error_buf: bytearray | None = None
) -> bool:
    """Let others import from a module. False if the name is taken by another one."""
    known = runtime.modules.setdefault(module_name, module.module)
    if known is not module.module:
        fill(error_buf, f"the module {module_name} has been registered")
        return False
    return True


def wasm_runtime_find_module_registered(module_name: str) -> WasmModule | None:
    """The module that was registered under a name; None: there is none."""
    found = runtime.modules.get(module_name)
    return None if found is None else WasmModule(found, b"")


# -- WASI ----------------------------------------------------------------------------------------


def wasm_runtime_set_wasi_args_ex(
    module: WasmModule,
    dir_list: Sequence[str] = (),
    map_dir_list: Sequence[str] = (),
    env: Sequence[str] = (),
    argv: Sequence[str] = (),
    stdinfd: int = -1,
    stdoutfd: int = -1,
    stderrfd: int = -1,
) -> None:
    """What the module's instances get from WASI: `NAME=VALUE`s, and `GUEST::HOST` directories.

    Descriptors of -1 are the process's. Raises ValueError for what is malformed.
    """
    args = wasi_args(dir_list, map_dir_list, env, argv)
    args.stdio = stdinfd, stdoutfd, stderrfd
    args.addr_pool, args.ns_lookup_pool = module.wasi.addr_pool, module.wasi.ns_lookup_pool
    module.wasi = args


def wasi_args(
    dirs: Sequence[str], map_dirs: Sequence[str], env: Sequence[str], argv: Sequence[str]
) -> WasiArgs:
    """The lists of C as mappings. Raises ValueError."""
    mapped = {}
    for each in map_dirs:
        guest, colons, host = each.partition("::")
        if not (guest and colons and host):
            raise ValueError(f"expected GUEST::HOST, not {each}")
        mapped[guest] = host
    variables = {}
    for each in env:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise ValueError(f"expected NAME=VALUE, not {each}")
        variables[name] = value
    directories = {each: os.fspath(each) for each in dirs}
    return WasiArgs({**directories, **mapped}, variables, list(argv))


def wasm_runtime_set_wasi_args(
    module: WasmModule,
    dir_list: Sequence[str] = (),
    map_dir_list: Sequence[str] = (),
    env: Sequence[str] = (),
    argv: Sequence[str] = (),
) -> None:
    """`wasm_runtime_set_wasi_args_ex` with the process's stdio."""
    wasm_runtime_set_wasi_args_ex(module, dir_list, map_dir_list, env, argv)


def wasm_runtime_set_wasi_addr_pool(module: WasmModule, addr_pool: Sequence[str]) -> None:
    """The networks that sockets may reach, as `ADDRESS/BITS`. Checked at instantiation."""
    module.wasi.addr_pool = list(addr_pool)


def wasm_runtime_set_wasi_ns_lookup_pool(module: WasmModule, ns_lookup_pool: Sequence[str]) -> None:
    """The names that may be looked up, as `example.com` or `*.example.com`."""
    module.wasi.ns_lookup_pool = list(ns_lookup_pool)


def engine_of(module: Module, mode: int) -> str:
    """The engine for a mode; compiled modules have one only."""
    return "auto" if module.is_compiled else ENGINES.get(mode, "auto")  # type: ignore[call-overload]
