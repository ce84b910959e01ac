"""`Linker`: names for what modules import, and instances of modules that import each other."""

import os
from collections.abc import Iterable, Mapping

from wasmote.api.instance import Exports, Instance
from wasmote.api.module import Module
from wasmote.api.module_path import ModulePath
from wasmote.errors import LinkError
from wasmote.types import FuncType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote.image.signature import KeySource

Namespace = Mapping[str, object] | Exports


class CircularImportError(LinkError):
    """Modules import each other in a circle, so none of them can be made first."""


class Linker:
    """Finds what modules import by name, instantiating other modules where that is needed.

        linker = wasmote.Linker(module_path=["plugins"])
        linker.define("env", "log", print)
        linker.define_module("math", wasmote.Module("math.wasm"))
        program = linker.instantiate(wasmote.Module("program.wasm"))

    A name of a module stands for, in this order: what `define` gave it, name by name; the instance,
    namespace or module defined under it; the module `NAME.wasm`, or compiled `NAME.aot`, in one of
    the directories `module_path`. A module is instantiated when one that imports from it is, once,
    and after those that it imports from. `require_signature` is for modules found in directories,
    see `Module`; `options` are those of `Instance`.

    A linker serves one thread at a time; its instances have no such limit.
    """

    def __init__(
        self,
        *,
        module_path: Iterable[str | os.PathLike[str]] = (),
        require_signature: "KeySource | None" = None,
        **options: "Any",
    ) -> None:
        self.module_path = ModulePath(module_path)
        self.require_signature = require_signature
        self.options = options
        #: Instances defined or made so far, by the name that others import from.
        self.instances: dict[str, Instance] = {}
        self._single: dict[str, dict[str, object]] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._modules: dict[str, Module] = {}
        self._aliases: dict[str, str] = {}
        #: Names of the modules being made, each imported by the one before; None: it has no name.
        self._under_way: list[str | None] = []

    # -- definitions -----------------------------------------------------------------------------

    def define(self, module: str, name: str, value: object) -> None:
        """Define one import: a Python callable, `Func`, `Memory`, `Table`, `Global`, `Tag`, number.

        Raises LinkError if it is defined.
        """
        names = self._single.setdefault(module, {})
        if name in names:
            raise LinkError(f"{module}.{name} is defined already")
        names[name] = value

    def define_namespace(self, module: str, names: Namespace) -> None:
        """Define all that can be imported from a module, such as one of those in `Wasi.imports()`.

        Raises LinkError if that module is defined.
        """
        self._claim(module)
        self._namespaces[module] = names

    def define_instance(self, module: str, instance: Instance) -> None:
        """Let others import what an instance exports. Raises LinkError if the name is taken."""
        self.define_namespace(module, instance.exports)
        self.instances[module] = instance

    def define_module(self, name: str, module: Module) -> None:
        """Let others import from a module; it is instantiated when one of them is.

        Raises LinkError if the name is taken.
        """
        self._claim(name)
        self._modules[name] = module

    def alias(self, module: str, other: str) -> None:
        """Let `other` be another name of `module`. Raises LinkError if that name is taken."""
        self._claim(other)
        self._aliases[other] = module

    def _claim(self, name: str) -> None:
        if any(name in names for names in (self._namespaces, self._modules, self._aliases)):
            raise LinkError(f"module {name!r} is defined already")

    # -- instances -------------------------------------------------------------------------------

    def instantiate(self, module: Module, name: str | None = None) -> Instance:
        """An instance of a module with what it imports; with `name` others can import from it.

        `_initialize` is called if the module exports it, or `__wasm_call_ctors` if it is no program
        (that is, without `_start`). Raises what `Instance` does, what these raise, and
        CircularImportError.
        """
        if name is not None:
            self._claim(name)
        instance = self._link(name, module)
        if name is not None:
            self.define_instance(name, instance)
        return instance

    def provide(self, module: Module) -> Mapping[str, Namespace]:
        """Namespaces for this module alone, such as a `Wasi` of its own. Subclasses may have some.

        They come, name by name, before what the linker has defined.
        """
        return {}

    def make(self, module: Module, imports: Mapping[str, Namespace], **options: "Any") -> Instance:
        """The instance, once all that it imports is there. Subclasses may do more.

        `options` are for this one, in place of the linker's.
        """
        return Instance(module, imports, **{**self.options, **options})

    def open(self, path: str) -> Module:
        """Load a module of the module path. Subclasses may do more. Raises what `Module` does."""
        return Module(path, require_signature=self.require_signature)

    def _link(self, name: str | None, module: Module) -> Instance:
        given: dict[str, Namespace] = dict(self.provide(module))
        self._under_way.append(name)
        try:
            for each in dict.fromkeys(wanted.module for wanted in module.imports):
                found = self._namespace(each, module)
                if found is not None:
                    given[each] = merged(found, given[each]) if each in given else found
            instance = self.make(module, given)
        except CircularImportError:
            raise
        except LinkError as error:
            raise LinkError(self._explained(error, name, module, given)) from None
        finally:
            self._under_way.pop()
        _initialize(name, instance.exports)
        return instance

    def _namespace(self, name: str, importer: Module) -> Namespace | None:
        """What can be imported from a module of that name; None: it is not known."""
        whole = self._whole(name, importer)
        single = self._single.get(name)
        if single is None:
            return whole
        return single if whole is None else merged(whole, single)

    def _whole(self, name: str, importer: Module) -> Namespace | None:
        seen = {name}
        while name in self._aliases:
            name = self._aliases[name]
            if name in seen:
                raise CircularImportError(f"module {name!r} is an alias of itself")
            seen.add(name)
        if name in self._namespaces:
            return self._namespaces[name]
        if name in self._under_way:
            raise CircularImportError(self._circle(name))
        module = self._modules.get(name) or self._find(name, importer)
        if module is None:
            return None
        instance = self._link(name, module)
        self.instances[name] = instance
        self._namespaces[name] = instance.exports
        return instance.exports

    def _find(self, name: str, importer: Module) -> Module | None:
        path = self.module_path.find(name, importer.is_compiled)
        return None if path is None else self.open(path)

    def _explained(
        self, error: LinkError, name: str | None, module: Module, given: Mapping[str, Namespace]
    ) -> str:
        """What is wrong with the imports of which module, and where others were looked for."""
        message = f"module {name!r}: {error}" if name else str(error)
        unknown = [each for each in (w.module for w in module.imports) if each not in given]
        if unknown and self.module_path.directories and " is missing; " in message:
            message += f"; no {unknown[0]}.wasm or {unknown[0]}.aot in {self.module_path}"
        return message

    def _circle(self, name: str) -> str:
        chain = [*self._under_way[self._under_way.index(name) :], name]
        return f"circular dependency: {' imports '.join(map(str, chain))}"


def merged(names: Namespace, others: Namespace) -> dict[str, object]:
    """All names, those of `others` first."""
    return {**{each: names[each] for each in names}, **{each: others[each] for each in others}}


def _initialize(name: str | None, exports: Exports) -> None:
    """Call what has to be called first, by the rules of WASI or of plain C++ modules."""
    first = "_initialize"
    if first not in exports and "_start" not in exports:
        first = "__wasm_call_ctors"
    if first not in exports:
        return
    function = exports[first]
    if function.type != FuncType():
        where = f"module {name!r}: " if name else ""
        raise LinkError(f"{where}{first} is of type {function.type}, it must be () -> ()")
    function()  # type: ignore[operator]
