"""AArch64. Instructions are little-endian in either byte order."""

from collections.abc import Sequence

from .relocation import Relocation, put, word

#: ADD and LDST<n>_ABS_LO12_NC: the logarithm of what the instruction counts in.
SCALED = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}
PREL32, LD_PREL_LO19, ADR_PREL_LO21, ADR_PREL_PG_HI21 = 261, 273, 274, 275
TSTBR14, CONDBR19, JUMP26, CALL26 = 279, 280, 282, 283


def settle_little(
    code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]
) -> None:
    for r in relocations:
        _settle(code, r, "<")


def settle_big(
    code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]
) -> None:
    for r in relocations:
        _settle(code, r, ">")


def _settle(code: bytearray, r: Relocation, order: str) -> None:
    value = r.target + (r.addend or 0)
    distance = value - r.place
    if r.kind == PREL32:
        put(code, r.place, r.fit(distance, 32), order)
        return
    instruction = word(code, r.place)
    if r.kind == ADR_PREL_PG_HI21:
        pages = r.fit((value >> 12) - (r.place >> 12), 21)
        instruction |= (pages & 3) << 29 | (pages >> 2) << 5
    elif r.kind in SCALED:
        instruction |= (value & 0xFFF) >> SCALED[r.kind] << 10
    elif r.kind in (JUMP26, CALL26):
        instruction |= r.fit(distance, 26, 4)
    elif r.kind == ADR_PREL_LO21:
        distance = r.fit(distance, 21)
        instruction |= (distance & 3) << 29 | (distance >> 2) << 5
    elif r.kind in (LD_PREL_LO19, CONDBR19):
        instruction |= r.fit(distance, 19, 4) << 5
    elif r.kind == TSTBR14:
        instruction |= r.fit(distance, 14, 4) << 5
    else:
        raise r.refused()
    put(code, r.place, instruction)
