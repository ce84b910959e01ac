"""Writes module binaries: numbers, sections, and the parts that a generated module has."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fuzz.mutate import join_sections, unsigned
from wasmote.core.status import ValueType

__all__ = ["Function", "Shape", "module_binary", "name", "signed", "unsigned", "vector"]

Types = tuple[ValueType, ...]


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
    locals: list[tuple[int, ValueType]] = field(default_factory=list)
    code: bytes = b"\x0b"

    def binary(self) -> bytes:
        groups = vector(unsigned(n) + bytes([kind]) for n, kind in self.locals)
        body = groups + self.code
        return unsigned(len(body)) + body


@dataclass
class Shape:
    """What a generated module has; functions refer to all of it by index."""

    types: list[tuple[Types, Types]] = field(default_factory=list)
    imports: list[tuple[str, str, int]] = field(default_factory=list)  # module, name, type
    #: Of the module "first": its first globals, its table of functions, its memory.
    imported_globals: int = 0
    imported_table: bool = False
    imported_memory: bool = False
    functions: list[Function] = field(default_factory=list)
    #: Initial elements of the table of functions (function indices, None: null).
    elements: list[int | None] = field(default_factory=list)
    externs: int = 0  # elements of the table of externrefs, index 1
    globals: list[tuple[ValueType, bool, bytes]] = field(default_factory=list)  # mutable?, value
    pages: int = 1
    data: list[bytes] = field(default_factory=list)  # the first one is active, at 0
    start: int | None = None
    tags: list[int] = field(default_factory=list)  # their types, those of the first module first
    imported_tags: int = 0

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

    @property
    def exported_globals(self) -> int:
        """Vectors, which come last, are not: wasmtime's package cannot cope with them."""
        return sum(kind != ValueType.V128 for kind, _, _ in self.globals)

    @property
    def callees(self) -> list[int]:
        """Functions that others may call: all but the first one, which restarts the countdown."""
        return [i for i in range(self.function_count) if i != len(self.imports)]


def _types(shape: Shape) -> bytes:
    return vector(
        b"\x60" + vector(bytes([t]) for t in params) + vector(bytes([t]) for t in results)
        for params, results in shape.types
    )


def _exports(shape: Shape) -> bytes:
    found = [(f"f{i}", 0, i + len(shape.imports)) for i in range(len(shape.functions))]
    found += [("table", 1, 0), ("externs", 1, 1), ("memory", 2, 0)]
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
        found.append(name("first") + name(f"g{i}") + bytes([3, kind, mutable]))
    for i, tag in enumerate(shape.tags[: shape.imported_tags]):
        found.append(name("first") + name(f"t{i}") + b"\x04\x00" + unsigned(tag))
    return vector(found)


def _table(shape: Shape) -> bytes:
    return b"\x70\x00" + unsigned(len(shape.elements))


def _memory(shape: Shape) -> bytes:
    return b"\x01" + unsigned(shape.pages) + unsigned(shape.pages + 2)


def module_binary(shape: Shape) -> bytes:
    tables = [_table(shape)] * (not shape.imported_table) + [b"\x6f\x00" + unsigned(shape.externs)]
    memories = [_memory(shape)] * (not shape.imported_memory)
    own_globals = shape.globals[shape.imported_globals :]
    own_tags = shape.tags[shape.imported_tags :]
    parts = [
        (1, _types(shape)),
        (2, _imports(shape)),
        (3, vector(unsigned(f.type) for f in shape.functions)),
        (4, vector(tables)),
        (5, vector(memories)),
        *[(13, vector(b"\0" + unsigned(t) for t in own_tags))] * bool(own_tags),
        (6, vector(bytes([t, m]) + value + b"\x0b" for t, m, value in own_globals)),
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
