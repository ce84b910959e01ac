"""Compiles native functions to an image. Needs llvmlite (the extra `build`)."""

from collections.abc import Iterable, Sequence
from functools import cache

from wasmote.nativepy.lang import NativeFunction
from wasmote.nativepy.targets import Target

from .elf import Object
from .format import Image
from .join import join, undefined
from .library import find


def build_object(functions: Iterable[NativeFunction], target: Target, level: int = 2) -> bytes:
    """The ELF object, debug information included, of exported functions and all they reach."""
    from wasmote.nativepy.codegen import compile_object
    from wasmote.nativepy.unit import (
        Unit,
    )  # only here: most modules need no functions of the library

    unit = Unit(target)
    unit.add(*functions)
    return compile_object(unit.llvm_ir(), target, level)


def build_image(
    functions: Iterable[NativeFunction], target: Target, level: int = 2, base: int | None = None
) -> Image:
    """The image of exported functions and all they reach; with `base`, for that address only."""
    return link(build_object(functions, target, level), target, base)


def link(object_file: bytes, target: Target, base: int | None = None) -> Image:
    """The image of an object whose code is position-independent, with what LLVM takes for granted.

    Everything is relative within the image, so nothing is left to do when it is mapped.
    """
    joined = join(with_library([Object(object_file)], target), target, base=base)
    return Image(target.name, joined.exported, bytes(joined.code))


def with_library(objects: Sequence[Object], target: Target) -> list[Object]:
    """Objects and the library's functions that they refer to."""
    found = list(objects)
    while (missing := undefined(found)) and (wanted := find(missing)):
        found.append(Object(_library(frozenset(wanted), target)))
    return found


@cache
def _library(names: frozenset[str], target: Target) -> bytes:
    """An object of library functions."""
    functions = find(names)
    return build_object((functions[name] for name in sorted(functions)), target)
