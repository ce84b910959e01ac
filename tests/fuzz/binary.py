"""Writes module binaries: numbers, sections, and the parts that a generated module has."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fuzz.mutate import join_sections, unsigned
from wasmote.core.status import ValueType

__all__ = ["Function", "Shape", "module_binary", "name", "signed", "unsigned", "vector"]


@dataclass(frozen=True)
class Ref:
    """A nullable reference to a type by its index."""

    index: int


Kind = ValueType | Ref
Types = tuple[Kind, ...]


def encoded(kind: Kind) -> bytes:
    """A value type as it is in a binary."""
    return b"\x63" + signed(kind.index) if isinstance(kind, Ref) else bytes([kind])


def heap(kind: Kind) -> bytes:
    """What a reference type refers to, as it is in a binary."""
    return signed(kind.index) if isinstance(kind, Ref) else bytes([kind])


def signed(value: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if value == -(byte >> 6):  # what is left is the sign of what was written
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def vector(items: Iterable[bytes]) -> bytes:
    parts = list(items)
    return unsigned(len(parts)) + b"".join(parts)


def name(text: str) -> bytes:
    data = text.encode()
    return unsigned(len(data)) + data


@dataclass
class Function:
    """A function: index of its type, groups of locals, and its code with the final `end`."""

    type: int
    locals: list[tuple[int, Kind]] = field(default_factory=list)
    code: bytes = b"\x0b"

    def binary(self) -> bytes:
        groups = vector(unsigned(n) + encoded(kind) for n, kind in self.locals)
        body = groups + self.code
        return unsigned(len(body)) + body


@dataclass
class Room:
    """A memory or table: its limits, in pages or elements, and what is special about it."""

    minimum: int
    maximum: int
    is64: bool = False
    page_bits: int = 16  # of a memory
    shared: bool = False
    element: Kind = ValueType.FUNCREF  # of a table

    def binary(self) -> bytes:
        special = self.page_bits != 16
        flags = 1 | self.shared << 1 | self.is64 << 2 | special << 3
        limits = bytes([flags]) + unsigned(self.minimum) + unsigned(self.maximum)
        return limits + bytes([self.page_bits]) * special


@dataclass
class Aggregate:
    """A structure, or an array of its only field; fields with whether they are mutable."""

    fields: list[tuple[Kind, bool]]
    is_array: bool = False
    above: int | None = None  # the index of its supertype
    final: bool = False

    def binary(self) -> bytes:
        above = [] if self.above is None else [unsigned(self.above)]
        fields = [encoded(kind) + bytes([mutable]) for kind, mutable in self.fields]
        body = b"\x5e" + fields[0] if self.is_array else b"\x5f" + vector(fields)
        return (b"\x4f" if self.final else b"\x50") + vector(above) + body


@dataclass
class Shape:
    """What a generated module has; functions refer to all of it by index."""

    types: list[tuple[Types, Types]] = field(default_factory=list)
    #: Types from this one on, and the aggregates that follow them, are one recursive group.
    grouped: int = 0
    aggregates: list[Aggregate] = field(default_factory=list)
    imports: list[tuple[str, str, int]] = field(default_factory=list)  # module, name, type
    #: Of the module "first": its first globals, its table of functions, its memory.
    imported_globals: int = 0
    imported_table: bool = False
    imported_memory: bool = False
    functions: list[Function] = field(default_factory=list)
    #: Initial elements of the table of functions (function indices, None: null).
    elements: list[int | None] = field(default_factory=list)
    externs: int = 0  # elements of the table of externrefs, index 1
    tables: list[Room] = field(default_factory=list)  # further ones, from index 2
    globals: list[tuple[Kind, bool, bytes]] = field(default_factory=list)  # mutable?, value
    pages: int = 1
    shared: bool = False  # the first memory
    memories: list[Room] = field(default_factory=list)  # further ones, from index 1
    data: list[bytes] = field(default_factory=list)  # the first one is active, at 0
    start: int | None = None
    tags: list[int] = field(default_factory=list)  # their types, those of the first module first
    imported_tags: int = 0
    #: The same code with blocks that catch in the standard form (False) or the legacy one (True);
    #: None: in the standard form, all of it.
    legacy: bool | None = None

    def function_type(self, index: int) -> tuple[Types, Types]:
        """Parameters and results of a function by its index, imports first."""
        return self.types[self.function_type_index(index)]

    def function_type_index(self, index: int) -> int:
        if index < len(self.imports):
            return self.imports[index][2]
        return self.functions[index - len(self.imports)].type

    @property
    def function_count(self) -> int:
        return len(self.imports) + len(self.functions)

    def memory(self, index: int) -> Room:
        first = Room(self.pages, self.pages + 2, shared=self.shared)
        return self.memories[index - 1] if index else first

    def table(self, index: int) -> Room:
        if index > 1:
            return self.tables[index - 2]
        size = self.externs if index else len(self.elements)
        kind = ValueType.EXTERNREF if index else ValueType.FUNCREF
        return Room(size, 2**32 - 1, element=kind)

    def aggregate(self, kind: Kind) -> Aggregate | None:
        """The aggregate that a reference type refers to."""
        if not isinstance(kind, Ref) or kind.index < len(self.types):
            return None
        return self.aggregates[kind.index - len(self.types)]

    @property
    def exported_globals(self) -> int:
        """Those that wasmtime's package can cope with, which come first."""
        return next(
            (i for i, (kind, _, _) in enumerate(self.globals) if kind not in EXPORTABLE),
            len(self.globals),
        )

    @property
    def callees(self) -> list[int]:
        """Functions that others may call: all but the first one, which restarts the countdown."""
        return [i for i in range(self.function_count) if i != len(self.imports)]


