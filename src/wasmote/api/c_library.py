"""Shared libraries with native functions in C, as WAMR's `--native-lib` loads them.

A library exports `get_native_lib`, which hands out an array of `NativeSymbol` (wasm_export.h), and
may export `init_native_lib` and `deinit_native_lib`. Functions get `wasm_exec_env_t`, which they
can only pass on, and their arguments as their letters say (see `signatures`).
"""

import ctypes
import os
import weakref
from collections.abc import Iterator, Mapping
from functools import cache

from wasmote.api.caller import current_caller
from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.api.layouts import FuncInstLayout, InstanceLayout
from wasmote.api.lifetime import owner_layout
from wasmote.api.signatures import Signature
from wasmote.errors import LinkError, Trap, TrapKind
from wasmote.host.c_functions import FLOATS, INTEGERS, MOST_PARAMETERS, STACKED, CFunction, Kind
from wasmote.host.c_runtime import CState
from wasmote.host.cpython.binding import BINDING
from wasmote.nativepy import mirror
from wasmote.nativepy.targets import host_target
from wasmote.types import FuncType, ValType

_CFunctionLayout = mirror(CFunction)
_CStateLayout = mirror(CState)
#: Functions that a library may have: more is a wrong count.
_MOST_FUNCTIONS = 100_000
_KINDS = {
    ValType.I32: Kind.I32,
    ValType.I64: Kind.I64,
    ValType.F32: Kind.F32,
    ValType.F64: Kind.F64,
}
_POINTERS = {"*": Kind.POINTER, "$": Kind.STRING}


