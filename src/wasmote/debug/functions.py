"""The compiled functions of a module, as native tools want to know them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wasmote.aot.places import Piece
from wasmote.api.compiled import CompiledCode
from wasmote.api.module import Module


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a source text; of a module without debug information, an offset in its binary."""

    file: str
    line: int


@dataclass(slots=True)
class Inlined:
    """A function inlined in another one: in the function itself (parent 0), or in another inlined
    one, by its number from 1 on. `ranges` are starts and ends of its code, `call` is where it was
    called.
    """

    name: str
    parent: int
    call: Line
    ranges: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class NativeFunction:
    """A function's code, by addresses in this process. `lines` holds from each address on; those
    that are not known are line 0.
    """

    name: str
    address: int
    size: int
    lines: list[tuple[int, Line]] = field(default_factory=list)
    inlined: list[Inlined] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.address + self.size


class Described:
    """The compiled code of a module: `address` and `size` of all of it, and its `functions` in the
    order of their addresses. It is as in this process, or at another address. Raises ValueError for
    a module that is not compiled.
    """

    def __init__(self, module: Module, address: int | None = None) -> None:
        code = module._running_code()
        if code is None:
            raise ValueError("the module is not compiled")
        self.module = module
        self.address: int = code.image.address if address is None else address
        self.size: int = code.image.size
        self._names: dict[int, str] = {}
        self._lines: dict[int, Line] = {}
        self._sources = module._source_map()
        self._file = f"{module.name or 'module'}.wasm"
        places = code.places()
        if places is None:
            found = self._plain(code)
        else:
            found = (self._described(places.piece(i)) for i in range(len(places)))
        self.functions = sorted(found, key=lambda function: function.address)

    def _plain(self, code: CompiledCode) -> Iterator[NativeFunction]:
        """Without a table of places: names only."""
        layout = self.module._layout
        own = range(layout.imported_functions, layout.function_count)
        for index, (start, size) in zip(own, code.table(len(own)), strict=True):
            if size:
                yield NativeFunction(self._name(index), self.address + start, size)

    def _described(self, piece: Piece) -> NativeFunction:
        base, scopes = self.address, piece.scopes
        made = NativeFunction(self._name(scopes[0].function), base + piece.start, piece.size)
        for scope in scopes[1:]:
            made.inlined.append(
                Inlined(self._name(scope.function), scope.parent, self._line(scope.call))
            )
        ends = [row[0] for row in piece.rows[1:]] + [piece.start + piece.size]
        for (start, number, offset), end in zip(piece.rows, ends, strict=True):
            if offset != scopes[number].body or not made.lines:
                made.lines.append((base + start, self._line(offset)))
            while number:
                _extend(made.inlined[number - 1].ranges, base + start, base + end)
                number = scopes[number].parent
        return made

    def _name(self, index: int) -> str:
        if index not in self._names:
            self._names[index] = self.module.function_name(index)
        return self._names[index]

    def _line(self, offset: int) -> Line:
        """The line of an instruction."""
        if offset not in self._lines:
            found = self._sources.line(offset) if self._sources.known else None
            if found:
                self._lines[offset] = Line(found.file, found.line)
            else:
                self._lines[offset] = Line(self._file, 0 if self._sources.known else offset)
        return self._lines[offset]


def _extend(ranges: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a range after the others."""
    if ranges and ranges[-1][1] == start:
        ranges[-1] = ranges[-1][0], end
    elif start < end:
        ranges.append((start, end))
