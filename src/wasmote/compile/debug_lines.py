"""What LLVM tells of the code it made: the instruction and the functions inlined at each address.

LLVM carries locations through its optimisations as debug information, where the compiler's "lines"
are offsets in the module's binary. This reads them back from an object file, see `aot.places`.
"""

from bisect import bisect_right
from collections.abc import Iterable

from wasmote.aot.places import Piece, Scope
from wasmote.compile.scan import TAIL_CALLS
from wasmote.compile.source import Body, Source
from wasmote.dwarf.lines import END, line_table
from wasmote.dwarf.reader import Sections
from wasmote.dwarf.units import (
    ABSTRACT_ORIGIN,
    CALL_LINE,
    NAME,
    STMT_LIST,
    TAG_INLINED,
    TAG_SUBPROGRAM,
    Entry,
    Unit,
    units,
)

#: Where a scope starts and ends, and its number.
_Range = tuple[int, int, int]


def read_pieces(
    sections: Sections,
    source: Source,
    functions: Iterable[tuple[int, int, int]],
) -> list[Piece]:
    """The pieces of code that an object's debug information describes.

    `sections` are those of debug information, relocated, in which functions are named by their
    index. `functions` has each function of the object, where it is and its size: of one that
    nothing is inlined in there are only lines.
    """
    known = {body.index: body for body in source.bodies}
    found: list[Piece] = []
    for unit in units(sections):
        rows = line_table(sections, unit.root.get(STMT_LIST)).rows
        lines = [(address, line) for address, _, line, _ in rows]
        lines.sort(key=lambda row: (row[0], row[1] != END))
        names = _names(unit)
        for entries in _functions(unit):
            scopes = _scopes(entries, names, known, source.binary)
            found += _pieces(unit, entries, scopes, known, lines)
        described = {piece.start for piece in found}
        for index, start, size in sorted(functions):
            if start in described:
                continue
            scopes = [Scope(index, known[index].start)]
            plain_rows = _rows(start, start + size, [], lines)
            found.append(Piece(start, size, scopes, _settled(plain_rows, scopes, known)))
    return found


def _functions(unit: Unit) -> Iterable[list[Entry]]:
    """Each function that there is code of, with the entries of what was inlined in it."""
    entries: list[Entry] = []
    for entry in unit.entries():
        if entry.tag == TAG_INLINED:
            entries.append(entry)
        elif entry.tag == TAG_SUBPROGRAM:
            if entries:
                yield entries
            entries = [entry]
    if entries:
        yield entries


def _pieces(
    unit: Unit,
    entries: list[Entry],
    scopes: list[Scope],
    known: dict[int, Body],
    lines: list[tuple[int, int]],
) -> Iterable[Piece]:
    """The code of one function: mostly one piece, but cold code may be elsewhere. There is none if
    it was only inlined.
    """
    ranges = [
        (start, end, number)
        for number, entry in enumerate(entries)
        for start, end in unit.ranges(entry)
    ]
    for start, end in unit.ranges(entries[0]):
        inner = [each for each in ranges if start <= each[0] and each[1] <= end]
        rows = _rows(start, end, _changes(inner), lines)
        yield Piece(start, end - start, scopes, _settled(rows, scopes, known))


def _scopes(
    entries: list[Entry], names: dict[int, str], known: dict[int, Body], binary: bytes
) -> list[Scope]:
    """A function and what was inlined in it, for each of the entries."""
    scopes: list[Scope] = []
    around: list[int] = []  # numbers of the scopes around an entry, by depth
    for number, entry in enumerate(entries):
        index = int(entry.get(NAME) or names[entry.get(ABSTRACT_ORIGIN)])
        del around[entry.depth - 1 :]
        parent, call = around[-1] if around else 0, entry.get(CALL_LINE) or 0
        around += [number] * (entry.depth - len(around))
        if number and binary[call] in TAIL_CALLS:
            parent, call = scopes[parent].parent, scopes[parent].call
        scopes.append(Scope(index, known[index].start, parent, call))
    return scopes


def _names(unit: Unit) -> dict[int, str]:
    """Names of the functions that entries without a name refer to."""
    return {
        entry.offset: entry.get(NAME)
        for entry in unit.entries()
        if entry.tag == TAG_SUBPROGRAM and entry.get(NAME)
    }


def _changes(ranges: list[_Range]) -> list[tuple[int, int]]:
    """From which address on which scope is the innermost one. Ranges are nested."""
    ranges.sort(key=lambda each: (each[0], -each[1], each[2]))
    changes: list[tuple[int, int]] = []
    open_: list[_Range] = []
    for each in [*ranges, (1 << 64, 1 << 64, 0)]:
        while open_ and open_[-1][1] <= each[0]:
            end = open_.pop()[1]
            if open_ and open_[-1][1] > end:
                changes.append((end, open_[-1][2]))
        if each[0] >> 64 == 0:
            changes.append((each[0], each[2]))
            open_.append(each)
    return changes


def _rows(
    start: int, end: int, changes: list[tuple[int, int]], lines: list[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Address, scope and line from each address on where one of both changes."""
    first = max(bisect_right(lines, (start, 1 << 63)) - 1, 0)
    last = bisect_right(lines, (end, -2))
    merged = [(address, 1, scope) for address, scope in changes]
    merged += [(max(address, start), 0, line) for address, line in lines[first:last] if line >= 0]
    merged.sort(key=lambda each: each[:2])
    rows: list[tuple[int, int, int]] = []
    scope = line = 0
    for address, is_scope, value in merged:
        if is_scope:
            scope = value
        else:
            line = value
        if rows and rows[-1][0] == address:
            rows.pop()
        rows.append((address, scope, line))
    return rows


def _settled(
    rows: list[tuple[int, int, int]], scopes: list[Scope], known: dict[int, Body]
) -> list[tuple[int, int, int]]:
    """Rows with offsets of instructions. Where LLVM has merged code of several, and does not say of
    which, it is the last one that it named in the same scope.
    """
    last = [scope.body for scope in scopes]
    found: list[tuple[int, int, int]] = []
    for address, scope, line in rows:
        body = known[scopes[scope].function]
        if body.start <= line < body.end:
            last[scope] = line
        if not found or found[-1][1:] != (scope, last[scope]):
            found.append((address, scope, last[scope]))
    return found
