"""What functions call, and which loops they have, found without translating them.

A regular expression made of the instructions' immediates runs over what is of no interest, so that
only calls, loops, and the few instructions that are not regular, cost a step in Python.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wasmote.compile.reading import Cursor
from wasmote.compile.source import Body, Source
from wasmote.compile.types import Reference
from wasmote.isa import INSTRUCTIONS, Immediate, by_name

#: Stands for whatever a function reference may name.
ANY = -1
CALL, CALL_INDIRECT, RETURN_CALL, RETURN_CALL_INDIRECT, CALL_REF, RETURN_CALL_REF = range(
    0x10, 0x16
)
BLOCK, LOOP, IF, END, BR, BR_IF = 0x02, 0x03, 0x04, 0x0B, 0x0C, 0x0D
#: What a tight loop may have besides straight code.
_STRUCTURE = (BLOCK, IF, END, BR, BR_IF)
TABLE_SET, TABLE_INIT, TABLE_COPY = 0x26, 0xFC000C, 0xFC000E
_CHANGE_TABLES = {TABLE_SET, TABLE_INIT, TABLE_COPY, 0xFC000F, 0xFC0011}
_CALLS = range(CALL, RETURN_CALL_REF + 1)
_THROWS = {by_name(name).opcode for name in ("throw", "throw_ref", "rethrow")}
_CATCHES = {by_name(name).opcode for name in ("try_table", "try")}
TAIL_CALLS = (RETURN_CALL, RETURN_CALL_INDIRECT, RETURN_CALL_REF)


@dataclass(slots=True)
class Calls:
    """What a function calls: functions by index, or `ANY` through references of these types; and
    whether it has references, in locals or on its operand stack.
    """

    functions: set[int] = field(default_factory=set)
    types: set[int] = field(default_factory=set)
    tail: bool = False  # some of them are tail calls
    throws: bool = False  # the function itself, with an instruction
    catches: bool = False
    #: Bytes in loops that call nothing, have no others within, and branch only back.
    tight: int = 0
    references: bool = False
    tables: set[int] = field(default_factory=set)  # that it may change


def scan(source: Source) -> dict[int, Calls]:
    """The calls of each of a module's own functions, by index; code never reached included."""
    found = {body.index: _scan(source, body) for body in source.bodies}
    variables = any(isinstance(each.type, Reference) for each in source.globals)
    holding = [
        any(isinstance(kind, Reference) for kind in (*type.params, *type.results))
        for type in source.types
    ]
    for body in source.bodies:
        calls = found[body.index]
        types = {source.functions[i] for i in calls.functions if i != ANY}
        types |= calls.types | {body.type}
        calls.references |= variables or any(holding[type] for type in types)
    return found


def _scan(source: Source, body: Body) -> Calls:
    code = source.binary
    cursor = Cursor(code, body.start, source.defined)
    found = Calls()
    for _ in range(cursor.unsigned()):
        cursor.unsigned()
        found.references |= isinstance(cursor.value_type(), Reference)
    while True:
        match = _OTHERS.match(code, cursor.pos, body.end)
        cursor.pos = match.end()  # type: ignore[union-attr]  # it matches nothing, too
        if cursor.pos == body.end:
            return found
        opcode = cursor.opcode()
        if opcode in _CALLS:
            _note(found, opcode, cursor)
        else:
            found.throws |= opcode in _THROWS
            found.catches |= opcode in _CATCHES
            found.references |= opcode in _MAKE_REFERENCES
            if opcode in _CHANGE_TABLES:
                found.tables.add(_changed_table(opcode, cursor))
                continue
            cursor.skip_immediates(opcode)
            if opcode == LOOP:
                found.tight += _tight(code, cursor.pos, body.end)


def _tight(code: bytes, start: int, end: int) -> int:
    """How large the loop is whose body starts there; 0 if it is not a tight one."""
    cursor = Cursor(code, start)
    depth = branches = 0
    while True:
        match = _STRAIGHT.match(code, cursor.pos, end)
        cursor.pos = match.end()  # type: ignore[union-attr]
        opcode = cursor.opcode()
        if opcode == END and not depth:
            return cursor.pos - start if branches <= 1 else 0
        if opcode not in _STRUCTURE:
            return 0
        cursor.skip_immediates(opcode)
        depth += (opcode in (BLOCK, IF)) - (opcode == END)
        branches += opcode in (IF, BR, BR_IF)


