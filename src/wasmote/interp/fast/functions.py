"""Which function a place in extended code belongs to.

`Module.translated` lists the translated functions in the order of their code, which is that of
their translation; it has room for all, as running code looks at it without a lock. Behind a
function's code are its clauses that catch exceptions, if it has any, and their number.
"""

from wasmote.core.structs import Module
from wasmote.interp.common.catches import Catch
from wasmote.nativepy import (
    addr,
    atomic_load,
    atomic_store,
    boolean,
    inline,
    native,
    ptr,
    sizeof,
    struct,
    u8,
    u32,
    usize,
)

#: Units that a clause takes: all its fields are u32.
CATCH_UNITS = 2 * len(Catch.fields)


@struct
class Translated:
    """The extended code of a function."""

    start: u32
    end: u32
    function: u32  # index
    catching: u32  # it has clauses


@inline
def functions_of(module):
    return ptr[Translated](module.translated)


@native
def note_translated(
    module: ptr[Module], function: u32, start: u32, end: u32, catching: boolean
) -> boolean:
    """Add a function to the list; the code lock is held. False: out of memory."""
    if module.translated is None:
        room = usize(module.function_count - module.imported_functions) * sizeof(Translated)
        module.translated = module.platform.allocate(room)
        if module.translated is None:
            return False
    count = module.translated_count
    entry = functions_of(module) + count
    entry.start = start
    entry.end = end
    entry.function = function
    entry.catching = u32(catching)
    if catching:
        module.catching = 1
    atomic_store(addr(module.translated_count), count + 1)
    return True


@native
def translated_at(module: ptr[Module], code: u32) -> ptr[Translated]:
    """The function whose extended code contains a position."""
    low: u32 = 0
    high = atomic_load(addr(module.translated_count)) - 1  # first: lists only become longer
    functions = functions_of(module)
    while low < high:
        middle = low + (high - low + 1) // 2
        if functions[middle].start <= code:
            low = middle
        else:
            high = middle - 1
    return functions + low


@inline
def catch_count(module, function):
    return u32(module.code[function.end - 1])


@inline
def catches_of(module, function):
    count = catch_count(module, function)
    return ptr[Catch](ptr[u8](module.code + (function.end - 1 - count * CATCH_UNITS)))