class _NativeSymbol(ctypes.Structure):
    _fields_ = [
        ("symbol", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("signature", ctypes.c_char_p),
        ("attachment", ctypes.c_void_p),
    ]


class NativeLibrary(Mapping[str, "CLibraryFunction"]):
    """The functions of a shared library, for modules to import from the module `name`.

        library = wasmote.NativeLibrary("libmath.so")
        wasmote.Instance(module, library.imports())

    They are called directly, without Python; whether the GIL is held then is not determined, so
    they must not call Python, nor block for long. C code can do anything to the process: load only
    what you trust. The library stays loaded as long as the functions of any instance may use it.

    Raises OSError if it cannot be loaded, LinkError if it is no such library.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        define_runtime()
        # A name without a slash would be looked for in the system's directories.
        self._library = ctypes.CDLL(os.path.abspath(self.path), mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        self._call_if_there("init_native_lib")
        self.name, symbols = self._symbols()
        self._functions = {each.name: each for each in symbols}
        if hasattr(self._library, "deinit_native_lib"):
            weakref.finalize(self, self._library.deinit_native_lib)

    def _call_if_there(self, name: str) -> None:
        function = getattr(self._library, name, None)
        if function is not None and function() != 0:
            raise LinkError(f"{self.path}: {name} failed")

    def _symbols(self) -> "tuple[str, list[CLibraryFunction]]":
        try:
            get = self._library.get_native_lib
        except AttributeError:
            raise LinkError(
                f"{self.path} is no library of native functions: it does not export get_native_lib"
            ) from None
        get.restype = ctypes.c_uint32
        module, first = ctypes.c_char_p(), ctypes.POINTER(_NativeSymbol)()
        count = get(ctypes.byref(module), ctypes.byref(first))
        if count > _MOST_FUNCTIONS or (count and not first):
            raise LinkError(f"{self.path}: get_native_lib says that there are {count} functions")
        return (module.value or b"env").decode(), [self._function(first[i]) for i in range(count)]

    def _function(self, symbol: _NativeSymbol) -> "CLibraryFunction":
        name = (symbol.symbol or b"").decode()
        if not symbol.function:
            raise LinkError(f"{self.path}: the function {name!r} has no address")
        try:
            signature = Signature(symbol.signature.decode()) if symbol.signature else None
        except ValueError as error:
            raise LinkError(f"{self.path}: function {name!r}: {error}") from None
        return CLibraryFunction(self, name, symbol.function, signature, symbol.attachment or 0)

    def imports(self) -> "dict[str, NativeLibrary]":
        """What `Instance` takes as `imports`: this under its name."""
        return {self.name: self}

    def __getitem__(self, name: str) -> "CLibraryFunction":
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __repr__(self) -> str:
        return f"<wasmote.NativeLibrary {self.path}: {len(self)} functions for {self.name}>"


class CLibraryFunction(Bindable):
    """A C function; without a signature, numbers are passed as they are."""

    __slots__ = ("address", "attachment", "library", "name", "signature")

    def __init__(
        self,
        library: NativeLibrary,
        name: str,
        address: int,
        signature: Signature | None,
        attachment: int = 0,
    ) -> None:
        self.library, self.name = library, name
        self.address, self.signature, self.attachment = address, signature, attachment

    def bind(self, type: FuncType, label: str) -> Func:
        """The function as one of that type. Raises LinkError if it cannot be."""
        if self.signature is not None:
            self.signature.check(type, label)
        kinds = self._kinds(type, label)
        layout = _CFunctionLayout(address=self.address, count=len(kinds))
        layout.result = _kind(type.results[0]) if type.results else Kind.NOTHING
        layout.kinds[: len(kinds)] = kinds
        layout.attachment = self.attachment
        made = make_host_func(type, _Raise(layout, self.library), label)
        native = FuncInstLayout.from_address(made._address)
        native.data = ctypes.addressof(layout)
        native.native = BINDING.image.symbol("c_function_call")
        return made

    def _kinds(self, type: FuncType, label: str) -> list[int]:
        letters = self.signature.params if self.signature else " " * len(type.params)
        kinds = []
        for i, (letter, param) in enumerate(zip(letters, type.params, strict=True)):
            kind = _kind(param)
            if letter in _POINTERS:
                kind = Kind.BUFFER if letters[i + 1 : i + 2] == "~" else _POINTERS[letter]
                kind |= Kind.WIDE if param is ValType.I64 else 0
            kinds.append(int(kind))
        floats = kinds.count(Kind.F32) + kinds.count(Kind.F64)
        stacked = max(0, floats - FLOATS) + max(0, 1 + len(kinds) - floats - INTEGERS)
        if len(type.results) > 1 or stacked > STACKED or len(kinds) > MOST_PARAMETERS:
            raise LinkError(
                f"incompatible import type: {label} is a C function, which cannot be of type {type}"
                " (at most one result, and 8 arguments on the native stack)"
            )
        return kinds


class _Raise:
    """What a C function holds alive, and how the exception is raised that it has set."""

    def __init__(self, layout: ctypes.Structure, library: NativeLibrary) -> None:
        self.layout, self.library = layout, library

    def __call__(self, *arguments: object) -> None:
        caller = current_caller()
        instance = InstanceLayout.from_address(owner_layout(caller._owner).resource)
        state = _CStateLayout.from_address(instance.c_state)
        text = bytes(state.text).partition(b"\0")[0].removeprefix(b"Exception: ")
        state.text[0] = 0
        message = text.decode("utf-8", "replace")
        raise Trap(TrapKind.HOST, message, caller.call_stack())


@cache
def define_runtime() -> object:
    """Let libraries find the functions of WAMR's runtime that there are. Returns what must stay."""
    from wasmote.host import c_runtime
    from wasmote.host.c_symbols import define

    exports = (getattr(each, "export", None) for each in vars(c_runtime).values())
    names = [name for name in exports if name and name.startswith("wasm_runtime_")]
    addresses = {name: BINDING.image.symbol(name) for name in names}
    system = ctypes.CDLL(None)
    system.malloc.restype = system.realloc.restype = ctypes.c_void_p
    system.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    made = [
        ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(
            lambda size: system.malloc(ctypes.c_size_t(size))
        ),
        ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)(system.realloc),
    ]
    named = zip(("malloc", "realloc", "free"), (*made, system.free), strict=True)
    for name, function in named:
        place = ctypes.cast(function, ctypes.c_void_p).value or 0
        addresses[f"wasm_runtime_{name}"] = place
    return define(addresses, host_target().machine), made


def _kind(type: object) -> int:
    """References are handles, which mean nothing to C: it can compare them, and pass them back."""
    return _KINDS.get(type, Kind.I32)  # type: ignore[call-overload, no-any-return]
