"""RISC-V: an address is 20 upper bits, relative to that instruction, and 12 lower ones, whose
relocation refers to the place of the upper ones.
"""

import struct
from collections.abc import Sequence

from ..format import ImageError
from .relocation import Relocation, put, signed, word

BRANCH, JAL, CALL, CALL_PLT, PCREL_HI20, PCREL_LO12_I, PCREL_LO12_S = 16, 17, 18, 19, 23, 24, 25
ADD8, ADD16, ADD32, ADD64, SUB8, SUB16, SUB32, SUB64 = range(33, 41)
RVC_BRANCH, RVC_JUMP, RELAX, PCREL_32 = 44, 45, 51, 57
_WIDTHS = {
    ADD8: "B", ADD16: "H", ADD32: "I", ADD64: "Q", SUB8: "B", SUB16: "H", SUB32: "I", SUB64: "Q",
}  # fmt: skip


def settle(code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]) -> None:
    upper = {r.place: r for r in relocations if r.kind == PCREL_HI20}
    for r in relocations:
        addend = r.addend or 0
        distance = r.target + addend - r.place
        if r.kind in (CALL, CALL_PLT):
            r.fit(distance + 0x800, 32)
            put(code, r.place, word(code, r.place) & 0xFFF | distance + 0x800 & 0xFFFFF000)
            lower = word(code, r.place + 4) & 0xFFFFF
            put(code, r.place + 4, lower | (distance & 0xFFF) << 20)
        elif r.kind == PCREL_HI20:
            r.fit(distance + 0x800, 32)
            put(code, r.place, word(code, r.place) & 0xFFF | distance + 0x800 & 0xFFFFF000)
        elif r.kind in (PCREL_LO12_I, PCREL_LO12_S):
            _lower(code, r, upper)
        elif r.kind in _WIDTHS:
            _difference(code, r, r.target + addend)
        elif r.kind == JAL:
            put(code, r.place, word(code, r.place) & 0xFFF | _jal(r.fit(distance, 20, 2)))
        elif r.kind == BRANCH:
            put(code, r.place, word(code, r.place) & 0x1FFF07F | _branch(r.fit(distance, 12, 2)))
        elif r.kind == PCREL_32:
            put(code, r.place, r.fit(distance, 32))
        elif r.kind != RELAX:
            raise r.refused()


def _lower(code: bytearray, r: Relocation, upper: dict[int, Relocation]) -> None:
    """The lower bits of the address whose upper ones are at the place that `r` refers to."""
    first = upper.get(r.target)
    if first is None:
        raise ImageError(f"the lower half of an address at {r.place} has no upper half")
    low = first.target + (first.addend or 0) - first.place & 0xFFF
    if r.kind == PCREL_LO12_I:
        put(code, r.place, word(code, r.place) & 0xFFFFF | low << 20)
    else:
        instruction = word(code, r.place) & 0x1FFF07F
        put(code, r.place, instruction | low >> 5 << 25 | (low & 31) << 7)


def _difference(code: bytearray, r: Relocation, value: int) -> None:
    """Two relocations of one place: a number that is added to it and one that is subtracted."""
    letter = _WIDTHS[r.kind]
    (found,) = struct.unpack_from(f"<{letter}", code, r.place)
    found += value if r.kind < SUB8 else -value
    struct.pack_into(f"<{letter}", code, r.place, found & (1 << 8 * struct.calcsize(letter)) - 1)


def _jal(n: int) -> int:
    """A jump's distance in units of 2 bytes, as the instruction has it."""
    return (n >> 19) << 31 | (n & 0x3FF) << 21 | (n >> 10 & 1) << 20 | (n >> 11 & 0xFF) << 12


def _branch(n: int) -> int:
    """Likewise of a conditional branch."""
    return (n >> 11) << 31 | (n >> 4 & 0x3F) << 25 | (n & 15) << 8 | (n >> 10 & 1) << 7


__all__ = ["settle", "signed"]
