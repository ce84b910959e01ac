"""Units of `.debug_info`: trees of entries that describe functions, among other things."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wasmote.dwarf.reader import DwarfError, Reader, Sections, string_at

# Tags and attributes that matter here, by DWARF's names.
TAG_COMPILE_UNIT, TAG_SUBPROGRAM, TAG_INLINED = 0x11, 0x2E, 0x1D
NAME, STMT_LIST, LOW_PC, HIGH_PC, COMP_DIR = 0x03, 0x10, 0x11, 0x12, 0x1B
ABSTRACT_ORIGIN, DECL_LINE, SPECIFICATION, RANGES = 0x31, 0x3B, 0x47, 0x55
CALL_COLUMN, CALL_FILE, CALL_LINE, LINKAGE_NAME = 0x57, 0x58, 0x59, 0x6E
STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE = 0x72, 0x73, 0x74

_IMPLICIT_CONST, _INDIRECT = 0x21, 0x16
#: Sizes of forms that are plain numbers.
_NUMBERS = {
    0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x1C: 4,
    0x20: 8, 0x24: 8,
}  # fmt: skip
#: References within the unit, and those of them that are numbers.
_UNIT_REFERENCES = {0x11, 0x12, 0x13, 0x14, 0x15}
#: Forms that are indices into a section of addresses or of strings: bytes, 0 for LEB128.
_ADDRESS_INDEX = {0x1B: 0, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4}
_STRING_INDEX = {0x1A: 0, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4}
_ADDR, _RNGLISTX = 0x01, 0x23


@dataclass(slots=True)
class Entry:
    """An entry: its offset in the section, and its attributes. `depth` counts those around it."""

    offset: int
    tag: int
    depth: int
    attributes: dict[int, Any] = field(default_factory=dict)

    def get(self, attribute: int) -> Any:
        return self.attributes.get(attribute)


#: Tag, whether it has children, and for each attribute its number, form and constant.
_Shape = tuple[int, bool, list[tuple[int, int, int]]]


def _shapes(sections: Sections, offset: int) -> dict[int, _Shape]:
    """What entries look like, from `.debug_abbrev`."""
    reader = Reader(sections.get(".debug_abbrev", b""), offset)
    found: dict[int, _Shape] = {}
    while code := reader.unsigned():
        tag, children = reader.unsigned(), bool(reader.byte())
        attributes = []
        while True:
            name, form = reader.unsigned(), reader.unsigned()
            constant = reader.signed() if form == _IMPLICIT_CONST else 0
            if not name and not form:
                break
            attributes.append((name, form, constant))
        found[code] = tag, children, attributes
    return found


class Unit:
    """A compilation unit. `start` is its offset in `.debug_info`, `end` that of the next one."""

    def __init__(self, sections: Sections, start: int) -> None:
        self.sections, self.start = sections, start
        reader = Reader(sections.get(".debug_info", b""), start)
        self.end = reader.length()
        self.wide = reader.wide
        self.version = reader.number(2)
        if not 2 <= self.version <= 5:
            raise DwarfError(f"version {self.version} of debug information is not known")
        kind = 1
        if self.version == 5:
            kind, self.address_size = reader.byte(), reader.byte()
            abbreviations = reader.offset()
            reader.pos += 8 if kind in (4, 5) else 0  # a skeleton's identity
        else:
            abbreviations = reader.offset()
            self.address_size = reader.byte()
        if self.address_size not in (4, 8):
            raise DwarfError(f"addresses of {self.address_size} bytes are not known")
        self.has_code = kind in (1, 4)
        self._first = reader.pos
        self._shapes = _shapes(sections, abbreviations)
        self.bases: dict[int, int] = {}
        self.root = Entry(start, 0, 0)
        if self.has_code:
            self._read_root()

    def _read_root(self) -> None:
        """The first entry, which may say what the indices in it refer to: read it twice."""
        for _ in range(2):
            self.root = next(self.entries(), self.root)
            for name in (STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE):
                if isinstance(value := self.root.get(name), int):
                    self.bases[name] = value

    def entries(self) -> Iterator[Entry]:
        """All entries of the unit, each before its children."""
        reader = Reader(self.sections[".debug_info"], self._first, self.wide)
        depth = 0
        while reader.pos < self.end:
            offset = reader.pos
            code = reader.unsigned()
            if not code:
                depth -= 1
                if depth <= 0:
                    return
                continue
            if code not in self._shapes:
                raise DwarfError(f"an entry at {offset:#x} has no abbreviation")
            tag, children, attributes = self._shapes[code]
            values = {
                name: constant if form == _IMPLICIT_CONST else self._value(reader, form)
                for name, form, constant in attributes
            }
            yield Entry(offset, tag, depth, values)
            depth += children
            if not depth:
                return

    def _value(self, reader: Reader, form: int) -> Any:
        """An attribute's value: a number, a string, bytes, True; references are offsets."""
        if form in _NUMBERS:
            value = reader.number(_NUMBERS[form])
            return value + self.start if form in _UNIT_REFERENCES else value
        if form == _ADDR:
            return reader.number(self.address_size)
        if form in _ADDRESS_INDEX:
            return self._address(_index(reader, _ADDRESS_INDEX[form]))
        if form in _STRING_INDEX:
            return self._string(_index(reader, _STRING_INDEX[form]))
        return self._other(reader, form)

    def _other(self, reader: Reader, form: int) -> Any:
        match form:
            case 0x08:
                return reader.string()
            case 0x0E:
                return string_at(self.sections, ".debug_str", reader.offset())
            case 0x1F:
                return string_at(self.sections, ".debug_line_str", reader.offset())
            case 0x0D:
                return reader.signed()
            case 0x0F | 0x22:
                return reader.unsigned()
            case 0x15:
                return reader.unsigned() + self.start
            case 0x17 | 0x1D:
                return reader.offset()
            case 0x10:
                return reader.number(self.address_size) if self.version == 2 else reader.offset()
            case 0x19:
                return True
            case 0x1E:
                return reader.raw(16)
            case 0x03:
                return reader.raw(reader.number(2))
            case 0x04:
                return reader.raw(reader.number(4))
            case 0x0A:
                return reader.raw(reader.byte())
            case 0x09 | 0x18:
                return reader.raw(reader.unsigned())
            case 0x23:
                return ("index", reader.unsigned())
            case 0x16:
                inner = reader.unsigned()
                if inner != _INDIRECT:
                    return self._value(reader, inner)
        raise DwarfError(f"an attribute has the unknown form {form:#x}")

    def _address(self, index: int) -> int | None:
        base = self.bases.get(ADDR_BASE)
        if base is None:
            return None
        at = base + index * self.address_size
        return Reader(self.sections.get(".debug_addr", b""), at).number(self.address_size)

    def _string(self, index: int) -> str | None:
        size = 8 if self.wide else 4
        base = self.bases.get(STR_OFFSETS_BASE)
        if base is None:
            return None
        offsets = Reader(self.sections.get(".debug_str_offsets", b""), base + index * size)
        return string_at(self.sections, ".debug_str", offsets.number(size))

    # -- addresses -------------------------------------------------------------------------------

    def ranges(self, entry: Entry) -> list[tuple[int, int]]:
        """The addresses that an entry covers: starts and ends."""
        low, high, ranges = entry.get(LOW_PC), entry.get(HIGH_PC), entry.get(RANGES)
        if ranges is not None:
            return self._listed(ranges)
        if not isinstance(low, int) or not isinstance(high, int):
            return []
        # From version 4 on compilers write a distance.
        return [(low, high if self.version < 4 else low + high)]

    def _listed(self, ranges: Any) -> list[tuple[int, int]]:
        base = self.root.get(LOW_PC) or 0
        if self.version < 5:
            return self._old_list(ranges, base)
        if isinstance(ranges, tuple):
            start = self.bases.get(RNGLISTS_BASE, 0)
            size = 8 if self.wide else 4
            at = start + ranges[1] * size
            offset = Reader(self.sections.get(".debug_rnglists", b""), at).number(size)
            return self._new_list(start + offset, base)
        return self._new_list(ranges, base)

    def _old_list(self, offset: int, base: int) -> list[tuple[int, int]]:
        reader = Reader(self.sections.get(".debug_ranges", b""), offset)
        highest = (1 << 8 * self.address_size) - 1
        found: list[tuple[int, int]] = []
        while True:
            start, end = reader.number(self.address_size), reader.number(self.address_size)
            if start == end == 0:
                return found
            if start == highest:
                base = end
            else:
                found.append((base + start, base + end))

    def _new_list(self, offset: int, base: int) -> list[tuple[int, int]]:
        reader = Reader(self.sections.get(".debug_rnglists", b""), offset)
        size = self.address_size
        found: list[tuple[int, int]] = []
        while True:
            match reader.byte():
                case 0:
                    return found
                case 1:
                    base = self._address(reader.unsigned()) or 0
                case 2:
                    start = self._address(reader.unsigned()) or 0
                    found.append((start, self._address(reader.unsigned()) or 0))
                case 3:
                    start = self._address(reader.unsigned()) or 0
                    found.append((start, start + reader.unsigned()))
                case 4:
                    start, end = reader.unsigned(), reader.unsigned()
                    found.append((base + start, base + end))
                case 5:
                    base = reader.number(size)
                case 6:
                    found.append((reader.number(size), reader.number(size)))
                case 7:
                    start = reader.number(size)
                    found.append((start, start + reader.unsigned()))
                case kind:
                    raise DwarfError(f"a list of ranges has the unknown entry {kind}")


def _index(reader: Reader, size: int) -> int:
    return reader.number(size) if size else reader.unsigned()


def units(sections: Sections) -> Iterator[Unit]:
    """The compilation units of a program."""
    position = 0
    while position < len(sections.get(".debug_info", b"")):
        unit = Unit(sections, position)
        position = unit.end
        if unit.has_code:
            yield unit
