"""Writes debug information (DWARF 4) of compiled functions: names, lines, inlined ones, frames.

For x86-64, whose compiled code keeps frame pointers.
"""

import struct
from collections.abc import Iterable, Sequence

from wasmote.debug.functions import Inlined, Line, NativeFunction

_CHILDREN, _NO_CHILDREN = b"\x01", b"\x00"
_UNIT, _ABSTRACT, _FUNCTION, _INLINED = 1, 2, 3, 4
#: What entries look like: number, tag, children, then attributes with their forms.
_ABBREVIATIONS = (
    b"\x01\x11\x01" b"\x25\x08\x13\x0b\x03\x08\x10\x17\x11\x01\x12\x07\0\0"
    b"\x02\x2e\x00" b"\x03\x08\x20\x0b\0\0"
    b"\x03\x2e\x01" b"\x03\x08\x3f\x19\x3a\x0f\x3b\x0f\x11\x01\x12\x07\x40\x18\0\0"
    b"\x04\x1d\x01" b"\x31\x13\x55\x17\x58\x0f\x59\x0f\0\0"
    b"\0"
)  # fmt: skip
_C99, _INLINED_BY_COMPILER = 0x0C, 1
#: DW_OP_call_frame_cfa, as a block.
_FRAME_BASE = b"\x01\x9c"

Sections = dict[str, bytes]


def describe(name: str, functions: Sequence[NativeFunction], start: int, end: int) -> Sections:
    """The debug sections of a unit of that name, with code from `start` to `end`."""
    files = _Files()
    info = _Info(files)
    body = info.unit(name, functions, start, end)
    return {
        ".debug_abbrev": _ABBREVIATIONS,
        ".debug_info": body,
        ".debug_ranges": bytes(info.ranges),
        ".debug_line": _lines(functions, files),
        ".debug_frame": _frames(functions, start, end),
    }


