"""Xtensa: rewrites the object files of LLVM's `llc` so that their code can lie anywhere.

A constant of more than 12 bits is a *literal*, which an instruction (`l32r`) loads from a place
before it. LLVM loads the addresses of functions like that, and calls them through a register.
`prepare`

- gives each section of code its literals, at its start: LLVM 22 has them behind the one before;
- finds the calls of functions whose address is such a literal, and makes direct calls of them,
  which are relative to where they are.

Where else code needs to know where something is, it adds its distance from the code's start to
that start: a symbol's name behind `OFFSET` stands for that distance. Any other use of an address is
refused, but in code for one fixed place (`base`).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..elf import REL, RELA, Object, Section
from ..format import ImageError
from . import xtensa_code as machine
from .relocation import Relocation, put

ABSOLUTE, LOAD, PCREL = 1, 20, 14
#: Calls as `prepare` leaves them; no kind of ELF's.
CALL = 255
OFFSET = "offset."
_ENTRY = struct.Struct("<IIi")


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant of 32 bits: the address of a symbol, by its number, and what is added to that."""

    symbol: int  # 0: none
    value: int


def prepare(obj: Object, fixed: bool) -> None:
    """Rewrite an object's sections of code, their symbols and relocations. `fixed`: addresses are
    known, so calls may stay as they are. Raises ImageError.
    """
    _Preparer(obj, fixed).run()


class _Preparer:
    def __init__(self, obj: Object, fixed: bool) -> None:
        self.obj, self.fixed = obj, fixed
        self.tables = {s.info: i for i, s in enumerate(obj.sections) if s.type in (RELA, REL)}
        self.relocations = {
            index: obj.relocations(obj.sections[table]) for index, table in self.tables.items()
        }
        self.at = {
            (index, offset): (number, addend or 0)
            for index, found in self.relocations.items()
            for offset, kind, number, addend in found
            if kind == ABSOLUTE
        }

    def run(self) -> None:
        originals = {i: bytes(s.data) for i, s in enumerate(self.obj.sections)}
        code = [i for i, s in enumerate(self.obj.sections) if s.name.startswith(".text")]
        made = {index: self.rewrite(index, originals) for index in code}
        for symbol in self.obj.symbols:
            symbol.value += made[symbol.section][0] if symbol.section in made else 0
        for index, (_, data, entries) in made.items():
            section = self.obj.sections[index]
            section.data, section.size, section.align = memoryview(data), len(data), 16
            table = self.tables.get(index)
            if table is not None:
                replace(self.obj.sections[table], b"".join(_ENTRY.pack(*e) for e in entries))

    def rewrite(
        self, index: int, originals: dict[int, bytes]
    ) -> tuple[int, bytes, list[tuple[int, int, int]]]:
        """Where a section's code begins, its contents, and its relocations."""
        own = [s for s in self.obj.symbols if s.section == index and s.size]
        size = max((s.value + s.size for s in own), default=0)
        code = bytearray(originals[index][:size])
        loads: dict[int, Literal] = {}
        for offset, kind, number, addend in self.relocations.get(index, []):
            if offset < size and kind == LOAD:
                loads[offset] = self.literal(number, addend or 0, originals)
            elif offset < size:
                raise ImageError(f"relocation {kind} within the code of an Xtensa function")
        pool = list(dict.fromkeys(loads.values()))
        start = 4 * len(pool)
        entries = [
            (4 * i, each.symbol << 8 | ABSOLUTE, each.value)
            for i, each in enumerate(pool)
            if each.symbol
        ]
        for offset, literal in loads.items():
            place = start + offset
            distance = 4 * pool.index(literal) - (place + 3 & ~3) >> 2
            if distance < -65536:
                raise ImageError("a function is too large for Xtensa: its constants are too far")
            struct.pack_into("<H", code, offset + 1, distance & 0xFFFF)
        if not self.fixed:
            calls, unused = self.calls(bytes(code), loads)
            entries = [e for e in entries if pool[e[0] // 4] not in unused]
            entries += [(start + at, it.symbol << 8 | CALL, it.value) for at, it in calls.items()]
        data = b"".join(struct.pack("<i", 0 if e.symbol else e.value) for e in pool)
        return start, data + bytes(code), sorted(entries)

    def calls(
        self, code: bytes, loads: dict[int, Literal]
    ) -> tuple[dict[int, Literal], set[Literal]]:
        """Which function each call goes to, and addresses that are loaded for calls only."""
        symbols = self.obj.symbols
        addresses = {
            at: literal
            for at, literal in loads.items()
            if literal.symbol and not symbols[literal.symbol].name.startswith(OFFSET)
        }
        calls, others = machine.calls(code, addresses)
        return calls, set(calls.values()) - {addresses[at] for at in others}

    def literal(self, number: int, addend: int, originals: dict[int, bytes]) -> Literal:
        symbol = self.obj.symbols[number]
        place = symbol.value + addend
        found = self.at.get((symbol.section, place))
        if found:
            return Literal(*found)
        return Literal(0, struct.unpack_from("<i", originals[symbol.section], place)[0])


def replace(section: Section, data: bytes) -> None:
    section.data, section.size = memoryview(data), len(data)


def settle(
    code: bytearray,
    relocations: Sequence[Relocation],
    functions: Sequence[int],
    base: int | None = None,
) -> None:
    """`base` is the address of the code, if it is for one place."""
    for r in relocations:
        target = r.target + (r.addend or 0)
        if r.kind == CALL:
            distance = target - (r.place & ~3) - 4
            call = 5 | r.fit(distance, 18, 4) << 6
            code[r.place : r.place + 3] = call.to_bytes(3, "little")
        elif r.kind == PCREL:
            put(code, r.place, target - r.place)
        elif r.kind == ABSOLUTE and r.symbol.startswith(OFFSET):
            put(code, r.place, target)
        elif r.kind == ABSOLUTE and base is not None:
            put(code, r.place, target + base)
        else:
            raise r.refused()
