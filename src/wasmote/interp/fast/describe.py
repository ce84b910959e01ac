"""Where a frame of the fast interpreter has its values.

The function is translated once more, up to the instruction that the frame is at: then the
translator's picture of locals and operands is the frame's.
"""

from wasmote.core.frames import describe_types
from wasmote.core.structs import NONE, FrameDescription, Function, Instance, Module
from wasmote.nativepy import boolean, native, ptr, stack, u16, u32, usize

from .functions import translated_at
from .stack import CONSTANT, LOCAL, Translator
from .translate import WATCH_MARGIN, begin_translation, body, end_translation


@native(convention="c", cold=True, noinline=True)
def describe(inst: ptr[Instance], code: u32, d: ptr[FrameDescription]) -> boolean:
    """`Entry.describe`."""
    module = inst.module
    d.function = translated_at(module, code).function
    function = module.functions + d.function
    d.header = module.types[function.type].param_cells
    units = code - function.code + 4 * WATCH_MARGIN
    scratch = module.platform.allocate(usize(units) * 2)
    if scratch is None:
        return False
    t = stack(Translator)
    t.code = ptr[u16](scratch) - function.code
    t.limit = function.code + units
    t.watch = code
    t.until = None
    fine = translate_again(t, module, function)
    end_translation(t)
    if fine:
        # What is at that position is told by the last instruction to start before it. Its operands
        # are as they are when translation comes there.
        t.until = t.watched
        fine = translate_again(t, module, function)
        if fine:
            d.offset = u32(usize(t.until) - usize(module.binary))
            fine = describe_types(d) and d.operand_count == t.height
        if fine:
            places(t, d)
        end_translation(t)
    module.platform.release(scratch)
    return fine


@native
def translate_again(t: ptr[Translator], module: ptr[Module], function: ptr[Function]) -> boolean:
    """Translate as far as `watch` and `until` say."""
    t.probe = t.watch
    t.at = function.code
    t.watched = None
    if begin_translation(t, module, function) != 0:
        return False
    body(t, module.types + function.type, function.body + function.body_size)
    return t.until is not None or t.watched is not None


@native
def places(t: ptr[Translator], d: ptr[FrameDescription]):
    for i in range(d.local_count):
        d.values[i].cell = t.slots[i]
    for i in range(t.height):
        o = t.operands + i
        value = d.values + (d.local_count + i)
        # A value in an accumulator is written to its home before control leaves the interpreter.
        value.cell = o.slot if o.where == LOCAL else o.home
        if o.where == CONSTANT:
            value.cell = NONE
            value.bits = o.value
