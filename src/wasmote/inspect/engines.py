"""How many bytes each engine makes of each function."""

import ctypes

from wasmote.api.layouts import FunctionLayout, items
from wasmote.api.module import Module
from wasmote.host.cpython.binding import BINDING, Address

_translate_module = BINDING.function("fast_translate_module", ctypes.c_uint32, Address)
_prepare_module = BINDING.function("classic_prepare_module", ctypes.c_uint32, Address)
_side_table_size = BINDING.python_function(
    "classic_side_table_size", ctypes.c_uint32, Address, ctypes.c_uint32
)
#: The fast interpreter's code consists of units of two bytes.
_UNIT = 2


def engine_sizes(module: Module) -> dict[str, dict[int, int]]:
    """For each engine the bytes that it makes of each function, by function index.

    They are the fast interpreter's code, and the classic one's side tables, which it needs besides
    the module's own bytes. Translates the whole module; a function that an engine cannot translate
    is left out.
    """
    layout = module._layout
    _translate_module(ctypes.addressof(layout))
    functions = items(FunctionLayout, layout.functions, layout.function_count)
    starts = sorted((each.code, index) for index, each in enumerate(functions) if each.code)
    ends = [start for start, _ in starts[1:]] + [layout.code_used]
    # Without functions there is one end too many.
    fast = {index: (end - start) * _UNIT for (start, index), end in zip(starts, ends, strict=False)}
    return {"fast": fast, "classic": _side_tables(module)}


def _side_tables(module: Module) -> dict[int, int]:
    address = ctypes.addressof(module._layout)
    _prepare_module(address)
    first, count = module._layout.imported_functions, module._layout.function_count
    sizes = {index: _side_table_size(address, index) for index in range(first, count)}
    return {index: size for index, size in sizes.items() if size}
