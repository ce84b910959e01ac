"""Fuel: how many instructions a program may still execute.

`wasmote.isa.fuel` says what an instruction costs. Each engine pays for a run of instructions before
it executes the first that costs something; where the fuel does not suffice for the whole run, that
is where the trap is. So all engines spend the same and stop at the same instruction.

An engine's code for an instance that spends fuel differs from its code for others, which need not
know of it. It belongs to the module's *twin*: the same module once more, but for its functions and
what engines made of them. `Instance.module` of an instance with fuel is the twin.
"""

from wasmote.core.status import TrapCode
from wasmote.core.structs import Fuel, Function, Instance, Module
from wasmote.isa.fuel import COST_CLASSES, GC_COST_CLASSES
from wasmote.nativepy import (
    boolean,
    constants,
    copy,
    i64,
    inline,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    usize,
    void,
)

CLASSES = constants(u8, COST_CLASSES)
GC_CLASSES = constants(u8, GC_COST_CLASSES)
PREFIX_GC = 0xFB


@inline
def cost_class(pc):
    """`isa.fuel.cost_class` of the instruction at `pc`."""
    found = u32(CLASSES[pc[0]])
    if pc[0] == PREFIX_GC:
        found = u32(GC_CLASSES[pc[1] & 31])
    return found


@inline
def spend(fuel: ptr[Fuel], amount: i64) -> boolean:
    """Take an amount away; False, and nothing is left, if there is not so much."""
    left = fuel.left - amount
    fuel.left = left if left > 0 else i64(0)
    return left >= 0


@inline
def spend_for_size(instance, n):
    """What an instruction costs on top that works on `n` bytes or elements: 0 or a trap code."""
    code: u32 = TrapCode.NONE
    if instance.fuel is not None and not spend(instance.fuel, limited(u64(n))):
        code = u32(TrapCode.OUT_OF_FUEL)
    return code


@inline
def limited(n: u64) -> i64:
    return i64(n) if n >> 62 == 0 else i64(1 << 62)


@native(export="module_twin")
def module_twin(module: ptr[Module]) -> ptr[Module]:
    """The metered twin of a module, made at the first call. None: out of memory.

    It lives as long as the module, and is freed with it. Not for several threads at once.
    """
    if module.twin is not None:
        return module.twin
    platform = module.platform
    size = usize(module.function_count) * sizeof(Function)
    twin = ptr[Module](platform.allocate(sizeof(Module) + size))
    if twin is None:
        return None
    copy(twin, module, sizeof(Module))
    twin.functions = ptr[Function](twin + 1)
    copy(twin.functions, module.functions, size)
    for i in range(module.function_count):
        twin.functions[i].code = 0
        twin.functions[i].side_table = None
    twin.arena = None
    twin.arena_bytes = 0
    twin.code = None
    twin.maps = None
    twin.map_count = 0
    twin.map_capacity = 0
    twin.code_used = 0
    twin.code_lock = 0
    twin.code_committed = 0
    twin.translated = None
    twin.translated_count = 0
    twin.catching = 0
    twin.compiled = None
    twin.catch_tables = None
    twin.metered = 1
    module.twin = twin
    return twin


@native(export="instance_set_fuel")
def instance_set_fuel(instance: ptr[Instance], fuel: ptr[Fuel]) -> u32:
    """Let a new instance's code spend fuel: 0 or a trap code. `fuel` lives as long as it."""
    twin = module_twin(instance.module)
    if twin is None:
        return TrapCode.OUT_OF_MEMORY
    instance.module = twin
    instance.fuel = fuel
    return TrapCode.NONE


@native(export="fuel_add")
def fuel_add(fuel: ptr[Fuel], amount: i64) -> void:
    """Add an amount, which is not negative; what is left stays below 2**63."""
    left = fuel.left + amount
    fuel.left = left if left >= 0 else i64((u64(1) << 63) - 1)
