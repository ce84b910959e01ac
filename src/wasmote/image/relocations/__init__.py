"""Settles the relocations of each machine's code, when an image is made.

Each machine has a function `settle(code, relocations, functions)`. It writes relative addresses
and refuses, with ImageError, whatever could only hold an absolute one: so nothing is left to do
when an image is mapped, and it can lie anywhere. `functions` has the offsets where functions begin.
"""

from collections.abc import Callable, Sequence

from ..elf import AARCH64, ARM, I386, MIPS, RISCV, X86_64, XTENSA
from . import aarch64, arm, mips, riscv, x86, xtensa
from .relocation import Relocation

Settle = Callable[[bytearray, Sequence[Relocation], Sequence[int]], None]

#: By e_machine and byte order of data.
SETTLE: dict[tuple[int, str], Settle] = {
    (X86_64, "<"): x86.settle_64,
    (I386, "<"): x86.settle_32,
    (AARCH64, "<"): aarch64.settle_little,
    (AARCH64, ">"): aarch64.settle_big,
    (ARM, "<"): arm.settle,
    (RISCV, "<"): riscv.settle,
    (MIPS, "<"): mips.settle_little,
    (MIPS, ">"): mips.settle_big,
    (XTENSA, "<"): xtensa.settle,
}
#: What code refers to that an image has no need of: each machine's way to find its own address.
OWN_ADDRESS = ("_GLOBAL_OFFSET_TABLE_", "_gp_disp")

__all__ = ["OWN_ADDRESS", "SETTLE", "Relocation", "Settle"]
