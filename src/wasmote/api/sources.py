"""Source lines of a module's code, from the debug information that its compiler put there."""

from wasmote.dwarf.packed import NAMES, unpack
from wasmote.dwarf.sources import Source, Sources

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.module import Module


class ModuleSources:
    """Finds source lines by offsets in the binary; an image has those of what it was made of."""

    def __init__(self, module: "Module") -> None:
        sections = {name: b"".join(module.custom_sections(name)) for name in NAMES}
        #: Where the code section's contents start: addresses in debug information count from there.
        self.start: int = module._layout.code_section
        places = module._code.places() if module._code else None
        if module._code and places and not sections[".debug_info"]:
            self.start = places.code_section
            sections = _carried(module._code.debug_information())
        #: Whether there is debug information.
        self.known = bool(sections.get(".debug_info"))
        self._sources = Sources({name: data for name, data in sections.items() if data})

    def at(self, offset: int) -> tuple[Source, ...]:
        """Where the instruction at an offset comes from: the innermost function first, then where
        each was inlined. Empty if that is not known.
        """
        return self._sources.at(offset - self.start)

    def line(self, offset: int) -> Source | None:
        """The same without functions, which takes less time."""
        return self._sources.line(offset - self.start)


def _carried(data: bytes) -> dict[str, bytes]:
    try:
        return unpack(data)
    except ValueError:
        return {}
