"""Joins object files to the code of one image: places their sections, settles their relocations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wasmote.nativepy.targets import Target

from .elf import LOADED, RELA, WRITABLE, Object
from .format import ImageError
from .link import KEPT, RELOCATIONS


@dataclass(slots=True)
class Joined:
    """Code, and the offset and size of each symbol in it; of local ones the first object's."""

    code: bytearray
    symbols: dict[str, tuple[int, int]]
    #: Where the sections of each object are, by their numbers.
    addresses: list[dict[int, int]]

    def append(self, data: bytes) -> int:
        """Add a table; returns its offset."""
        self.code.extend(b"\0" * (-len(self.code) % 16))
        self.code.extend(data)
        return len(self.code) - len(data)


def join(objects: Sequence[Object], target: Target) -> Joined:
    """The code of objects that refer to each other's global symbols. Raises ImageError."""
    code = bytearray()
    places = [_Places(obj) for obj in objects]
    for prefix in KEPT:
        for place in places:
            place.add_sections(prefix, code)
    symbols: dict[str, tuple[int, int]] = {}
    globals_: dict[str, int] = {}
    for place in places:
        for name, address, size, is_global in place.defined():
            if is_global:
                globals_[name] = address
            symbols.setdefault(name, (address, size))
    for place in places:
        place.relocate(code, globals_, target)
    return Joined(code, symbols, [place.addresses for place in places])


class _Places:
    """Where one object's sections are in the code."""

    def __init__(self, obj: Object) -> None:
        self.obj = obj
        self.addresses: dict[int, int] = {}

    def add_sections(self, prefix: str, code: bytearray) -> None:
        for index, section in enumerate(self.obj.sections):
            if section.flags & WRITABLE and section.size:
                raise ImageError(
                    f"section {section.name} is writable: an image has no data of its own"
                )
            if section.name.startswith(prefix) and section.flags & LOADED and section.size:
                code.extend(b"\0" * (-len(code) % max(section.align, 16)))
                self.addresses[index] = len(code)
                code.extend(section.data)

    def defined(self) -> Iterable[tuple[str, int, int, bool]]:
        """Name, address, size of the symbols in the code, and whether each is global."""
        for s in self.obj.symbols:
            if s.section in self.addresses and s.name:
                yield s.name, self.addresses[s.section] + s.value, s.size, s.is_global

    def relocate(self, code: bytearray, globals_: dict[str, int], target: Target) -> None:
        apply = RELOCATIONS[target.machine]
        for section in self.obj.sections:
            if section.type != RELA or section.info not in self.addresses:
                continue
            base = self.addresses[section.info]
            for offset, kind, number, addend in self.obj.relocations(section):
                symbol = self.obj.symbols[number]
                if symbol.section in self.addresses:
                    value = self.addresses[symbol.section] + symbol.value
                elif symbol.name in globals_:
                    value = globals_[symbol.name]
                else:
                    raise ImageError(f"{symbol.name or number} is not defined in the image")
                apply(code, base + offset, value + addend, kind)
