"""Which loop of the module is at a position in extended code."""

from wasmote.core.structs import NONE, Instance
from wasmote.nativepy import native, ptr, stack, u16, u32, usize

from .functions import translated_at
from .stack import Translator
from .translate import WATCH_MARGIN, begin_translation, body, end_translation


@native(export="fast_loop_offset")
def loop_offset(inst: ptr[Instance], code: u32) -> u32:
    """Offset in the binary of the outermost loop whose code starts at a position, or NONE.

    Found by translating the function once more, so that no table has to be kept.
    """
    module = inst.module
    translated = translated_at(module, code)
    function = module.functions + translated.function
    scratch = module.platform.allocate(usize(translated.end - translated.start + WATCH_MARGIN) * 2)
    if scratch is None:
        return NONE
    found = u32(NONE)
    t = stack(Translator)
    t.probe = NONE
    t.watch = NONE
    t.code = ptr[u16](scratch) - function.code
    t.at = function.code
    t.limit = translated.end + WATCH_MARGIN
    if begin_translation(t, module, function) == 0:
        t.loop_at = code
        body(t, module.types + function.type, function.body + function.body_size)
        if t.loop is not None:
            found = u32(usize(t.loop) - usize(module.binary))
        end_translation(t)
    module.platform.release(scratch)
    return found


EXPORTS = (loop_offset,)
