"""Modules and instances (`wasm_module_t`, `wasm_instance_t`)."""

from collections.abc import Iterator, Mapping, Sequence

import wasmote
from wasmote.capi.externs import Extern, extern_of
from wasmote.capi.store import Ref, Store
from wasmote.capi.traps import Trap, caught
from wasmote.capi.values import ExportType, ImportType


class Module(Ref):
    """`wasm_module_t`. Raises what `wasmote.Module` does for a binary that is refused."""

    def __init__(self, store: Store, binary: bytes) -> None:
        self.store = store
        self.value = wasmote.Module(bytes(binary))
        self._binary = bytes(binary)

    @staticmethod
    def validate(store: Store, binary: bytes) -> bool:
        """`wasm_module_validate`: whether a binary is a valid module."""
        try:
            wasmote.Module(bytes(binary))
        except wasmote.ModuleError:
            return False
        return True

    def imports(self) -> list[ImportType]:
        """`wasm_module_imports`."""
        return list(self.value.imports)

    def exports(self) -> list[ExportType]:
        """`wasm_module_exports`."""
        return list(self.value.exports)

    def serialize(self, compiled: bool = False) -> bytes:
        """`wasm_module_serialize`: the binary, or an image with its compiled code.

        Compiling needs the extra `build`; an image is for this machine. Raises CompileError.
        """
        if not compiled or self.value.is_compiled:
            return self._binary
        from wasmote.compile import compile_module

        return compile_module(self.value).encode()

    @classmethod
    def deserialize(cls, store: Store, data: bytes) -> "Module":
        """`wasm_module_deserialize`. An image runs as it is: take only what you trust."""
        return cls(store, data)

    def share(self) -> "SharedModule":
        """`wasm_module_share`: for other stores."""
        return SharedModule(self)


class SharedModule:
    """`wasm_shared_module_t`."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def obtain(self, store: Store) -> Module:
        """`wasm_module_obtain`: the module for another store; it is not loaded again."""
        made = Module.__new__(Module)
        made.store, made.value = store, self._module.value
        made._binary = self._module._binary
        return made


class Instance(Ref):
    """`wasm_instance_t`: `Instance.new` gives one, or the trap that its start ended with."""

    def __init__(self, store: Store, value: wasmote.Instance) -> None:
        self.store, self.value = store, value

    @classmethod
    def new(
        cls, store: Store, module: Module, imports: Sequence[Extern] = ()
    ) -> "tuple[Instance | None, Trap | None]":
        """`wasm_instance_new`: imports are in the order of the module's. Raises LinkError."""
        if len(imports) != len(module.value.imports):
            raise wasmote.LinkError(
                f"the module has {len(module.value.imports)} imports, not {len(imports)}"
            )
        given = _InOrder([each.value for each in imports])
        made = None
        with caught(store) as outcome:
            engine = "auto" if module.value.is_compiled else store.engine.config.engine
            made = cls(store, wasmote.Instance(module.value, given, engine=engine))
        return made, outcome.trap

    def exports(self) -> list[Extern]:
        """`wasm_instance_exports`, in the order of the module's."""
        exports = self.value.exports
        return [extern_of(self.store, exports[each.name]) for each in self.value.module.exports]


class _InOrder(Mapping[str, "_InOrder"]):
    """Imports by position: whatever is asked for is the next one. Two may have the same name."""

    def __init__(self, values: list[object]) -> None:
        self._count = len(values)
        self._values = iter(values)

    def __getitem__(self, name: str) -> "_InOrder":
        return _Next(self._values)  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return self._count


class _Next:
    def __init__(self, values: Iterator[object]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> object:
        return next(self._values)
