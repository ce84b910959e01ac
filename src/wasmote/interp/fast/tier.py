"""Compiled code takes over: at a function's start, and from then on for all its calls.

In front of a function's code is a record: the opcode of its first instruction, and its index. Once
it has compiled code, `enter compiled` stands in the place of that opcode. So callers need no test,
and threads that run the function meanwhile notice nothing: whoever is in it stays.
"""

from wasmote.core.mutex import acquire, release
from wasmote.core.structs import Module
from wasmote.nativepy import (
    addr,
    atomic_store,
    boolean,
    native,
    ptr,
    store,
    u32,
    void,
)

from .bytecode import OPCODES
from .functions import functions_of
from .registers import PROLOGUE_UNITS, RECORD_UNITS

FIND_LOOP, RUN_LOOP = Module.fields["find_loop"], Module.fields["run_loop"]


@native
def write_record(module: ptr[Module], index: u32, start: u32):
    """What goes in front of the new code at `start`; the code lock is held."""
    first = module.code + (start + PROLOGUE_UNITS)
    record = module.code + (start - RECORD_UNITS)
    record[0] = first[0]
    store(ptr[u32](record + 1), index, align=2)
    if has_compiled(module, index):
        first[0] = OPCODES["enter compiled"]


@native
def has_compiled(module: ptr[Module], index: u32) -> boolean:
    """Whether compiled code runs a function's calls."""
    if module.compiled is None:
        return False
    return module.compiled[2 * (index - module.imported_functions) + 1] != 0


@native(export="fast_enter_compiled")
def fast_enter_compiled(
    module: ptr[Module], functions: ptr[u32], find_loop: FIND_LOOP, run_loop: RUN_LOOP
) -> void:
    """Let compiled code run all functions that have a size in that table (`Module.compiled`).

    The table stays as long as the module. Instances that have no context for compiled code go on
    as before.
    """
    acquire(module.platform, addr(module.code_lock))
    module.find_loop = find_loop
    module.run_loop = run_loop
    module.compiled = functions
    translated = functions_of(module)
    for i in range(u32(0), module.translated_count):
        if has_compiled(module, translated[i].function):
            first = module.code + (translated[i].start + PROLOGUE_UNITS)
            atomic_store(first, OPCODES["enter compiled"])
    release(module.platform, addr(module.code_lock))


EXPORTS = (fast_enter_compiled,)
