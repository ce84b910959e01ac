"""Arguments that no register is left for, in modules with tail calls.

LLVM 22 does not hand over arguments on the native stack in guaranteed tail calls between functions
of different types. In modules that have tail calls all functions take such arguments where the
value stack is free, at `Exec.top`: the caller stores them there last of all, the function loads
them first of all. A signal that comes between keeps off them (`host.ticks`).
"""

from wasmote.aot.structs import SPILLED
from wasmote.compile.frame import Offsets
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.source import Signature
from wasmote.core.structs import Exec


def load_text(offsets: Offsets, signature: Signature, spilled: tuple[int, ...]) -> str:
    """Text that loads these parameters, as `%p` and their number."""
    text = top_text(offsets, "%spilled") if spilled else ""
    for place, i in enumerate(spilled):
        text += (
            f"  %p{i}.spilled = getelementptr i8, ptr %spilled, i64 {SPILLED * place}\n"
            f"  %p{i} = load {signature.params[i]}, ptr %p{i}.spilled, align 4, {RUNTIME}\n"
        )
    return text


def room_text(offsets: Offsets, spilled: tuple[int, ...], name: str) -> str:
    """Text that defines `name`, where arguments go, and `name`.full: there is no room for them."""
    end = offsets.field(Exec, "stack_end")
    return top_text(offsets, name) + (
        f"  {name}.last = getelementptr i8, ptr {name}, i64 {SPILLED * len(spilled)}\n"
        f"  {name}.end.at = getelementptr i8, ptr %exec, i64 {end}\n"
        f"  {name}.end = load ptr, ptr {name}.end.at, {RUNTIME}\n"
        f"  {name}.full = icmp ugt ptr {name}.last, {name}.end\n"
    )


def store_text(
    signature: Signature, spilled: tuple[int, ...], arguments: list[str], name: str
) -> str:
    """Text that stores arguments, all of which are given, where `room_text` found room."""
    text = ""
    for place, i in enumerate(spilled):
        text += (
            f"  {name}.{i} = getelementptr i8, ptr {name}, i64 {SPILLED * place}\n"
            f"  store {signature.params[i]} {arguments[i]}, ptr {name}.{i}, align 4, {RUNTIME}\n"
        )
    return text


def top_text(offsets: Offsets, name: str) -> str:
    return (
        f"  {name}.at = getelementptr i8, ptr %exec, i64 {offsets.field(Exec, 'top')}\n"
        f"  {name} = load ptr, ptr {name}.at, {RUNTIME}\n"
    )
