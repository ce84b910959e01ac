"""Compiled modules: an image's code in this process's memory, mapped from its file."""

import ctypes
import mmap
from functools import cache

from wasmote.aot.structs import CodeLayout
from wasmote.core.status import TrapCode
from wasmote.errors import ModuleError
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.image.format import ImageError
from wasmote.image.loader import LoadedImage
from wasmote.nativepy import mirror

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from wasmote.aot.places import Place, Places
    from wasmote.api.module import Module
    from wasmote.host.code_signals import CodeSignals

_attach = BINDING.python_function("aot_attach", ctypes.c_uint32, Address, Address)
_abi = BINDING.python_function("aot_abi", ctypes.c_uint32)
_signals: "CodeSignals | None" = None
#: Called with each module whose compiled code has been mapped.
LISTENERS: "list[Callable[[Module], None]]" = []


def code_signals() -> "CodeSignals":
    """The process's handlers of signals in compiled code, made when they are first needed."""
    global _signals
    if _signals is None:
        from wasmote.host.code_signals import CodeSignals

        _signals = CodeSignals(BINDING.image.symbol, BINDING.platform)
    return _signals


def facts(section: memoryview) -> dict[str, str]:
    """What the compiler says of the code: lines of `name=value`."""
    pairs = (line.partition("=") for line in bytes(section).decode(errors="replace").splitlines())
    return {name: value for name, _, value in pairs}


