"""Linking: a module with WASI and the modules it imports, as instances ready to be called."""

import sys

from wasmote import CircularImportError, Fuel, Instance, Linker, Module
from wasmote.cli.features import allowed
from wasmote.cli.files import open_module
from wasmote.cli.report import DEBUG, WARNING, CallError, LoadError, Reporter
from wasmote.errors import LinkError
from wasmote.types import FuncType, MemoryType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace
    from typing import Any

    from wasmote import Exports, Func, Memory
    from wasmote.api.linker import Namespace
    from wasmote.cli.heap import AppHeap
    from wasmote.wasi import Wasi, WasiThreads

THREAD_SPAWN = ("wasi", "thread-spawn")
#: Engines that compile while the program runs.
COMPILING = ("auto", "jit")
WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")


class _Linker(Linker):
    """Gives each module a `Wasi` of its own, and warns of functions that nobody has."""

    def __init__(self, options: "SimpleNamespace", reporter: Reporter, fuel: Fuel | None) -> None:
        super().__init__(
            module_path=options.module_path,
            engine=options.engine,
            missing="trap",
            stack_size=options.stack_size,
            fuel=fuel,
        )
        self.command = options
        self.reporter = reporter
        self.wasi: dict[Module, Wasi] = {}
        self.threads: dict[Module, WasiThreads] = {}
        for path in options.native_libs:
            self._load(path)

    def open(self, path: str) -> Module:
        command = self.command
        compiled = command.engine in COMPILING and command.fuel is None
        features = allowed(command.disabled)
        module = open_module(path, features, command.require_signature, compiled)
        what = "compiled code of " if compiled and module._code is not None else ""
        self.reporter.log(DEBUG, f"loaded {what}{path}")
        return module

    def _load(self, path: str) -> None:
        """Define the functions of a library; those of an earlier one come first."""
        from contextlib import suppress

        from wasmote import NativeLibrary

        try:
            library = NativeLibrary(path)
        except (LinkError, OSError) as error:
            message = f"failed to load native library {path}"
            raise LoadError(f"{message}: {error}", f"warning: {message}") from None
        for name, function in library.items():
            with suppress(LinkError):
                self.define(library.name, name, function)

    def provide(self, module: Module) -> "Mapping[str, Namespace]":
        return {**self._wasi(module), **self._threads(module)}

    def _threads(self, module: Module) -> "Mapping[str, Namespace]":
        """For a module that starts threads, also the memory that they share."""
        if not any((each.module, each.name) == THREAD_SPAWN for each in module.imports):
            return {}
        from wasmote import Memory
        from wasmote.wasi import WasiThreads

        self.threads[module] = threads = WasiThreads(self.command.max_threads)
        given: dict[str, dict[str, object]] = dict(threads.imports())  # type: ignore[arg-type]
        for each in module.imports:
            if isinstance(each.type, MemoryType) and each.type.shared:
                given.setdefault(each.module, {})[each.name] = Memory(each.type)
        return given

    def _wasi(self, module: Module) -> "Mapping[str, Namespace]":
        if not any(each.module in WASI_MODULES for each in module.imports):
            return {}
        from wasmote.wasi import Wasi, WasiError

        command = self.command
        try:
            wasi = Wasi(command.words, dict(command.env), dict(command.dirs))
        except WasiError as error:
            raise LoadError(str(error), f"WASM module instantiate failed: {error}") from None
        self.wasi[module] = wasi
        return wasi.imports()

    def make(self, module: Module, imports: "Mapping[str, Namespace]") -> Instance:
        for wanted in module.imports:
            found = wanted.name in imports.get(wanted.module, ())
            if isinstance(wanted.type, FuncType) and not found:
                place = f"({wanted.module}, {wanted.name})"
                self.reporter.log(WARNING, f"failed to link import function {place}")
        instance = super().make(module, imports)
        if module in self.threads:
            make = super().make
            self.threads[module].attach(instance, lambda: make(module, imports))
        return instance


