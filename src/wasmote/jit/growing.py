"""Compiled code that comes in parts, while the module runs. `wasmote.compile.parts` makes them, and
says what is where.
"""

import ctypes
import mmap
from bisect import bisect_right

from wasmote.aot.structs import CodeLayout
from wasmote.api.compiled import CompiledCode, code_signals
from wasmote.core.structs import NONE
from wasmote.image.loader import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    libc,
)
from wasmote.nativepy import mirror

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wasmote.aot.places import Piece, Place, Places

_MAP_NORESERVE = 0x4000
#: Bytes of a stub, and where in it is what others jump to.
_STUB, _ENTRY = 24, 17


class Room:
    """Address space for the parts. In the place of a `LoadedImage`: `size` is what is in use."""

    def __init__(self, size: int) -> None:
        how = MAP_PRIVATE | MAP_ANONYMOUS | _MAP_NORESERVE
        address = libc().mmap(None, size, 0, how, -1, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise MemoryError("no address space for compiled code")
        self.address: int = address
        self.reserved, self.size = size, 0
        self.symbols: dict[str, int] = {}

    def open(self, end: int) -> None:
        """Let the room up to an offset be written."""
        self._protect(0, end, PROT_READ | PROT_WRITE)

    def put(self, start: int, code: memoryview) -> None:
        """Place code, on pages that nothing else is on. Raises MemoryError."""
        self._protect(start, len(code), PROT_READ | PROT_WRITE)
        ctypes.memmove(self.address + start, bytes(code), len(code))
        self._protect(start, len(code), PROT_READ | PROT_EXEC)
        self.size = max(self.size, start + len(code))

    def _protect(self, start: int, size: int, how: int) -> None:
        if start + size > self.reserved or start % mmap.PAGESIZE:
            raise MemoryError("a part of the compiled code does not fit")
        if libc().mprotect(self.address + start, size, how) != 0:
            raise MemoryError("no memory for compiled code")

    def unmap(self) -> None:
        """Give the address space back. Nothing of it may be called any more."""
        libc().munmap(self.address, self.reserved)


class GrowingCode(CompiledCode):
    """The code of a module of which more and more is compiled.

    `layout` is what the compiler says with the first part, `functions` how many the module has of
    its own, `first` the index of the first of them; those that are not `chosen` stay in the
    interpreter. Raises MemoryError, ImageError for code of another version.
    """

    def __init__(
        self,
        layout: "dict[str, Any]",
        first: int,
        functions: int,
        chosen: "Callable[[int], bool] | None",
    ) -> None:
        from wasmote.api.compiled import check, facts

        self._first, self._chosen = first, chosen
        self._dwarf = None
        self._tables: list[tuple[int, Places]] = []
        known = facts(memoryview(layout["facts"].encode()))
        check("the compiled code", known)
        self.image: Any = Room(layout["size"])
        self._mapped = True
        self.image.open(layout["stubs"])
        base = self.image.address
        self._functions = (ctypes.c_uint32 * (2 * functions)).from_address(base)
        self._addresses = (ctypes.c_uint64 * functions).from_address(base + layout["addresses"])
        self._loops = base + layout["loops"]
        stubs, end = layout["stubs"], layout["stubs"] + _STUB * functions
        self._functions[0::2] = range(stubs + _ENTRY, end, _STUB)  # type: ignore[call-overload]
        self._addresses[:] = range(base + stubs, base + end, _STUB)  # type: ignore[call-overload]
        self._write_loop((layout["enter_loop"], NONE))
        self.layout = mirror(CodeLayout)(code=base, functions=0)
        for name in ("enter", "entered", "entries", "loops"):
            setattr(self.layout, name, layout[name])
        self.use_facts(known)
        self._range = code_signals().add(
            base,
            self.image.reserved,
            entered=base + layout["entered"],
            trap=base + layout["trap"],
            functions=base,
            function_count=functions,
            counting=base + layout["counting"] if self.layout.watched else 0,
        )

    @property
    def functions(self) -> int:
        """The address of the table of functions: offsets and sizes."""
        address: int = self.image.address
        return address

    def add(self, part: "dict[str, Any]", data: bytes) -> None:
        """Place a part, and let its functions be called. Raises MemoryError."""
        from wasmote.aot.places import Places

        whole, start, base = memoryview(data), part["start"], self.image.address
        self.image.put(start, whole[: part["code"]])
        if len(data) > part["code"]:
            self._tables.append((start, Places(bytes(whole[part["code"] :]))))
        for number, address, size in part["functions"]:
            if self._chosen is None or self._chosen(self._first + number):
                self._addresses[number] = base + address
                self._functions[2 * number] = address  # first: whoever sees a size uses it
                self._functions[2 * number + 1] = size
        self._add_loops([tuple(loop) for loop in part["loops"]])

    def _add_loops(self, loops: "list[tuple[int, ...]]") -> None:
        """Those of one function come together; the end of the list moves first."""
        if not loops:
            return
        end = self._loops + 4
        self._loops += 16 * len(loops)
        ctypes.c_uint32.from_address(self._loops + 4).value = NONE
        for i, loop in enumerate(loops):
            for j, value in enumerate(loop[1:], 1):
                ctypes.c_uint32.from_address(end + 16 * i + 4 * j).value = value
        for i, loop in reversed(list(enumerate(loops))):
            ctypes.c_uint32.from_address(end + 16 * i).value = loop[0]

    def _write_loop(self, numbers: "tuple[int, int]") -> None:
        for i, number in enumerate(numbers):
            ctypes.c_uint32.from_address(self._loops + 4 * i).value = number

    def places(self) -> "Places | None":
        """What can be known of all parts that there are."""
        return _Tables(sorted(self._tables, key=lambda table: table[0]))  # type: ignore[return-value]


class _Tables:
    """In the place of one table of places: those of all parts, by where the parts begin."""

    def __init__(self, tables: "list[tuple[int, Places]]") -> None:
        self._tables = [table for _, table in tables]
        self._starts = [start for start, _ in tables]

    def _table(self, address: int) -> "Places | None":
        i = bisect_right(self._starts, address) - 1
        return self._tables[i] if i >= 0 else None

    def at(self, address: int) -> "tuple[Place, ...]":
        """As `Places.at`."""
        table = self._table(address)
        return table.at(address) if table else ()

    def is_start(self, address: int) -> bool:
        """As `Places.is_start`."""
        table = self._table(address)
        return table is not None and table.is_start(address)

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def piece(self, number: int) -> "Piece":
        """As `Places.piece`."""
        for table in self._tables:
            if number < len(table):
                return table.piece(number)
            number -= len(table)
        raise IndexError(number)
