"""x86-64 and i386."""

from collections.abc import Sequence

from .relocation import Relocation, put, signed, word

PC32, PLT32 = 2, 4


def settle_64(code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]) -> None:
    for r in relocations:
        if r.kind not in (PC32, PLT32):
            raise r.refused()
        put(code, r.place, r.fit(r.target + (r.addend or 0) - r.place, 32))


def settle_32(code: bytearray, relocations: Sequence[Relocation], functions: Sequence[int]) -> None:
    """i386 computes one address, that of `_GLOBAL_OFFSET_TABLE_`, and adds distances from there. We
    say that it is the start of the code.
    """
    gotoff, gotpc = 9, 10
    for r in relocations:
        addend = signed(word(code, r.place), 32)
        if r.kind in (PC32, PLT32):
            value = r.target + addend - r.place
        elif r.kind == gotoff:
            value = r.target + addend
        elif r.kind == gotpc:
            value = addend - r.place
        else:
            raise r.refused()
        put(code, r.place, value)
