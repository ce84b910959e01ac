"""Loads modules through the compiled decoder and validator, without the rest of the runtime."""

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

from tests.core.guarded import GuardedBytes
from wasmote.core import structs
from wasmote.core.decode.module import module_free, module_load
from wasmote.core.decode.names import function_name
from wasmote.core.limits import Limits
from wasmote.core.status import Status
from wasmote.image.testing import Library
from wasmote.isa import DEFAULT_FEATURES
from wasmote.nativepy import mirror

_libc = ctypes.CDLL(None)
Module: Any = mirror(structs.Module)
Platform: Any = mirror(structs.Platform)
Name: Any = mirror(structs.Name)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@functools.cache
def library() -> Library:
    """The loader, compiled once for all tests of a process."""
    return Library(module_load, module_free, function_name, level=2)


@functools.cache
def default_platform() -> Any:
    return Platform(
        allocate=_address(_libc.malloc),
        resize=_address(_libc.realloc),
        release=_address(_libc.free),
    )


@dataclass
class Loaded:
    """A module after an attempt to load it."""

    native: Any
    binary: GuardedBytes
    limits: Any
    platform: Any

    @property
    def status(self) -> Status:
        return Status(self.native.error.status)

    @property
    def error(self) -> Any:
        return self.native.error

    def items(self, field: str, struct: Any, count: int) -> Any:
        """The native array at a field."""
        return (mirror(struct) * count).from_address(getattr(self.native, field) or 0)

    def text(self, name: Any) -> bytes:
        return ctypes.string_at(name.data, name.size)

    def function_name(self, index: int) -> bytes | None:
        name = Name()
        if not library().function_name(
            ctypes.addressof(self.native), index, ctypes.addressof(name)
        ):
            return None
        return self.text(name)

    def free(self) -> None:
        library().module_free(ctypes.addressof(self.native))


def load(
    binary: bytes,
    limits: Limits | None = None,
    features: int = DEFAULT_FEATURES,
    platform: Any = None,
) -> Loaded:
    """Decode and validate; look at `status`. Free it afterwards."""
    buffer = GuardedBytes(binary)
    native = Module()
    native_limits = (limits or Limits()).native()
    platform = platform or default_platform()
    native.platform = ctypes.addressof(platform)
    native.limits = ctypes.addressof(native_limits)
    native.features = features
    native.binary = buffer.address
    native.binary_size = len(binary)
    loaded = Loaded(native, buffer, native_limits, platform)
    status = library().module_load(ctypes.addressof(native))
    assert status == native.error.status
    return loaded


def status_of(
    binary: bytes, limits: Limits | None = None, features: int = DEFAULT_FEATURES
) -> Status:
    loaded = load(binary, limits, features)
    loaded.free()
    return loaded.status
