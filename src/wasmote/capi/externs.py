"""What modules import and export (`wasm_extern_t`): functions, globals, tables, memories."""

import weakref
from collections.abc import Callable, Sequence

import wasmote
from wasmote.capi.store import Ref, Store
from wasmote.capi.traps import Trap, TrapRaised, caught
from wasmote.capi.values import (
    ExternKind,
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    RefType,
    TableType,
    Val,
    ValType,
    extern_kind,
    val_kind,
)

#: (arguments, where the results go) -> a trap, or None
Callback = Callable[[Sequence[Val], list[Val]], Trap | None]
#: Objects by what they stand for, so that the same thing is the same object while somebody has it.
_known: "weakref.WeakValueDictionary[object, Extern]" = weakref.WeakValueDictionary()


class Extern(Ref):
    """`wasm_extern_t`. `value` is the object of the main API that it stands for."""

    def __init__(self, store: Store, value: object) -> None:
        self.store = store
        self.value = value
        _known[value] = self

    @property
    def type(self) -> ExternType:
        """`wasm_extern_type`."""
        return self.value.type  # type: ignore[attr-defined, no-any-return]

    @property
    def kind(self) -> ExternKind:
        """`wasm_extern_kind`."""
        return extern_kind(self.type)


class Func(Extern):
    """`wasm_func_t`: a function of a module, or one that calls back.

    `callback` gets the arguments and a list that it appends the results to, and returns None, or a
    `Trap`. With `env` (`wasm_func_new_with_env`) that comes first.
    """

    value: wasmote.Func

    def __init__(
        self, store: Store, type: FuncType, callback: Callback, env: object = None
    ) -> None:
        def call(*arguments: object) -> object:
            given = [_to_val(store, t, a) for t, a in zip(type.params, arguments, strict=True)]
            results: list[Val] = []
            trap = callback(given, results) if env is None else callback(env, given, results)  # type: ignore[call-arg, arg-type]
            if trap is not None:
                raise TrapRaised(trap)
            found = tuple(from_val(each) for each in results)
            return found if len(found) > 1 else found[0] if found else None

        super().__init__(store, wasmote.func(type, call, name=getattr(callback, "__name__", None)))

    @property
    def param_arity(self) -> int:
        """`wasm_func_param_arity`."""
        return len(self.value.type.params)

    @property
    def result_arity(self) -> int:
        """`wasm_func_result_arity`."""
        return len(self.value.type.results)

    def call(self, args: Sequence[Val] = (), results: list[Val] | None = None) -> Trap | None:
        """`wasm_func_call`: None, with the results in the list, or the trap that ended the call."""
        with caught(self.store) as outcome:
            found = self.value(*(from_val(each) for each in args))
            types = self.value.type.results
            values = found if len(types) > 1 else (found,) * len(types)
            if results is not None:
                results[:] = [_to_val(self.store, t, v) for t, v in zip(types, values, strict=True)]
        return outcome.trap


class Global(Extern):
    """`wasm_global_t`."""

    value: wasmote.Global

    def __init__(self, store: Store, type: GlobalType, val: Val) -> None:
        super().__init__(store, wasmote.Global(type, from_val(val)))

    def get(self) -> Val:
        """`wasm_global_get`."""
        return _to_val(self.store, self.value.type.content, self.value.value)

    def set(self, val: Val) -> None:
        """`wasm_global_set`. Raises what setting `wasmote.Global.value` does."""
        self.value.value = from_val(val)


class Table(Extern):
    """`wasm_table_t`."""

    value: wasmote.Table

    def __init__(self, store: Store, type: TableType, init: object = None) -> None:
        super().__init__(store, wasmote.Table(type))
        if init is not None:
            for i in range(type.minimum):
                self.set(i, init)

    @property
    def size(self) -> int:
        """`wasm_table_size`."""
        return len(self.value)

    def get(self, index: int) -> object:
        """`wasm_table_get`: a reference, None for null and for an index out of bounds."""
        if not 0 <= index < len(self.value):
            return None
        return _to_val(self.store, self.value.type.element, self.value[index]).of

    def set(self, index: int, ref: object) -> bool:
        """`wasm_table_set`: False: the index is out of bounds, or the type is wrong."""
        try:
            self.value[index] = _plain(ref)
        except (IndexError, TypeError):
            return False
        return True

    def grow(self, delta: int, init: object = None) -> bool:
        """`wasm_table_grow`: False: the table cannot grow so far."""
        try:
            self.value.grow(delta, _plain(init))
        except (MemoryError, ValueError, TypeError):
            return False
        return True


class Memory(Extern):
    """`wasm_memory_t`."""

    value: wasmote.Memory

    def __init__(self, store: Store, type: MemoryType) -> None:
        super().__init__(store, wasmote.Memory(type))

    @property
    def data(self) -> memoryview:
        """`wasm_memory_data` and `wasm_memory_data_size`: all bytes, writable."""
        return memoryview(self.value)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """`wasm_memory_size`: pages."""
        return self.value.size

    def grow(self, delta: int) -> bool:
        """`wasm_memory_grow`: False: the memory cannot grow so far."""
        try:
            self.value.grow(delta)
        except (MemoryError, ValueError):
            return False
        return True


_CLASSES: dict[type, type[Extern]] = {
    wasmote.Func: Func,
    wasmote.Global: Global,
    wasmote.Table: Table,
    wasmote.Memory: Memory,
}


def extern_of(store: Store, value: object) -> Extern:
    """The object that stands for one of the main API."""
    known = _known.get(value)
    if known is None:
        wrapper = _CLASSES.get(value.__class__, Extern)
        known = object.__new__(wrapper)
        Extern.__init__(known, store, value)
    return known


def from_val(val: Val) -> object:
    """A value for the main API."""
    return _plain(val.of)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Extern) else value


def _to_val(store: Store, type: ValType | RefType, value: object) -> Val:
    known = extern_of(store, value) if isinstance(value, wasmote.Func) else value
    return Val(val_kind(type), known)
