"""How much of the native stack each compiled function takes, as LLVM finds while it compiles."""

import re
from collections.abc import Iterable

from wasmote.compile.source import Source

#: An attribute of functions that LLVM warns of if their frames have more bytes than this.
ATTRIBUTE = '"warn-stack-size"="0"'
_WARNING = re.compile(r"stack frame size \((\d+)\) exceeds limit \(0\) in function '([^']+)'")


def stack_usage(messages: Iterable[str], source: Source) -> str:
    """Lines of function, tab, bytes, tab, `static`, as `clang -fstack-usage` writes them.

    Of functions that LLVM left out there are none. Those that are not the module's have the names
    that the compiler gives them. An address that calls push counts with the caller's bytes.
    """
    found = {name: int(size) for text in messages for size, name in _WARNING.findall(text)}
    lines = []
    for body in source.bodies:
        size = found.pop(f"f{body.index}", None)
        if size is not None:
            lines.append(f"{source.name(body.index)}\t{size}\tstatic\n")
    lines += [f"{name}\t{size}\tstatic\n" for name, size in sorted(found.items())]
    return "".join(lines)
