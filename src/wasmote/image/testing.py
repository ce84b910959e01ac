"""Compile and call native functions from tests: `library = compile_and_load(f, g)`; `library.f(1, 2)`."""

import ctypes
import os
import tempfile
from typing import Any

from wasmote.nativepy.lang import NativeFunction
from wasmote.nativepy.mirror import ctype
from wasmote.nativepy.targets import host_target
from wasmote.nativepy.unit import Unit

from .build import build_image
from .loader import LoadedImage


class Library:
    """Exported native functions as ctypes functions."""

    def __init__(self, *functions: NativeFunction, level: int = 1) -> None:
        raw = build_image(functions, host_target(), level).encode()
        with tempfile.NamedTemporaryFile(suffix=".img", delete=False) as file:
            file.write(raw)
        self.image = LoadedImage(file.name)
        os.unlink(file.name)
        unit = Unit(host_target())
        for function in functions:
            names, annotations = unit.parameters(function)
            prototype = ctypes.CFUNCTYPE(ctype(annotations.get("return")), *(ctype(annotations[n]) for n in names))
            setattr(self, function.export or "", prototype(self.image.symbol(function.export or "")))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} was not compiled")