class Program:
    """The instance of the module in `words[0]` of the options, and of all that it imports.

    Raises LoadError, and what initialisation raises: `Trap`, `Exit`.
    """

    def __init__(self, options: "SimpleNamespace", reporter: Reporter) -> None:
        self.options = options
        self.reporter = reporter
        self.fuel = None if options.fuel is None else Fuel(options.fuel)
        if options.gc_heap_size is not None:
            from wasmote.api.heap import heap

            heap.limit = options.gc_heap_size
        self.path = options.words[0]
        self.linker = _Linker(options, reporter, self.fuel)
        self.instance = self._instantiate()
        self.heap = self._app_heap()

    def function(self, name: str) -> "Func":
        """The exported function `name`; `$module$name` is one of an imported module.

        Raises CallError.
        """
        module, _, plain = name[1:].partition("$") if name.startswith("$") else ("", "", name)
        instance = self.linker.instances.get(module) if plain and module else self.instance
        if instance is None or not plain:
            instance, plain = self.instance, name
        exports = instance.exports
        export = exports[plain] if plain in exports else None  # noqa: SIM401 - it has no get()
        if export is not None and isinstance(export.type, FuncType):
            return export
        raise CallError(_no_function(name, export, instance), f"lookup function {name} failed")

    def run(self, function: "Func", *arguments: object) -> "Any":
        """Call a function of the program; threads that it starts end when it returns."""
        threads = self.linker.threads.get(self.instance.module)
        return function(*arguments) if threads is None else threads.run(function, *arguments)

    def memory(self) -> "Memory | None":
        """The memory that the module exports."""
        return _memory(self.instance.exports)

    def _app_heap(self) -> "AppHeap | None":
        memory, size = self.memory(), self.options.heap_size
        if memory is None or not size:
            return None
        from wasmote.cli.heap import AppHeap

        return AppHeap(memory, size)

    def _instantiate(self) -> Instance:
        path = self.path
        module = self.linker.open(path)
        try:
            return self.linker.instantiate(module)
        except CircularImportError as error:
            iwasm = "WASM module load failed: found circular dependency"
            raise LoadError(f"{path}: {error}", iwasm) from None
        except LinkError as error:
            message = f"WASM module instantiate failed: {error}"
            raise LoadError(f"{path}: {error}", message) from None
        except MemoryError as error:
            message = "WASM module instantiate failed: allocate memory failed"
            raise LoadError(f"{path}: {error}", message) from None


def checked_function(path: str, exports: "Exports", name: str) -> "Func":
    """The exported function `name`, which must have type () -> (). Raises LoadError."""
    if exports[name].type != FuncType():
        message = f"{path}: {name} is of type {exports[name].type}, it must be () -> ()"
        iwasm = f"the signature of builtin {name} function is wrong"
        raise LoadError(message, f"WASM module load failed: {iwasm}")
    return exports[name]  # type: ignore[return-value]


def exit_status(error: Exception) -> int | None:
    """The program's exit code if `error` is how it ended itself."""
    wasi = sys.modules.get("wasmote.wasi")  # not imported: nothing could have raised Exit
    return int(error.code) & 0xFF if wasi and isinstance(error, wasi.Exit) else None


def _memory(exports: "Exports") -> "Memory | None":
    from wasmote import Memory

    found = (exports[name] for name in ("memory", *exports) if name in exports)
    return next((each for each in found if isinstance(each, Memory)), None)


def _no_function(name: str, export: object, instance: Instance) -> str:
    from wasmote.cli.options import closest, shortened

    if export is not None:
        return f"{name} is a {type(export).__name__.lower()}, not a function"
    exports = instance.exports
    functions = [each for each in exports if isinstance(exports[each].type, FuncType)]
    if not functions:
        return f"no function {name} is exported; this module exports no functions"
    listed = f"the exported functions: {shortened(functions)}"
    return f"no function {name} is exported{closest(name, functions, '')}; {listed}"
