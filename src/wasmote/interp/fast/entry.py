"""How the host runs WebAssembly functions, and what it may ask about their code."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Module
from wasmote.nativepy import native, ptr, stack, u16, u32, usize

from .frames import fast_run
from .stack import Translator
from .translate import translate, translate_function


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


@native(export="fast_frame_size")
def fast_frame_size(module: ptr[Module], index: u32) -> u32:
    """Bytes of a function's frame; 0: it is not translated."""
    code = module.functions[index].code
    return 0 if code == 0 else u32(module.code[code + 2]) * 4


EXPORTS = (fast_run, fast_translate_module, fast_byte_offset, fast_frame_size)
