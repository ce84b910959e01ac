"""The machines that modules are compiled for: what differs between them beyond LLVM's own doing.

A file for each kind of machine has its `Machine`: how compiled code is entered and left. `names`
has the names that the command takes. How relocations are settled is in `image.relocations`.
"""

from wasmote.compile.machines import aarch64, arm, i386, mips, riscv, x86_64, xtensa
from wasmote.compile.machines.machine import Machine
from wasmote.image.elf import AARCH64, ARM, I386, MIPS, RISCV, X86_64, XTENSA
from wasmote.nativepy.targets import Target

__all__ = ["Machine", "machine_of"]


def machine_of(target: Target) -> Machine:
    """What the compiler has to know of a target's machine."""
    if target.machine == ARM:
        return arm.THUMB if target.triple.startswith("thumb") else arm.ARM
    if target.machine == MIPS:
        return mips.BIG if target.big_endian else mips.LITTLE
    if target.machine == RISCV:
        return riscv.RISCV64 if target.pointer == 8 else riscv.RISCV32
    return {
        X86_64: x86_64.MACHINE,
        I386: i386.MACHINE,
        AARCH64: aarch64.MACHINE,
        XTENSA: xtensa.MACHINE,
    }[target.machine]
