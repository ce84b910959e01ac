"""How many bytes each engine makes of each function."""

import ctypes

from wasmote.api.layouts import FunctionLayout, items
from wasmote.api.module import Module
from wasmote.host.cpython.binding import BINDING, Address

_translate_module = BINDING.function("fast_translate_module", ctypes.c_uint32, Address)
#: The fast interpreter's code consists of units of two bytes.
_UNIT = 2


def engine_sizes(module: Module) -> dict[str, dict[int, int]]:
    """For each engine the size in bytes of the code it runs, by function index.

    Translates the whole module. A function that an engine cannot translate is left out.
    """
    layout = module._layout
    _translate_module(ctypes.addressof(layout))
    functions = items(FunctionLayout, layout.functions, layout.function_count)
    starts = sorted((each.code, index) for index, each in enumerate(functions) if each.code)
    ends = [start for start, _ in starts[1:]] + [layout.code_used]
    fast = {index: (end - start) * _UNIT for (start, index), end in zip(starts, ends, strict=True)}
    return {"fast": fast}
