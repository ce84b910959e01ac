"""Offsets that compiled code uses, in the structures of the core and in an instance's context."""

from wasmote.aot.structs import PLACES, Context
from wasmote.compile.source import Source
from wasmote.nativepy import Struct


class Offsets:
    """Offsets in bytes on a target whose addresses have `pointer` bytes."""

    def __init__(self, source: Source, pointer: int) -> None:
        self.pointer = pointer
        slots = Context.size(pointer)
        self.globals = slots
        self.memories = self.globals + pointer * len(source.globals)
        self.tables = self.memories + pointer * len(source.memories)
        self.imported = self.tables + pointer * len(source.tables)
        self.types = self.imported + pointer * source.imported_functions
        self.tags = self.types + pointer * len(source.types)
        self.pools = self.tags + pointer * len(source.tags)

    def helper(self, name: str) -> int:
        """In the context: the address of a helper."""
        place: int = PLACES[name]
        return self.field(Context, "helpers") + self.pointer * place

    def field(self, struct: Struct, name: str) -> int:
        return struct.offset(name, self.pointer)
