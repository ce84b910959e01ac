"""The names of machines that modules can be compiled for: those of WAMR's compiler, and triples.

Nothing here loads LLVM.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from wasmote.errors import CompileError
from wasmote.image.elf import AARCH64, ARM, I386, MIPS, RISCV, X86_64, XTENSA
from wasmote.nativepy import llc
from wasmote.nativepy.targets import MIPS as MIPS_FEATURES
from wasmote.nativepy.targets import TARGETS, Target, host_target

#: Versions of the architectures. An M after the digit is a microcontroller, which has Thumb code
#: only: `arm` and `thumb` mean the same there, as for C compilers.
_ARM = ("v4", "v4t", "v5t", "v5te", "v5tej", "v6", "v6k", "v6kz", "v6t2", "v7", "v8a", "v8r")
_THUMB = _ARM[1:]
_MICRO = ("v6m", "v6sm", "v7m", "v7em", "v8m.base", "v8m.main", "v8.1m.main")
_AARCH64 = ("v8", "v8.1", "v8.2", "v8.3", "v8.4", "v8.5")
_ARM_ABIS = ("eabi", "eabihf", "gnueabi", "gnueabihf", "gnu")


@dataclass(frozen=True, slots=True)
class Family:
    """Machines that differ in their version only. The first of the ABIs is the usual one."""

    machine: int
    pointer: int
    abis: tuple[str, ...]
    about: str


_FAMILIES = {
    "x86_64": Family(X86_64, 8, ("gnu",), "PCs and servers: Linux"),
    "i386": Family(I386, 4, ("gnu",), "PCs of 32 bits, with SSE2: Linux"),
    "aarch64": Family(AARCH64, 8, ("gnu",), "ARM of 64 bits: Linux"),
    "arm": Family(ARM, 4, _ARM_ABIS, "ARM code"),
    "thumb": Family(ARM, 4, _ARM_ABIS, "Thumb code"),
    "riscv32": Family(RISCV, 4, ("ilp32d", "ilp32", "ilp32f"), "RISC-V of 32 bits"),
    "riscv64": Family(RISCV, 8, ("lp64d", "lp64", "lp64f"), "RISC-V of 64 bits: Linux"),
    "mips": Family(MIPS, 4, ("gnu",), "MIPS of 32 bits, big-endian, before release 6: Linux"),
    "xtensa": Family(XTENSA, 4, ("call0",), "Xtensa without register windows, by LLVM's llc"),
    "mipsel": Family(MIPS, 4, ("gnu",), "MIPS of 32 bits, before release 6: Linux"),
}
#: What WAMR's names without a version mean.
_BARE = {"arm": "armv4", "thumb": "thumbv4t", "aarch64": "aarch64v8"}
#: Other spellings, in triples mostly.
_ALIASES = {
    "amd64": "x86_64", "i486": "i386", "i586": "i386", "i686": "i386", "arm64": "aarch64",
    "armv7a": "armv7", "armv7l": "armv7", "thumbv7a": "thumbv7", "armv6l": "armv6",
    "riscv32imac": "riscv32", "riscv32imc": "riscv32", "riscv64gc": "riscv64",
}  # fmt: skip


def machine_names() -> Iterator[str]:
    """Every name of a machine that this installation makes code for, WAMR's spelling."""
    yield from ("x86_64", "i386")
    yield from (f"aarch64{version}" for version in _AARCH64)
    yield from (f"arm{version}" for version in _ARM)
    yield from (f"thumb{version}" for version in (*_THUMB, *_MICRO))
    yield from ("riscv32", "riscv64", "mips", "mipsel")
    if llc.is_installed():
        yield "xtensa"


def abis(name: str) -> tuple[str, ...]:
    """The ABIs of a machine by its name or alias, the usual one first."""
    return _FAMILIES[_family(name)].abis


def abis_of(name: str | None) -> tuple[str, ...]:
    """The ABIs of what a target is named after, or of this machine. Raises CompileError."""
    return abis(target_named(name).triple.partition("-")[0])


