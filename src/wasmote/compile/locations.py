"""Locations for LLVM to carry along: of each instruction, the offset in the module's binary.

They are LLVM's debug information, with offsets in place of lines. `debug_lines` reads what became
of them in the code.
"""

from collections.abc import Callable

#: Number of the first of these nodes among a text's metadata.
_FIRST = 100
_UNIT, _FILE, _TYPE = _FIRST, _FIRST + 1, _FIRST + 2
#: Functions' nodes, by their indices.
FIRST_FUNCTION = _FIRST + 3


class Locations:
    """Debug information of a module's functions, as LLVM IR.

    `name` says what functions are called in it.
    """

    #: How much of it LLVM is to write: functions only where something is inlined in them, or all.
    emission = "LineTablesOnly"

    def __init__(self, name: Callable[[int], str] = str, file: str = "module.wasm") -> None:
        self._name, self._file = name, file
        self._functions: dict[int, str] = {}

    def of(self, scope: int, offset: int) -> str:
        """What follows an instruction of the IR that belongs to one of a definition's."""
        return f", !dbg !DILocation(line: {offset}, scope: !{FIRST_FUNCTION + scope})"

    def function(self, index: int, start: int, scope: int) -> str:
        """What a definition says before its body; `start` is the offset of its body, `scope` what
        `of` is told, which is another number for each definition.
        """
        number = FIRST_FUNCTION + scope
        self._functions[scope] = (
            f'!{number} = distinct !DISubprogram(name: "{quoted(self._name(index))}",'
            f" file: !{_FILE}, line: {self.start(start)}, type: !{_TYPE}, unit: !{_UNIT},"
            " spFlags: DISPFlagDefinition)\n"
        )
        return f" !dbg !{number}"

    def start(self, offset: int) -> int:
        """The line of a function whose body is at an offset."""
        return offset

    def text(self) -> str:
        """The metadata."""
        if not self._functions:
            return ""
        return (
            f"!llvm.dbg.cu = !{{!{_UNIT}}}\n"
            f"!llvm.module.flags = !{{!{_UNIT - 1}, !{_UNIT - 2}}}\n"
            f'!{_UNIT - 1} = !{{i32 2, !"Dwarf Version", i32 4}}\n'
            f'!{_UNIT - 2} = !{{i32 2, !"Debug Info Version", i32 3}}\n'
            f'!{_FILE} = !DIFile(filename: "{quoted(self._file)}", directory: "")\n'
            f"!{_UNIT} = distinct !DICompileUnit(language: DW_LANG_C99, file: !{_FILE},"
            f' producer: "wasmote", isOptimized: true, emissionKind: {self.emission})\n'
            f"!{_TYPE} = !DISubroutineType(types: !{{null}})\n" + "".join(self._functions.values())
        )


class NoLocations(Locations):
    """Leaves them out."""

    def of(self, scope: int, offset: int) -> str:
        return ""

    def function(self, index: int, start: int, scope: int) -> str:
        return ""


def located(text: str, location: str) -> str:
    """Text with the location at the end of each instruction; labels have none."""
    if not location or not text:
        return text
    if ":\n" not in text:
        return text.replace("\n", f"{location}\n")
    lines = text.split("\n")
    return "\n".join(line + location if line[:1] == " " else line for line in lines)


def quoted(text: str) -> str:
    """As LLVM's strings have it."""
    safe = set(b" !#$%&'()*+,-./:;<=>?@[]^_`{|}~")
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 or byte in safe else f"\\{byte:02X}"
        for byte in text.encode()
    )
