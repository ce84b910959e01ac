"""Compiled code that takes over from the fast interpreter in the middle of a function, at a loop.

An image may have, for some loops, code that begins there: it takes the locals from the cells of the
interpreter's frame, and returns for that frame. `Context.loops` lists it. The first number is the
offset of the function that such code is entered by; then come entries of four numbers: the
function's index, the offset of the loop in the binary, that of the code, its size; at last NONE.
"""

from wasmote.aot.run import enter
from wasmote.aot.structs import Context
from wasmote.core.structs import NONE, Exec, Instance
from wasmote.interp.fast.functions import translated_at
from wasmote.interp.fast.loops import loop_offset
from wasmote.nativepy import native, ptr, u8, u32


@native(export="aot_find_loop")
def aot_find_loop(inst: ptr[Instance], code: u32) -> ptr[u8]:
    """`Module.find_loop`"""
    context = ptr[Context](inst.native)
    if context.loops is None:
        return None
    entry = context.loops + 1
    index = translated_at(inst.module, code).function
    while entry[0] != index:
        if entry[0] == NONE:
            return None
        entry = entry + 4
    offset = loop_offset(inst, code)
    while entry[0] == index:
        if entry[1] == offset:
            return context.code + entry[2]
        entry = entry + 4
    return None


@native(export="aot_run_loop")
def aot_run_loop(
    exec: ptr[Exec], inst: ptr[Instance], code: ptr[u8], cells: ptr[u32], end: ptr[u32]
) -> u32:
    """`Module.run_loop`"""
    context = ptr[Context](inst.native)
    return enter(exec, context, context.code + context.loops[0], code, cells, end)


EXPORTS = (aot_find_loop, aot_run_loop)
