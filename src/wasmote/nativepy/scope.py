"""What names mean while a function is compiled."""

import builtins
from dataclasses import dataclass, field
from typing import Any

from .builder import Known, Place, Value
from .lang import NativeFunction
from .types import Type


@dataclass
class Root:
    """The LLVM function that all inline expansions end up in."""

    result: Type
    arguments: list[Value]  # as they were on entry: what `on_trap` gets
    on_trap: NativeFunction | None
    convention: str
    # Handlers compiled as cases of one switch: where the next opcode and arguments are stored.
    switch_slots: list[Place] | None = None
    switch_label: str = ""
    #: Functions that those handlers end in a call of, and the labels of their cases.
    switch_tails: dict[NativeFunction, str] = field(default_factory=dict)


@dataclass
class Scope:
    """The names of one function or of one inline expansion."""

    function: NativeFunction
    file: str
    root: Root
    names: dict[str, Place | Known | Value] = field(default_factory=dict)
    #: Inline expansions end here; None: `return` leaves the LLVM function.
    return_label: str | None = None
    return_place: Place | None = None
    return_type: Type | None = None
    return_known: Known | None = None
    returned: bool = False
    #: Labels of the innermost loop: (break, continue).
    loops: list[tuple[str, str]] = field(default_factory=list)
    #: Debug metadata: the subprogram, and the location this was expanded at.
    subprogram: str = ""
    inlined_at: str = ""

    def find(self, name: str) -> Place | Known | Value | None:
        """A local, or a Python object from the function's closure, module or the builtins."""
        if name in self.names:
            return self.names[name]
        found = lookup(self.function, name)
        return None if found is MISSING else Known(found)


MISSING = object()


def lookup(function: NativeFunction, name: str) -> Any:
    """The Python object a free name of a function stands for, or MISSING."""
    code = function.function.__code__
    if name in code.co_freevars:
        cell = (function.function.__closure__ or ())[code.co_freevars.index(name)]
        return cell.cell_contents
    if name in function.function.__globals__:
        return function.function.__globals__[name]
    return getattr(builtins, name, MISSING)
