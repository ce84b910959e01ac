"""Functions: exported ones, and Python callables with a WebAssembly type."""

import ctypes
from collections.abc import Callable

from wasmote.api.extend import extend
from wasmote.api.layouts import FuncInstLayout, func_type
from wasmote.api.values import complaint
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import FuncType, RefType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

_call_bits = BINDING.python_function(
    "cpython_func_call_bits", ctypes.py_object, ctypes.py_object, Address, ctypes.c_size_t
)
_host_func_new = BINDING.python_function(
    "cpython_host_func_new",
    ctypes.py_object,
    Address,
    Address,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.py_object,
    ctypes.py_object,
)


@extend(BINDING.func_type)
class Func:
    """A function that WebAssembly can call, and so can Python: `instance.exports.add(1, 2)`.

    Parameters are converted as the type says. i32 and i64 take an int (or anything with
    `__index__`) in the signed or unsigned range and come back signed; f32 and f64 take an int or
    float; v128 is 16 bytes; funcref is a `Func` or None, externref any object, where None is null.
    No result comes back as None, one as itself, several as a tuple.

    A call raises TypeError or OverflowError for arguments that do not fit, `Trap` if WebAssembly
    code traps, and whatever a host function that is called meanwhile raises.
    """

    _address: int
    _owner: "Any"
    _callable: "Callable[..., Any] | None"
    _label: str | tuple[str, str] | None

    if TYPE_CHECKING:  # the native type has it

        def __call__(self, *arguments: "Any") -> "Any": ...

    @property
    def type(self) -> FuncType:
        """Parameters and results."""
        return func_type(FuncInstLayout.from_address(self._address).type)

    @property
    def name(self) -> str:
        """The export's name, else that of the module's name section, else `$f` and the index."""
        if self._owner is not None:
            index = FuncInstLayout.from_address(self._address).index
            return str(self._owner.links.module.function_name(index))
        return self._label if isinstance(self._label, str) else ".".join(self._label or ())

    def call_bits(self, *arguments: object) -> tuple[object, ...]:
        """Call with bit patterns instead of numbers.

        Numbers and vectors are unsigned integers of as many bits as the type has, so the payload of
        a NaN survives; references are objects as usual. Returns a tuple of all results.
        """
        type = self.type
        raw = [_vector(kind, bits) for kind, bits in zip(type.params, arguments, strict=False)]
        raw += arguments[len(raw) :]
        objects = (ctypes.py_object * len(raw))(*raw)  # type: ignore[misc]
        found = _call_bits(self, ctypes.addressof(objects), len(raw))
        results = found if len(type.results) > 1 else (found,) * len(type.results)
        return tuple(
            int.from_bytes(each, "little") if kind is ValType.V128 else each
            for kind, each in zip(type.results, results, strict=True)
        )

    def __repr__(self) -> str:
        return f"<wasmote.Func {self.name} {self.type}>"


def _vector(type: ValType | RefType, bits: object) -> object:
    """A vector, which `call_bits` has as a number, as native code takes it."""
    if type is ValType.V128 and isinstance(bits, int) and 0 <= bits < 1 << 128:
        return bits.to_bytes(16, "little")
    return bits


class Bindable:
    """What becomes a function once an import says of which type."""

    __slots__ = ()

    def bind(self, type: FuncType, label: str) -> Func:
        """The function; `label` is the import's name. Raises LinkError if it does not fit."""
        raise TypeError(f"{self!r} is no function for {label}")


def func(type: FuncType, callable: "Callable[..., Any]", *, name: str | None = None) -> Func:
    """A function of the given type that calls `callable`.

    It gets the parameters as Python values and returns what `Func` calls return: None, a value, or
    a tuple; TypeError or OverflowError is raised for results that do not fit. An exception goes
    through WebAssembly unchanged to whoever called it. `name` is what messages say.
    """
    if not hasattr(callable, "__call__"):  # noqa: B004 - callable is the parameter
        raise TypeError(f"{callable!r} is not callable")
    label = name or getattr(callable, "__name__", None) or callable.__class__.__name__
    return make_host_func(type, callable, label)


def make_host_func(
    type: FuncType, callable: "Callable[..., Any] | None", label: str | tuple[str, str]
) -> Func:
    """A host function; without `callable` it traps: the import `label` that nobody supplied."""
    types = [each.value for each in (*type.params, *type.results)]
    array = (ctypes.c_uint32 * len(types))(*types)
    made: Func = _host_func_new(
        BINDING.address,
        ctypes.addressof(array),
        len(type.params),
        len(type.results),
        callable,
        label,
    )
    return made


def wrong_value(func: Func, index: int, value: object, result: object) -> Exception | None:
    """What to raise for an argument (`result` None) or result that does not fit the type.

    None: what the value's own conversion method has raised.
    """
    type = func.type
    if index < 0:
        wanted = f"{len(type.results)} values" if type.results else "None"
        return TypeError(f"{func.name}() must return {wanted}, not {_found(value)}")
    kind = (type.params if result is None else type.results)[index]
    try:
        problem = complaint(kind, value)
    except Exception:
        return None
    place = f"parameter {index + 1}" if result is None else "result"
    if result is not None and len(type.results) > 1:
        place = f"result {index + 1}"
    return problem.__class__(f"{func.name}(): {place} {problem}")


def _found(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)}"
    return value.__class__.__name__


def wrong_count(func: Func, count: int, _: None) -> Exception:
    """What to raise for a wrong number of arguments; -1 stands for keyword arguments."""
    if count < 0:
        return TypeError(f"{func.name}() takes no keyword arguments")
    takes = len(func.type.params)
    arguments = "argument" if takes == 1 else "arguments"
    were = "was" if count == 1 else "were"
    return TypeError(f"{func.name}() takes {takes} {arguments} but {count} {were} given")
