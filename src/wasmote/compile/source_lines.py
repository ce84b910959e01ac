"""Locations in code that native tools are to read, without Wasmote: names and source lines."""

from wasmote.api.sources import ModuleSources
from wasmote.compile.locations import FIRST_FUNCTION, Locations, quoted
from wasmote.compile.source import Source


class SourceLocations(Locations):
    """Debug information with the module's names of functions, and with source lines where the
    module has debug information; without, lines are offsets in its binary.
    """

    emission = "FullDebug"

    def __init__(self, source: Source) -> None:
        super().__init__(source.name, f"{source.module.name or 'module'}.wasm")
        self._sources = ModuleSources(source.module)
        self._next = FIRST_FUNCTION + len(source.functions)
        self._files: dict[str, int] = {}
        #: Functions have code from other files, too: numbers of what LLVM calls their blocks.
        self._blocks: dict[tuple[int, str], int] = {}
        self._nodes: list[str] = []

    def of(self, scope: int, offset: int) -> str:
        if not self._sources.known:
            return super().of(scope, offset)
        found = self._sources.line(offset)
        if found is None:
            return f", !dbg !DILocation(line: 0, scope: !{FIRST_FUNCTION + scope})"
        block = self._block(scope, found.file)
        place = f"line: {found.line}, column: {min(found.column, 0xFFFF)}, scope: !{block}"
        return f", !dbg !DILocation({place})"

    def start(self, offset: int) -> int:
        found = self._sources.line(offset) if self._sources.known else None
        return found.line if found else 0 if self._sources.known else offset

    def _block(self, function: int, file: str) -> int:
        if (function, file) not in self._blocks:
            number = self._blocks[function, file] = self._node()
            scope = f"scope: !{FIRST_FUNCTION + function}, file: !{self._file_of(file)}"
            self._nodes.append(f"!{number} = !DILexicalBlockFile({scope}, discriminator: 0)\n")
        return self._blocks[function, file]

    def _file_of(self, file: str) -> int:
        if file not in self._files:
            number = self._files[file] = self._node()
            folder, _, name = file.rpartition("/")
            text = f'filename: "{quoted(name or "?")}", directory: "{quoted(folder)}"'
            self._nodes.append(f"!{number} = !DIFile({text})\n")
        return self._files[file]

    def _node(self) -> int:
        self._next += 1
        return self._next - 1

    def text(self) -> str:
        return super().text() + "".join(self._nodes)
