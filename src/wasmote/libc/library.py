"""`Libc`: the C library that is built in, for modules to import."""

import ctypes
import sys
from collections.abc import Callable, Mapping

from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.api.layouts import FuncInstLayout
from wasmote.api.module import Module
from wasmote.api.signatures import Signature
from wasmote.errors import LinkError
from wasmote.host.cpython.binding import BINDING
from wasmote.libc.fallbacks import WITHOUT_HEAP, python_functions
from wasmote.libc.native.output import Output
from wasmote.libc.table import ALLOCATING, NATIVE, PRINTING, symbol
from wasmote.nativepy import mirror
from wasmote.types import FuncType, GlobalType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO

_OutputLayout = mirror(Output)
_MAIN = FuncType((ValType.I32, ValType.I32), (ValType.I32,))
_WRITE = FuncType((ValType.I64, ValType.I64))
_GLOBALS = {"NaN": float("nan"), "Infinity": float("inf")}


class Libc:
    """WAMR's libc-builtin: functions of C for modules that are compiled without a C library.

        libc = wasmote.Libc(stdout=sys.stdout.buffer)
        instance = wasmote.Instance(module, libc.imports(), heap_size=65536)

    `stdout` is a binary file, that of the process by default. Any number of instances, in any
    number of threads, may import the functions. `malloc` allocates in the app heap (`heap_size` of
    `Instance`), else by the importing module's own `malloc`. `exit` raises `wasmote.wasi.Exit`.

    Pointers out of memory and strings without end are traps. Modules with 64-bit memories cannot
    import it.
    """

    def __init__(self, stdout: "BinaryIO | None" = None) -> None:
        self._output = _Output(stdout)
        self._functions: dict[str, Bindable] = dict(python_functions())
        for name, signature in NATIVE.items():
            self._functions[name] = _LibcFunction(name, signature, self._output)

    def imports(self) -> dict[str, Mapping[str, object]]:
        """All functions and globals by module and name, as `Instance` takes them."""
        return {"env": self._functions, "global": _GLOBALS}

    def provide(
        self, module: Module, refused: Callable[[str, str], None] | None = None
    ) -> dict[str, dict[str, object]]:
        """What a module imports of it, but for functions that it wants of another type.

        `refused` is called with name and signature of these.
        """
        given: dict[str, dict[str, object]] = {}
        for wanted in module.imports:
            value = self.imports().get(wanted.module, {}).get(wanted.name)
            if isinstance(wanted.type, FuncType) and isinstance(value, Bindable):
                signature = value.signature  # type: ignore[attr-defined]
                try:
                    signature.check(wanted.type, wanted.name)
                except LinkError:
                    if refused is not None:
                        refused(wanted.name, str(signature))
                    continue
            elif not (isinstance(value, float) and isinstance(wanted.type, GlobalType)):
                continue
            given.setdefault(wanted.module, {})[wanted.name] = value
        return given


def wants_heap(module: Module) -> bool:
    """Whether a module of a program needs a heap: it has no `malloc` of its own, but imports it or
    the like, or has a `main` with arguments, which have to be somewhere.
    """
    exported = {each.name: each.type for each in module.exports}
    if "malloc" in exported:
        return False
    return exported.get("main") == _MAIN or any(
        each.module == "env" and each.name in ALLOCATING for each in module.imports
    )


class _Output:
    """Where printed text goes: a native structure, and the function that it leads to."""

    def __init__(self, stdout: "BinaryIO | None") -> None:
        self.function = make_host_func(_WRITE, _writer(stdout), "libc.write")
        self.layout = _OutputLayout(write=self.function._address)


def _writer(stdout: "BinaryIO | None") -> Callable[[int, int], None]:
    def write(address: int, size: int) -> None:
        text = ctypes.string_at(address, size)
        if stdout is None:
            _write_to_process(text)
        else:
            stdout.write(text)

    return write


def _write_to_process(text: bytes) -> None:
    """Write as C does: to a terminal line by line."""
    stream = sys.stdout
    if stream is None:  # a process without
        return
    if hasattr(stream, "buffer"):
        stream.buffer.write(text)
        if b"\n" in text and stream.isatty():
            stream.flush()
    else:  # somebody's own, of text
        stream.write(text.decode("utf-8", "replace"))


class _LibcFunction(Bindable):
    """A native function for imports of any type that fits its signature."""

    __slots__ = ("name", "output", "signature")

    def __init__(self, name: str, signature: str, output: _Output) -> None:
        self.name, self.output = name, output
        self.signature = _Signature(signature)

    def bind(self, type: FuncType, label: str) -> Func:
        """The function as one of that type. Raises LinkError if it cannot be."""
        self.signature.check(type, label)
        # Functions without fallback hold, in place of a callable, what they need.
        callable = WITHOUT_HEAP.get(self.name, self.output)
        made = make_host_func(type, callable, label)  # type: ignore[arg-type]
        native = FuncInstLayout.from_address(made._address)
        if self.name in PRINTING:
            native.data = ctypes.addressof(self.output.layout)
        native.native = BINDING.image.symbol(symbol(self.name))
        return made


class _Signature(Signature):
    """One whose pointers are those of 32-bit memories."""

    __slots__ = ()

    def check(self, type: FuncType, label: str) -> None:
        super().check(type, label)
        if any(
            letter in "*$" and kind is not ValType.I32
            for letter, kind in zip(self.params, type.params, strict=True)
        ):
            raise LinkError(
                f"incompatible import type: {label} of the C library that is built in has 32-bit "
                f"pointers, but the module needs a function {type}"
            )
