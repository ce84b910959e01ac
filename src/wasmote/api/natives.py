"""Native functions: what embedders register for modules to import, in WAMR's way.

With letters (see `signatures`) pointers and strings are checked and converted; without, annotations
say the same. What a module imports must fit, or its instantiation raises `LinkError`.
"""

import inspect
import struct
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from wasmote.api.caller import Caller, current_caller
from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.api.signatures import Signature, letters_of
from wasmote.types import FuncType, ValType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    Function = Callable[..., Any]

#: Formats of numbers in cells, for `struct`.
_FORMATS = {ValType.I32: "i", ValType.I64: "q", ValType.F32: "f", ValType.F64: "d"}


class Natives(Mapping[str, "NativeFunction"]):
    """Functions that a module can import from the module `name`.

    natives = wasmote.Natives("env")

    @natives.function("(*~$)i")
    def save(data: memoryview, name: str) -> int: ...

    @natives.function
    def add(a: int, b: int) -> int: ...

    wasmote.Instance(module, natives.imports())
    """

    def __init__(self, name: str = "env") -> None:
        self.name = name
        self._functions: dict[str, NativeFunction] = {}

    def function(
        self,
        signature: "str | Function | None" = None,
        *,
        name: str | None = None,
        attachment: object = None,
    ) -> "Any":
        """Decorator: register a function under its own or another name.

        `signature` has WAMR's letters: the function gets an int for `i` and `I`, a float for `f`
        and `F`, an object for `r`, a writable memoryview for `*~`, one that ends with the memory
        for `*` alone, a str for `$`. Without it, annotations tell: int and float for any integer or
        float, bool, str for `$`, memoryview and bytes (a copy) for `*~`, anything else for a
        reference. A first parameter that is annotated with `Caller` gets the caller besides.

        Raises ValueError for what is no signature, TypeError if it or the annotations do not fit
        the function.
        """
        if callable(signature):
            return self._register(signature, None, name, attachment, raw=False)

        def decorate(function: "Function") -> "Function":
            letters = None if signature is None else Signature(signature)
            return self._register(function, letters, name, attachment, raw=False)

        return decorate

    def raw(
        self, signature: str, *, name: str | None = None, attachment: object = None
    ) -> "Callable[[Function], Function]":
        """Decorator: register a function that gets a `Caller` and a memoryview of 32-bit cells.

        They hold the arguments, two cells for a 64-bit one, and afterwards the results, from the
        first cell on. Nothing is checked or converted. Raises ValueError for no signature.
        """
        letters = Signature(signature)

        def decorate(function: "Function") -> "Function":
            return self._register(function, letters, name, attachment, raw=True)

        return decorate

    def _register(
        self,
        function: "Function",
        signature: Signature | None,
        name: str | None,
        attachment: object,
        raw: bool,
    ) -> "Function":
        name = name or function.__name__
        self._functions[name] = NativeFunction(name, function, signature, attachment, raw)
        return function

    def imports(self) -> "dict[str, Natives]":
        """What `Instance` takes as `imports`: this under its name."""
        return {self.name: self}

    def __getitem__(self, name: str) -> "NativeFunction":
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


class NativeFunction(Bindable):
    """A Python function for imports of any type that fits its letters or annotations."""

    def __init__(
        self,
        name: str,
        function: "Function",
        signature: Signature | None,
        attachment: object,
        raw: bool,
    ) -> None:
        self.name, self.function, self.signature = name, function, signature
        self.attachment, self.raw = attachment, raw
        self.annotations = _annotations(function)
        parameters = list(inspect.signature(function).parameters)
        first = self.annotations.get(parameters[0]) if parameters else None
        self.wants_caller = raw or first is Caller
        if signature is None:
            self.parameters = parameters[1:] if self.wants_caller else parameters
            self._check_annotations()
        elif not raw:
            self._check_count(signature)

    def bind(self, type: FuncType, label: str) -> Func:
        """The function as one of that type. Raises LinkError if it cannot be."""
        signature = self.signature
        if signature is None:
            signature = letters_of(self._annotated(), self.annotations.get("return"), type, label)
        signature.check(type, label)
        if self.raw:
            return make_host_func(type, self._raw(type), label)
        return make_host_func(type, self._converting(signature), label)

    def _check_count(self, signature: Signature) -> None:
        arguments = signature.arguments() + self.wants_caller
        try:
            inspect.signature(self.function).bind(*range(arguments))
        except TypeError as error:
            raise TypeError(
                f"{self.name}() cannot be called with the {arguments} arguments of {signature}: "
                f"{error}"
            ) from None

    def _check_annotations(self) -> None:
        for parameter in self.parameters:
            annotation = self.annotations.get(parameter)
            if annotation is None or isinstance(annotation, str):
                has = f"the unknown annotation {annotation!r}" if annotation else "no annotation"
                raise TypeError(
                    f"{self.name}(): parameter {parameter} has {has}; annotate it, or give "
                    "a signature such as (i)i"
                )

    def _annotated(self) -> "list[Any]":
        return [self.annotations[parameter] for parameter in self.parameters]

    def _converting(self, signature: Signature) -> "Function":
        """The function, called with what the letters stand for."""
        function, attachment = self.function, self.attachment
        annotated = self._annotated() if self.signature is None else []
        wants_caller = self.wants_caller
        copies = [kind in (bytes, bool) and kind for kind in annotated]
        if not (wants_caller or any(copies) or set(signature.params) & set("*$")):
            return function
        letters = signature.params
        buffers = [letters[i : i + 2] == "*~" for i in range(len(letters))]

        def call(*values: "Any") -> object:
            caller = current_caller(attachment)
            arguments: list[Any] = [caller] if wants_caller else []
            for i, letter in enumerate(letters):
                if letter == "$":
                    arguments.append(caller.string(_unsigned(values[i])))
                elif buffers[i]:
                    size = values[i + 1] & 0xFFFF_FFFF
                    arguments.append(caller.view(_unsigned(values[i]), size))
                elif letter == "*":
                    arguments.append(caller.rest(_unsigned(values[i])))
                elif letter != "~":
                    arguments.append(values[i])
            for i, convert in enumerate(copies, wants_caller):
                if convert:
                    arguments[i] = convert(arguments[i])
            return function(*arguments)

        return call

    def _raw(self, type: FuncType) -> "Function":
        function, attachment = self.function, self.attachment
        given = "<" + "".join(map(_format, type.params))
        results = "<" + "".join(map(_format, type.results))
        room = max(struct.calcsize(given), struct.calcsize(results))

        def call(*values: "Any") -> object:
            cells = array("I", bytes(room))
            struct.pack_into(given, cells, 0, *values)
            with memoryview(cells) as view:
                function(current_caller(attachment), view)
            found = struct.unpack_from(results, cells)
            return found if len(found) > 1 else found[0] if found else None

        return call


def _annotations(function: "Function") -> "dict[str, Any]":
    """A function's annotations; text that means nothing at run time stays text."""
    names = getattr(function, "__globals__", {})
    found = dict(inspect.get_annotations(function))
    for name, annotation in found.items():
        if isinstance(annotation, str):
            with suppress(NameError):
                found[name] = eval(annotation, names)
    return found


def _unsigned(value: int) -> int:
    """A pointer: i32s come signed, i64s that are negative are out of every memory's bounds."""
    return value & 0xFFFF_FFFF if -0x8000_0000 <= value < 0 else value


def _format(type: "Any") -> str:
    if type not in _FORMATS:
        raise TypeError(f"raw functions have numbers, not {type}")
    return _FORMATS[type]
