"""Instances and execution environments."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from wasmote import Caller, Frame, Fuel, Func, FuncType, Instance, Libc, Linker, WasmoteError
from wasmote.api.lifetime import Owner
from wasmote.api.linker import Namespace
from wasmote.api.module import Module
from wasmote.core.app_heap import LARGEST
from wasmote.libc.threads import threads_for
from wasmote.wamr.modules import PackageType, WasiArgs, WasmModule, engine_of
from wasmote.wamr.natives import find_native
from wasmote.wamr.state import RunningMode, fill, runtime, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from wasmote.libc.threads import Threads
    from wasmote.wasi import Wasi

_SMALLEST_STACK, _LARGEST_STACK = 1 << 16, 1 << 30
#: What an instruction count limit of nothing is.
_UNLIMITED = 1 << 62


class ModuleInst:
    """`wasm_module_inst_t`: an instance, and what WAMR keeps with it."""

    def __init__(self, module: WasmModule) -> None:
        self.module = module
        self.instance: Instance
        self.owner: Owner = None  # the native owner of `instance`, once code of it runs
        self.exception: str | None = None
        self.frames: tuple[Frame, ...] = ()  # of the call that ended with it
        self.custom_data: object = None
        self.contexts: dict[object, object] = {}
        self.wasi: Wasi | None = None
        self.exit_code = 0
        self.fuel: Fuel | None = None
        self.mode = runtime.mode
        self.singleton: ExecEnv | None = None
        self.threads: Threads | None = None  # that the program starts


class ExecEnv:
    """`wasm_exec_env_t`: where calls of one thread happen."""

    def __init__(self, module_inst: ModuleInst, stack_size: int = 0) -> None:
        self.module_inst = module_inst
        self.stack_size = stack_size
        self.user_data: object = None
        self.attachments: list[object] = []


@dataclass
class InstantiationArgs:
    """`InstantiationArgs2`, and `InstantiationArgs`, which has the first three. Sizes in bytes."""

    default_stack_size: int = 0
    host_managed_heap_size: int = 0
    max_memory_pages: int = 0
    custom_data: object = None
    wasi: WasiArgs = field(default_factory=WasiArgs)


class _Linker(Linker):
    """Finds imports among natives, WASI, registered modules and what the module reader has."""

    def __init__(self, inst: ModuleInst, wasi: WasiArgs, **options: "Any") -> None:
        super().__init__(missing="trap", **options)
        self.inst, self.wasi = inst, wasi

    def provide(self, module: Module) -> "Mapping[str, Namespace]":
        given: dict[str, dict[str, object]] = _libc().provide(module)
        if any(each.module.startswith("wasi_") for each in module.imports):
            given.update(self._wasi())
        self.inst.threads, shared = threads_for(module, runtime.max_threads)
        for name, values in (shared or {}).items():
            given.setdefault(name, {}).update(values)
        for each in module.imports:
            native = find_native(each.module, each.name)
            if native is not None:
                given.setdefault(each.module, {})[each.name] = native
        return given

    def _wasi(self) -> "dict[str, dict[str, object]]":
        from wasmote.wasi import Wasi

        wasi = self.wasi
        stdin, stdout, stderr = (None if fd < 0 else fd for fd in wasi.stdio)
        self.inst.wasi = Wasi(
            *(wasi.argv, wasi.env, wasi.dirs, stdin, stdout, stderr),
            addr_pool=wasi.addr_pool,
            allow_resolve=wasi.ns_lookup_pool,
        )
        return {name: dict(functions) for name, functions in self.inst.wasi.imports().items()}

    def make(
        self, module: Module, imports: "Mapping[str, Namespace]", **options: "Any"
    ) -> Instance:
        for each in module.imports:
            if isinstance(each.type, FuncType) and each.name not in imports.get(each.module, ()):
                warn(f"failed to link import function ({each.module}, {each.name})")
        instance = super().make(module, imports, **options)
        if self.inst.threads is not None:
            make = super().make
            self.inst.threads.attach(instance, lambda: make(module, imports, sharing=instance))
        return instance

    def _find(self, name: str, importer: Module) -> Module | None:
        if name in runtime.modules:
            return runtime.modules[name]
        if runtime.reader is None:
            return None
        kind = PackageType.WASM_MODULE_BYTECODE
        data = runtime.reader(PackageType.WASM_MODULE_AOT if importer.is_compiled else kind, name)
        if data is None:
            return None
        made = runtime.modules[name] = Module(bytes(data), name=name)
        if runtime.destroyer is not None:
            runtime.destroyer(data)
        return made


@cache
def _libc() -> Libc:
    """libc-builtin, which WAMR registers when it starts."""
    return Libc()


def wasm_runtime_instantiate(
    module: WasmModule,
    default_stack_size: int = 0,
    host_managed_heap_size: int = 0,
    error_buf: bytearray | None = None,
) -> ModuleInst | None:
    """An instance; None, with a message in `error_buf`, if that fails. Sizes are in bytes."""
    args = InstantiationArgs(default_stack_size, host_managed_heap_size, wasi=module.wasi)
    return wasm_runtime_instantiate_ex(module, args, error_buf)


def wasm_runtime_instantiate_ex(
    module: WasmModule, args: InstantiationArgs, error_buf: bytearray | None = None
) -> ModuleInst | None:
    """`wasm_runtime_instantiate` with options."""
    inst = ModuleInst(module)
    inst.custom_data = args.custom_data
    inst.fuel = Fuel(_UNLIMITED) if runtime.metering else None
    wasi = module.wasi if args.wasi == WasiArgs() else args.wasi
    if wasi is not module.wasi and module.wasi != WasiArgs():
        message = "WASI configuration was given via both of module and InstantiationArgs2"
        fill(error_buf, f"WASM module instantiate failed: {message}")
        return None
    stack = min(max(args.default_stack_size, _SMALLEST_STACK), _LARGEST_STACK)
    options = {"engine": engine_of(module.module, inst.mode), "stack_size": stack}
    options["heap_size"] = min(args.host_managed_heap_size, LARGEST)
    linker = _Linker(inst, wasi, fuel=inst.fuel, **options)
    try:
        with entered(
            wasm_runtime_get_exec_env_singleton(inst)
        ):  # for natives of the start function
            inst.instance = linker.instantiate(module.module)
        inst.owner = inst.instance._owner
    except (WasmoteError, MemoryError, ValueError) as error:
        fill(error_buf, f"WASM module instantiate failed: {error}")
        return None
    inst.instance.user_data = weakref.ref(inst)
    return inst


wasm_runtime_instantiate_ex2 = wasm_runtime_instantiate_ex


def wasm_runtime_deinstantiate(module_inst: ModuleInst) -> None:
    """End an instance and its threads: contexts are destroyed, what WASI has open is closed."""
    from wasmote.wamr.contexts import destroy_contexts

    if module_inst.threads is not None:
        module_inst.threads.close()
    destroy_contexts(module_inst)
    if module_inst.wasi is not None:
        module_inst.wasi.close()


def wasm_runtime_get_module(module_inst: ModuleInst) -> WasmModule:
    """The module of an instance."""
    return module_inst.module


def wasm_runtime_set_running_mode(module_inst: ModuleInst, running_mode: int) -> bool:
    """False unless it is the mode that the instance has: Wasmote sets it when it is made."""
    return running_mode == module_inst.mode


def wasm_runtime_get_running_mode(module_inst: ModuleInst) -> RunningMode:
    """The mode of an instance."""
    return module_inst.mode


def wasm_runtime_is_wasi_mode(module_inst: ModuleInst) -> bool:
    """Whether the module imports from WASI."""
    return module_inst.wasi is not None


def wasm_runtime_get_wasi_exit_code(module_inst: ModuleInst) -> int:
    """What the program gave to `proc_exit`; 0 before."""
    return module_inst.exit_code


def wasm_runtime_lookup_wasi_start_function(module_inst: ModuleInst) -> Func | None:
    """`_start`; None if the module exports none of type () -> ()."""
    found = wasm_runtime_lookup_function(module_inst, "_start")
    return found if found is not None and found.type == FuncType() else None


def wasm_runtime_lookup_function(module_inst: ModuleInst, name: str) -> Func | None:
    """An exported function; None: there is none of that name."""
    exports = module_inst.instance.exports
    found = exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
    return found if isinstance(found, Func) else None


def wasm_runtime_set_custom_data(module_inst: ModuleInst, custom_data: object) -> None:
    """Keep an object with an instance."""
    module_inst.custom_data = custom_data


def wasm_runtime_get_custom_data(module_inst: ModuleInst) -> object:
    """The object that is kept with an instance."""
    return module_inst.custom_data


def wasm_runtime_set_bounds_checks(module_inst: ModuleInst, enable: bool) -> None:
    """Without effect: every access is always checked."""


def wasm_runtime_is_bounds_checks_enabled(module_inst: ModuleInst) -> bool:
    """True."""
    return True


# -- execution environments ----------------------------------------------------------------------


def wasm_runtime_create_exec_env(module_inst: ModuleInst, stack_size: int = 0) -> ExecEnv:
    """An environment for calls. The stack's size is that of the instance."""
    return ExecEnv(module_inst, stack_size)


