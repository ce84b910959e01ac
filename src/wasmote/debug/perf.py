"""What perf reads: `/tmp/perf-PID.map`, names by addresses, and `jit-PID.dump`, the code itself.

The map serves `perf report` and `perf top` at once. With the dump, `perf inject --jit` makes an
object file of each function, so that `perf annotate` shows instructions and source lines.

Layouts: tools/perf/Documentation/jit-interface.txt and jitdump-specification.txt of Linux.
"""

import ctypes
import mmap
import os
import struct
import threading
import time

from wasmote.api import compiled
from wasmote.api.module import Module
from wasmote.debug.functions import Described, NativeFunction
from wasmote.image import loader
from wasmote.nativepy.targets import host_target

#: Where perf looks, whatever the system's folder for temporary files is.
_MAP = "/tmp/perf-{}.map"
_MAGIC, _VERSION = 0x4A695444, 1
_HEADER = struct.Struct("<IIIIIIQQ")
_PREFIX = struct.Struct("<IIQ")
_LOAD = struct.Struct("<IIQQQQ")
_LINES = struct.Struct("<QQ")
_LINE = struct.Struct("<QiI")
_CODE_LOAD, _DEBUG_INFO = 0, 2


class Perf:
    """Writes both files. Raises OSError for those that cannot be made."""

    def __init__(self, folder: str = ".") -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._count = 0
        self.map_path = _MAP.format(self.pid)
        # Others may write there, too: Python does with -X perf.
        self._map = _opened(self.map_path, os.O_APPEND)
        self.dump_path = os.path.join(folder, f"jit-{self.pid}.dump")
        self._dump = _opened(self.dump_path, os.O_TRUNC)
        machine = host_target().machine
        header = _HEADER.pack(_MAGIC, _VERSION, _HEADER.size, machine, 0, self.pid, _now(), 0)
        os.write(self._dump, header)
        # That it is mapped with permission to execute tells `perf record` of the file.
        protection = loader.PROT_READ | loader.PROT_EXEC
        loader.libc().mmap(None, mmap.PAGESIZE, protection, loader.MAP_PRIVATE, self._dump, 0)

    def add(self, module: Module) -> None:
        """Write a module's functions."""
        functions = Described(module).functions
        lines = "".join(
            f"{each.address:x} {each.size:x} {_symbol(each)}\n" for each in functions if each.size
        )
        with self._lock:
            os.write(self._map, lines.encode())
            for each in functions:
                os.write(self._dump, self._records(each))

    def _records(self, function: NativeFunction) -> bytes:
        """The lines of a function, then its code."""
        lines = b"".join(
            _LINE.pack(address, line.line & 0x7FFF_FFFF, 0) + line.file.encode() + b"\0"
            for address, line in function.lines
            if line.line
        )
        count = sum(1 for _, line in function.lines if line.line)
        records = b""
        if count:
            body = _LINES.pack(function.address, count) + lines
            body += b"\0" * (-len(body) % 8)
            records = _PREFIX.pack(_DEBUG_INFO, _PREFIX.size + len(body), _now()) + body
        self._count += 1
        thread = threading.get_native_id()
        body = _LOAD.pack(
            self.pid, thread, function.address, function.address, function.size, self._count
        )
        body += _symbol(function).encode() + b"\0"
        body += ctypes.string_at(function.address, function.size)
        return records + _PREFIX.pack(_CODE_LOAD, _PREFIX.size + len(body), _now()) + body


def _opened(path: str, how: int) -> int:
    """A file of this user's, made if need be; never one that another name leads to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags | how, 0o600)


def _now() -> int:
    """Nanoseconds of the clock that `perf record -k mono` uses."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def _symbol(function: NativeFunction) -> str:
    return function.name.replace("\n", " ").replace("\0", " ")


_perf: Perf | None = None


def enable(folder: str = ".") -> Perf:
    """Write both files from now on, the dump in that folder; modules that are loaded already are
    not in them. Raises OSError.
    """
    global _perf
    if _perf is None or _perf.pid != os.getpid():
        _perf = Perf(folder)
        # perf takes no names from a map for code that comes from a file.
        loader.IN_PLACE = False
        compiled.LISTENERS.append(_perf.add)
    return _perf
