"""Values in cells, as LLVM IR: on value stacks, in globals, in fields of objects.

A value of 64 bits is two cells, the lower half first, and a v128 two such values. Machines with
little-endian numbers have them as LLVM does; elsewhere the halves are exchanged on the way.
"""

from wasmote.nativepy.targets import Target

#: Bytes of each type's cells.
CELLS = {"i32": 4, "float": 4, "i64": 8, "double": 8, "<2 x i64>": 16}
#: As what a value of several cells is exchanged, LLVM's name of that, and by how many bits.
_HALVES = {
    "i64": ("i64", "i64", "32"),
    "double": ("i64", "i64", "32"),
    "<2 x i64>": ("<2 x i64>", "v2i64", "<i64 32, i64 32>"),
}


def load_cells(target: Target, name: str, kind: str, at: str, about: str) -> str:
    """Text that gives `name` the value at `at`; `about` is what follows the address."""
    if not target.big_endian or kind not in _HALVES:
        return f"  {name} = load {kind}, ptr {at}, {about}\n"
    held = _HALVES[kind][0]
    text = f"  {name}.c = load {held}, ptr {at}, {about}\n"
    if held == kind:
        return text + _exchange(name, f"{name}.c", kind)
    exchanged = _exchange(f"{name}.h", f"{name}.c", kind)
    return f"{text}{exchanged}  {name} = bitcast {held} {name}.h to {kind}\n"


def store_cells(target: Target, name: str, kind: str, value: str, at: str, about: str) -> str:
    """Text that stores a value at `at`; other names in it begin with `name`."""
    if not target.big_endian or kind not in _HALVES:
        return f"  store {kind} {value}, ptr {at}, {about}\n"
    held, text = _HALVES[kind][0], ""
    if held != kind:
        text = f"  {name}.b = bitcast {kind} {value} to {held}\n"
        value = f"{name}.b"
    text += _exchange(f"{name}.h", value, kind)
    return f"{text}  store {held} {name}.h, ptr {at}, {about}\n"


def _exchange(name: str, value: str, kind: str) -> str:
    held, suffix, amount = _HALVES[kind]
    operands = f"{held} {value}, {held} {value}, {held} {amount}"
    return f"  {name} = call {held} @llvm.fshl.{suffix}({operands})\n"
