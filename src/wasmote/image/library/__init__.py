"""What LLVM takes for granted that every program has, in nativepy: memory, and arithmetic that a
machine has no instructions for. What an image refers to becomes part of it: it needs no library.

`memory` has memcpy and its like, `integers` and `floats` the arithmetic, `names` the names and
types by which LLVM calls it, `atomics` what needs no more than one thread.
"""

from collections.abc import Iterable

from wasmote.nativepy.lang import NativeFunction


def find(names: Iterable[str]) -> dict[str, NativeFunction]:
    """Those of the functions named that the library has."""
    from . import atomics, memory
    from . import names as arithmetic

    known = {**memory.FUNCTIONS, **atomics.FUNCTIONS, **arithmetic.FUNCTIONS}
    return {name: known[name] for name in sorted(names) if name in known}
