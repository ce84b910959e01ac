"""The machines nativepy compiles for."""

import os
import sys


class Target:
    """A machine: LLVM's names for it and what the core may use there.

    `pointer` is the size of an address in bytes. With `tail_calls`, interpreter handlers chain by
    guaranteed tail calls in the preserve_none convention; else they are one switch. `machine` is
    the ELF machine number, `abi` LLVM's name of the calling convention where there are several.
    """

    __slots__ = (
        "name", "triple", "cpu", "features", "pointer", "tail_calls", "machine", "abi", "big_endian"
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        triple: str,
        cpu: str,
        features: str,
        pointer: int,
        tail_calls: bool,
        machine: int,
        abi: str = "",
        big_endian: bool = False,
    ) -> None:
        self.name, self.triple, self.cpu, self.features = name, triple, cpu, features
        self.pointer, self.tail_calls, self.machine = pointer, tail_calls, machine
        self.abi, self.big_endian = abi, big_endian

    @property
    def hosted(self) -> bool:
        """Whether there is a binding to CPython on that machine."""
        return self.name in HOSTED

    @property
    def external(self) -> bool:
        """Whether only LLVM's own `llc` makes code for it (see `llc`)."""
        return self.triple.startswith("xtensa")

    def __repr__(self) -> str:
        return f"<target {self.name}: {self.triple} {self.cpu} {self.features} {self.abi}>"


#: Without a global offset table that reaches everything, see `image.relocations.mips`; and right
#: whether the machine has 32 registers for floats of 64 bits, or uses two of 32 bits for one.
MIPS = "+xgot,+fpxx,+nooddspreg"
#: Targets with guard pages, signals and CPython: those that wheels are made for.
HOSTED = ("x86_64-linux", "aarch64-linux")
TARGETS = {
    t.name: t
    for t in (
        # SSE4.1 rounds floats in one instruction; every 64-bit PC since 2009 has it.
        Target("x86_64-linux", "x86_64-unknown-linux-gnu", "x86-64-v2", "", 8, True, 62),
        Target("aarch64-linux", "aarch64-unknown-linux-gnu", "generic", "", 8, True, 183),
        # Frame pointers are what backtraces are read from; without SSE2 floats have 80 bits.
        Target("i386-linux", "i386-unknown-linux-gnu", "pentium4", "", 4, False, 3),
        Target("riscv64-linux", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c", 8,
               False, 243, "lp64d"),
        Target("armv7", "armv7-unknown-none-eabi", "generic", "+vfp3,+neon", 4, False, 40),
        Target("thumbv6m", "thumbv6m-none-eabi", "cortex-m0", "", 4, False, 40),
        Target("thumbv7em", "thumbv7em-none-eabihf", "cortex-m7", "", 4, False, 40),
        Target("riscv32", "riscv32-unknown-none-elf", "generic-rv32", "+m,+a,+f,+d,+c", 4, False,
               243, "ilp32d"),
        Target("mipsel-linux", "mipsel-unknown-linux-gnu", "mips32r2", MIPS, 4, False, 8),
        Target("mips-linux", "mips-unknown-linux-gnu", "mips32r2", MIPS, 4, False, 8, "", True),
        Target("xtensa", "xtensa-unknown-none-elf", "generic", "", 4, False, 94),
    )
}  # fmt: skip


def host_target() -> Target:
    """The target of the machine this runs on; `LookupError` where there is none yet."""
    machine = os.uname().machine if hasattr(os, "uname") else "unknown"
    name = f"{machine.lower()}-{sys.platform}".replace("amd64", "x86_64").replace(
        "arm64", "aarch64"
    )
    if name not in HOSTED:
        raise LookupError(f"no target for this machine ({name}); there are: {', '.join(HOSTED)}")
    return TARGETS[name]
