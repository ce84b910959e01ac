"""What the tests of the core runtime share: a platform that watches its caller, modules built by
hand."""

import ctypes
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wasmote.core import (
    const_expr,
    function,
    instantiate,
    memory,
    store,
    structs,
    table,
    type_store,
)
from wasmote.core.status import ExternKind, SegmentMode, ValueType
from wasmote.host import linux, ticks
from wasmote.host.platform import create_platform
from wasmote.image.testing import Library
from wasmote.nativepy import NativeFunction, mirror

I32, I64, F32, F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
V128, FUNCREF, EXTERNREF = ValueType.V128, ValueType.FUNCREF, ValueType.EXTERNREF
NO_MAXIMUM = structs.NO_MAXIMUM
GROW_FAILED = (1 << 64) - 1
PAGE = structs.PAGE_SIZE

Store, Module, Instance, Error = (
    mirror(s) for s in (structs.Store, structs.Module, structs.Instance, structs.Error)
)
Memory, Table, Global, FuncInst = (
    mirror(s) for s in (structs.Memory, structs.Table, structs.Global, structs.FuncInst)
)
MemoryType, TableType, FuncType = (
    mirror(s) for s in (structs.MemoryType, structs.TableType, structs.FuncType)
)


@cache
def core() -> Library:
    """All exported functions of the modules under test."""
    modules = (const_expr, function, instantiate, memory, store, table, type_store, linux, ticks)
    found = {
        id(value): value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, NativeFunction) and value.export
    }
    return Library(*found.values())


def address(thing: ctypes.Structure | ctypes.Array[Any]) -> int:
    return ctypes.addressof(thing)


