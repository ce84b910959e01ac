"""ARM and Thumb. Their addends are in the code."""

import struct
from collections.abc import Sequence

from .relocation import Relocation, put, signed, word

REL32, BASE_PREL, PREL31, V4BX = 3, 25, 42, 40
CALL, JUMP24, PLT32 = 28, 29, 27
THM_CALL, THM_JUMP24, THM_JUMP19, THM_JUMP11, THM_JUMP8 = 10, 30, 51, 102, 103
MOVW_PREL_NC, MOVT_PREL, THM_MOVW_PREL_NC, THM_MOVT_PREL = 45, 46, 49, 50
GOTOFF32 = 24


def settle(code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]) -> None:
    for r in relocations:
        if r.kind == REL32:
            put(code, r.place, r.target + word(code, r.place) - r.place)
        elif r.kind in (CALL, JUMP24, PLT32):
            _branch(code, r)
        elif r.kind in (THM_CALL, THM_JUMP24):
            _thumb_branch(code, r)
        elif r.kind in (MOVW_PREL_NC, MOVT_PREL):
            _move(code, r)
        elif r.kind in (THM_MOVW_PREL_NC, THM_MOVT_PREL):
            _thumb_move(code, r)
        elif r.kind == BASE_PREL:  # the address of `_GLOBAL_OFFSET_TABLE_`: the code's start
            put(code, r.place, word(code, r.place) - r.place)
        elif r.kind == GOTOFF32:
            put(code, r.place, r.target + word(code, r.place))
        elif r.kind != V4BX:
            raise r.refused()


def _branch(code: bytearray, r: Relocation) -> None:
    instruction = word(code, r.place)
    distance = r.target + (signed(instruction & 0xFFFFFF, 24) << 2) - r.place
    put(code, r.place, instruction & 0xFF000000 | r.fit(distance, 24, 4))


def _thumb_branch(code: bytearray, r: Relocation) -> None:
    """BL, B.W: 24 bits of halfwords, the two uppermost but the sign's stored as J1 and J2."""
    first, second = struct.unpack_from("<HH", code, r.place)
    sign = first >> 10 & 1
    i1, i2 = (~(second >> shift ^ sign) & 1 for shift in (13, 11))
    n = sign << 23 | i1 << 22 | i2 << 21 | (first & 0x3FF) << 11 | second & 0x7FF
    # Bit 0 of a target only says that it is Thumb code, which all of this code is.
    n = r.fit((r.target & ~1) + 2 * signed(n, 24) - r.place, 24, 2)
    sign = n >> 23
    j1, j2 = (~(n >> shift ^ sign) & 1 for shift in (22, 21))
    struct.pack_into(
        "<HH",
        code,
        r.place,
        first & 0xF800 | sign << 10 | n >> 11 & 0x3FF,
        second & 0xD000 | j1 << 13 | j2 << 11 | n & 0x7FF,
    )


def _move(code: bytearray, r: Relocation) -> None:
    """MOVW and MOVT: 16 bits, four of them apart."""
    instruction = word(code, r.place)
    addend = signed(instruction >> 4 & 0xF000 | instruction & 0xFFF, 16)
    value = r.target + addend - r.place >> (16 if r.kind == MOVT_PREL else 0) & 0xFFFF
    put(code, r.place, instruction & 0xFFF0F000 | (value & 0xF000) << 4 | value & 0xFFF)


def _thumb_move(code: bytearray, r: Relocation) -> None:
    first, second = struct.unpack_from("<HH", code, r.place)
    addend = (first & 15) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    value = r.target + signed(addend, 16) - r.place
    value = value >> (16 if r.kind == THM_MOVT_PREL else 0) & 0xFFFF
    struct.pack_into(
        "<HH",
        code,
        r.place,
        first & 0xFBF0 | value >> 12 | (value >> 11 & 1) << 10,
        second & 0x8F00 | (value >> 8 & 7) << 12 | value & 0xFF,
    )