def check(path: str, found: dict[str, str]) -> None:
    """Refuse code that was compiled for another version of the core, or another processor."""
    if found.get("abi") != f"{_abi():08x}":
        raise ImageError(f"{path} was compiled by another version of Wasmote: compile it again")
    needed = set(filter(None, found.get("needs", "").split(",")))
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

    Everything comes from one open file, which must not change as long as the code is in use; its
    `path` is for messages. `verify` is False for a file that was checked by its signature. Raises
    ModuleError for an image that this process cannot run, OSError.
    """

    def __init__(self, path: str, file: "BinaryIO", verify: bool = True) -> None:
        try:
            self._map(path, file, verify)
        except ImageError as error:
            raise ModuleError(str(error)) from None

    def _map(self, path: str, file: "BinaryIO", verify: bool) -> None:
        self.image = image = LoadedImage.from_file(path, file, verify)
        self._mapped = True
        sections = image.layout.sections
        if "module" not in sections or "compiled" not in sections:
            raise ImageError(f"{path} is not a compiled module")
        known = facts(_mapped(file, *sections["compiled"]))
        check(path, known)
        self.module = _mapped(file, *sections["module"])
        #: Sections that are read when they are needed.
        self._table = _mapped(file, *sections["places"]) if "places" in sections else None
        self._dwarf = _mapped(file, *sections["dwarf"]) if "dwarf" in sections else None
        self._places: tuple[Places | None] | None = None
        self.layout = mirror(CodeLayout)(code=image.address)
        for name in ("enter", "entered", "functions", "entries"):
            setattr(self.layout, name, _symbol(path, image, name))
        self.layout.loops = image.symbols.get("loops", 0)
        self.use_facts(known)
        self._counting = _symbol(path, image, "counting")
        self._trap = _symbol(path, image, "trap")

    def use_facts(self, known: dict[str, str]) -> None:
        """Note what the compiler says of the code."""
        self.metered = known.get("fuel") == "1"
        self.layout.guarded = int(known.get("guard") != "0")
        self.layout.objects = int(known.get("objects") != "0")
        self.layout.watched = int(known.get("polls") == "signals")

    def check_tables(self, path: str, functions: int, types: int) -> None:
        """Whether the tables have the module's functions and types, and stay within the code; from
        now on signals in the code are handled.

        Raises ModuleError. This finds mistakes; nothing makes an image safe that is meant to do
        harm.
        """
        size = self.image.size
        for name, count in (("functions", 2 * functions), ("entries", types)):
            start = getattr(self.layout, name)
            if start % 4 or start + 4 * count > size:
                raise ModuleError(f"{path}: the table of {name} is not in the code")
        table = self._numbers(self.layout.functions, 2 * functions)
        ends = map(int.__add__, table[::2], table[1::2])
        entries = self._numbers(self.layout.entries, types)
        if max(ends, default=0) > size or max(entries, default=0) >= size:
            raise ModuleError(f"{path}: the tables lead out of the code")
        if self._counting + functions // 8 >= size:
            raise ModuleError(f"{path}: the table of counting functions is not in the code")
        start = self.image.address
        self._range = code_signals().add(
            start,
            size,
            entered=start + self.layout.entered,
            trap=start + self._trap,
            functions=start + self.layout.functions,
            function_count=functions,
            counting=start + self._counting if self.layout.watched else 0,
        )

    def _numbers(self, start: int, count: int) -> "list[int]":
        if not count:
            return []
        return list((ctypes.c_uint32 * count).from_address(self.image.address + start))

    def places_at(self, address: int, own: range) -> "tuple[Place, ...]":
        """The functions at an offset in the code, inlined ones included, the innermost first, and
        the offsets of their instructions in the binary that was compiled.

        Where the image does not say that, the one of the module's functions whose code it is, of
        the indices `own`, and the offset 0.
        """
        try:
            places = self.places()
            return places.at(address) if places else self._function_at(address, own)
        except ValueError:
            return self._function_at(address, own)

    def is_entered(self, address: int) -> bool:
        """Whether a function is being entered at an offset in the code, as far as is known."""
        places = self.places()
        return places is not None and places.is_start(address)

    def places(self) -> "Places | None":
        """The image's table of places, if it has one that can be read."""
        if self._places is None:
            from wasmote.aot.places import Places

            try:
                self._places = (Places(bytes(self._table)) if self._table else None,)
            except ValueError:
                self._places = (None,)
        return self._places[0]

    def debug_information(self) -> bytes:
        """That of the module that was compiled, see `dwarf.packed`; empty if there is none."""
        return bytes(self._dwarf or b"")

    def table(self, functions: int) -> "list[tuple[int, int]]":
        """Offset in the code and size of each of the module's own functions."""
        numbers = self._numbers(self.layout.functions, 2 * functions)
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def announce(self, module: "Module") -> None:
        """Tell whoever wants to know of code that it is there, for this module."""
        for listener in LISTENERS:
            listener(module)

    def _function_at(self, address: int, own: range) -> "tuple[Place, ...]":
        """Without a table of places: the function alone."""
        for index, (start, size) in zip(own, self.table(len(own)), strict=True):
            if start <= address < start + size:
                return ((index, 0),)
        return ()

    def attach(self, instance: int) -> None:
        """Let an instance of the module run this code."""
        code_signals().install()
        code = _attach(instance, ctypes.addressof(self.layout))
        if code == TrapCode.MEMORY_OUT_OF_BOUNDS:
            raise MemoryError(
                "no address space to guard a memory with: compile the module with --bounds-checks=1"
            )
        if code != 0:
            raise MemoryError("no memory for an instance of a compiled module")

    def __del__(self) -> None:
        if hasattr(self, "_range"):
            code_signals().remove(self._range)
        if hasattr(self, "_mapped"):
            self.image.unmap()


def _mapped(file: "BinaryIO", start: int, size: int) -> memoryview:
    """A part of a file. Private and writable, because ctypes gives no address of what is read-only;
    nothing is written, so the pages remain those of the file.
    """
    if not size:
        raise ImageError("a section of the image is empty")
    before = start % mmap.ALLOCATIONGRANULARITY
    whole = mmap.mmap(file.fileno(), before + size, access=mmap.ACCESS_COPY, offset=start - before)
    return memoryview(whole)[before:]


def _symbol(path: str, image: LoadedImage, name: str) -> int:
    try:
        return image.symbols[name]
    except KeyError:
        raise ImageError(f"{path} is not a compiled module: it has no symbol {name}") from None
