"""Native functions as WAMR registers them: arrays of `NativeSymbol`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wasmote import Caller, Func, FuncType, WasmoteError
from wasmote.api.func import Bindable
from wasmote.api.natives import NativeFunction
from wasmote.api.signatures import Signature
from wasmote.wamr.state import runtime, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wasmote.wamr.instances import ExecEnv


@dataclass
class NativeSymbol:
    """`NativeSymbol`: a Python function gets an `ExecEnv` and its arguments, by `signature`.

    Without a signature, pointers come as offsets. See `wasmote.Natives` for what letters convert.
    """

    symbol: str
    func_ptr: "Callable[..., Any]"
    signature: str | None = None
    attachment: object = None
    raw: bool = False


class WamrException(WasmoteError):
    """What a native function set with `wasm_runtime_set_exception` before it returned."""


class _Native(Bindable):
    """A symbol for imports of any type that fits it."""

    def __init__(self, symbol: NativeSymbol) -> None:
        self.symbol = symbol

    def bind(self, type: FuncType, label: str) -> Func:
        symbol = self.symbol
        letters = symbol.signature or _letters(type)
        called = _with_exec_env(symbol)
        native = NativeFunction(label, called, Signature(letters), symbol.attachment, symbol.raw)
        return native.bind(type, label)


def _with_exec_env(symbol: NativeSymbol) -> "Callable[..., Any]":
    from wasmote.wamr.instances import exec_env_of

    def call(caller: Caller, *arguments: "Any") -> "Any":
        env = exec_env_of(caller)
        env.attachments.append(symbol.attachment)
        try:
            result = symbol.func_ptr(env, *arguments)
        finally:
            env.attachments.pop()
        if env.module_inst.exception is not None:
            raise WamrException(env.module_inst.exception)
        return result

    call.__name__ = symbol.symbol
    return call


def _letters(type: FuncType) -> str:
    """A signature that converts nothing."""
    known = {"I32": "i", "I64": "I", "F32": "f", "F64": "F"}

    def letter(each: object) -> str:
        return known.get(getattr(each, "name", ""), "r")

    return f"({''.join(map(letter, type.params))}){''.join(map(letter, type.results))}"


def wasm_runtime_register_natives(module_name: str, native_symbols: Sequence[NativeSymbol]) -> bool:
    """Register functions for imports from a module; newer ones come first.

    False, with a warning, if a signature makes no sense.
    """
    try:
        for symbol in native_symbols:
            Signature(symbol.signature or "()")
    except ValueError as error:
        warn(str(error))
        return False
    runtime.natives.insert(0, (module_name, {each.symbol: each for each in native_symbols}))
    return True


def wasm_runtime_register_natives_raw(
    module_name: str, native_symbols: Sequence[NativeSymbol]
) -> bool:
    """The same for functions that get a memoryview of 32-bit cells, and put results there."""
    for symbol in native_symbols:
        symbol.raw = True
    return wasm_runtime_register_natives(module_name, native_symbols)


def wasm_runtime_unregister_natives(
    module_name: str, native_symbols: Sequence[NativeSymbol]
) -> bool:
    """Forget functions that were registered by that list; False if they were not."""
    names = {each.symbol: each for each in native_symbols}
    for i, (name, symbols) in enumerate(runtime.natives):
        if name == module_name and symbols == names:
            del runtime.natives[i]
            return True
    return False


def wasm_runtime_get_function_attachment(exec_env: "ExecEnv") -> object:
    """The attachment of the native function that is being called."""
    return exec_env.attachments[-1] if exec_env.attachments else None


def find_native(module: str, name: str) -> _Native | None:
    """The native function for an import: as WAMR, also without a leading underscore."""
    for registered, symbols in runtime.natives:
        if registered == module:
            found = symbols.get(name) or symbols.get(name.removeprefix("_"))
            if found is not None:
                return _Native(found)
    return None