class WatchedPlatform:
    """A platform that can run out of memory on demand and notices leaks and wrong releases.

    `fail_at` is the number of the request (1 is the next) that fails; None: none does.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.fail_at: int | None = None
        self.largest_reservation = 1 << 62
        self.blocks: dict[int, int] = {}
        self.reservations: dict[int, int] = {}
        self.mistakes: list[str] = []
        self.struct = create_platform(core().image.symbol)
        self.real = mirror(structs.Platform).from_buffer_copy(self.struct)
        word, byte_pointer = ctypes.c_size_t, ctypes.c_void_p
        self.callbacks = {
            "allocate": ctypes.CFUNCTYPE(byte_pointer, word)(self.allocate),
            "resize": ctypes.CFUNCTYPE(byte_pointer, byte_pointer, word)(self.resize),
            "release": ctypes.CFUNCTYPE(None, byte_pointer)(self.release),
            "reserve": ctypes.CFUNCTYPE(byte_pointer, byte_pointer, word)(self.reserve),
            "commit": ctypes.CFUNCTYPE(ctypes.c_uint32, byte_pointer, byte_pointer, word, word)(
                self.commit
            ),
            "unreserve": ctypes.CFUNCTYPE(None, byte_pointer, byte_pointer, word)(self.unreserve),
        }
        for name, callback in self.callbacks.items():
            setattr(self.struct, name, ctypes.cast(callback, ctypes.c_void_p).value)

    @property
    def address(self) -> int:
        return ctypes.addressof(self.struct)

    def refuses(self) -> bool:
        self.requests += 1
        return self.requests == self.fail_at

    def call(self, name: str, *arguments: Any) -> Any:
        """The real function that a callback stands for."""
        kind = type(self.callbacks[name])
        return kind(getattr(self.real, name))(*arguments)

    def allocate(self, size: int) -> int | None:
        if self.refuses():
            return None
        block = self.call("allocate", size)
        ctypes.memset(block, 0xA5, size)  # nobody may count on zeros
        self.blocks[block] = size
        return block

    def resize(self, block: int | None, size: int) -> int | None:
        if block is None:
            return self.allocate(size)
        if self.refuses():
            return None
        moved = self.allocate_quietly(size)
        ctypes.memmove(moved, block, min(size, self.blocks[block]))
        self.release(block)
        return moved

    def allocate_quietly(self, size: int) -> int:
        block = self.call("allocate", size)
        ctypes.memset(block, 0xA5, size)
        self.blocks[block] = size
        return block

    def release(self, block: int | None) -> None:
        if block is None:
            return
        size = self.blocks.pop(block, None)
        if size is None:
            self.mistakes.append(f"release of {block:#x}, which is no block")
            return
        ctypes.memset(block, 0xDD, size)
        self.call("release", block)

    def reserve(self, platform: int, size: int) -> int | None:
        if size > self.largest_reservation or self.refuses():
            return None
        base = self.call("reserve", platform, size)
        if base:
            self.reservations[base] = size
        return base

    def commit(self, platform: int, base: int, old: int, new: int) -> int:
        if not old < new <= self.reservations.get(base, 0):
            self.mistakes.append(f"commit of {old}..{new} of {self.reservations.get(base)}")
            return 1
        return 1 if self.refuses() else self.call("commit", platform, base, old, new)

    def unreserve(self, platform: int, base: int, size: int) -> None:
        if self.reservations.pop(base, None) != size:
            self.mistakes.append(f"unreserve of {size} bytes at {base:#x}, which is no reservation")
            return
        self.call("unreserve", platform, base, size)

    def check_balance(self) -> None:
        """Everything was given back, and nothing else was."""
        assert self.mistakes == []
        assert self.blocks == {}
        assert self.reservations == {}


# -- encoding ----------------------------------------------------------------------------------


def leb(value: int) -> bytes:
    """LEB128: unsigned."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def sleb(value: int) -> bytes:
    """LEB128: signed."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = value == (-1 if byte & 0x40 else 0)
        out.append(byte if done else byte | 0x80)
        if done:
            return bytes(out)


def i32_const(value: int) -> bytes:
    return b"\x41" + sleb(value)


def i64_const(value: int) -> bytes:
    return b"\x42" + sleb(value)


def global_get(index: int) -> bytes:
    return b"\x23" + leb(index)


def ref_func(index: int) -> bytes:
    return b"\xd2" + leb(index)


REF_NULL = b"\xd0\x70"
END = b"\x0b"


@dataclass
class ModuleBuilder:
    """Builds a `Module` as the decoder would leave it. Imports come before definitions."""

    memory_pages: int = 65536
    table_elements: int = 10_000_000
    types: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    tables: list[dict[str, int]] = field(default_factory=list)
    memories: list[dict[str, int]] = field(default_factory=list)
    globals: list[tuple[int, int, bytes]] = field(default_factory=list)
    imports: list[tuple[int, int]] = field(default_factory=list)
    exports: list[tuple[int, int]] = field(default_factory=list)
    elements: list[dict[str, Any]] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)

    def imported(self, kind: ExternKind, index: int) -> None:
        self.imports.append((kind, index))

    def type(self, params: tuple[int, ...] = (), results: tuple[int, ...] = ()) -> int:
        self.types.append((params, results))
        return len(self.types) - 1

    def function(self, type: int = 0, *, imported: bool = False) -> int:
        self.functions.append(type)
        if imported:
            self.imported(ExternKind.FUNCTION, len(self.functions) - 1)
        return len(self.functions) - 1

    def table(
        self,
        minimum: int,
        maximum: int = NO_MAXIMUM,
        element: int = FUNCREF,
        flags: int = 0,
        *,
        imported: bool = False,
    ) -> int:
        self.tables.append(
            {"element": element, "minimum": minimum, "maximum": maximum, "flags": flags}
        )
        if imported:
            self.imported(ExternKind.TABLE, len(self.tables) - 1)
        return len(self.tables) - 1

    def memory(
        self,
        minimum: int,
        maximum: int = NO_MAXIMUM,
        flags: int = 0,
        page_shift: int = 16,
        *,
        imported: bool = False,
    ) -> int:
        self.memories.append(
            {"minimum": minimum, "maximum": maximum, "flags": flags, "page_shift": page_shift}
        )
        if imported:
            self.imported(ExternKind.MEMORY, len(self.memories) - 1)
        return len(self.memories) - 1

    def variable(
        self, content: int, init: bytes = b"", *, mutable: bool = False, imported: bool = False
    ) -> int:
        self.globals.append((content, mutable, init + END))
        if imported:
            self.imported(ExternKind.GLOBAL, len(self.globals) - 1)
        return len(self.globals) - 1

    def export(self, kind: ExternKind, index: int) -> int:
        self.exports.append((kind, index))
        return len(self.exports) - 1

    def element(
        self,
        items: list[int] | list[bytes],
        mode: SegmentMode = SegmentMode.ACTIVE,
        offset: bytes = i32_const(0),
        table: int = 0,
    ) -> int:
        by_index = all(isinstance(item, int) for item in items)
        code = b"".join(leb(i) if isinstance(i, int) else i + END for i in items)
        self.elements.append(
            {
                "mode": mode,
                "table": table,
                "type": FUNCREF,
                "offset": self.expr(offset + END),
                "count": len(items),
                "functions": by_index,
                "items": self.bytes(code),
                "items_size": len(code),
            }
        )
        return len(self.elements) - 1

    def segment(
        self,
        data: bytes,
        mode: SegmentMode = SegmentMode.ACTIVE,
        offset: bytes = i32_const(0),
        memory: int = 0,
    ) -> int:
        self.data.append(
            {
                "mode": mode,
                "memory": memory,
                "offset": self.expr(offset + END),
                "data": self.bytes(data),
                "size": len(data),
            }
        )
        return len(self.data) - 1

    # -- making the structures -----------------------------------------------------------------

    def bytes(self, data: bytes) -> int:
        """The address of a copy that ends where an unreadable byte would be noticed by nobody."""
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        self.kept.append(buffer)
        return ctypes.addressof(buffer)

    def expr(self, code: bytes) -> ctypes.Structure:
        return mirror(structs.ConstExpr)(code=self.bytes(code), size=len(code))

    def array(self, struct: Any, rows: list[dict[str, Any]]) -> int | None:
        """The address of an array of structures; None when it is empty."""
        kind = mirror(struct)
        made = (kind * len(rows))(*(kind(**row) for row in rows))
        self.kept.append(made)
        return ctypes.addressof(made) if rows else None

    def words(self, values: tuple[int, ...]) -> int:
        made = (ctypes.c_uint32 * max(len(values), 1))(*values)
        self.kept.append(made)
        return ctypes.addressof(made)

    def count_imports(self, kind: ExternKind) -> int:
        return sum(k == kind for k, _ in self.imports)

    def build(self, platform: WatchedPlatform) -> ctypes.Structure:
        limits = mirror(structs.Limits)(
            memory_pages=self.memory_pages, table_elements=self.table_elements
        )
        type_rows = [
            {
                "types": self.words(p + r),
                "param_count": len(p),
                "result_count": len(r),
                "same": self.types.index((p, r)),
                "group_size": 1,
            }
            for p, r in self.types
        ]
        global_rows = [
            {"content": content, "mutable": mutable, "init": self.expr(init)}
            for content, mutable, init in self.globals
        ]
        module = Module(
            platform=platform.address,
            limits=ctypes.addressof(limits),
            types=self.array(structs.FuncType, type_rows),
            functions=self.array(structs.Function, [{"type": t} for t in self.functions]),
            tables=self.array(structs.TableType, self.tables),
            memories=self.array(structs.MemoryType, self.memories),
            globals=self.array(structs.GlobalType, global_rows),
            imports=self.array(structs.Import, [{"kind": k, "index": i} for k, i in self.imports]),
            exports=self.array(structs.Export, [{"kind": k, "index": i} for k, i in self.exports]),
            elements=self.array(structs.ElementSegment, self.elements),
            data=self.array(structs.DataSegment, self.data),
            type_count=len(self.types),
            function_count=len(self.functions),
            imported_functions=self.count_imports(ExternKind.FUNCTION),
            table_count=len(self.tables),
            imported_tables=self.count_imports(ExternKind.TABLE),
            memory_count=len(self.memories),
            imported_memories=self.count_imports(ExternKind.MEMORY),
            global_count=len(self.globals),
            imported_globals=self.count_imports(ExternKind.GLOBAL),
            import_count=len(self.imports),
            export_count=len(self.exports),
            element_count=len(self.elements),
            data_count=len(self.data),
        )
        module.kept = [self, limits]
        return module


# -- a running world ---------------------------------------------------------------------------


@dataclass
class Created:
    """What instance_create answered."""

    code: int
    error: Any
    at: int | None

    @property
    def instance(self) -> Any:
        assert self.at is not None
        return Instance.from_address(self.at)


class World:
    """A store on a watched platform."""

    def __init__(self) -> None:
        self.core = core()
        self.platform = WatchedPlatform()
        self.store = Store()
        assert self.core.store_init(address(self.store), self.platform.address) == 0

    def load(self, builder: ModuleBuilder) -> Any:
        module = builder.build(self.platform)
        assert self.core.store_add_types(address(self.store), address(module)) == 0
        return module

    def unload(self, module: Any) -> None:
        self.core.store_remove_types(address(self.store), address(module))

    def instantiate(self, module: Any, *imports: int | None) -> Created:
        given = (ctypes.c_void_p * max(len(imports), 1))(*imports)
        out, error = ctypes.c_void_p(1), Error(status=77)
        code = self.core.instance_create(
            address(self.store),
            address(module),
            ctypes.addressof(given),
            ctypes.addressof(out),
            address(error),
        )
        assert error.status == code
        return Created(code, error, out.value)

    def close(self) -> None:
        self.core.store_free(address(self.store))
        self.platform.check_balance()


def pointers(at: int, count: int) -> list[int | None]:
    return list((ctypes.c_void_p * count).from_address(at)) if count else []


def elements(table: Any) -> list[int]:
    """The handles in a table."""
    if not table.size:
        return []
    return list((ctypes.c_uint32 * table.size).from_address(table.elements))


def raw_bytes(memory: Any, offset: int, n: int) -> bytes:
    return ctypes.string_at(memory.data + offset, n)
