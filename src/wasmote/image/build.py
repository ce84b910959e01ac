"""Compiles native functions to an image. Needs llvmlite and pyelftools (the extra `build`)."""

from collections.abc import Iterable

from wasmote.nativepy.codegen import compile_object
from wasmote.nativepy.lang import NativeFunction
from wasmote.nativepy.targets import Target
from wasmote.nativepy.unit import Unit

from .format import Image
from .link import link
from .runtime import RUNTIME


def build_object(functions: Iterable[NativeFunction], target: Target, level: int = 2) -> bytes:
    """The ELF object, debug information included, of exported functions and all they reach."""
    unit = Unit(target)
    unit.add(*RUNTIME, *functions)
    return compile_object(unit.llvm_ir(), target, level)


def build_image(functions: Iterable[NativeFunction], target: Target, level: int = 2) -> Image:
    """The image of exported functions and all they reach."""
    return link(build_object(functions, target, level), target)
