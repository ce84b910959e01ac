"""Linking: a module with WASI and the modules it imports, as instances ready to be called."""

import os
import sys

from wasmote import Fuel, Instance, Module
from wasmote.cli.features import allowed
from wasmote.cli.files import open_module
from wasmote.cli.report import DEBUG, WARNING, CallError, LoadError, Reporter
from wasmote.errors import LinkError
from wasmote.types import FuncType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

    from wasmote import Exports, Func, Memory
    from wasmote.cli.heap import AppHeap
    from wasmote.wasi import Wasi

WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")


class Program:
    """The instance of the module in `words[0]` of the options, and of all that it imports.

    Raises LoadError, and what initialisation raises: `Trap`, `Exit`.
    """

    def __init__(self, options: "SimpleNamespace", reporter: Reporter) -> None:
        self.options = options
        self.reporter = reporter
        #: Instances that imports were taken from, by the name of the module; None: being made.
        self.modules: dict[str, Instance | None] = {}
        self.fuel = None if options.fuel is None else Fuel(options.fuel)
        if options.gc_heap_size is not None:
            from wasmote.api.heap import heap

            heap.limit = options.gc_heap_size
        self.path = options.words[0]
        self.instance = self._instantiate(self.path)
        self.heap = self._app_heap()

    def function(self, name: str) -> "Func":
        """The exported function `name`; `$module$name` is one of an imported module.

        Raises CallError.
        """
        module, _, plain = name[1:].partition("$") if name.startswith("$") else ("", "", name)
        instance = self.modules.get(module) if plain and module else self.instance
        if instance is None or not plain:
            instance, plain = self.instance, name
        exports = instance.exports
        export = exports[plain] if plain in exports else None  # noqa: SIM401 - it has no get()
        if export is not None and isinstance(export.type, FuncType):
            return export
        raise CallError(_no_function(name, export, instance), f"lookup function {name} failed")

    def memory(self) -> "Memory | None":
        """The memory that the module exports."""
        return _memory(self.instance.exports)

    def _app_heap(self) -> "AppHeap | None":
        memory, size = self.memory(), self.options.heap_size
        if memory is None or not size:
            return None
        from wasmote.cli.heap import AppHeap

        return AppHeap(memory, size)

    def _instantiate(self, path: str) -> Instance:
        module = open_module(path, allowed(self.options.disabled))
        self.reporter.log(DEBUG, f"loaded {path}")
        wasi = self._wasi(module)
        imports = dict(wasi.imports()) if wasi else {}
        for name in dict.fromkeys(each.module for each in module.imports):
            imported = None if name in imports else self._imported(name)
            if imported is not None:
                imports[name] = imported.exports  # type: ignore[assignment]
        self._warn_of_missing(module, imports)
        instance = self._link(path, module, imports)
        memory = _memory(instance.exports)
        if wasi is not None and memory is not None:
            wasi.attach(memory)  # type: ignore[arg-type]
        initialize = _initializer(instance.exports)
        if initialize:
            checked_function(path, instance.exports, initialize)()
        return instance

    def _link(self, path: str, module: Module, imports: "Mapping[str, object]") -> Instance:
        options = self.options
        try:
            return Instance(
                module,
                imports,  # type: ignore[arg-type]
                engine=options.engine,
                missing="trap",
                stack_size=options.stack_size,
                fuel=self.fuel,
            )
        except LinkError as error:
            message = f"WASM module instantiate failed: {error}"
            raise LoadError(f"{path}: {error}", message) from None
        except MemoryError as error:
            message = "WASM module instantiate failed: allocate memory failed"
            raise LoadError(f"{path}: {error}", message) from None

    def _wasi(self, module: Module) -> "Wasi | None":
        """A `Wasi` for a module that imports from it."""
        if not any(each.module in WASI_MODULES for each in module.imports):
            return None
        from wasmote.wasi import Wasi, WasiError

        options = self.options
        try:
            return Wasi(options.words, dict(options.env), dict(options.dirs))
        except WasiError as error:
            raise LoadError(str(error), f"WASM module instantiate failed: {error}") from None

    def _imported(self, name: str) -> Instance | None:
        """An instance of the module `name` of the directory of modules; None if there is none."""
        if name in self.modules:
            if self.modules[name] is None:
                message = f"{self.path}: module {name} imports itself, by way of others"
                raise LoadError(message, "WASM module load failed: found circular dependency")
            return self.modules[name]
        # An import's name comes from the module: it must not lead out of the directory.
        if not self.options.module_path or name != os.path.basename(name) or "\0" in name:
            return None
        path = os.path.join(self.options.module_path, f"{name}.wasm")
        if not os.path.isfile(path):
            return None
        self.modules[name] = None
        instance = self.modules[name] = self._instantiate(path)
        return instance

    def _warn_of_missing(
        self, module: Module, imports: "Mapping[str, Mapping[str, object]]"
    ) -> None:
        for wanted in module.imports:
            found = wanted.name in imports.get(wanted.module, ())
            if isinstance(wanted.type, FuncType) and not found:
                place = f"({wanted.module}, {wanted.name})"
                self.reporter.log(WARNING, f"failed to link import function {place}")


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


def _initializer(exports: "Exports") -> str | None:
    """What has to be called first, by the rules of WASI or of plain C++ modules."""
    if "_initialize" in exports:
        return "_initialize"
    if "__wasm_call_ctors" in exports and "_start" not in exports:
        return "__wasm_call_ctors"
    return None


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
