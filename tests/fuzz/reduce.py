"""Makes a module that fails smaller, instruction by instruction, as long as it fails alike."""

from collections.abc import Callable, Iterator

from tests.fuzz.mutate import (
    bodies,
    join_bodies,
    join_sections,
    read_unsigned,
    sections,
    unsigned,
)
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.isa.exceptions import CatchKind

_CODE = 10
_BYTES = {Immediate.F32: 4, Immediate.F64: 8, Immediate.V128: 16, Immediate.LANE: 1}
_BYTES[Immediate.LANES] = 16
_PREFIXES = frozenset(opcode >> 16 for opcode in INSTRUCTIONS) - {0}
_REFERENCES = (0x63, 0x64)  # ref null, ref: a heap type follows
_MEMORY_INDEX = 64  # in the alignment of a load or store: the memory's index follows
#: What may stand in for some instructions: nothing, a drop, constants.
_STAND_INS = (b"", b"\x1a", b"\x41\x01", b"\x42\x01", b"\x43\0\0\x80?", b"\x44\0\0\0\0\0\0\xf0?")
Body = tuple[bytes, list[bytes]]  # the locals, the instructions


def opcode(code: bytes, pos: int) -> tuple[int, int]:
    """The opcode at a position, and where its immediates start."""
    found, pos = code[pos], pos + 1
    if found in _PREFIXES:
        sub, pos = read_unsigned(code, pos)
        found = found << 16 | sub
    return found, pos


def _instruction(code: bytes, pos: int) -> tuple[Instruction, int]:
    found, pos = opcode(code, pos)
    return INSTRUCTIONS[found], pos


def _skip(code: bytes, pos: int, immediate: Immediate) -> int:
    if immediate in _BYTES:
        return pos + _BYTES[immediate]
    if immediate is Immediate.BLOCK_TYPE:
        return _skip_type(code, pos)
    numbers = 1
    if immediate is Immediate.MEMARG:
        numbers = 3 if code[pos] & _MEMORY_INDEX else 2
    elif immediate is Immediate.LABEL_TABLE:
        numbers, pos = read_unsigned(code, pos)
        numbers += 1
    elif immediate is Immediate.VALUE_TYPES:
        types, pos = read_unsigned(code, pos)
        for _ in range(types):
            pos = _skip_type(code, pos)
        return pos
    elif immediate is Immediate.CATCHES:
        clauses, pos = read_unsigned(code, pos)
        for _ in range(clauses):
            pos = _skip_numbers(code, pos + 1, 1 + (code[pos] < CatchKind.CATCH_ALL))
        return pos
    return _skip_numbers(code, pos, numbers)


def _skip_numbers(code: bytes, pos: int, count: int) -> int:
    for _ in range(count):
        _, pos = read_unsigned(code, pos)
    return pos


def _skip_type(code: bytes, pos: int) -> int:
    """Pass over a value type, or an index in its place."""
    if code[pos] in _REFERENCES:
        pos += 1
    return read_unsigned(code, pos)[1]


def instruction_end(code: bytes, pos: int) -> int:
    """Where the instruction at a position ends."""
    instruction, end = _instruction(code, pos)
    for immediate in instruction.immediates:
        end = _skip(code, end, immediate)
    return end


def split(body: bytes) -> Body:
    """Take a body apart."""
    groups, pos = read_unsigned(body, 0)
    for _ in range(groups):
        _, pos = read_unsigned(body, pos)
        pos = _skip_type(body, pos)
    head, found = body[:pos], []
    while pos < len(body):
        end = instruction_end(body, pos)
        found.append(body[pos:end])
        pos = end
    return head, found


def join(body: Body) -> bytes:
    return body[0] + b"".join(body[1])


