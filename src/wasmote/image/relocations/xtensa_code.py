"""Reads Xtensa machine code, as far as it takes to find which function an instruction calls.

They are as in Tensilica's *Xtensa Instruction Set Architecture*: of 24 bits, or 16 if the lowest
hexadecimal digit is above 7; the other digits are called t, s, r, op1 and op2.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ..format import ImageError

T = TypeVar("T")
#: What a register holds where the ways to a place bring different addresses.
_MANY = object()
STACK, FRAME = 1, 15
#: `or a15, a1, a1`: the frame pointer gets its value.
_SETS_FRAME = b"\x10\xf1\x20"
#: Registers that a call leaves as they are.
_KEPT = (1, 12, 13, 14, 15)
_CALL, _JUMP, _BRANCH, _END = "call", "jump", "branch", "end"
#: What registers hold, and places of the frame: the offset of the load of an address, or None.
State = dict[int, object]
#: The number of a frame's first place in a `State`.
_FRAME = 16


class Instruction:
    """One instruction: registers read and written, and what it does to control."""

    __slots__ = ("offset", "size", "reads", "writes", "kind", "register", "target", "moves",
                 "spills", "reloads", "bases")  # fmt: skip

    def __init__(self, code: bytes, offset: int, bases: tuple[int, ...] = (STACK,)) -> None:
        self.offset, self.bases = offset, bases
        self.size = 3 if code[offset] & 8 == 0 else 2
        self.reads: tuple[int, ...] = ()
        self.writes: int | None = None
        self.kind = ""
        self.register = self.target = 0
        self.moves = False
        self.spills: int | None = None  # the place of the frame that a register goes to,
        self.reloads: int | None = None  # or comes from
        number = int.from_bytes(code[offset : offset + self.size], "little")
        digits = [number >> 4 * i & 15 for i in range(6)]
        if self.size == 2:
            self._narrow(number, *digits[:4])
        else:
            self._wide(number, *digits)

    def _frame(self, t: int, s: int, place: int, loads: bool, stores: bool) -> None:
        """Accesses of 4 bytes relative to the stack or frame pointer, which are equal."""
        if s in self.bases and loads:
            self.reloads = place
        elif s in self.bases and stores:
            self.spills, self.register, self.reads = place, t, (s,)

    def _branch(self, distance: int, bits: int) -> None:
        self.kind = _BRANCH
        self.target = self.offset + 4 + _signed(distance, bits)

    def _wide(self, number: int, op0: int, t: int, s: int, r: int, op1: int, op2: int) -> None:
        if op0 == 0:
            self._register(t, s, r, op1, op2)
        elif op0 == 1:
            self.writes = t
        elif op0 == 2:
            stores = r in (4, 5, 6, 15)
            self.reads = () if r == 10 else (s, t) if stores or r == 14 else (s,)
            self.writes = None if stores or r == 7 else t
            self._frame(t, s, 4 * (number >> 16), r == 2, r == 6)
        elif op0 == 3:  # floats
            self.reads, self.writes = (s,), s if r & 8 else None
        elif op0 == 5:
            self.kind = _CALL
        elif op0 == 6:
            self._jump(number, t, s, r)
        elif op0 == 7:
            self.reads = (s,) if r in (6, 7, 14, 15) else (s, t)
            self._branch(number >> 16, 8)
        else:
            raise self.unknown()

    def _jump(self, number: int, t: int, s: int, r: int) -> None:
        if t & 3 == 0:
            self.kind, self.target = _JUMP, self.offset + 4 + _signed(number >> 6, 18)
        elif t & 3 == 1:
            self.reads = (s,)
            self._branch(number >> 12, 12)
        elif t & 3 == 2 or t >> 2 in (2, 3):
            self.reads = (s,)
            self._branch(number >> 16, 8)
        elif t >> 2 == 1 and r in (0, 1):
            self._branch(number >> 16, 8)
        else:
            raise self.unknown()

    def _register(self, t: int, s: int, r: int, op1: int, op2: int) -> None:
        if op1 == op2 == 0:
            if r == 0 and t >> 2 == 2:
                self.kind = _END
            elif r == 0 and t >> 2 == 3:
                self.kind, self.register = _CALL, s
            return
        self.reads, self.writes = (s, t), r
        if op1 == 0 and op2 == 2 and s == t:
            self.moves = True
        elif op1 == 0 and op2 == 4:
            self.reads, self.writes = (s,), t if r in (14, 15) else None
            if r == 4:
                self.reads = ()
        elif (op1 == 0 and op2 == 6) or (op1 == 1 and op2 in (2, 3, 4, 9, 11)) or op1 in (4, 5):
            self.reads = (t,)  # neg, srai, srli, srl, sra, extui
        elif op1 == 1 and op2 in (0, 1, 10):
            self.reads = (s,)
        elif op1 == 3:
            self._special(t, s, r, op2)
        elif op1 == 2 and op2 < 8 or op1 in (10, 11):  # truth values, floats
            self.reads = (s,) if op1 == 10 and op2 in (12, 13, 15) else ()
            self.writes = r if op1 == 10 else None

    def _special(self, t: int, s: int, r: int, op2: int) -> None:
        if op2 == 0:
            self.reads, self.writes = (), t
        elif op2 in (1, 15):
            self.reads, self.writes = (t,), None
        elif op2 in (2, 3):
            self.reads = (s,)
        elif op2 == 14:
            self.reads = ()

    def _narrow(self, number: int, op0: int, t: int, s: int, r: int) -> None:
        if op0 == 8:
            self.reads, self.writes = (s,), t
            self._frame(t, s, 4 * r, True, False)
        elif op0 == 9:
            self.reads = (s, t)
            self._frame(t, s, 4 * r, False, True)
        elif op0 == 10:
            self.reads, self.writes = (s, t), r
        elif op0 == 11:
            self.reads, self.writes = (s,), r
        elif op0 == 12 and t < 8:
            self.writes = s
        elif op0 == 12:
            self.reads, self.kind = (s,), _BRANCH
            self.target = self.offset + 4 + ((t & 3) << 4 | r)
        elif op0 == 13 and r == 0:
            self.reads, self.writes, self.moves = (s,), t, True
        elif op0 == 13 and r == 15:
            self.kind = _END if t < 2 else ""
        else:
            raise self.unknown()

    def unknown(self) -> ImageError:
        return ImageError(f"an Xtensa instruction at {self.offset} is not known")


def calls(code: bytes, addresses: Mapping[int, T]) -> tuple[dict[int, T], set[int]]:
    """Which of the addresses that instructions load, by these instructions' offsets, each call goes
    to, by the call's offset; and the loads of those that something else is done with as well.

    Raises ImageError for a call that goes to one of several.
    """
    if not addresses:
        return {}, set()
    instructions = _read(code)
    states = _states(instructions, addresses)
    found: dict[int, T] = {}
    others: set[int] = set()
    for offset, state in states.items():
        i = instructions[offset]
        if i.kind == _CALL and i.register:
            load = state.get(i.register)
            if load is _MANY:
                raise ImageError(f"an Xtensa call at {offset} goes to one of several functions")
            if isinstance(load, int):
                found[offset] = addresses[load]
        elif not i.moves:
            others |= {load for r in i.reads if isinstance(load := state.get(r), int)}
            if any(state.get(r) is _MANY for r in i.reads):
                raise ImageError(f"an Xtensa instruction at {offset} uses one of several addresses")
    return found, others


def _read(code: bytes) -> dict[int, Instruction]:
    found, offset = {}, 0
    bases = (STACK, FRAME) if _SETS_FRAME in code else (STACK,)
    while offset + 1 < len(code):
        found[offset] = Instruction(code, offset, bases)
        offset += found[offset].size
    return found


def _states(
    instructions: Mapping[int, Instruction], addresses: Mapping[int, object]
) -> dict[int, State]:
    """What is known before each instruction that control comes to."""
    states: dict[int, State] = {0: {}}
    todo = [0]
    while todo:
        offset = todo.pop()
        i = instructions[offset]
        after = _after(i, states[offset], addresses)
        for following in _successors(i):
            if following not in instructions:
                if i.kind == _CALL:  # of what does not return
                    continue
                raise ImageError(f"an Xtensa jump at {offset} leads out of its function")
            before = states.get(following)
            joined = after if before is None else _joined(before, after, addresses)
            if joined != before:
                states[following] = joined
                todo.append(following)
    return states


def _after(i: Instruction, before: State, addresses: Mapping[int, object]) -> State:
    """What is known after an instruction."""
    if i.kind == _CALL:
        return {n: each for n, each in before.items() if n in _KEPT or n >= _FRAME}
    after = dict(before)
    if i.spills is not None:
        after[_FRAME + i.spills] = before.get(i.register)
    elif i.writes == STACK:
        after = {n: each for n, each in before.items() if n < _FRAME}
    elif i.reloads is not None and i.writes is not None:
        after[i.writes] = before.get(_FRAME + i.reloads)
    elif i.writes is not None:
        after[i.writes] = before.get(i.reads[0]) if i.moves else None
        if i.offset in addresses:
            after[i.writes] = i.offset
    return {n: each for n, each in after.items() if each is not None}


def _joined(a: State, b: State, addresses: Mapping[int, object]) -> State:
    """What holds on both ways: another load of the same address is as good."""
    found: State = {}
    for n in a.keys() | b.keys():
        x, y = a.get(n), b.get(n)
        if isinstance(x, int) and isinstance(y, int) and addresses[x] == addresses[y]:
            found[n] = min(x, y)
        else:
            found[n] = x if x == y else _MANY
    return found


def _successors(i: Instruction) -> Iterable[int]:
    following = i.offset + i.size
    if i.kind == _JUMP:
        return (i.target,)
    if i.kind == _BRANCH:
        return (following, i.target)
    return () if i.kind == _END else (following,)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
