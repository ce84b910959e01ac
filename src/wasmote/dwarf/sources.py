"""The source line of an address: file, line and function, and where that was inlined.

Units are read when an address in them is first asked for, so that one line of a large program is
found without reading all of it.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from wasmote.dwarf.lines import END, LineTable, line_table
from wasmote.dwarf.reader import DwarfError, Sections
from wasmote.dwarf.units import (
    ABSTRACT_ORIGIN,
    CALL_COLUMN,
    CALL_FILE,
    CALL_LINE,
    COMP_DIR,
    NAME,
    SPECIFICATION,
    STMT_LIST,
    TAG_INLINED,
    TAG_SUBPROGRAM,
    Entry,
    Unit,
    units,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A place in a source text. `line` and `column` count from 1; 0: not known."""

    file: str
    line: int
    column: int = 0
    function: str = ""

    def __str__(self) -> str:
        """`file:line`, the file without its folder; only the file if the line is not known."""
        name = self.file.rpartition("/")[2]
        return f"{name}:{self.line}" if self.line else name


class Sources:
    """The source lines of a program. Raises nothing: what is damaged is not known."""

    def __init__(self, sections: Sections) -> None:
        self.sections = sections
        self._ranges: list[tuple[int, int, _Unit]] = []
        self._vague: list[_Unit] | None = None

    def at(self, address: int) -> tuple[Source, ...]:
        """Where the code at an address comes from: the innermost function first, then where each
        was inlined. Empty if that is not known.
        """
        for unit in self._candidates(address):
            try:
                if unit.covers(address):
                    return unit.at(address)
            except DwarfError:
                continue
        return ()

    def line(self, address: int) -> Source | None:
        """The source line of an address alone, without functions: quicker for many."""
        for unit in self._candidates(address):
            try:
                if unit.covers(address):
                    return unit.line(address)
            except DwarfError:
                continue
        return None

    def _candidates(self, address: int) -> "list[_Unit]":
        """Units that an address may belong to."""
        if self._vague is None:
            self._vague = []
            self._read(self._vague)
        i = bisect_right(self._ranges, address, key=lambda each: each[0]) - 1
        if i >= 0 and address < self._ranges[i][1]:
            return [self._ranges[i][2]]
        return self._vague

    def _read(self, vague: "list[_Unit]") -> None:
        """Find the units; of some it is not said where their code is."""
        names = _Names()
        try:
            for unit in units(self.sections):
                made = _Unit(unit, names)
                if not made.ranges:
                    vague.append(made)
                self._ranges += [(start, end, made) for start, end in made.ranges if start]
        except DwarfError:
            pass  # what comes after it cannot be found
        self._ranges.sort(key=lambda each: each[0])


class _Unit:
    """A unit, read as far as needed. `names` has the functions' names of all units read."""

    def __init__(self, unit: Unit, names: "_Names") -> None:
        self.unit, self.names = unit, names
        try:
            self.ranges = unit.ranges(unit.root)
        except DwarfError:
            self.ranges = []
        self._table: LineTable | None = None
        self._starts: list[int] = []
        self._functions: list[tuple[int, int, Entry]] | None = None
        self._named = False

    def covers(self, address: int) -> bool:
        # A unit of a file that was linked but not used starts at 0.
        if self.ranges:
            return any(start <= address < end for start, end in self.ranges if start)
        return self.line(address) is not None

    def table(self) -> LineTable:
        """The line table, in the order of addresses."""
        if self._table is None:
            self._table = LineTable()
            offset = self.unit.root.get(STMT_LIST)
            if isinstance(offset, int):
                folder = str(self.unit.root.get(COMP_DIR) or "")
                self._table = line_table(self.unit.sections, offset, folder)
                self._table.rows = _in_order(self._table.rows)
            self._starts = [row[0] for row in self._table.rows]
        return self._table

    def line(self, address: int) -> Source | None:
        table = self.table()
        i = bisect_right(self._starts, address) - 1
        if i < 0 or table.rows[i][2] == END:
            return None
        _, file, line, column = table.rows[i]
        return Source(table.files.get(file, "?"), line, column)

    def at(self, address: int) -> tuple[Source, ...]:
        found = self.line(address)
        if found is None:
            return ()
        files, sources = self.table().files, []
        file, line, column = found.file, found.line, found.column
        for entry in reversed(self._around(address)):
            sources.append(Source(file, line, column, self._name(entry)))
            if entry.tag == TAG_INLINED:
                file = files.get(_number(entry.get(CALL_FILE)), "?")
                line, column = _number(entry.get(CALL_LINE)), _number(entry.get(CALL_COLUMN))
        return tuple(sources) or (found,)

    def _around(self, address: int) -> list[Entry]:
        """The functions around an address, inlined ones included, the outermost first."""
        if self._functions is None:
            self._functions = []
            for entry in self.unit.entries():
                if entry.tag in (TAG_SUBPROGRAM, TAG_INLINED):
                    for start, end in self.unit.ranges(entry):
                        if start:
                            self._functions.append((start, end, entry))
        return [entry for start, end, entry in self._functions if start <= address < end]

    def _name(self, entry: Entry) -> str:
        if not self._named:
            self._named = True
            for each in self.unit.entries():
                if each.tag == TAG_SUBPROGRAM:
                    self.names.add(each)
        return self.names.of(entry)


class _Names:
    """Names of functions, which may be those of a declaration or of what was inlined."""

    def __init__(self) -> None:
        self._known: dict[int, Entry] = {}

    def add(self, entry: Entry) -> None:
        self._known[entry.offset] = entry

    def of(self, entry: Entry) -> str:
        for _ in range(4):  # an instance, its definition, the declaration of that
            if name := entry.get(NAME):
                return str(name)
            origin = entry.get(ABSTRACT_ORIGIN) or entry.get(SPECIFICATION)
            found = self._known.get(_number(origin))
            if found is None:
                break
            entry = found
        return ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _in_order(rows: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Rows of sequences in any order, by address; sequences of code that was left out are gone."""
    sequences, start = [], 0
    for i, row in enumerate(rows):
        if row[2] == END:
            if rows[start][0]:
                sequences.append(rows[start : i + 1])
            start = i + 1
    sequences.sort(key=lambda sequence: sequence[0][0])
    return [row for sequence in sequences for row in sequence]
