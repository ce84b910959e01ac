"""Makes functions of the core known to the dynamic linker, under their names in C.

Libraries that are made for WAMR leave `wasm_runtime_…` undefined. A small shared library, written
here and loaded from memory, defines these names: each is a jump through a table with the addresses.
"""

import ctypes
import os
import struct
from collections.abc import Mapping

from wasmote.image.elf import AARCH64, X86_64

_PAGE = 65536  # the largest there is on machines that are hosted
_SYMBOL = struct.Struct("<IBBHQQ")
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_JUMP_SIZE = 16
#: Types of segments, and their flags.
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_EXECUTE, _WRITE, _READ = 1, 2, 4
#: Tags of the dynamic section.
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 4, 5, 6, 10, 11
#: The name of the table.
TABLE = "wasmote_c_runtime_table"


def define(addresses: Mapping[str, int], machine: int) -> ctypes.CDLL:
    """Define names for all libraries that are loaded from now on; they must stay valid.

    `machine` is ELF's number of the host's. Raises OSError if the system does not allow it.
    """
    handle = os.memfd_create("wasmote-runtime")
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(shared_library(list(addresses), machine))
        library = ctypes.CDLL(f"/proc/self/fd/{handle}", mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    finally:
        os.close(handle)
    table = (ctypes.c_uint64 * len(addresses)).in_dll(library, TABLE)
    table[:] = list(addresses.values())
    return library


def shared_library(names: list[str], machine: int) -> bytes:
    """An ELF file with a function for each name, and their table."""
    headers = _HEADER.size + 4 * _SEGMENT.size
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in (*names, TABLE))
    count = len(names) + 2  # with the null symbol and the table
    hash_at = _aligned(headers)
    symbols_at = _aligned(hash_at + 4 * (3 + count))
    strings_at = symbols_at + count * _SYMBOL.size
    code_at = _aligned(strings_at + len(strings))
    end = code_at + _JUMP_SIZE * len(names)
    data_at = -(-end // _PAGE) * _PAGE
    dynamic = b"".join(
        struct.pack("<QQ", *entry)
        for entry in (
            (_DT_HASH, hash_at),
            (_DT_STRTAB, strings_at),
            (_DT_SYMTAB, symbols_at),
            (_DT_STRSZ, len(strings)),
            (_DT_SYMENT, _SYMBOL.size),
            (0, 0),
        )
    )
    table_at = data_at + len(dynamic)
    size = len(dynamic) + 8 * len(names)
    parts = {
        0: _head(machine),
        _HEADER.size: _segments(end, data_at, size, len(dynamic)),
        hash_at: _hash_table(count),
        symbols_at: _symbols(names, code_at, table_at),
        strings_at: strings,
        code_at: b"".join(
            _jump(machine, code_at + _JUMP_SIZE * i, table_at + 8 * i) for i in range(len(names))
        ),
        data_at: dynamic,
    }
    file = bytearray(data_at + size)
    for at, part in parts.items():
        file[at : at + len(part)] = part
    return bytes(file)


def _aligned(offset: int) -> int:
    return -(-offset // 16) * 16


def _head(machine: int) -> bytes:
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    return _HEADER.pack(
        identity, 3, machine, 1, 0, _HEADER.size, 0, 0, _HEADER.size, _SEGMENT.size, 4, 64, 0, 0
    )


def _segments(end: int, data: int, size: int, dynamic: int) -> bytes:
    """Code and names, the table with the dynamic section, and that nobody executes the stack."""
    return b"".join(
        _SEGMENT.pack(kind, flags, at, at, at, length, length, align)
        for kind, flags, at, length, align in (
            (_LOAD, _READ | _EXECUTE, 0, end, _PAGE),
            (_LOAD, _READ | _WRITE, data, size, _PAGE),
            (_DYNAMIC, _READ | _WRITE, data, dynamic, 8),
            (_STACK, _READ | _WRITE, 0, 0, 16),
        )
    )


def _hash_table(count: int) -> bytes:
    """One chain of all symbols: 1, 2, …, and 0 at its end."""
    chain = [0, *range(2, count), 0]
    return struct.pack(f"<{3 + count}I", 1, count, 1, *chain)


def _symbols(names: list[str], code: int, table: int) -> bytes:
    """Global functions, and a global object."""
    made = [_SYMBOL.pack(0, 0, 0, 0, 0, 0)]
    name_at = 1
    for i, name in enumerate(names):
        made.append(_SYMBOL.pack(name_at, 0x12, 0, 1, code + _JUMP_SIZE * i, _JUMP_SIZE))
        name_at += len(name) + 1
    made.append(_SYMBOL.pack(name_at, 0x11, 0, 1, table, 8 * len(names)))
    return b"".join(made)


def _jump(machine: int, at: int, entry: int) -> bytes:
    """A jump to the address that is at `entry`."""
    if machine == X86_64:  # jmp *entry(%rip)
        return struct.pack("<HI", 0x25FF, (entry - at - 6) & 0xFFFF_FFFF).ljust(_JUMP_SIZE, b"\xcc")
    if machine != AARCH64:
        raise OSError(f"no jumps are known for machine {machine}")
    pages = (entry >> 12) - (at >> 12)
    adrp = 0x9000_0010 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    load = 0xF940_0210 | (entry & 0xFFF) >> 3 << 10  # ldr x16, [x16, #low]
    return struct.pack("<4I", adrp, load, 0xD61F_0200, 0xD503_201F)  # br x16; nop
