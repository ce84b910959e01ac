"""Compiled modules: an image's code in this process's memory, mapped from its file."""

import ctypes
import mmap
import os
import tempfile
from functools import cache

from wasmote.aot.structs import CodeLayout
from wasmote.core.status import TrapCode
from wasmote.errors import ModuleError
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.image.format import ImageError, parse
from wasmote.image.loader import LoadedImage, libc
from wasmote.nativepy import mirror

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wasmote.host.fault_handler import FaultHandler

_attach = BINDING.python_function("aot_attach", ctypes.c_uint32, Address, Address)
_abi = BINDING.python_function("aot_abi", ctypes.c_uint32)
_handler: "FaultHandler | None" = None


def fault_handler() -> "FaultHandler":
    """The process's handler of faults in compiled code, made when it is first needed."""
    global _handler
    if _handler is None:
        from wasmote.host.fault_handler import FaultHandler

        _handler = FaultHandler(BINDING.image.symbol("linux_fault"))
    return _handler


def _checked(action: "Callable[[Any], object]", argument: object) -> None:
    """Do something with an image; what is wrong with it is the module's fault."""
    try:
        action(argument)
    except ImageError as error:
        raise ModuleError(str(error)) from None
    except (KeyError, ValueError) as error:
        raise ModuleError(f"not an image of a compiled module: {error!r}") from None


def _facts(section: memoryview) -> dict[str, str]:
    """What the compiler says of the code: lines of `name=value`."""
    pairs = (line.partition("=") for line in bytes(section).decode().splitlines())
    return {name: value for name, _, value in pairs}


def _check(path: str, facts: dict[str, str]) -> None:
    """Refuse code that was compiled for another version of the core, or another processor."""
    if facts.get("abi") != f"{_abi():08x}":
        raise ImageError(f"{path} was compiled by another version of Wasmote: compile it again")
    needed = set(filter(None, facts.get("needs", "").split(",")))
    missing = sorted(needed - processor_features()) if needed else []
    if missing:
        raise ImageError(
            f"{path} was compiled for a processor with {', '.join(missing)}, which this one has "
            "not: compile it again, with --cpu or --cpu-features"
        )


@cache
def processor_features() -> frozenset[str]:
    """What this machine's processor can do, in the words of Linux."""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("flags", "Features")):
                return frozenset(line.partition(":")[2].split())
    return frozenset()


class CompiledCode:
    """The code of an image, and the module that it was compiled from, without its code.

    Raises ModuleError for an image that this process cannot run.
    """

    def __init__(self, source: "bytes | str | os.PathLike[str]") -> None:
        if isinstance(source, bytes):
            _checked(parse, source)
            with tempfile.NamedTemporaryFile(prefix="wasmote-") as file:
                file.write(source)
                file.flush()
                _checked(self._map, file.name)
        else:
            _checked(self._map, os.fspath(source))

    def _map(self, path: str) -> None:
        with open(path, "rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        front = parse(memoryview(self._file))
        if "module" not in front.sections:
            raise ImageError(f"{path} is not a compiled module")
        self.module = self._section(front.sections["module"])
        facts = _facts(self._section(front.sections["compiled"]))
        _check(path, facts)
        self.image = LoadedImage(path)
        self.layout = mirror(CodeLayout)(code=self.image.address)
        for name in ("enter", "entered", "functions", "entries"):
            setattr(self.layout, name, self.image.symbols[name])
        self.layout.guarded = int(facts.get("guard", "1"))
        symbols = self.image.symbols
        self._range = fault_handler().add(
            self.image.address, self.image.size, symbols["entered"], symbols["trap"]
        )

    def _section(self, place: tuple[int, int]) -> memoryview:
        start, size = place
        return memoryview(self._file)[start : start + size]

    def attach(self, instance: int) -> None:
        """Let an instance of the module run this code."""
        fault_handler().install()
        code = _attach(instance, ctypes.addressof(self.layout))
        if code == TrapCode.MEMORY_OUT_OF_BOUNDS:
            raise MemoryError(
                "no address space to guard a memory with: compile the module with --bounds-checks=1"
            )
        if code != 0:
            raise MemoryError("no memory for an instance of a compiled module")

    def __del__(self) -> None:
        if hasattr(self, "_range"):
            fault_handler().remove(self._range)
            libc().munmap(self.image.address, self.image.size)
