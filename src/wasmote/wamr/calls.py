"""Calls of functions, and what goes wrong in them."""

from collections.abc import MutableSequence, Sequence

from wasmote import Func, Trap, TrapKind, WasmException
from wasmote.types import FuncType, ValType
from wasmote.wamr.instances import ExecEnv, ModuleInst, entered, wasm_runtime_get_exec_env_singleton
from wasmote.wamr.natives import WamrException
from wasmote.wamr.values import (
    WasmVal,
    bits_from_cells,
    cell_count,
    valkind,
    write_cells,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PREFIX = "Exception: "
#: What WAMR says where Wasmote has other words.
_MESSAGES = {
    TrapKind.OUT_OF_FUEL: "instruction limit exceeded",
    TrapKind.STACK_OVERFLOW: "wasm operand stack overflow",
    TrapKind.INDIRECT_CALL_TYPE_MISMATCH: "indirect call type mismatch",
}
_POINTER = 4


def wasm_runtime_call_wasm(
    exec_env: ExecEnv, function: Func, argc: int, argv: "MutableSequence[Any]"
) -> bool:
    """Call a function with arguments in 32-bit cells, where the results go, too.

    `argv` must have room for both; `argc` cells are arguments. References are objects in their
    cell. False: `wasm_runtime_get_exception` says why. What a native function raises, other than
    Wasmote's own errors, goes through to the caller.
    """
    type = function.type
    inst = exec_env.module_inst
    needed = cell_count(type.params)
    if argc < needed:
        return _refuse(inst, f"invalid argument count {argc}, must be no smaller than {needed}")
    if len(argv) < cell_count(type.results):
        raise ValueError(f"argv has {len(argv)} cells, the results take {cell_count(type.results)}")
    results = _call(exec_env, function, bits_from_cells(type.params, argv))
    if results is None:
        return False
    write_cells(type.results, results, argv)
    return True


def wasm_runtime_call_wasm_a(
    exec_env: ExecEnv,
    function: Func,
    num_results: int,
    results: list[WasmVal],
    num_args: int,
    args: Sequence[WasmVal],
) -> bool:
    """Call a function with values and their kinds."""
    type = function.type
    inst = exec_env.module_inst
    if num_args != len(type.params) or num_results != len(type.results):
        return _refuse(inst, "the argument or result count is not that of the function")
    if any(a.kind != valkind(t) for a, t in zip(args, type.params, strict=False)):
        return _refuse(inst, "the types of the arguments are not those of the function")
    found = _values(exec_env, function, [each.of for each in args[:num_args]])
    if found is None:
        return False
    results[:] = [WasmVal(valkind(t), value) for t, value in zip(type.results, found, strict=True)]
    return True


def wasm_runtime_call_wasm_v(
    exec_env: ExecEnv, function: Func, num_results: int, results: list[WasmVal], *args: object
) -> bool:
    """Call a function with plain values."""
    values = [
        WasmVal(valkind(kind), value)
        for kind, value in zip(function.type.params, args, strict=False)
    ]
    if len(args) != len(values):
        return _refuse(exec_env.module_inst, "too many arguments")
    return wasm_runtime_call_wasm_a(exec_env, function, num_results, results, len(values), values)


def wasm_runtime_call_indirect(
    exec_env: ExecEnv, element_index: int, argc: int, argv: "MutableSequence[Any]"
) -> bool:
    """Call the function at an element of table 0."""
    from wasmote.wamr.externs import first_table

    inst = exec_env.module_inst
    table = first_table(inst)
    if table is None or not 0 <= element_index < len(table):
        return _refuse(inst, TrapKind.UNDEFINED_ELEMENT.value)
    function = table[element_index]
    if not isinstance(function, Func):
        return _refuse(inst, TrapKind.UNINITIALIZED_ELEMENT.value)
    return wasm_runtime_call_wasm(exec_env, function, argc, argv)


def _call(exec_env: ExecEnv, function: Func, bits: list[object]) -> "tuple[object, ...] | None":
    """The results' bits; None: an exception is set."""
    return _guarded(exec_env, lambda: function.call_bits(*bits))


def _values(exec_env: ExecEnv, function: Func, values: list[object]) -> "tuple[object, ...] | None":
    def call() -> tuple[object, ...]:
        found = function(*values)
        count = len(function.type.results)
        return found if count > 1 else (found,) * count

    return _guarded(exec_env, call)


def _guarded(exec_env: ExecEnv, call: "Any") -> "tuple[object, ...] | None":
    inst = exec_env.module_inst
    wasm_runtime_clear_exception(inst)
    try:
        with entered(exec_env):
            return call()  # type: ignore[no-any-return]
    except Exception as error:
        threads = inst.threads
        ended = isinstance(error, Trap) and error.kind is TrapKind.TERMINATED
        if ended and threads is not None and isinstance(threads.failure, Exception):
            error = threads.failure  # what has ended the program in another thread
        _note(inst, error)
    return None


def _note(inst: ModuleInst, error: Exception) -> None:
    """Keep with an instance what has ended its call. Raises what it knows nothing of."""
    if isinstance(error, Trap):
        inst.exception = _MESSAGES.get(error.kind, error.message)
        inst.frames = error.frames
    elif isinstance(error, WasmException):
        inst.exception = "uncaught wasm exception"
        inst.frames = error.frames
    elif isinstance(error, WamrException | TypeError | OverflowError):
        inst.exception = str(error)
    elif type(error).__name__ == "Exit":
        inst.exit_code = int(error.code)  # type: ignore[attr-defined]
        inst.exception = str(error) if str(error).startswith("env.exit") else "wasi proc exit"
    else:
        raise error


def _refuse(inst: ModuleInst, message: str) -> bool:
    inst.exception = message
    return False


# -- exceptions ----------------------------------------------------------------------------------


def wasm_runtime_get_exception(module_inst: ModuleInst) -> str | None:
    """What ended the last call, as `Exception: unreachable`; None: nothing."""
    return None if module_inst.exception is None else _PREFIX + module_inst.exception


def wasm_runtime_set_exception(module_inst: ModuleInst, exception: str | None) -> None:
    """Set an exception. A native function that does ends the call when it returns."""
    module_inst.exception = exception


def wasm_runtime_clear_exception(module_inst: ModuleInst) -> None:
    """Forget what ended the last call."""
    module_inst.exception = None
    module_inst.frames = ()


def wasm_runtime_terminate(module_inst: ModuleInst) -> None:
    """End calls of the instance, those under way in other threads and all later ones."""
    module_inst.instance.terminate()


# -- programs ------------------------------------------------------------------------------------


def wasm_application_execute_main(module_inst: ModuleInst, argv: Sequence[str] = ()) -> bool:
    """Run `_start`, or a C `main` with arguments; False: an exception is set.

    `proc_exit` is no exception; `wasm_runtime_get_wasi_exit_code` has its code, or main's result.
    """
    exports = module_inst.instance.exports
    env = wasm_runtime_get_exec_env_singleton(module_inst)
    if "_start" in exports and exports["_start"].type == FuncType():
        done = _values(env, exports["_start"], [])  # type: ignore[arg-type]
        if done is None and module_inst.exception == "wasi proc exit":
            wasm_runtime_clear_exception(module_inst)
            return True
        return done is not None
    name = next((n for n in ("main", "__main_argc_argv", "_main") if n in exports), None)
    if name is None:
        return _refuse(
            module_inst,
            "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed",
        )
    function = exports[name]
    arguments = _main_arguments(module_inst, function.type, argv)  # type: ignore[arg-type]
    if arguments is None:
        return False
    results = _values(env, function, arguments)  # type: ignore[arg-type]
    if results:
        module_inst.exit_code = int(results[0])  # type: ignore[call-overload]
    return results is not None


def _main_arguments(inst: ModuleInst, type: FuncType, argv: Sequence[str]) -> "list[object] | None":
    """argc and argv in the module's memory; None: an exception is set."""
    if not type.params:
        return []
    if type.params != (ValType.I32, ValType.I32):
        _refuse(inst, "invalid function type of main function")
        return None
    from wasmote.wamr.memory import wasm_runtime_addr_app_to_native, wasm_runtime_module_malloc

    words = [word.encode("utf-8", "surrogateescape") + b"\0" for word in argv]
    pointers = _POINTER * (len(words) + 1)
    size = pointers + sum(map(len, words))
    offset, view = wasm_runtime_module_malloc(inst, size)
    if not offset or view is None:
        _refuse(inst, "allocate memory failed")
        return None
    place = offset + pointers
    for i, word in enumerate(words):
        view[_POINTER * i : _POINTER * (i + 1)] = place.to_bytes(_POINTER, "little")
        start = place - offset
        view[start : start + len(word)] = word
        place += len(word)
    view[pointers - _POINTER : pointers] = bytes(_POINTER)
    assert wasm_runtime_addr_app_to_native(inst, offset) is not None
    return [len(words), offset]


def wasm_application_execute_func(
    module_inst: ModuleInst, name: str, argv: Sequence[str] = ()
) -> bool:
    """Call an exported function with arguments as words, and print its results as `iwasm` does."""
    exports = module_inst.instance.exports
    function = exports[name] if name in exports else None  # noqa: SIM401 - it has no get()
    if not isinstance(function, Func):
        return _refuse(module_inst, f"lookup function {name} failed")
    from wasmote.cli.report import CommandError
    from wasmote.cli.values import read_arguments, show_results

    try:
        words = read_arguments(name, function.type, list(argv), module_inst.instance, exact=False)
    except CommandError as error:
        return _refuse(module_inst, error.iwasm.removeprefix(_PREFIX))
    results = _call(wasm_runtime_get_exec_env_singleton(module_inst), function, words)
    if results is None:
        return False
    print(show_results(function.type.results, results, exact=False))
    return True
