"""The machines nativepy compiles for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A machine: LLVM's names for it and what the core may use there."""

    name: str
    triple: str
    cpu: str
    features: str
    pointer: int  # bytes of an address
    #: Interpreter handlers chain by guaranteed tail calls in the preserve_none convention; else one switch.
    tail_calls: bool
    #: 128-bit vector registers that also hold scalars of floating point.
    vectors: bool
    #: ELF machine number.
    machine: int


TARGETS = {
    t.name: t
    for t in (
        # SSE4.1 rounds floats in one instruction; every 64-bit PC since 2009 has it.
        Target("x86_64-linux", "x86_64-unknown-linux-gnu", "x86-64-v2", "", 8, True, True, 62),
        Target("aarch64-linux", "aarch64-unknown-linux-gnu", "generic", "", 8, True, True, 183),
        Target("thumbv7em", "thumbv7em-none-eabihf", "cortex-m7", "", 4, False, False, 40),
        Target("riscv32", "riscv32-unknown-none-elf", "generic-rv32", "+m,+a,+f,+d,+c", 4, False, False, 243),
    )
}


def host_target() -> Target:
    """The target of the machine this runs on; `LookupError` where there is none yet."""
    import platform
    import sys

    name = f"{platform.machine().lower()}-{sys.platform}".replace("amd64", "x86_64").replace("arm64", "aarch64")
    if name not in TARGETS:
        raise LookupError(f"no target for this machine ({name}); there are: {', '.join(TARGETS)}")
    return TARGETS[name]
