"""What a module and an instance take of memory, in bytes."""

import ctypes
from collections.abc import Iterator

from wasmote.api.heap import heap
from wasmote.api.instance import Instance
from wasmote.api.layouts import (
    FunctionLayout,
    GlobalLayout,
    InstanceLayout,
    MemoryLayout,
    ModuleLayout,
    PoolLayout,
    TableLayout,
    addresses,
    items,
)
from wasmote.api.lifetime import owner_layout
from wasmote.api.module import Module
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import Record

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.compiled import CompiledCode

_side_table_size, _classic_frame, _fast_frame = (
    BINDING.python_function(name, ctypes.c_uint32, Address, ctypes.c_uint32)
    for name in ("classic_side_table_size", "classic_frame_size", "fast_frame_size")
)
#: The fast interpreter's code consists of units of two bytes.
_UNIT = 2
_ELEMENT = 4


class Extent(Record):
    """A memory or table: bytes in use, and of address space set aside (0: it moves to grow)."""

    __slots__ = __match_args__ = ("index", "used", "reserved", "imported")
    index: int
    used: int
    reserved: int
    imported: bool

    def __init__(self, index: int, used: int, reserved: int, imported: bool) -> None:
        self._set(index, used, reserved, imported)


class FunctionMemory(Record):
    """A function that an engine has prepared: bytes of its code or side table, and of a frame."""

    __slots__ = __match_args__ = ("index", "name", "engine", "code", "frame")
    index: int
    name: str
    engine: str
    code: int
    frame: int

    def __init__(self, index: int, name: str, engine: str, code: int, frame: int) -> None:
        self._set(index, name, engine, code, frame)


class MemoryReport:
    """Bytes that a module and one of its instances take at this moment.

    Of the module, and so shared by its instances: `binary` (`binary_mapped`: it is mapped from its
    file, not read), `structures` made by loading it, `fast_code` (`fast_code_committed` of
    `fast_code_reserved` bytes of address space), `side_tables` of the classic interpreter; those of
    metered instances included. Engines prepare functions when they are first called.

    A compiled module has `native_code` instead, mapped from its image; of that `native_resident`
    bytes are in memory, of which `native_private` are this process's alone: none, as the code is
    never written (as far as the system tells).

    Of the instance: `memories` and `tables` as `Extent`s, `globals`, and `stack`, the space for the
    values of one call. `functions` are those that engines have prepared, largest frame first. The
    heap of structures and arrays is that of the process: `heap_used` of at most `heap_limit` bytes.
    """

    def __init__(self, instance: Instance) -> None:
        module, layout = instance.module, _instance_layout(instance)
        self.binary = len(module._binary)
        self.binary_mapped = not isinstance(module._binary, bytes)
        self.structures = self.fast_code = self.fast_code_committed = 0
        self.fast_code_reserved = self.side_tables = 0
        self.native_code = self.native_resident = self.native_private = 0
        self.functions: list[FunctionMemory] = []
        for part in _modules(module):
            self._add_module(module, part)
        self.functions.sort(key=lambda each: (-each.frame, each.index))
        counts = module._layout
        self.memories = tuple(_memories(layout, counts))
        self.tables = tuple(_tables(layout, counts))
        own_globals = counts.global_count - counts.imported_globals
        self.globals = own_globals * ctypes.sizeof(GlobalLayout)
        pool = owner_layout(instance._owner).pool
        self.stack = int(PoolLayout.from_address(pool).stack_size)
        self.heap_used, self.heap_limit = heap.size, heap.limit
        code = module._running_code()
        if code is not None:
            self._add_native(code)

    def _add_native(self, code: "CompiledCode") -> None:
        from wasmote.host.mappings import usage

        pages = usage(code.image.address)
        self.native_code = code.image.size
        self.native_resident = pages.get("Rss", 0)
        self.native_private = pages.get("Anonymous", 0)

    def _add_module(self, module: Module, part: ctypes.Structure) -> None:
        functions = list(_prepared(module, part))
        side_tables = sum(each.code for each in functions if each.engine == "classic")
        self.functions += functions
        self.side_tables += side_tables
        self.structures += part.arena_bytes - side_tables
        self.fast_code += part.code_used * _UNIT
        self.fast_code_committed += part.code_committed
        self.fast_code_reserved += part.code_reserved if part.code else 0

    @property
    def largest_frame(self) -> FunctionMemory | None:
        """Of the functions that engines have prepared, the one whose frame takes most."""
        return self.functions[0] if self.functions else None

    def to_dict(self, verbose: bool = True) -> dict[str, object]:
        """The report as plain values, for JSON; `verbose`: with all functions."""
        plain: dict[str, object] = {
            name: [_plain(each) for each in value] if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if name != "functions"
        }
        plain["largest_frame"] = self.largest_frame and _plain(self.largest_frame)
        if verbose:
            plain["functions"] = [_plain(each) for each in self.functions]
        return plain

    def lines(self, verbose: bool = False) -> Iterator[str]:
        """The report as text; `verbose`: with all functions."""
        how = "mapped" if self.binary_mapped else "in memory"
        yield f"binary, {how:14} {self.binary:14,}"
        yield f"module's structures    {self.structures:14,}"
        if self.native_code:
            pages = f"resident {self.native_resident:,}, private {self.native_private:,}"
            yield f"native code, mapped    {self.native_code:14,}  {pages}"
        room = f"committed {self.fast_code_committed:,}, reserved {self.fast_code_reserved:,}"
        yield f"fast code              {self.fast_code:14,}  {room}"
        yield f"side tables            {self.side_tables:14,}"
        for kind, extents in (("memory", self.memories), ("table", self.tables)):
            for each in extents:
                imported = ", imported" if each.imported else ""
                title = f"{kind} {each.index}"
                yield f"{title:22} {each.used:14,}  reserved {each.reserved:,}{imported}"
        yield f"globals                {self.globals:14,}"
        yield f"stack of each call     {self.stack:14,}"
        yield f"heap of the process    {self.heap_used:14,}  limit {self.heap_limit:,}"
        largest = self.largest_frame
        if largest is not None:
            yield f"largest frame          {largest.frame:14,}  {largest.name}"
        if verbose:
            yield "  frame    code  engine   function"
            for made in self.functions:
                yield f"{made.frame:7,} {made.code:7,}  {made.engine:8} {made.name}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def memory_report(instance: Instance) -> MemoryReport:
    """What an instance and its module take of memory now, see `MemoryReport`."""
    return MemoryReport(instance)


