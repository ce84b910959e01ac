"""A shared library with gdb's interface for compilers: a function to stop at, and a structure.

gdb looks for both by their names, in the program and in its libraries. Nobody here has a linker, so
the library is written by hand, into memory that has a path for the dynamic linker and for gdb.

Source: the GDB manual, JIT Compilation Interface.
"""

import ctypes
import os
import struct

from wasmote.debug.elf import (
    ALLOC,
    DYNAMIC,
    DYNSYM,
    EXECUTE,
    FUNCTION,
    GLOBAL,
    HASH,
    OBJECT,
    PROGBITS,
    STRTAB,
    SYMBOL,
    WRITE,
    Section,
    Segment,
    Strings,
    write,
)
from wasmote.nativepy.targets import host_target

REGISTER, DESCRIPTOR = "__jit_debug_register_code", "__jit_debug_descriptor"
#: Instructions that return, by machine.
_RETURN = {62: b"\xc3", 183: b"\xc0\x03\x5f\xd6"}
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_PAGE = 4096
#: Bytes of the structure: version, action, the entry in question, the first entry.
SIZE = 24


def library(machine: int) -> bytes:
    """The library's file."""
    names = Strings()
    symbols = bytes(SYMBOL.size)
    text, data = 0x400, _PAGE
    symbols += SYMBOL.pack(names.add(REGISTER), GLOBAL | FUNCTION, 0, 4, text, 16)
    symbols += SYMBOL.pack(names.add(DESCRIPTOR), GLOBAL | OBJECT, 0, 5, data, SIZE)
    own_name = names.add("libwasmote-gdb.so")
    # One bucket: the first symbol, then the second.
    hashes = struct.pack("<6I", 1, 3, 1, 0, 2, 0)
    dynsym, dynstr, hash_ = 0x180, 0x200, 0x300
    entries = [(4, hash_), (5, dynstr), (6, dynsym), (10, len(names.data)), (11, SYMBOL.size)]
    entries += [(14, own_name), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    read = ALLOC
    sections = [
        Section(".dynsym", DYNSYM, symbols, read, dynsym, link=2, info=1, entry=24, offset=dynsym),
        Section(".dynstr", STRTAB, bytes(names.data), read, dynstr, offset=dynstr),
        Section(".hash", HASH, hashes, read, hash_, link=1, entry=4, offset=hash_),
        Section(
            ".text", PROGBITS, _RETURN[machine].ljust(16, b"\0"), read | EXECUTE, text, offset=text
        ),
        Section(
            ".data", PROGBITS, struct.pack("<IIQQ", 1, 0, 0, 0), read | WRITE, data, offset=data
        ),
        Section(
            ".dynamic", DYNAMIC, dynamic, read | WRITE, data + 64, link=2, entry=16,
            offset=data + 64,
        ),
    ]  # fmt: skip
    segments = (
        Segment(_LOAD, 5, 0, text + 16),
        Segment(_LOAD, 6, data, 64 + len(dynamic)),
        Segment(_DYNAMIC, 6, data + 64, len(dynamic)),
        Segment(_STACK, 6, 0, 0),
    )
    return write(machine, sections, segments)


def load() -> ctypes.CDLL:
    """The library in this process. Raises OSError."""
    file = os.memfd_create("wasmote-gdb")  # stays open: gdb may read it any time
    os.write(file, library(host_target().machine))
    return ctypes.CDLL(f"/proc/{os.getpid()}/fd/{file}")
