"""Instances that begin in the fast interpreter, and that compiled code takes over.

Their `Instance.run` is `tiered_run`. When there is code, `aot_attach_all` gives each of a module's
instances its context, and `fast_enter_compiled` (interp.fast.tier) lets the interpreter leave for
it at the start of each function.
"""

from wasmote.aot.run import aot_attach, aot_run
from wasmote.aot.structs import CodeLayout
from wasmote.core.structs import Exec, FuncInst, Module, Store
from wasmote.interp.fast.frames import fast_run
from wasmote.interp.fast.tier import has_compiled
from wasmote.nativepy import address_of, native, ptr, u32, usize, void


@native(export="tiered_run")
def tiered_run(exec: ptr[Exec], target: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """`Instance.run`: run a function where it is best run by now."""
    inst = target.instance
    if inst.native is not None and has_compiled(inst.module, target.index):
        return aot_run(exec, target, cells)
    return fast_run(exec, target, cells)


@native(export="aot_attach_all")
def aot_attach_all(store: ptr[Store], module: ptr[Module], layout: ptr[CodeLayout]) -> void:
    """Make all instances of a module ready for compiled code that begin in the interpreter.

    Those that cannot be stay there. Instances must not come and go meanwhile.
    """
    inst = store.instances
    while inst is not None:
        tiered = usize(inst.run) == usize(address_of(tiered_run))
        if tiered and inst.module == module and inst.native is None:
            aot_attach(inst, layout)
        inst = inst.next


EXPORTS = (tiered_run, aot_attach_all)