def _plain(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__match_args__}


def _instance_layout(instance: Instance) -> ctypes.Structure:
    return InstanceLayout.from_address(owner_layout(instance._owner).resource)


def _modules(module: Module) -> Iterator[ctypes.Structure]:
    """The module, and its metered twin."""
    yield module._layout
    if module._layout.twin:
        yield ModuleLayout.from_address(module._layout.twin)


def _prepared(module: Module, part: ctypes.Structure) -> Iterator[FunctionMemory]:
    """The functions that the engines have made something of."""
    address = ctypes.addressof(part)
    functions = items(FunctionLayout, part.functions, part.function_count)
    starts = sorted(each.code for each in functions if each.code)
    ends = dict(zip(starts, [*starts[1:], part.code_used], strict=True)) if starts else {}
    for index, each in enumerate(functions):
        if each.code:
            size = (ends[each.code] - each.code) * _UNIT
            frame = _fast_frame(address, index)
            yield FunctionMemory(index, module.function_name(index), "fast", size, frame)
        if each.side_table:
            size, frame = _side_table_size(address, index), _classic_frame(address, index)
            yield FunctionMemory(index, module.function_name(index), "classic", size, frame)


def _memories(layout: ctypes.Structure, counts: ctypes.Structure) -> Iterator[Extent]:
    for index, address in enumerate(addresses(layout.memories, counts.memory_count)):
        memory = MemoryLayout.from_address(address)
        yield Extent(index, memory.size, memory.reserved, index < counts.imported_memories)


def _tables(layout: ctypes.Structure, counts: ctypes.Structure) -> Iterator[Extent]:
    for index, address in enumerate(addresses(layout.tables, counts.table_count)):
        table = TableLayout.from_address(address)
        size = table.capacity * _ELEMENT
        yield Extent(index, size, table.reserved, index < counts.imported_tables)
