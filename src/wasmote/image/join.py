"""Joins object files to the code of one image: places their sections, settles their relocations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wasmote.nativepy.targets import Target

from .elf import LOADED, REL, RELA, WRITABLE, XTENSA, Object
from .format import ALIGNMENT, ImageError
from .relocations import OWN_ADDRESS, SETTLE, Relocation, xtensa

#: Sections that make up an image; unwind tables and debug information stay in the object.
KEPT = (".text", ".rodata", ".data.rel.ro")


@dataclass(slots=True)
class Assembled:
    """Machine code without relocations that is no object file, and the symbols in it."""

    code: bytes
    symbols: dict[str, int]


@dataclass(slots=True)
class Joined:
    """Code, and the offset and size of each symbol in it; of local ones the first object's."""

    code: bytearray
    symbols: dict[str, tuple[int, int]]
    exported: dict[str, int]  # global symbols
    #: Where the sections of each object are, by their numbers.
    addresses: list[dict[int, int]]

    def append(self, data: bytes) -> int:
        """Add a table; returns its offset."""
        self.code.extend(b"\0" * (-len(self.code) % 16))
        self.code.extend(data)
        return len(self.code) - len(data)


def join(
    objects: Sequence[Object],
    target: Target,
    assembled: Assembled | None = None,
    known: Mapping[str, int] | None = None,
    base: int | None = None,
) -> Joined:
    """The code of objects that refer to each other's global symbols, and to those `known`, which
    are at these distances from the start of the code. Raises ImageError.

    With `base`, the code need only run at that address, which makes a difference on Xtensa.
    """
    if target.machine == XTENSA:
        for obj in objects:
            xtensa.prepare(obj, fixed=base is not None)
    code = bytearray(assembled.code if assembled else b"")
    places = [_Places(obj) for obj in objects]
    for prefix in KEPT:
        for place in places:
            place.add_sections(prefix, code)
    exported: dict[str, int] = dict(assembled.symbols) if assembled else {}
    symbols = {name: (at, 0) for name, at in exported.items()}
    for place in places:
        for name, address, size, is_global in place.defined():
            if is_global:
                exported[name] = address
            symbols.setdefault(name, (address, size))
    named = {**known, **exported} if known else exported
    relocations = [r for place in places for r in place.relocations(named)]
    order = objects[0].order if objects else "<"
    starts = sorted({address & ~1 for address, _ in symbols.values()})
    if target.machine == XTENSA:
        xtensa.settle(code, relocations, starts, base)
    else:
        SETTLE[target.machine, order](code, relocations, starts)
    return Joined(code, symbols, exported, [place.addresses for place in places])


def undefined(objects: Iterable[Object]) -> set[str]:
    """The names that objects refer to and none of them defines."""
    objects = list(objects)
    defined = {s.name for obj in objects for s in obj.symbols if s.section and s.is_global}
    wanted = {s.name for obj in objects for s in obj.symbols if not s.section and s.name}
    return wanted - defined - set(OWN_ADDRESS)


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
                if section.align > ALIGNMENT:
                    raise ImageError(f"section {section.name} needs alignment {section.align}")
                code.extend(b"\0" * (-len(code) % max(section.align, 16)))
                self.addresses[index] = len(code)
                code.extend(section.data)

    def defined(self) -> Iterable[tuple[str, int, int, bool]]:
        """Name, address, size of the symbols in the code, and whether each is global."""
        for s in self.obj.symbols:
            if s.section in self.addresses and s.name:
                yield s.name, self.addresses[s.section] + s.value, s.size, s.is_global

    def relocations(self, exported: dict[str, int]) -> Iterable[Relocation]:
        """What is to be settled, with addresses in the joined code."""
        for section in self.obj.sections:
            if section.type not in (RELA, REL) or section.info not in self.addresses:
                continue
            base = self.addresses[section.info]
            for offset, kind, number, addend in self.obj.relocations(section):
                symbol = self.obj.symbols[number]
                name = symbol.name.removeprefix(xtensa.OFFSET)
                if symbol.section in self.addresses:
                    value = self.addresses[symbol.section] + symbol.value
                elif name in exported:
                    value = exported[name]
                elif symbol.name in OWN_ADDRESS or not number:
                    value = 0
                else:
                    raise ImageError(f"{symbol.name or number} is not defined in the image")
                yield Relocation(base + offset, kind, value, addend, symbol.name)
