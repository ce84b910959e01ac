"""Makes an image from one LLVM object file: lays out its sections and settles its relocations.

Everything is relative within the image, so nothing is left to do when it is mapped. Used when
building only; reads ELF with pyelftools.
"""

import io
import struct
from collections.abc import Callable
from typing import Any

from wasmote.nativepy.targets import Target

from .format import Image, ImageError

#: Sections that make up an image; unwind tables and debug information stay in the object.
KEPT = (".text", ".rodata", ".data.rel.ro")
#: Flags of sections (ELF: SHF_WRITE, SHF_ALLOC).
WRITABLE, LOADED = 1, 2


def read_elf(object_file: bytes) -> Any:
    """pyelftools' view of an object."""
    from elftools.elf.elffile import ELFFile

    return ELFFile(io.BytesIO(object_file))


def place_sections(elf: Any) -> tuple[bytearray, dict[int, int]]:
    """The sections of an image one after the other, and where each is, by its index."""
    code, addresses = bytearray(), {}
    for index, section in enumerate(elf.iter_sections()):
        if section["sh_flags"] & WRITABLE and section["sh_size"]:
            raise ImageError(f"section {section.name} is writable: an image has no data of its own")
        if section.name.startswith(KEPT) and section["sh_flags"] & LOADED and section["sh_size"]:
            align = max(section["sh_addralign"], 16)
            code.extend(b"\0" * (-len(code) % align))
            addresses[index] = len(code)
            code.extend(section.data())
    return code, addresses


def link(object_file: bytes, target: Target) -> Image:
    """The image of an object whose code is position-independent and self-contained."""
    elf = read_elf(object_file)
    code, addresses = place_sections(elf)
    symbols = elf.get_section_by_name(".symtab")
    apply = RELOCATIONS[target.machine]
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_RELA" and section["sh_info"] in addresses:
            base = addresses[section["sh_info"]]
            for relocation in section.iter_relocations():
                symbol = symbols.get_symbol(relocation["r_info_sym"])
                where = symbol["st_shndx"]
                if where not in addresses:
                    raise ImageError(f"{symbol.name or where} is not defined in the image")
                value = addresses[where] + symbol["st_value"] + relocation["r_addend"]
                apply(code, base + relocation["r_offset"], value, relocation["r_info_type"])
    exported = {
        s.name: addresses[s["st_shndx"]] + s["st_value"]
        for s in symbols.iter_symbols()
        if s["st_info"]["bind"] == "STB_GLOBAL" and s["st_shndx"] in addresses
    }
    return Image(target.name, exported, bytes(code))


def _x86_64(code: bytearray, place: int, value: int, kind: int) -> None:
    if kind not in (2, 4):  # PC32, PLT32
        raise ImageError(f"relocation {kind} is not relative to the code")
    struct.pack_into("<i", code, place, value - place)


def _aarch64(code: bytearray, place: int, value: int, kind: int) -> None:
    word = struct.unpack_from("<I", code, place)[0]
    scaled = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}  # ADD and LDST<n>_ABS_LO12_NC
    if kind == 275:  # ADR_PREL_PG_HI21
        pages = (value >> 12) - (place >> 12)
        word |= (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    elif kind in scaled:
        word |= (value & 0xFFF) >> scaled[kind] << 10
    elif kind in (282, 283):  # JUMP26, CALL26
        word |= (value - place) >> 2 & 0x3FFFFFF
    elif kind == 261:  # PREL32
        word = value - place & 0xFFFFFFFF
    elif kind == 274:  # ADR_PREL_LO21
        word |= (value - place & 3) << 29 | (value - place >> 2 & 0x7FFFF) << 5
    elif kind in (273, 280):  # LD_PREL_LO19, CONDBR19
        word |= (value - place >> 2 & 0x7FFFF) << 5
    else:
        raise ImageError(f"relocation {kind} is not relative to the code")
    struct.pack_into("<I", code, place, word)


RELOCATIONS: dict[int, Callable[[bytearray, int, int, int], None]] = {62: _x86_64, 183: _aarch64}