def about(name: str) -> str:
    """What a machine is, in a few words."""
    text = _FAMILIES[_family(name)].about
    if name.startswith("thumb") and name[5:] in _MICRO:
        cores = {
            "v6m": "Cortex-M0, M0+, M1", "v6sm": "Cortex-M0, M0+, M1", "v7m": "Cortex-M3",
            "v7em": "Cortex-M4, M7", "v8m.base": "Cortex-M23", "v8m.main": "Cortex-M33, M35P",
            "v8.1m.main": "Cortex-M52, M55, M85",
        }  # fmt: skip
        return f"{text}: {cores[name[5:]]}"
    return text


def target_named(name: str | None, abi: str = "") -> Target:
    """The target of a name, with an ABI if it is not to be the usual one; None is this machine.

    A name with a hyphen is a triple. Raises CompileError for what there is not.
    """
    if not name:
        try:
            return _checked_abi(host_target(), "x86_64", abi)
        except LookupError as error:
            raise CompileError(f"{error}; name one with --target") from None
    if name in TARGETS and not abi and TARGETS[name].hosted:
        return TARGETS[name]
    first, hyphen, system = name.partition("-")
    plain = _ALIASES.get(first, first)
    plain = _BARE.get(plain, plain)
    if plain.startswith("arm") and plain[3:] in _MICRO:
        plain = f"thumb{plain[3:]}"
    if plain == "xtensa":
        try:
            llc.find()
        except llc.ToolError as error:
            raise CompileError(str(error)) from None
    if plain not in set(machine_names()):
        raise CompileError(f"no code for {name}; --target=help lists what there is code for")
    if hyphen and name in (f"{plain}-linux",):
        hyphen = ""
    return _target(plain, f"{first}-{system}" if hyphen else "", abi)


def _checked_abi(target: Target, plain: str, abi: str) -> Target:
    if abi and abi not in abis(plain):
        raise CompileError(
            f"no ABI {abi!r} for {plain}; there is {', '.join(abis(plain))} (--target-abi=help)"
        )
    return target


def _family(name: str) -> str:
    """Of a machine's name."""
    plain = _ALIASES.get(name, name)
    return max((name for name in _FAMILIES if plain.startswith(name)), key=len)


def _target(plain: str, triple: str, abi: str) -> Target:
    """LLVM's words for a machine."""
    key = _family(plain)
    family = _FAMILIES[key]
    environment = triple.rpartition("-")[2]
    usual = environment if environment in family.abis else family.abis[0]
    target = Target(
        name=_image_name(plain, key),
        triple=triple or _triple(plain, key, abi or usual),
        cpu=_CPUS.get(plain, _CPUS.get(key, "generic")),
        features=_features(plain, key),
        pointer=family.pointer,
        tail_calls=False,
        machine=family.machine,
        abi=(abi or usual) if key.startswith("riscv") else "",
        big_endian=key == "mips",
    )
    return _checked_abi(target, plain, abi)


#: Processors that have what everyone of their kind has.
_CPUS = {
    "x86_64": "x86-64-v2", "i386": "pentium4", "riscv32": "generic-rv32", "riscv64": "generic-rv64",
    "mips": "mips32r2", "mipsel": "mips32r2",
}  # fmt: skip


def _image_name(plain: str, key: str) -> str:
    """What an image and the runtime that loads it call the machine."""
    if key in ("arm", "thumb", "riscv32", "xtensa"):
        return plain
    return f"{key}-linux"


def _triple(plain: str, key: str, abi: str) -> str:
    if key in ("arm", "thumb"):
        return f"{plain}-unknown-{'linux' if abi.startswith('gnu') else 'none'}-{abi}"
    if key in ("riscv32", "xtensa"):
        return f"{key}-unknown-none-elf"
    return f"{key}-unknown-linux-gnu"


def _features(plain: str, key: str) -> str:
    if key.startswith("riscv"):
        return "+m,+a,+f,+d,+c"
    if key in ("mips", "mipsel"):
        return MIPS_FEATURES
    version = plain.removeprefix(key)
    return f"+{version}a" if key.startswith("aarch64") and version != "v8" else ""
