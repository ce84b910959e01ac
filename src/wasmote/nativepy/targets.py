"""The machines nativepy compiles for."""

import os
import sys


class Target:
    """A machine: LLVM's names for it and what the core may use there.

    `pointer` is the size of an address in bytes. With `tail_calls`, interpreter handlers chain by
    guaranteed tail calls in the preserve_none convention; else they are one switch. `machine` is
    the ELF machine number.
    """

    __slots__ = ("name", "triple", "cpu", "features", "pointer", "tail_calls", "machine")

    def __init__(
        self,
        name: str,
        triple: str,
        cpu: str,
        features: str,
        pointer: int,
        tail_calls: bool,
        machine: int,
    ) -> None:
        self.name, self.triple, self.cpu, self.features = name, triple, cpu, features
        self.pointer, self.tail_calls, self.machine = pointer, tail_calls, machine

    def __repr__(self) -> str:
        return f"<target {self.name}: {self.triple} {self.cpu} {self.features}>"


TARGETS = {
    t.name: t
    for t in (
        # SSE4.1 rounds floats in one instruction; every 64-bit PC since 2009 has it.
        Target("x86_64-linux", "x86_64-unknown-linux-gnu", "x86-64-v2", "", 8, True, 62),
        Target("aarch64-linux", "aarch64-unknown-linux-gnu", "generic", "", 8, True, 183),
        Target("thumbv7em", "thumbv7em-none-eabihf", "cortex-m7", "", 4, False, 40),
        Target(
            "riscv32", "riscv32-unknown-none-elf", "generic-rv32", "+m,+a,+f,+d,+c", 4, False, 243
        ),
    )
}


def host_target() -> Target:
    """The target of the machine this runs on; `LookupError` where there is none yet."""
    machine = os.uname().machine if hasattr(os, "uname") else "unknown"
    name = f"{machine.lower()}-{sys.platform}".replace("amd64", "x86_64").replace(
        "arm64", "aarch64"
    )
    if name not in TARGETS:
        raise LookupError(f"no target for this machine ({name}); there are: {', '.join(TARGETS)}")
    return TARGETS[name]
