"""MIPS, compiled for position-independent code with a large global offset table (feature xgot).

The instructions find addresses in such a table, relative to `$gp`, which each function computes
from its own address. An image has no table, as addresses are not known in it: so that what loads an
address from the table becomes an addition of the distance from `$gp`, in as many instructions.
Constants and jump tables have one instruction for that, which reaches 32 KiB, and one with another
16 bits that uses the result; so each function has a `$gp` of its own, amid what it refers to.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from ..format import ImageError
from .relocation import Relocation, put, signed, word

HI16, LO16, GOT16, PC16, CALL16, GPREL32 = 5, 6, 9, 10, 11, 12
GOT_HI16, GOT_LO16, CALL_HI16, CALL_LO16, PC32, JALR = 22, 23, 30, 31, 248, 37
_ADDIU = 0x24000000
#: As far as constants may be from `$gp` to be reached from there at once, and via another step.
_NEAR, _STEP = 0x7F00, 0x7FFF
#: Bytes of the largest constant that is loaded in parts.
_LARGEST = 64


def settle_little(
    code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]
) -> None:
    _Settler(code, relocations, functions, "<").settle()


def settle_big(
    code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]
) -> None:
    _Settler(code, relocations, functions, ">").settle()


class _Settler:
    def __init__(
        self,
        code: bytearray,
        relocations: Sequence[Relocation],
        functions: Sequence[int],
        order: str,
    ) -> None:
        self.code, self.order, self.functions = code, order, functions
        self.relocations = relocations  # an upper half's lower half is the next in their order
        self.targets = {id(r): r.target + self.addend(i) for i, r in enumerate(self.relocations)}
        self.used: dict[int, list[int]] = defaultdict(list)  # targets of GOT16 by function
        self.gp = self.choose()

    def word(self, place: int) -> int:
        return word(self.code, place, self.order)

    def function(self, place: int) -> int:
        """The function that a place is in."""
        return self.functions[bisect_right(self.functions, place) - 1]

    def addend(self, i: int) -> int:
        """What the code holds; of upper halves it is continued in the next lower half."""
        r = self.relocations[i]
        value = self.word(r.place)
        if r.kind in (GPREL32, PC32):
            return signed(value, 32)
        if r.kind == PC16:
            return signed(value & 0xFFFF, 16) << 2
        if r.kind not in (HI16, LO16, GOT16):
            return 0
        low = signed(value & 0xFFFF, 16)
        if r.kind == LO16:
            return low
        for later in self.relocations[i + 1 :]:
            if later.kind == LO16 and later.symbol == r.symbol and later.target == r.target:
                return (low << 16) + signed(self.word(later.place) & 0xFFFF, 16)
        raise ImageError(f"the upper half of an address at {r.place} has no lower half")

    def choose(self) -> dict[int, int]:
        """`$gp` of each function: the middle of the constants that it uses."""
        for r in self.relocations:
            if r.kind == GOT16:
                self.used[self.function(r.place)].append(self.targets[id(r)])
        for found in self.used.values():
            found.sort()
        return {f: (found[0] + found[-1]) // 2 & ~15 for f, found in self.used.items()}

    def step(self, r: Relocation, function: int, gp: int) -> int:
        """What is added to `$gp` on the way to a constant, before the lower half is. Parts of a
        constant are reached from its start.
        """
        used, target = self.used[function], self.targets[id(r)]
        if not used:
            raise r.refused()
        if abs(used[0] - gp) <= _NEAR and abs(used[-1] - gp) <= _NEAR:
            return 0
        place = bisect_right(used, target)
        if not place or target - used[place - 1] > _LARGEST:
            raise r.refused()
        distance = used[place - 1] - gp
        return 0 if abs(distance) <= _NEAR else _STEP if distance > 0 else -_STEP

    def settle(self) -> None:
        for r in self.relocations:
            function = self.function(r.place)
            gp = self.gp.get(function, function)
            target = self.targets[id(r)]
            if r.kind in (HI16, LO16) and r.symbol == "_gp_disp":
                self.half(r, gp - function, upper=r.kind == HI16)
            elif r.kind in (GOT_HI16, CALL_HI16):
                self.half(r, target - gp, upper=True)
            elif r.kind in (GOT_LO16, CALL_LO16):
                self.add(r, signed(target - gp & 0xFFFF, 16))
            elif r.kind == GOT16:
                self.add(r, self.step(r, function, gp))
            elif r.kind == LO16:
                self.low(r, r.fit(target - gp - self.step(r, function, gp), 16))
            elif r.kind == GPREL32:
                owner = self.function(target)
                put(self.code, r.place, target - self.gp.get(owner, owner), self.order)
            elif r.kind == PC16:
                self.low(r, r.fit(target - r.place, 16, 4))
            elif r.kind == PC32:
                put(self.code, r.place, target - r.place, self.order)
            elif r.kind != JALR:  # a hint
                raise r.refused()

    def low(self, r: Relocation, bits: int) -> None:
        """Set an instruction's lower half."""
        put(self.code, r.place, self.word(r.place) & 0xFFFF0000 | bits, self.order)

    def half(self, r: Relocation, value: int, upper: bool) -> None:
        self.low(r, value + 0x8000 >> 16 & 0xFFFF if upper else value & 0xFFFF)

    def add(self, r: Relocation, value: int) -> None:
        """A load of an address, `lw a, …(b)`, becomes `addiu a, b, value`."""
        registers = self.word(r.place) & 0x03FF0000
        put(self.code, r.place, _ADDIU | registers | r.fit(value, 16), self.order)
