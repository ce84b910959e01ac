"""Tells gdb of compiled code while it is loaded: names, lines and frames.

gdb stops in a function of its own making whenever a list of object files in memory changes, and one
that is attached later reads the list. So it knows all code of the process, at any time.

Source: the GDB manual, JIT Compilation Interface.
"""

import ctypes
import threading
import weakref

from wasmote.api import compiled
from wasmote.api.module import Module
from wasmote.debug import elf, library
from wasmote.debug.dwarf import describe
from wasmote.debug.functions import Described
from wasmote.nativepy.targets import host_target

_REGISTER, _UNREGISTER = 1, 2


class _Entry(ctypes.Structure):
    """jit_code_entry."""


_Entry._fields_ = [
    ("next", ctypes.POINTER(_Entry)),
    ("previous", ctypes.POINTER(_Entry)),
    ("file", ctypes.c_char_p),
    ("size", ctypes.c_uint64),
]


class _Descriptor(ctypes.Structure):
    """jit_descriptor."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("action", ctypes.c_uint32),
        ("relevant", ctypes.POINTER(_Entry)),
        ("first", ctypes.POINTER(_Entry)),
    )


def object_file(module: Module, address: int | None = None) -> bytes:
    """What gdb reads of a module's compiled code: an ELF file without the code, which it finds in
    the process; `address` is for another process. Raises ValueError for a module that is not
    compiled.
    """
    code = Described(module, address)
    end = code.address + code.size
    sections = [
        elf.Section(".text", elf.NOBITS, b"", elf.ALLOC | elf.EXECUTE, code.address, code.size)
    ]
    debug = describe(f"{module.name or 'module'}.wasm", code.functions, code.address, end)
    sections += [elf.Section(name, elf.PROGBITS, data) for name, data in debug.items()]
    names, symbols = elf.Strings(), bytearray(elf.SYMBOL.size)
    position = code.address
    kind = elf.GLOBAL | elf.FUNCTION
    glue = names.add("wasmote_glue")  # entries, exits, traps
    for each in code.functions:
        if position < each.address:
            symbols += elf.SYMBOL.pack(glue, elf.FUNCTION, 0, 1, position, each.address - position)
        name = names.add(each.name.replace("\0", "?"))
        symbols += elf.SYMBOL.pack(name, kind, 0, 1, each.address, each.size)
        position = each.end
    symbols += elf.SYMBOL.pack(glue, elf.FUNCTION, 0, 1, position, end - position)
    sections.append(
        elf.Section(".symtab", elf.SYMTAB, bytes(symbols), link=len(sections) + 2, info=1, entry=24)
    )
    sections.append(elf.Section(".strtab", elf.STRTAB, bytes(names.data)))
    return elf.write(host_target().machine, sections)


class Gdb:
    """The list of object files that gdb looks at. Raises OSError if it cannot be made."""

    def __init__(self) -> None:
        self._library = library.load()
        self._changed = self._library[library.REGISTER]
        self._changed.argtypes, self._changed.restype = [], None
        self._descriptor = _Descriptor.in_dll(self._library, library.DESCRIPTOR)
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}

    def add(self, module: Module) -> None:
        """Tell of a module's code, until it is unmapped."""
        file = object_file(module)
        entry = _Entry(file=file, size=len(file))
        with self._lock:
            self._entries[ctypes.addressof(entry)] = entry
            first = self._descriptor.first
            entry.next = first
            if first:
                first.contents.previous = ctypes.pointer(entry)
            self._descriptor.first = ctypes.pointer(entry)
            self._tell(entry, _REGISTER)
        weakref.finalize(module._running_code(), self._remove, entry).atexit = False

    def _remove(self, entry: _Entry) -> None:
        with self._lock:
            if entry.previous:
                entry.previous.contents.next = entry.next
            else:
                self._descriptor.first = entry.next
            if entry.next:
                entry.next.contents.previous = entry.previous
            self._tell(entry, _UNREGISTER)
            del self._entries[ctypes.addressof(entry)]

    def _tell(self, entry: _Entry, action: int) -> None:
        self._descriptor.relevant = ctypes.pointer(entry)
        self._descriptor.action = action
        self._changed()
        self._descriptor.action = 0


_gdb: Gdb | None = None


def enable() -> Gdb:
    """Tell gdb of all modules that are loaded from now on. Raises OSError."""
    global _gdb
    if _gdb is None:
        _gdb = Gdb()
        compiled.LISTENERS.append(_gdb.add)
    return _gdb
