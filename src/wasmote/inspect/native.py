"""Machine code as text. Needs the package `capstone` (the extra `disassemble`)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from wasmote.aot.places import Place, Places
from wasmote.errors import WasmoteError
from wasmote.inspect.image import Code, ImageInfo

#: Where a jump or call goes, at the end of an instruction's operands.
_PLACE = re.compile(r"(?:^|[ #])0x([0-9a-f]+)$")
#: Mnemonics of jumps and calls start so, on any of the machines.
_JUMPS = ("j", "call", "b", "c.j", "c.b", "tail")


@dataclass(slots=True)
class NativeLine:
    """An instruction: its offset in the code, its bytes in hexadecimal, its text, and what it
    calls or jumps to if that is a function.

    `origin` is where in the module it comes from, if that is known and another place than that of
    the instruction before: function, and offset in the module's binary. Functions that it was
    inlined in follow.
    """

    offset: int
    bytes: str
    text: str = ""
    target: str = ""
    origin: list[str] = field(default_factory=list)


def disassemble_code(info: ImageInfo, code: Code) -> Iterator[NativeLine]:
    """The instructions of a function. Raises WasmoteError for a machine that capstone does not
    know, ImportError without capstone.
    """
    machine = _machine(info.target)
    starts = {each.offset: each.name for each in info.symbols}
    starts |= {each.offset: each.name for each in info.functions if each.size}
    raw = info.code[code.offset : code.offset + code.size]
    origin_of = _origins(info)
    last: tuple[Place, ...] = ()
    for address, size, mnemonic, operands in machine.disasm_lite(raw, code.offset):
        found = _PLACE.search(operands) if mnemonic.startswith(_JUMPS) else None
        place = int(found[1], 16) if found else -1
        own = code.offset <= place < code.offset + code.size and place != code.offset
        line = NativeLine(address, raw[address - code.offset :][:size].hex())
        line.text = f"{mnemonic} {operands}".rstrip()
        line.target = "" if own else starts.get(place, "")
        origin = origin_of(address)
        if origin != last:
            line.origin = [_shown(info, *each) for each in origin]
        last = origin
        yield line


def _origins(info: ImageInfo) -> Callable[[int], tuple[Place, ...]]:
    """What finds the places in the module that code comes from."""
    part = next((each for each in info.parts if each.name == "places"), None)
    if part is None:
        return lambda address: ()
    try:
        return Places(info.binary[part.offset : part.offset + part.size]).at
    except ValueError as error:
        raise WasmoteError(str(error)) from None


def _shown(info: ImageInfo, function: int, offset: int) -> str:
    name = info.module.function_title(function) if info.module else str(function)
    return f"{name} {offset:#x}"


def _machine(target: str) -> Any:
    """capstone's disassembler for a target of that name."""
    try:
        import capstone as cs
    except ModuleNotFoundError:
        raise ImportError(
            "disassembling machine code needs the package capstone: "
            "pip install 'wasmote[disassemble]'"
        ) from None
    # The first that fits; the rest of a name says more than a disassembler needs to know.
    machines = (
        ("x86_64", cs.CS_ARCH_X86, cs.CS_MODE_64),
        ("i.86", cs.CS_ARCH_X86, cs.CS_MODE_32),
        # Its instructions are little-endian, whatever its data are.
        ("aarch64", cs.CS_ARCH_ARM64, cs.CS_MODE_LITTLE_ENDIAN),
        ("thumbv(6-?s?m|[78].*m)", cs.CS_ARCH_ARM, cs.CS_MODE_THUMB | cs.CS_MODE_MCLASS),
        ("thumb", cs.CS_ARCH_ARM, cs.CS_MODE_THUMB),
        ("arm", cs.CS_ARCH_ARM, cs.CS_MODE_ARM),
        ("riscv32", cs.CS_ARCH_RISCV, cs.CS_MODE_RISCV32 | cs.CS_MODE_RISCVC),
        ("riscv64", cs.CS_ARCH_RISCV, cs.CS_MODE_RISCV64 | cs.CS_MODE_RISCVC),
        ("mips(el|32el)", cs.CS_ARCH_MIPS, cs.CS_MODE_MIPS32 | cs.CS_MODE_LITTLE_ENDIAN),
        ("mips", cs.CS_ARCH_MIPS, cs.CS_MODE_MIPS32 | cs.CS_MODE_BIG_ENDIAN),
    )
    for pattern, arch, mode in machines:
        if re.match(pattern, target):
            machine = cs.Cs(arch, mode)
            machine.skipdata = True  # what it does not know are bytes
            return machine
    raise WasmoteError(f"no disassembler for {target}")
