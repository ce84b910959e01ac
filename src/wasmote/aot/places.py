"""Which instruction of the module the code at an address comes from, inlined functions included.

The section `places` of an image has a table of it. The compiler makes it from what LLVM says
(`compile.debug_lines`), and a backtrace looks things up in it; running code never does.

The table is compressed by zlib. All numbers in it are LEB128, those that may be negative are
multiplied by 2, and if they were negative, it is their complement. It has the offset of the code
section's contents in the module's binary and the number of pieces of code; for each piece, in the
order of addresses, the distance of its start from the end of the one before, its size, and the size
of its description. The descriptions follow:

- the number of scopes: the function itself and those inlined, each after the one it is inlined in.
  Of each: the index of the function, the offset of its body in the binary; of inlined ones also
  the number of the scope around it, and the call's offset in that scope's body;
- the number of rows, and for each row: the distance from the row before times 2, plus 1 if the
  scope is another one, which then follows; the offset of the instruction in the scope's body less
  that of the row before.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

#: A function's index, and the offset of an instruction in the module's binary.
Place = tuple[int, int]


@dataclass(slots=True)
class Scope:
    """A function, or an instance of one that was inlined by the call at offset `call` of the scope
    number `parent`. Offsets are those in the module's binary; `call` is 0 where that was a tail
    call, after which its function is not there any more.
    """

    function: int
    body: int
    parent: int = 0
    call: int = 0


@dataclass(slots=True)
class Piece:
    """The code of a function. Rows are an address, a scope's number and the instruction's offset;
    each holds up to the next.
    """

    start: int
    size: int
    scopes: list[Scope] = field(default_factory=list)
    rows: list[tuple[int, int, int]] = field(default_factory=list)

    def chain(self, scope: int, offset: int) -> tuple[Place, ...]:
        """The frames of a row, the innermost first."""
        found = []
        while scope:
            each = self.scopes[scope]
            found.append((each.function, offset))
            scope, offset = each.parent, each.call
            if not offset:
                return tuple(found)
        return (*found, (self.scopes[0].function, offset))


def encode(pieces: Iterable[Piece], code_section: int) -> bytes:
    """The table of all pieces of a module's code."""
    ordered = sorted(pieces, key=lambda piece: piece.start)
    index, descriptions = bytearray(), bytearray()
    _put(index, code_section)
    _put(index, len(ordered))
    end = 0
    for piece in ordered:
        description = _description(piece)
        _put(index, piece.start - end)
        _put(index, piece.size)
        _put(index, len(description))
        end = piece.start + piece.size
        descriptions += description
    return zlib.compress(bytes(index + descriptions))


def _description(piece: Piece) -> bytearray:
    out, scopes = bytearray(), piece.scopes
    _put(out, len(scopes))
    for i, scope in enumerate(scopes):
        _put(out, scope.function)
        _put(out, scope.body)
        if i:
            _put(out, scope.parent)
            _put(out, _folded(scope.call - scopes[scope.parent].body))
    _put(out, len(piece.rows))
    at, current, last = piece.start, 0, 0
    for address, number, offset in piece.rows:
        _put(out, (address - at) << 1 | (number != current))
        if number != current:
            _put(out, number)
        inner = offset - scopes[number].body
        _put(out, _folded(inner - last))
        at, current, last = address, number, inner
    return out


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _folded(value: int) -> int:
    return value << 1 if value >= 0 else ~value << 1 | 1


def _unfolded(value: int) -> int:
    return ~(value >> 1) if value & 1 else value >> 1


class Places:
    """The table of a module's code. Raises ValueError for a section that is none."""

    def __init__(self, section: bytes) -> None:
        try:
            self._data = zlib.decompress(section)
            numbers = _numbers(self._data)
            #: Offset of the code section's contents in the module's binary.
            self.code_section = next(numbers)[0]
            self._pieces: list[Piece] = []
            sizes, end, start = [], 0, 0
            for _ in range(next(numbers)[0]):
                piece = Piece(end + next(numbers)[0], next(numbers)[0])
                end = piece.start + piece.size
                self._pieces.append(piece)
                size, start = next(numbers)
                sizes.append(size)
        except (zlib.error, StopIteration) as error:
            raise ValueError(f"the table of places is damaged: {error!r}") from None
        self._starts = [piece.start for piece in self._pieces]
        start = start or len(self._data)
        self._places = [start, *(start := start + size for size in sizes)]

    def __len__(self) -> int:
        return len(self._pieces)

    def piece(self, number: int) -> Piece:
        """A piece of code, described when it is first asked for; numbers go by addresses."""
        piece = self._pieces[number]
        if not piece.scopes:
            _describe(piece, self._data[self._places[number] : self._places[number + 1]])
        return piece

    def is_start(self, address: int) -> bool:
        """Whether a function, maybe an inlined one, is being entered at an offset in the code:
        none of its instructions has begun.
        """
        found = self._row(address)
        return found is not None and found[2] == found[0].scopes[found[1]].body

    def at(self, address: int) -> tuple[Place, ...]:
        """The frames at an offset in the code, the innermost first; empty if it is not a
        function's.
        """
        found = self._row(address)
        return found[0].chain(*found[1:]) if found else ()

    def _row(self, address: int) -> tuple[Piece, int, int] | None:
        """The piece of an address, the scope there, and the instruction's offset."""
        i = bisect_right(self._starts, address) - 1
        if i < 0 or address >= self._pieces[i].start + self._pieces[i].size:
            return None
        piece = self.piece(i)
        row = bisect_right(piece.rows, (address, len(piece.scopes), 0)) - 1
        if row < 0:
            return piece, 0, piece.scopes[0].body
        return piece, *piece.rows[row][1:]


def _describe(piece: Piece, description: bytes) -> None:
    """Read a piece's description. Raises ValueError for a damaged one."""
    numbers = (number for number, _ in _numbers(description))
    scopes, rows = [], []
    try:
        for i in range(next(numbers)):
            scope = Scope(next(numbers), next(numbers))
            if i:
                scope.parent = next(numbers)
                scope.call = _unfolded(next(numbers)) + scopes[scope.parent].body
            scopes.append(scope)
        at, number, inner = piece.start, 0, 0
        for _ in range(next(numbers)):
            step = next(numbers)
            at += step >> 1
            if step & 1:
                number = next(numbers)
            inner += _unfolded(next(numbers))
            rows.append((at, number, inner + scopes[number].body))
    except (StopIteration, IndexError) as error:
        raise ValueError(f"the table of places is damaged: {error!r}") from None
    piece.scopes, piece.rows = scopes, rows


def _numbers(data: bytes) -> Iterator[tuple[int, int]]:
    """Each number, and where the next one starts."""
    value = shift = 0
    for position, byte in enumerate(data, 1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            yield value, position
            value = shift = 0
        else:
            shift += 7
