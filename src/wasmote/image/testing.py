"""Compile and call native functions in tests: `library = Library(f, g)`, then `library.f(1, 2)`."""

import ctypes
import os
import tempfile
from typing import Any

from wasmote.nativepy.lang import NativeFunction
from wasmote.nativepy.mirror import ctype
from wasmote.nativepy.targets import Target, host_target
from wasmote.nativepy.types import void
from wasmote.nativepy.unit import Unit

from .build import build_image
from .loader import LoadedImage


class Library:
    """Exported native functions as ctypes functions.

    `target` may differ from the host's in what nativepy is allowed to use there.
    """

    def __init__(
        self, *functions: NativeFunction, level: int = 1, target: Target | None = None
    ) -> None:
        target = target or host_target()
        raw = build_image(functions, target, level).encode()
        with tempfile.NamedTemporaryFile(suffix=".img", delete=False) as file:
            file.write(raw)
        self.image = LoadedImage(file.name)
        os.unlink(file.name)
        unit = Unit(target)
        for function in functions:
            names, annotations = unit.parameters(function)
            arguments = (ctype(annotations[name]) for name in names)
            prototype = ctypes.CFUNCTYPE(ctype(annotations.get("return", void)), *arguments)
            symbol = self.image.symbol(function.export or "")
            setattr(self, function.export or "", prototype(symbol))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} was not compiled")
