"""Debug metadata: which Python line each instruction comes from."""

import os


class DebugInfo:
    """Numbered LLVM metadata nodes for files, functions and source positions."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.nodes: list[str] = []
        self.cache: dict[tuple[str, ...], str] = {}
        self.unit = self.node(
            "distinct !DICompileUnit(language: DW_LANG_C, file: !{file}, emissionKind: FullDebug,"
            ' producer: "nativepy", isOptimized: true, runtimeVersion: 0)',
            self.file(root),
        )
        self.unlikely = self.add('!{!"branch_weights", i32 1, i32 2000}')
        self.type = self.add("!DISubroutineType(types: !{})")

    def add(self, text: str) -> str:
        self.nodes.append(text)
        return f"!{len(self.nodes) - 1}"

    def node(self, text: str, file: str) -> str:
        return self.add(text.replace("!{file}", file))

    def file(self, path: str) -> str:
        relative = os.path.relpath(path, self.root)
        key = ("file", relative)
        if key not in self.cache:
            self.cache[key] = self.add(f'!DIFile(filename: "{relative}", directory: "wasmote")')
        return self.cache[key]

    def subprogram(self, function: object, path: str, line: int) -> str:
        name = str(getattr(function, "name", function))
        key = ("sub", name, str(id(function)))
        if key not in self.cache:
            file = self.file(path)
            self.cache[key] = self.add(
                f'distinct !DISubprogram(name: "{name}", file: {file}, scope: {file}, '
                f"line: {line}, type: {self.type}, unit: {self.unit}, spFlags: DISPFlagDefinition)"
            )
        return self.cache[key]

    def location(self, line: int, scope: str, inlined_at: str, distinct: bool = False) -> str:
        key = ("loc", str(line), scope, inlined_at)
        if distinct or key not in self.cache:
            at = f", inlinedAt: {inlined_at}" if inlined_at else ""
            prefix = "distinct " if distinct else ""
            made = self.add(f"{prefix}!DILocation(line: {line}, scope: {scope}{at})")
            if distinct:
                return made
            self.cache[key] = made
        return self.cache[key]

    def text(self) -> str:
        numbered = "\n".join(f"!{i} = {node}" for i, node in enumerate(self.nodes))
        n = len(self.nodes)
        return f"""{numbered}
!{n} = !{{i32 2, !"Debug Info Version", i32 3}}
!{n + 1} = !{{i32 7, !"Dwarf Version", i32 4}}
!llvm.dbg.cu = !{{{self.unit}}}
!llvm.module.flags = !{{!{n}, !{n + 1}}}
"""
