"""Reads of a valid module what its boundary depends on: types, imports, index spaces, exports.

Value types are kept as they are encoded, since whoever reads them mostly writes them again.
"""

from dataclasses import dataclass, field

from tests.fuzz.mutate import read_unsigned, sections

FUNCTION, TABLE, MEMORY, GLOBAL, TAG = range(5)
_TYPES, _IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS, _EXPORTS, _TAGS = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    13,
)
_REC, _SUB, _SUB_FINAL, _FUNC, _STRUCT, _ARRAY = 0x4E, 0x50, 0x4F, 0x60, 0x5F, 0x5E
_REF_NULL, _REF = 0x63, 0x64
_TABLE_WITH_VALUE = 0x40
_MAXIMUM, _SHARED, _INDEX64, _PAGE_SIZE = 1, 2, 4, 8


@dataclass
class Defined:
    """A type: parameters and results of a function, or fields with whether they are mutable."""

    form: int  # the byte of the binary format
    params: list[bytes] = field(default_factory=list)
    results: list[bytes] = field(default_factory=list)
    fields: list[tuple[bytes, bool]] = field(default_factory=list)

    @property
    def is_function(self) -> bool:
        return self.form == _FUNC

    @property
    def is_array(self) -> bool:
        return self.form == _ARRAY


@dataclass
class Limits:
    """Limits of a table or memory, as they are encoded too."""

    minimum: int
    is64: bool
    encoded: bytes
    element: bytes = b""  # of a table
    shared: bool = False


@dataclass
class Import:
    """An import; `type` is one of the next four by its kind."""

    module: bytes
    name: bytes
    kind: int
    type: int | Limits | tuple[bytes, bool]


@dataclass
class Layout:
    """Of each index space the types, imports first."""

    parts: list[tuple[int, bytes]]
    types: list[Defined] = field(default_factory=list)
    groups: int = 0  # in the type section
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)  # indices of types
    tables: list[Limits] = field(default_factory=list)
    memories: list[Limits] = field(default_factory=list)
    globals: list[tuple[bytes, bool]] = field(default_factory=list)  # mutable?
    tags: list[int] = field(default_factory=list)  # indices of types
    exports: list[tuple[bytes, int, int]] = field(default_factory=list)  # name, kind, index

    def part(self, section: int) -> bytes:
        return dict(self.parts).get(section, b"\0")


class Reader:
    """A position in a section."""

    def __init__(self, data: bytes) -> None:
        self.data, self.pos = data, 0

    def byte(self) -> int:
        self.pos += 1
        return self.data[self.pos - 1]

    def number(self) -> int:
        value, self.pos = read_unsigned(self.data, self.pos)
        return value

    def name(self) -> bytes:
        size = self.number()
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def value_type(self) -> bytes:
        """A value or storage type, as it is encoded."""
        start = self.pos
        if self.byte() in (_REF_NULL, _REF):
            self.number()  # signed or not, it ends at the same place
        return self.data[start : self.pos]

    def value_types(self) -> list[bytes]:
        return [self.value_type() for _ in range(self.number())]

    def field(self) -> tuple[bytes, bool]:
        return self.value_type(), self.byte() == 1

    def sub_type(self) -> Defined:
        form = self.byte()
        if form in (_SUB, _SUB_FINAL):
            for _ in range(self.number()):
                self.number()
            form = self.byte()
        if form == _FUNC:
            return Defined(form, self.value_types(), self.value_types())
        count = self.number() if form == _STRUCT else 1
        return Defined(form, fields=[self.field() for _ in range(count)])

    def limits(self) -> Limits:
        start, flags, minimum = self.pos, self.byte(), self.number()
        for flag in (_MAXIMUM, _PAGE_SIZE):
            if flags & flag:
                self.number()
        encoded = self.data[start : self.pos]
        return Limits(minimum, flags & _INDEX64 != 0, encoded, shared=flags & _SHARED != 0)

    def table(self) -> Limits:
        element = self.value_type()
        limits = self.limits()
        limits.element = element
        return limits

    def import_(self) -> Import:
        module, name, kind = self.name(), self.name(), self.byte()
        match kind:
            case 0:
                return Import(module, name, kind, self.number())
            case 1:
                return Import(module, name, kind, self.table())
            case 2:
                return Import(module, name, kind, self.limits())
            case 3:
                return Import(module, name, kind, self.field())
        self.byte()  # attribute of a tag
        return Import(module, name, kind, self.number())

    def skip_constant(self) -> None:
        """Pass over a constant expression."""
        from tests.fuzz.reduce import instruction_end

        while self.data[self.pos] != 0x0B:
            self.pos = instruction_end(self.data, self.pos)
        self.pos += 1


def layout(binary: bytes) -> Layout:
    """Raises IndexError, KeyError or ValueError for what is not a well-formed module."""
    found = Layout(sections(binary))
    for section, content in found.parts:
        read = _READERS.get(section)
        if read is not None:
            read(found, Reader(content))
    return found


def _types(found: Layout, reader: Reader) -> None:
    found.groups = reader.number()
    for _ in range(found.groups):
        count = 1
        if reader.data[reader.pos] == _REC:
            reader.byte()
            count = reader.number()
        found.types += [reader.sub_type() for _ in range(count)]


def _imports(found: Layout, reader: Reader) -> None:
    found.imports = [reader.import_() for _ in range(reader.number())]
    spaces = found.functions, found.tables, found.memories, found.globals, found.tags
    for each in found.imports:
        spaces[each.kind].append(each.type)  # type: ignore[arg-type]


def _functions(found: Layout, reader: Reader) -> None:
    found.functions += [reader.number() for _ in range(reader.number())]


def _tables(found: Layout, reader: Reader) -> None:
    for _ in range(reader.number()):
        has_value = reader.data[reader.pos] == _TABLE_WITH_VALUE
        reader.pos += 2 * has_value
        found.tables.append(reader.table())
        if has_value:
            reader.skip_constant()


def _memories(found: Layout, reader: Reader) -> None:
    found.memories += [reader.limits() for _ in range(reader.number())]


def _globals(found: Layout, reader: Reader) -> None:
    for _ in range(reader.number()):
        found.globals.append(reader.field())
        reader.skip_constant()


def _tags(found: Layout, reader: Reader) -> None:
    for _ in range(reader.number()):
        reader.byte()
        found.tags.append(reader.number())


def _exports(found: Layout, reader: Reader) -> None:
    for _ in range(reader.number()):
        found.exports.append((reader.name(), reader.byte(), reader.number()))


_READERS = {
    _TYPES: _types,
    _IMPORTS: _imports,
    _FUNCTIONS: _functions,
    _TABLES: _tables,
    _MEMORIES: _memories,
    _GLOBALS: _globals,
    _EXPORTS: _exports,
    _TAGS: _tags,
}