def unsigned(value: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def signed(value: int) -> bytes:
    """LEB128 of a number that may be negative."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


def _text(text: str) -> bytes:
    return text.replace("\0", "?").encode() + b"\0"


def _unit(contents: bytes) -> bytes:
    return struct.pack("<I", len(contents)) + contents


class _Files:
    """Numbers of source files."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, line: Line) -> int:
        return self.numbers.setdefault(line.file, len(self.numbers) + 1)


class _Info:
    """Writes `.debug_info` and `.debug_ranges`."""

    _HEADER = struct.pack("<HIB", 4, 0, 8)

    def __init__(self, files: _Files) -> None:
        self.files = files
        self.ranges = bytearray()
        self.out = bytearray()
        self._abstract: dict[str, int] = {}

    def unit(self, name: str, functions: Sequence[NativeFunction], start: int, end: int) -> bytes:
        self.out += bytes(4) + self._HEADER + bytes([_UNIT]) + _text("wasmote") + bytes([_C99])
        self.out += _text(name) + struct.pack("<IQQ", 0, start, end - start)
        for function in functions:
            for inlined in function.inlined:
                self._origin(inlined.name)
        for function in functions:
            self._function(function)
        self.out += b"\0"
        struct.pack_into("<I", self.out, 0, len(self.out) - 4)
        return bytes(self.out)

    def _origin(self, name: str) -> None:
        """What instances of an inlined function refer to."""
        if name not in self._abstract:
            self._abstract[name] = len(self.out)
            self.out += bytes([_ABSTRACT]) + _text(name) + bytes([_INLINED_BY_COMPILER])

    def _function(self, function: NativeFunction) -> None:
        line = function.lines[0][1] if function.lines else Line("?", 0)
        self.out += bytes([_FUNCTION]) + _text(function.name)
        self.out += unsigned(self.files.number(line)) + unsigned(line.line)
        self.out += struct.pack("<QQ", function.address, function.size) + _FRAME_BASE
        inner: dict[int, list[int]] = {}
        for number, each in enumerate(function.inlined, 1):
            inner.setdefault(each.parent, []).append(number)
        # Entries within entries, without recursion: None ends one.
        todo: list[int | None] = [None, *reversed(inner.get(0, ()))]
        while todo:
            item = todo.pop()
            if item is None:
                self.out += b"\0"
            elif function.inlined[item - 1].ranges:
                self._inlined(function.inlined[item - 1])
                todo += [None, *reversed(inner.get(item, ()))]

    def _inlined(self, inlined: Inlined) -> None:
        origin, place = self._abstract[inlined.name], len(self.ranges)
        base = 0xFFFF_FFFF_FFFF_FFFF, 0  # what follows are addresses as they are
        for each in (base, *inlined.ranges, (0, 0)):
            self.ranges += struct.pack("<QQ", *each)
        self.out += bytes([_INLINED]) + struct.pack("<II", origin, place)
        self.out += unsigned(self.files.number(inlined.call)) + unsigned(inlined.call.line)


# -- lines -----------------------------------------------------------------------------------------


def _lines(functions: Iterable[NativeFunction], files: _Files) -> bytes:
    """A program for each function: only what it takes, no special opcodes."""
    program = bytearray()
    for function in functions:
        program += b"\0\x09\x02" + struct.pack("<Q", function.address)
        address, file, line = function.address, 1, 1
        for at, place in function.lines:
            if number := files.number(place):
                if number != file:
                    program += b"\x04" + unsigned(number)
                if at != address:
                    program += b"\x02" + unsigned(at - address)
                program += b"\x03" + signed(place.line - line) + b"\x01"
                address, file, line = at, number, place.line
        program += b"\x02" + unsigned(function.end - address) + b"\0\x01\x01"
    names = b"".join(_text(name) + b"\0\0\0" for name in files.numbers)
    # Shortest instruction, operations of one, is_stmt, line base, line range, first special opcode.
    header = struct.pack("<BBBbBB", 1, 1, 1, -1, 4, 10) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1])
    header += b"\0" + names + b"\0"
    return _unit(struct.pack("<HI", 4, len(header)) + header + bytes(program))


# -- frames ----------------------------------------------------------------------------------------

_RSP, _RBP, _RETURN_ADDRESS = 7, 6, 16
_DEF_CFA, _DEF_CFA_REGISTER, _DEF_CFA_OFFSET = 0x0C, 0x0D, 0x0E
_ADVANCE, _OFFSET = 0x40, 0x80
#: push %rbp; mov %rsp, %rbp
_PUSH, _MOVE = 1, 3


def _frames(functions: Sequence[NativeFunction], start: int, end: int) -> bytes:
    """`.debug_frame`: where a frame's caller is, for all of the code; what is no function of the
    module has a frame pointer as well.
    """
    at_call = bytes([_DEF_CFA, _RSP, 8, _OFFSET | _RETURN_ADDRESS, 1])
    out = bytearray(
        _padded(struct.pack("<IBB", 0xFFFF_FFFF, 4, 0) + b"\x08\0\x01\x78\x10" + at_call)
    )
    pushed = bytes([_ADVANCE | _PUSH, _DEF_CFA_OFFSET, 16, _OFFSET | _RBP, 2])
    begun = pushed + bytes([_ADVANCE | _MOVE, _DEF_CFA_REGISTER, _RBP])
    within = bytes([_DEF_CFA, _RBP, 16, _OFFSET | _RBP, 2])
    position = start
    for function in functions:
        if position < function.address:
            out += _frame(position, function.address, within)
        out += _frame(function.address, function.end, begun)
        position = function.end
    if position < end:
        out += _frame(position, end, within)
    return bytes(out)


def _frame(start: int, end: int, program: bytes) -> bytes:
    return _padded(struct.pack("<IQQ", 0, start, end - start) + program)


def _padded(contents: bytes) -> bytes:
    return _unit(contents + b"\0" * (-(len(contents) + 4) % 8))