class Reducer:
    """Holds the smallest module so far that still fails."""

    def __init__(self, binary: bytes, fails: Callable[[bytes], bool], budget: int) -> None:
        self.binary, self.fails, self.budget = binary, fails, budget

    def attempt(self, binary: bytes) -> bool:
        """Keep a smaller module if it fails."""
        if self.budget <= 0 or len(binary) >= len(self.binary):
            return False
        self.budget -= 1
        if not self.fails(binary):
            return False
        self.binary = binary
        return True

    def bodies(self) -> list[Body]:
        return [split(b) for b in bodies(dict(sections(self.binary))[_CODE])]

    def with_bodies(self, found: list[Body]) -> bytes:
        code = join_bodies([join(b) for b in found])
        parts = sections(self.binary)
        return join_sections([(i, code if i == _CODE else content) for i, content in parts])

    def empty_bodies(self) -> None:
        for i in range(len(self.bodies())):
            for code in ([b"\x00", b"\x0b"], [b"\x0b"]):
                found = self.bodies()
                found[i] = b"\0", code
                if self.attempt(self.with_bodies(found)):
                    break

    def shorten_bodies(self) -> None:
        """Take out, or replace, ranges of instructions: long ones first."""
        for i in range(len(self.bodies())):
            size = len(self.bodies()[i][1])
            while size:
                start = 0
                while start < len(self.bodies()[i][1]) - 1:
                    if not any(self.replace(i, start, size, each) for each in _stand_ins(size)):
                        start += max(1, size // 2)
                size = size // 2 if size > 8 else size - 1

    def replace(self, index: int, start: int, size: int, by: bytes) -> bool:
        found = self.bodies()
        head, code = found[index]
        end = min(start + size, len(code) - 1)
        found[index] = head, code[:start] + ([by] if by else []) + code[end:]
        return self.attempt(self.with_bodies(found))

    def drop_items(self) -> None:
        """Take whole sections away, then single exports, segments, the last data and elements."""
        for section in (0, 8, 11, 12, 9, 7):
            self.attempt(join_sections([p for p in sections(self.binary) if p[0] != section]))
        for index in range(_export_count(self.binary) - 1, -1, -1):
            self.attempt(_without_export(self.binary, index))

    def run(self) -> bytes:
        before = -1
        while before != len(self.binary) and self.budget > 0:
            before = len(self.binary)
            self.drop_items()
            self.empty_bodies()
            self.shorten_bodies()
        return self.binary


def _stand_ins(size: int) -> tuple[bytes, ...]:
    return _STAND_INS if size <= 8 else _STAND_INS[:2]


def _exports(binary: bytes) -> list[bytes]:
    content = dict(sections(binary)).get(7, b"\0")
    count, pos = read_unsigned(content, 0)
    found = []
    for _ in range(count):
        length, end = read_unsigned(content, pos)
        _, end = read_unsigned(content, end + length + 1)
        found.append(content[pos:end])
        pos = end
    return found


def _export_count(binary: bytes) -> int:
    return len(_exports(binary))


def _without_export(binary: bytes, index: int) -> bytes:
    kept = [e for i, e in enumerate(_exports(binary)) if i != index]
    content = unsigned(len(kept)) + b"".join(kept)
    return join_sections([(i, content if i == 7 else c) for i, c in sections(binary)])


def reduce(binary: bytes, fails: Callable[[bytes], bool], budget: int = 6000) -> bytes:
    """The smallest module found that `fails`, within so many trials."""
    reducer = Reducer(binary, fails, budget)
    try:
        return reducer.run()
    except (IndexError, KeyError, ValueError):  # not a module that can be taken apart
        return reducer.binary


def listing(binary: bytes) -> str:
    """The code of a module, an instruction a line."""
    return "\n".join(_lines(binary))


def _lines(binary: bytes) -> Iterator[str]:
    try:
        for number, body in enumerate(bodies(dict(sections(binary)).get(_CODE, b"\0"))):
            head, code = split(body)
            yield f"  body {number}: locals {head.hex(' ')}"
            for each in code:
                instruction, at = _instruction(each, 0)
                yield f"    {instruction.name} {each[at:].hex(' ')}".rstrip()
    except (IndexError, KeyError):
        yield "  ..."
