"""What the compiler knows of a module: the core's own view of it, validated, as Python objects."""

import ctypes
from dataclasses import dataclass, field

from wasmote.api.layouts import (
    ExportLayout,
    FunctionLayout,
    FuncTypeLayout,
    GlobalTypeLayout,
    MemoryTypeLayout,
    TableTypeLayout,
    TagTypeLayout,
    items,
)
from wasmote.api.module import Module
from wasmote.compile.types import Defined, ir_type, storage
from wasmote.core.bounds import LimitsFlag
from wasmote.core.value_types import Form

_WIDE_INDEX, _SHARED = int(LimitsFlag.INDEX_64), int(LimitsFlag.SHARED)
#: Opcodes of the constants, which an immutable global may be.
_CONSTANTS = {0x41, 0x42, 0x43, 0x44}


@dataclass(slots=True)
class Signature:
    """A function type in LLVM's terms; the parameters that every function has are not among
    them.
    """

    params: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def result(self) -> str:
        """What the function returns in a register; further results go through a pointer."""
        return self.results[0] if self.results else "void"

    @property
    def key(self) -> str:
        """Names the signature: equal ones share their conversions."""
        letters = {"i32": "i", "i64": "l", "float": "f", "double": "d", "<2 x i64>": "v"}
        params = "".join(letters[p] for p in self.params)
        return f"{params}_{''.join(letters[r] for r in self.results)}"

    @property
    def without_register(self) -> tuple[int, ...]:
        """Parameters that x86-64 has no register for: beyond six integers and eight others."""
        integers, others = 2 + (len(self.results) > 1), 0
        found = []
        for i, kind in enumerate(self.params):
            if kind in ("i32", "i64"):
                integers += 1
            else:
                others += 1
            if (integers > 6) if kind in ("i32", "i64") else (others > 8):
                found.append(i)
        return tuple(found)


@dataclass(slots=True)
class MemoryFacts:
    is64: bool
    page_shift: int
    shared: bool
    minimum: int  # in bytes


@dataclass(slots=True)
class GlobalFacts:
    type: str
    constant: bytes | None  # of an immutable one: the instruction that makes its value


@dataclass(slots=True)
class Body:
    """A function's body in the binary: offset of the locals' declarations, and the end."""

    index: int
    type: int
    start: int
    end: int


@dataclass(slots=True)
class Source:
    """A module to compile. Index spaces have imports first."""

    module: Module
    binary: bytes
    types: list[Signature] = field(default_factory=list)
    #: All types once more, as what they are if they are structures or arrays.
    defined: list[Defined] = field(default_factory=list)
    tags: list[Signature] = field(default_factory=list)
    #: From 1, the same for equal types.
    type_numbers: list[int] = field(default_factory=list)
    #: Type indices of all functions.
    functions: list[int] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    memories: list[MemoryFacts] = field(default_factory=list)
    tables: list[bool] = field(default_factory=list)  # whether its indices have 64 bits
    elements: list[str] = field(default_factory=list)  # of tables: their types
    holds_objects: bool = False  # its code may deal with objects of the heap
    globals: list[GlobalFacts] = field(default_factory=list)
    imported_functions: int = 0
    code_section: int = 0  # offset of its contents; 0: there is none
    #: Functions that may be called from outside, or through references.
    entries: set[int] = field(default_factory=set)

    def body(self, index: int) -> Body:
        """The body of one of the module's own functions."""
        return self.bodies[index - self.imported_functions]

    def name(self, index: int) -> str:
        """What messages call a function."""
        return self.module.function_name(index)


def read_source(module: Module) -> Source:
    """Look at a loaded module."""
    core = module._layout
    source = Source(module, bytes(module._binary))
    types = items(FuncTypeLayout, core.types, core.type_count)
    source.types = [_signature(t) for t in types]
    first: dict[int, int] = {}
    source.type_numbers = [first.setdefault(t.id, i) for i, t in enumerate(types, 1)]
    source.defined = [_defined(t) for t in types]
    source.holds_objects = bool(core.holds_objects)
    source.tags = [source.types[t.type] for t in items(TagTypeLayout, core.tags, core.tag_count)]
    source.imported_functions = core.imported_functions
    source.code_section = core.code_section
    base = core.binary
    for index, f in enumerate(items(FunctionLayout, core.functions, core.function_count)):
        source.functions.append(f.type)
        if index >= core.imported_functions:
            start = (f.body or 0) - base
            source.bodies.append(Body(index, f.type, start, start + f.body_size))
    if core.function_count:
        size = (core.function_count + 7) // 8
        declared = ctypes.string_at(core.declared, size) if core.declared else bytes(size)
        source.entries = {
            i for i in range(core.function_count) if declared[i >> 3] >> (i & 7) & 1
        } | {e.index for e in items(ExportLayout, core.exports, core.export_count) if e.kind == 0}
        source.entries.add(core.start)
    source.memories = [
        MemoryFacts(
            bool(m.flags & _WIDE_INDEX),
            m.page_shift,
            bool(m.flags & _SHARED),
            m.minimum << m.page_shift,
        )
        for m in items(MemoryTypeLayout, core.memories, core.memory_count)
    ]
    tables = items(TableTypeLayout, core.tables, core.table_count)
    source.tables = [bool(t.flags & _WIDE_INDEX) for t in tables]
    source.elements = [ir_type(t.element) for t in tables]
    for g in items(GlobalTypeLayout, core.globals, core.global_count):
        known = not g.mutable and g.init.code
        code = ctypes.string_at(g.init.code, g.init.size) if known else b""
        constant = code if code and code[0] in _CONSTANTS and _is_single(code) else None
        source.globals.append(GlobalFacts(ir_type(g.content), constant))
    return source


def _numbers(address: int, count: int) -> list[int]:
    return list((ctypes.c_uint32 * count).from_address(address)) if count else []


def _signature(layout: ctypes.Structure) -> Signature:
    if layout.form != Form.FUNCTION:
        return Signature((), ())
    kinds = _numbers(layout.types, layout.param_count + layout.result_count)
    names = tuple(ir_type(kind) for kind in kinds)
    return Signature(names[: layout.param_count], names[layout.param_count :])


def _defined(layout: ctypes.Structure) -> Defined:
    count = layout.param_count if layout.form != Form.FUNCTION else 0
    offsets = layout.form == Form.STRUCTURE
    numbers = _numbers(layout.types, 2 * count if offsets else count)
    fields = tuple(storage(numbers[i], numbers[count + i] if offsets else 0) for i in range(count))
    final = not layout.extensible
    return Defined(layout.form, final, layout.depth, layout.size, fields)


def _is_single(code: bytes) -> bool:
    """Whether a constant expression is one instruction and `end`."""
    if code[0] in (0x43, 0x44):
        return len(code) == (6 if code[0] == 0x43 else 10)
    end = 1
    while code[end] >= 0x80:
        end += 1
    return len(code) == end + 2