#: Types of globals, those that are exported first.
EXPORTABLE = tuple(ValueType[each] for each in ("I32", "I64", "F32", "F64", "FUNCREF", "EXTERNREF"))


def _types(shape: Shape) -> bytes:
    functions = [
        b"\x60" + vector(map(encoded, params)) + vector(map(encoded, results))
        for params, results in shape.types
    ]
    if not shape.aggregates:
        return vector(functions)
    group = functions[shape.grouped :] + [each.binary() for each in shape.aggregates]
    return vector([*functions[: shape.grouped], b"\x4e" + vector(group)])


def _exports(shape: Shape) -> bytes:
    found = [(f"f{i}", 0, i + len(shape.imports)) for i in range(len(shape.functions))]
    found += [("table", 1, 0), ("externs", 1, 1), ("memory", 2, 0)]
    tables = [i for i, t in enumerate(shape.tables, 2) if t.element in EXPORTABLE]
    found += [(f"table{i}", 1, i) for i in tables]
    found += [(f"memory{i}", 2, i) for i in range(1, len(shape.memories) + 1)]
    found += [(f"g{i}", 3, i) for i in range(shape.exported_globals)]
    found += [(f"t{i}", 4, i) for i in range(len(shape.tags))]
    return vector(name(n) + bytes([kind]) + unsigned(i) for n, kind, i in found)


def _elements(shape: Shape) -> bytes:
    """An active segment of expressions, a passive one of the same, and all functions declared."""
    null = b"\xd0\x70\x0b"
    values = vector(null if f is None else b"\xd2" + unsigned(f) + b"\x0b" for f in shape.elements)
    declared = vector(unsigned(i) for i in range(shape.function_count))
    return vector([b"\x04\x41\x00\x0b" + values, b"\x05\x70" + values, b"\x03\x00" + declared])


def _data(shape: Shape) -> bytes:
    first, *others = (unsigned(len(d)) + d for d in shape.data)
    return vector([b"\x00\x41\x00\x0b" + first, *(b"\x01" + d for d in others)])


def _imports(shape: Shape) -> bytes:
    found = [name(m) + name(n) + b"\x00" + unsigned(t) for m, n, t in shape.imports]
    if shape.imported_table:
        found.append(name("first") + name("table") + b"\x01" + _table(shape))
    if shape.imported_memory:
        found.append(name("first") + name("memory") + b"\x02" + _memory(shape))
    for i, (kind, mutable, _) in enumerate(shape.globals[: shape.imported_globals]):
        found.append(name("first") + name(f"g{i}") + b"\x03" + encoded(kind) + bytes([mutable]))
    for i, tag in enumerate(shape.tags[: shape.imported_tags]):
        found.append(name("first") + name(f"t{i}") + b"\x04\x00" + unsigned(tag))
    return vector(found)


def _table(shape: Shape) -> bytes:
    return b"\x70\x00" + unsigned(len(shape.elements))


def _memory(shape: Shape) -> bytes:
    return shape.memory(0).binary()


def module_binary(shape: Shape) -> bytes:
    tables = [_table(shape)] * (not shape.imported_table) + [b"\x6f\x00" + unsigned(shape.externs)]
    tables += [encoded(each.element) + each.binary() for each in shape.tables]
    memories = [_memory(shape)] * (not shape.imported_memory)
    memories += [each.binary() for each in shape.memories]
    own_globals = shape.globals[shape.imported_globals :]
    own_tags = shape.tags[shape.imported_tags :]
    parts = [
        (1, _types(shape)),
        (2, _imports(shape)),
        (3, vector(unsigned(f.type) for f in shape.functions)),
        (4, vector(tables)),
        (5, vector(memories)),
        *[(13, vector(b"\0" + unsigned(t) for t in own_tags))] * bool(own_tags),
        (6, vector(encoded(t) + bytes([m]) + value + b"\x0b" for t, m, value in own_globals)),
        (7, _exports(shape)),
    ]
    if shape.start is not None:
        parts.append((8, unsigned(shape.start)))
    parts += [
        (9, _elements(shape)),
        (12, unsigned(len(shape.data))),
        (10, vector(f.binary() for f in shape.functions)),
        (11, _data(shape)),
    ]
    return join_sections(parts)
