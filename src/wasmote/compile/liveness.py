"""Which locals with references a function may still read, at each place where somebody may look.

One walk over the body collects what matters; the events are then gone through backwards, twice if
there are loops: what is read after a jump back to a loop is first estimated, then known. All sets
are bits of Python integers, one for each local; too large a set is always safe.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wasmote.compile.reading import Cursor
from wasmote.compile.source import Body
from wasmote.compile.types import Defined
from wasmote.isa import by_name

_BLOCK, _LOOP, _IF, _ELSE, _END = 0x02, 0x03, 0x04, 0x05, 0x0B
_BR, _BR_IF, _BR_TABLE = 0x0C, 0x0D, 0x0E
_GET, _SET, _TEE = 0x20, 0x21, 0x22
#: Control does not go on behind these.
_LEAVES = {
    by_name(name).opcode
    for name in (
        *("unreachable", "return", "return_call", "return_call_indirect", "return_call_ref"),
        *("throw", "throw_ref", "rethrow"),
    )
}
_BRANCHES = {by_name(name).opcode for name in ("br_on_null", "br_on_non_null")}
_CASTS = {by_name(name).opcode for name in ("br_on_cast", "br_on_cast_fail")}
#: Functions that catch exceptions: all their locals count as used everywhere.
_CATCHING = {
    by_name(name).opcode for name in ("try_table", "try", "catch", "catch_all", "delegate")
}
#: Where somebody may look at what the function holds, besides the start of loops.
_POINTS = {
    by_name(name).opcode
    for name in (
        *("call", "call_indirect", "call_ref", "struct.new", "struct.new_default", "array.new"),
        *("array.new_default", "array.new_fixed", "array.new_data", "array.new_elem"),
        *("memory.atomic.wait32", "memory.atomic.wait64"),
    )
}
#: Events that are no opcodes.
_JUMP, _MAY_JUMP = -1, -2


_KEPT = {_ELSE, _END} | _LEAVES | _POINTS


@dataclass(slots=True)
class _Event:
    kind: int  # an opcode, or one of the above
    position: int  # behind the instruction
    value: int = 0  # a local's bit; of the end of a loop: the locals that it reads
    labels: tuple[int, ...] = ()
    ends_loop: bool = False


@dataclass(slots=True)
class _Block:
    """A block under way, from its end to its start."""

    label: int  # what is read after a jump to it
    after: int
    otherwise: int | None = None  # of an if with an else: what is read from there on


@dataclass(slots=True)
class Liveness:
    """What is known of a function: `at(position)` behind an instruction, as bits."""

    everything: int
    points: dict[int, int] | None = field(default_factory=dict)  # None: nothing is known

    def at(self, position: int) -> int:
        """Locals that may still be read. The position is behind the instruction's immediates, or
        that of the first instruction.
        """
        if self.points is None:
            return self.everything
        return self.points.get(position, self.everything)


def find_liveness(
    code: bytes, body: Body, defined: Sequence[Defined], locals: Sequence[int]
) -> Liveness:
    """Look through a body for `locals`, those with references."""
    bits = {local: 1 << i for i, local in enumerate(locals)}
    everything = (1 << len(locals)) - 1
    found = _events(Cursor(code, body.start, defined), body.end, bits)
    if found is None:
        return Liveness(everything, None)
    first, events = found
    headers: dict[int, int] = {}
    points = _walk(events, headers)
    if headers:
        points = _walk(events, headers)
    points.setdefault(first, points.pop(-1))
    return Liveness(everything, points)


def _events(cursor: Cursor, end: int, bits: dict[int, int]) -> tuple[int, list[_Event]] | None:
    """Where the first instruction is, and all that matters; None: the function catches."""
    for _ in range(cursor.unsigned()):
        cursor.unsigned()
        cursor.value_type()
    first = cursor.pos
    events: list[_Event] = []
    reads: list[int] = []  # for each block what it reads so far,
    loops: list[bool] = []  # and whether it is a loop
    while cursor.pos < end:
        opcode = cursor.opcode()
        if opcode in (_GET, _SET, _TEE):
            bit = bits.get(cursor.unsigned(), 0)
            if bit:
                events.append(_Event(opcode, cursor.pos, bit))
                if opcode == _GET and reads:
                    reads[-1] |= bit
            continue
        if opcode in _CATCHING:
            return None
        event = _Event(opcode, cursor.pos)
        if opcode in (_BR, _BR_IF) or opcode in _BRANCHES:
            event.labels = (cursor.unsigned(),)
            event.kind = _JUMP if opcode == _BR else _MAY_JUMP
        elif opcode == _BR_TABLE:
            event.labels = tuple(cursor.unsigned() for _ in range(cursor.unsigned() + 1))
            event.kind = _JUMP
        elif opcode in _CASTS:
            cursor.raw(1)
            event.labels = (cursor.unsigned(),)
            event.kind = _MAY_JUMP
            cursor.signed()
            cursor.signed()
        else:
            cursor.skip_immediates(opcode)
        event.position = cursor.pos
        if opcode in (_BLOCK, _LOOP, _IF):
            reads.append(0)
            loops.append(opcode == _LOOP)
        elif opcode == _END and reads:
            event.value, event.ends_loop = reads.pop(), loops.pop()
            if reads:
                reads[-1] |= event.value
        elif event.kind >= 0 and opcode not in _KEPT:
            continue
        events.append(event)
    return first, events


def _walk(events: list[_Event], headers: dict[int, int]) -> dict[int, int]:
    """Go through the events backwards: what is read behind each instruction, by its position; -1:
    what is read from the first one on. `headers` has, by the number of the loop's end, what is read
    from its start; it is looked at, then written.
    """
    points: dict[int, int] = {}
    blocks: list[_Block] = []
    ends: list[int] = []  # numbers of their ends
    live = 0
    for number in range(len(events) - 1, -1, -1):
        event = events[number]
        kind = event.kind
        if kind == _GET:
            live |= event.value
        elif kind in (_SET, _TEE):
            live &= ~event.value
        elif kind == _END:
            blocks.append(_Block(live, live))
            ends.append(number)
            if event.ends_loop:
                estimate = event.value | _read_after(blocks, range(len(blocks)))
                blocks[-1].label = headers.get(number, estimate)
        elif kind == _ELSE:
            blocks[-1].otherwise = live
            live = blocks[-1].after
        elif kind == _IF:
            block = blocks.pop()
            ends.pop()
            live |= block.after if block.otherwise is None else block.otherwise
        elif kind == _LOOP:
            points[event.position] = live
            headers[ends.pop()] = live
            blocks.pop()
        elif kind == _BLOCK:
            blocks.pop()
            ends.pop()
        elif kind == _JUMP:
            live = _read_after(blocks, event.labels)
        elif kind == _MAY_JUMP:
            live |= _read_after(blocks, event.labels)
        elif kind in _LEAVES:
            live = 0
        elif kind in _POINTS:
            points[event.position] = live
    points[-1] = live
    return points


def _read_after(blocks: list[_Block], labels: Iterable[int]) -> int:
    """What is read after jumps to labels."""
    read = 0
    for label in labels:
        read |= blocks[-1 - label].label
    return read
