"""Debug information of an object file, with addresses as they are in the image."""

from collections.abc import Mapping

from wasmote.image.elf import REL, RELA, Object

#: Relocations that put an address into data: how many bytes, by machine and kind.
_ABSOLUTE = {
    3: {1: 4},  # i386
    40: {2: 4},  # Arm
    62: {1: 8, 10: 4},  # x86-64
    183: {257: 8, 258: 4},  # AArch64
    243: {1: 4, 2: 8},  # RISC-V
}


def debug_sections(obj: Object, addresses: Mapping[int, int], machine: int) -> dict[str, bytes]:
    """The sections `.debug_…` of an object whose sections of code are at `addresses`.

    Empty if the object has none, or where relocations are of a kind that is not known: then there
    is less to be seen, but nothing wrong.
    """
    found = {
        index: bytearray(section.data)
        for index, section in enumerate(obj.sections)
        if section.name.startswith(".debug_") and section.type not in (RELA, REL)
    }
    sizes = _ABSOLUTE.get(machine, {})
    for section in obj.sections:
        if section.type not in (RELA, REL) or section.info not in found:
            continue
        data = found[section.info]
        for offset, kind, number, addend in obj.relocations(section):
            if kind not in sizes:
                return {}
            symbol = obj.symbols[number]
            size = sizes[kind]
            if addend is None:
                addend = int.from_bytes(data[offset : offset + size], "little")
            value = addresses.get(symbol.section, 0) + symbol.value + addend
            data[offset : offset + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return {obj.sections[index].name: bytes(data) for index, data in found.items()}
