"""Line number programs of `.debug_line`: which source line the code at an address comes from."""

from dataclasses import dataclass, field

from wasmote.dwarf.reader import DwarfError, Reader, Sections, string_at

#: Address, number of the file, line, column; line -1 where a sequence ends.
Row = tuple[int, int, int, int]
END = -1


@dataclass(slots=True)
class LineTable:
    """The rows of one unit, in sequences of ascending addresses, and its files by number."""

    files: dict[int, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class _Header:
    minimum: int
    base: int
    range: int
    lengths: list[int]
    default_size: int


def line_table(sections: Sections, offset: int, folder: str = "") -> LineTable:
    """The line table at an offset in `.debug_line`; `folder` is where its unit was compiled."""
    reader = Reader(sections.get(".debug_line", b""), offset)
    end = reader.length()
    version = reader.number(2)
    if not 2 <= version <= 5:
        raise DwarfError(f"version {version} of line numbers is not known")
    address_size = 8
    if version == 5:
        address_size = reader.byte()
        reader.byte()  # size of segment selectors
    program = reader.offset()
    program += reader.pos
    minimum = reader.byte()
    if version >= 4:
        reader.byte()  # operations of an instruction
    reader.byte()  # whether lines start statements by default
    base = reader.byte()
    spread, first = reader.byte(), reader.byte()
    if not spread or not first:
        raise DwarfError("a line number program has no special opcodes")
    lengths = [0, *(reader.byte() for _ in range(first - 1))]
    table = LineTable()
    table.files = (
        _listed_files(reader, sections, folder) if version == 5 else _plain_files(reader, folder)
    )
    base = base - 256 if base > 127 else base
    header = _Header(minimum, base, spread, lengths, address_size)
    reader.pos = program
    table.rows = _run(reader, end, header)
    return table


def _joined(folder: str, name: str) -> str:
    return name if name.startswith("/") or not folder else f"{folder}/{name}"


def _plain_files(reader: Reader, folder: str) -> dict[int, str]:
    """Files up to version 4: folders and files count from 1."""
    folders = [folder]
    while name := reader.string():
        folders.append(_joined(folder, name))
    files: dict[int, str] = {}
    while name := reader.string():
        place = reader.unsigned()
        reader.unsigned()
        reader.unsigned()
        where = folders[place] if place < len(folders) else folder
        files[len(files) + 1] = _joined(where, name)
    return files


_PATH, _DIRECTORY = 1, 2


def _listed_files(reader: Reader, sections: Sections, folder: str) -> dict[int, str]:
    """Files of version 5: folders and files count from 0."""
    folders = [_joined(folder, str(each.get(_PATH, ""))) for each in _entries(reader, sections)]
    files = {}
    for i, each in enumerate(_entries(reader, sections)):
        place = each.get(_DIRECTORY, 0)
        known = isinstance(place, int) and place < len(folders)
        where = folders[int(place)] if known else folder
        files[i] = _joined(where, str(each.get(_PATH, "")))
    return files


def _entries(reader: Reader, sections: Sections) -> list[dict[int, int | str]]:
    formats = [(reader.unsigned(), reader.unsigned()) for _ in range(reader.byte())]
    count = reader.unsigned()
    if count > len(reader.data) or (count and not formats):
        raise DwarfError("a table of files is longer than its section")
    return [
        {content: _value(reader, sections, form) for content, form in formats} for _ in range(count)
    ]


def _value(reader: Reader, sections: Sections, form: int) -> int | str:
    match form:
        case 0x08:
            return reader.string()
        case 0x1F:
            return string_at(sections, ".debug_line_str", reader.offset())
        case 0x0E:
            return string_at(sections, ".debug_str", reader.offset())
        case 0x0F:
            return reader.unsigned()
        case 0x0B | 0x05 | 0x06 | 0x07:
            return reader.number({0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8}[form])
        case 0x1E:
            reader.raw(16)
            return ""
    raise DwarfError(f"a table of files has the unknown form {form:#x}")


def _run(reader: Reader, end: int, header: _Header) -> list[Row]:
    """Run the program. Only what rows need: addresses, files, lines, columns."""
    rows: list[Row] = []
    base, spread, minimum = header.base, header.range, header.minimum
    first = len(header.lengths)
    step = (255 - first) // spread * minimum
    address, file, line, column = 0, 1, 1, 0
    while reader.pos < end:
        opcode = reader.byte()
        if opcode >= first:
            opcode -= first
            address += opcode // spread * minimum
            line += base + opcode % spread
            rows.append((address, file, line, column))
            continue
        match opcode:
            case 0:
                size = reader.unsigned()
                following = reader.pos + size
                kind = reader.byte() if size else 0
                if kind == 1:
                    rows.append((address, file, END, 0))
                    address, file, line, column = 0, 1, 1, 0
                elif kind == 2:
                    address = reader.number(min(size - 1, 8))
                reader.pos = following
            case 1:
                rows.append((address, file, line, column))
            case 2:
                address += reader.unsigned() * minimum
            case 3:
                line += reader.signed()
            case 4:
                file = reader.unsigned()
            case 5:
                column = reader.unsigned()
            case 8:
                address += step
            case 9:
                address += reader.number(2)
            case 6 | 7 | 10 | 11:
                pass
            case _:
                for _ in range(header.lengths[opcode]):
                    reader.unsigned()
    return rows