def _changed_table(opcode: int, cursor: Cursor) -> int:
    """The table that an instruction writes to; passes over its immediates."""
    first = cursor.unsigned()
    if opcode == TABLE_INIT:
        return cursor.unsigned()
    if opcode == TABLE_COPY:
        cursor.unsigned()
    return first


def _note(found: Calls, opcode: int, cursor: Cursor) -> None:
    callee = cursor.unsigned()
    if opcode in (CALL, RETURN_CALL):
        found.functions.add(callee)
    else:
        found.functions.add(ANY)
        found.types.add(callee)
    if opcode in (CALL_INDIRECT, RETURN_CALL_INDIRECT):
        cursor.unsigned()
    found.tail |= opcode in TAIL_CALLS


# -- the regular expression --------------------------------------------------------------------
_LEB = rb"[\x80-\xff]*+[\x00-\x7f]"
_TYPE = rb"[\x63\x64]?" + _LEB
#: Bit 6 of the first number says that a memory's index follows.
_MEMARG = b"(?:(?:[\x00-\x3f]|[\x80-\xbf]%b)|(?:[\x40-\x7f]|[\xc0-\xff]%b)%b)%b" % (
    _LEB,
    _LEB,
    _LEB,
    _LEB,
)
_PATTERNS = {
    Immediate.BLOCK_TYPE: _TYPE,
    Immediate.MEMARG: _MEMARG,
    Immediate.F32: b".{4}",
    Immediate.F64: b".{8}",
    Immediate.V128: b".{16}",
    Immediate.LANE: b".",
    Immediate.LANES: b".{16}",
}
_IRREGULAR = {Immediate.LABEL_TABLE, Immediate.VALUE_TYPES, Immediate.CATCHES}
#: Instructions through which references come into a function, besides calls and global.get.
_MAKE_REFERENCES = {
    opcode
    for opcode, i in INSTRUCTIONS.items()
    if i.name in ("table.get", "ref.null", "ref.func")
    or i.family == "gc"
    or (i.family == "exception" and i.name != "throw")
}


def _encoded(opcode: int) -> bytes:
    """An opcode's bytes; a longer spelling of its number is left to the loop."""
    if opcode < 0x100:
        return bytes([opcode])
    sub = opcode & 0xFFFF
    low = bytes([sub]) if sub < 0x80 else bytes([sub & 0x7F | 0x80, sub >> 7])
    return bytes([opcode >> 16]) + low


def _either(codes: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(re.escape(code) for code in codes) + b")"


def _instructions(left_out: Iterable[int]) -> re.Pattern[bytes]:
    """Any number of instructions but these and irregular ones."""
    groups: dict[bytes, list[bytes]] = {}
    for opcode, instruction in INSTRUCTIONS.items():
        if opcode in left_out or _IRREGULAR.intersection(instruction.immediates):
            continue
        immediates = b"".join(_PATTERNS.get(each, _LEB) for each in instruction.immediates)
        groups.setdefault(immediates, []).append(_encoded(opcode))
    short = [(codes, after) for after, all in groups.items() if (codes := _of(all, 1))]
    long = [(codes, after) for after, all in groups.items() if (codes := _of(all, 2))]
    either = b"|".join(_either(codes) + after for codes, after in [*short, *long])
    return re.compile(b"(?:[\x20-\x22]%b|%b)*+" % (_LEB, either), re.DOTALL)


def _of(codes: Iterable[bytes], size: int) -> list[bytes]:
    """Those of one byte, or those of more."""
    return [code for code in codes if min(len(code), 2) == size]


_NOTED = (*_CALLS, *_THROWS, *_CATCHES, *_MAKE_REFERENCES, *_CHANGE_TABLES, LOOP)
_OTHERS = _instructions(_NOTED)
_STRAIGHT = _instructions((*_NOTED, *_STRUCTURE))
