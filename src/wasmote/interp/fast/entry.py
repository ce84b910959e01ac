"""How the host runs WebAssembly functions, and what it may ask about their code."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Module
from wasmote.nativepy import address_of, handler_offset, native, ptr, stack, u16, u32, usize, void

from .frames import fast_run
from .registers import HANDLERS
from .stack import Translator
from .translate import translate, translate_function

HANDLER_COUNT = len(HANDLERS.handlers)


@native(export="fast_handler_count")
def fast_handler_count() -> u32:
    """Entries that the table of handlers needs."""
    return HANDLER_COUNT


@native(export="fast_init")
def fast_init(table: ptr[usize]) -> void:
    """Fill a table of `fast_handler_count()` addresses; one serves all threads."""
    for i in range(u32(0), HANDLER_COUNT):
        table[i] = handler_offset(HANDLERS, i)


@native(export="fast_attach")
def fast_attach(exec: ptr[Exec], table: ptr[usize]) -> void:
    """Let a thread of execution use the fast interpreter."""
    exec.handlers = table
    exec.translate = address_of(translate_function)


@native(export="fast_translate_module")
def fast_translate_module(module: ptr[Module]) -> u32:
    """Translate every function now instead of at its first call: 0 or a trap code."""
    for i in range(module.imported_functions, module.function_count):
        code = translate_function(module, module.functions + i)
        if code != TrapCode.NONE:
            return code
    return TrapCode.NONE


@native(export="fast_byte_offset")
def fast_byte_offset(module: ptr[Module], index: u32, code: u32) -> u32:
    """Offset in the module's binary of the instruction that the extended code at `code` came from.

    Translates the function once more and watches what lands there, so that no table has to be kept.
    """
    function = module.functions + index
    units = usize(module.code_used - function.code + 64)
    scratch = module.platform.allocate(units * 2)
    if scratch is None:
        return 0
    t = stack(Translator)
    t.probe = code
    t.probed = function.body
    t.code = ptr[u16](scratch) - function.code
    t.at = function.code
    t.limit = function.code + u32(units)
    translate(t, module, function)
    module.platform.release(scratch)
    return u32(usize(t.probed) - usize(module.binary))


EXPORTS = (fast_handler_count, fast_init, fast_attach, fast_run, fast_translate_module, fast_byte_offset)

