"""Linking: a module with WASI and the modules it imports, as instances ready to be called."""

import sys

from wasmote import CircularImportError, Fuel, Instance, Linker, Module
from wasmote.api.linker import merged
from wasmote.cli.features import allowed
from wasmote.cli.files import open_module
from wasmote.cli.report import DEBUG, WARNING, CallError, LoadError, Reporter
from wasmote.errors import LinkError
from wasmote.types import FuncType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace
    from typing import Any

    from wasmote import Exports, Func, Libc, Memory
    from wasmote.api.linker import Namespace
    from wasmote.api.thread_group import ThreadGroup
    from wasmote.wasi import Directory, Wasi

#: Where modules import functions from that start threads.
THREAD_MODULES = ("env", "wasi")
#: Engines that compile while the program runs.
COMPILING = ("auto", "jit")
#: Where a module imports the C library that is built in from.
LIBC_MODULES = ("env", "global")
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
        self.threads: dict[Module, ThreadGroup] = {}
        self.libc: Libc | None = None
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
        given = {**self._wasi(module), **self._threads(module)}
        for name, found in self._libc(module).items():
            given[name] = merged(found, given[name]) if name in given else found
        return given

    def _libc(self, module: Module) -> "Mapping[str, Mapping[str, object]]":
        """What the C library that is built in has for a module, and no native library."""
        if not any(each.module in LIBC_MODULES for each in module.imports):
            return {}
        from wasmote import Libc

        def refused(name: str, signature: str) -> None:
            what = "failed to check signature '{}' and resolve pointer params for import function"
            self.reporter.log(WARNING, f"{what.format(signature)} (env, {name})")

        if self.libc is None:
            self.libc = Libc()
        given = self.libc.provide(module, refused)
        for name in self._single.get("env", ()):
            given.get("env", {}).pop(name, None)
        return given

    def _threads(self, module: Module) -> "Mapping[str, Namespace]":
        """For a module that starts threads, also the memory that they share."""
        if not any(each.module in THREAD_MODULES for each in module.imports):
            return {}
        from wasmote.libc.threads import threads_for

        threads, given = threads_for(module, self.command.max_threads)
        if threads is None or given is None:
            return {}
        self.threads[module] = threads
        return given

    def _wasi(self, module: Module) -> "Mapping[str, Namespace]":
        if not any(each.module in WASI_MODULES for each in module.imports):
            return {}
        from wasmote.wasi import Wasi, WasiError

        command = self.command
        try:
            wasi = Wasi(
                *(command.words, dict(command.env), self._directories()),
                addr_pool=",".join(command.addr_pool) or (),
                allow_resolve=",".join(command.allow_resolve) or (),
            )
        except WasiError as error:
            raise LoadError(str(error), f"WASM module instantiate failed: {error}") from None
        self.wasi[module] = wasi
        return wasi.imports()

    def _directories(self) -> "dict[str, Directory | str]":
        """What the program may use, by its names: directories of the host, or views of them."""
        command = self.command
        if not (command.read_only or command.scratch):
            return dict(command.dirs)
        from wasmote.wasi import OverlayDir, ReadOnlyDir, WasiError

        view = ReadOnlyDir if command.read_only else OverlayDir
        given: dict[str, Directory | str] = {}
        for guest, path in command.dirs:
            try:
                given[guest] = view(path)
            except OSError as error:
                raise WasiError(
                    f"cannot give directory {guest!r} to the program: "
                    f"{path!r} on the host: {error.strerror}"
                ) from None
        return given

    def make(
        self, module: Module, imports: "Mapping[str, Namespace]", **options: "Any"
    ) -> Instance:
        for wanted in module.imports:
            found = wanted.name in imports.get(wanted.module, ())
            if isinstance(wanted.type, FuncType) and not found:
                place = f"({wanted.module}, {wanted.name})"
                self.reporter.log(WARNING, f"failed to link import function {place}")
        heap_size = self._heap_size(module)
        instance = super().make(module, imports, heap_size=heap_size)
        if module in self.threads:
            make = super().make
            self.threads[module].attach(
                instance, lambda: make(module, imports, heap_size=heap_size, sharing=instance)
            )
        return instance

    def _heap_size(self, module: Module) -> int:
        """Bytes of the app heap: what the command says, else what a module needs."""
        if self.command.heap_size is not None:
            return int(self.command.heap_size)
        if not any(each.module == "env" for each in module.imports):
            return 0
        from wasmote.libc.library import wants_heap
        from wasmote.libc.table import DEFAULT_HEAP

        return DEFAULT_HEAP if wants_heap(module) else 0


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
            no_heap = "failed to insert app heap into linear memory"
            what = (
                f"{no_heap}, try using `--heap-size=0` option"
                if no_heap in str(error)
                else "allocate memory failed"
            )
            message = f"WASM module instantiate failed: {what}"
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
