"""What a module consists of, as `parse` finds it. Offsets and sizes are in bytes of the binary."""

from dataclasses import dataclass, field

from wasmote.inspect.defined_types import DefinedType
from wasmote.types import ExternType, FuncType, GlobalType, MemoryType, TableType, TagType


@dataclass(slots=True)
class Section:
    """A section; `offset` is that of its contents, `name` for a custom one that which it has."""

    id: int
    name: str
    offset: int
    size: int
    #: Elements, where the section is a vector.
    count: int | None = None

    @property
    def is_custom(self) -> bool:
        """Whether the section means nothing to WebAssembly itself."""
        return self.id == 0


@dataclass(slots=True)
class Import:
    """An import, and its index in the index space of its kind."""

    module: str
    name: str
    type: ExternType
    index: int


@dataclass(slots=True)
class Export:
    """An export; `kind` is "func", "table", "memory", "global" or "tag"."""

    name: str
    kind: str
    index: int


@dataclass(slots=True)
class Function:
    """A function, imported ones too; those have no body, so `offset` and `size` are 0."""

    index: int
    name: str | None
    type: FuncType
    offset: int = 0
    size: int = 0

    @property
    def is_imported(self) -> bool:
        """Whether the body is elsewhere."""
        return self.size == 0

    @property
    def title(self) -> str:
        """What the function is called: its name, or `$f` and its index."""
        return self.name or f"$f{self.index}"


@dataclass(slots=True)
class Global:
    """A global variable, and the expression that it starts with (None: imported)."""

    index: int
    name: str | None
    type: GlobalType
    initial: str | None = None


@dataclass(slots=True)
class Segment:
    """A data or element segment: `size` bytes or elements, from `offset` of the binary.

    `mode` is "active", "passive" or "declared"; `place` the expression for where an active one goes
    in memory or table `target`.
    """

    index: int
    mode: str
    offset: int
    size: int
    target: int = 0
    place: str | None = None


@dataclass(slots=True)
class Names:
    """The section "name" (spec: Appendix, Custom Sections): names by index."""

    module: str | None = None
    functions: dict[int, str] = field(default_factory=dict)
    locals: dict[int, dict[int, str]] = field(default_factory=dict)
    globals: dict[int, str] = field(default_factory=dict)
    data: dict[int, str] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class ModuleInfo:
    """Everything that a module defines; index spaces have imports first."""

    binary: bytes = field(repr=False)
    sections: list[Section] = field(default_factory=list)
    types: list[DefinedType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    memories: list[MemoryType] = field(default_factory=list)
    globals: list[Global] = field(default_factory=list)
    tags: list[TagType] = field(default_factory=list)
    elements: list[Segment] = field(default_factory=list)
    data: list[Segment] = field(default_factory=list)
    start: int | None = None
    names: Names = field(default_factory=Names)
    #: From the sections "producers" and "target_features" of the tool conventions.
    producers: dict[str, dict[str, str]] = field(default_factory=dict)
    target_features: list[str] = field(default_factory=list)
    #: By function and the instruction's offset: whether its branch is likely taken.
    branch_hints: dict[int, dict[int, bool]] = field(default_factory=dict)

    def function_title(self, index: int) -> str:
        """What function `index` is called."""
        if index < len(self.functions):
            return self.functions[index].title
        return f"$f{index}"