def wasm_runtime_destroy_exec_env(exec_env: ExecEnv) -> None:
    """Nothing to do: an environment lives as long as somebody refers to it."""


def wasm_runtime_get_exec_env_singleton(module_inst: ModuleInst) -> ExecEnv:
    """The instance's own environment, made when first asked for."""
    if module_inst.singleton is None:
        module_inst.singleton = ExecEnv(module_inst)
    return module_inst.singleton


def wasm_runtime_get_module_inst(exec_env: ExecEnv) -> ModuleInst:
    """The instance that an environment belongs to."""
    return exec_env.module_inst


def wasm_runtime_set_module_inst(exec_env: ExecEnv, module_inst: ModuleInst) -> None:
    """Let an environment belong to another instance."""
    exec_env.module_inst = module_inst


def wasm_runtime_set_user_data(exec_env: ExecEnv, user_data: object) -> None:
    """Keep an object with an environment."""
    exec_env.user_data = user_data


def wasm_runtime_get_user_data(exec_env: ExecEnv) -> object:
    """The object that is kept with an environment."""
    return exec_env.user_data


def wasm_runtime_set_instruction_count_limit(exec_env: ExecEnv, instruction_count: int) -> None:
    """Instructions that the instance may still execute; negative: no limit.

    Needs `RuntimeInitArgs.instruction_metering`.
    """
    fuel = exec_env.module_inst.fuel
    if fuel is not None:
        wanted = _UNLIMITED if instruction_count < 0 else instruction_count
        fuel.left = wanted


class _Calls(threading.local):
    """The environments that this thread is in, outermost first."""

    def __init__(self) -> None:
        self.entered: list[ExecEnv] = []


_calls = _Calls()


@contextmanager
def entered(exec_env: ExecEnv) -> Iterator[None]:
    """While this thread calls in an environment, native functions get it."""
    _calls.entered.append(exec_env)
    try:
        yield
    finally:
        _calls.entered.pop()


def exec_env_of(caller: Caller) -> ExecEnv:
    """The environment of the instance that calls a native function."""
    reference = caller.user_data
    inst: ModuleInst | None = reference() if isinstance(reference, weakref.ref) else None
    for env in reversed(_calls.entered):
        if inst is None or env.module_inst is inst:
            env.module_inst.owner = env.module_inst.owner or caller._owner
            return env
    if inst is None:  # an instance that another part of the program has made
        inst = ModuleInst(WasmModule(caller.module, b""))
        inst.owner = caller._owner
    return wasm_runtime_get_exec_env_singleton(inst)
