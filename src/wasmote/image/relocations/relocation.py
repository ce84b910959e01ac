"""What a relocation says, and how its value is fitted into bits."""

import struct
from dataclasses import dataclass

from ..format import ImageError


@dataclass(slots=True)
class Relocation:
    """A place in the code that depends on where something else is.

    `place` and `target` are offsets in the code; with `addend` None, that is in the place.
    """

    place: int
    kind: int
    target: int
    addend: int | None
    symbol: str

    def refused(self) -> ImageError:
        """The error of a kind that code at any address cannot have."""
        return ImageError(
            f"relocation {self.kind} of {self.symbol or 'a section'} is not relative to the code"
        )

    def fit(self, value: int, bits: int, unit: int = 1) -> int:
        """A signed number of `unit`s, as so many bits. Raises ImageError if it does not fit."""
        if value % unit or not -(1 << bits - 1) <= value // unit < 1 << bits - 1:
            raise ImageError(
                f"the code is too large for this machine: {self.symbol or 'a place'} is "
                f"{value} bytes away, more than a branch or load reaches"
            )
        return value // unit & (1 << bits) - 1


def word(code: bytearray, place: int, order: str = "<") -> int:
    """The 32 bits at a place."""
    found: int = struct.unpack_from(f"{order}I", code, place)[0]
    return found


def put(code: bytearray, place: int, value: int, order: str = "<") -> None:
    """Store 32 bits, modulo their range."""
    struct.pack_into(f"{order}I", code, place, value & 0xFFFF_FFFF)


def signed(value: int, bits: int) -> int:
    """A number from two's complement."""
    return value - (1 << bits) if value >> bits - 1 & 1 else value
