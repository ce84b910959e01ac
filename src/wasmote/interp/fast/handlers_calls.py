"""Handlers of calls, references and tables.

A call between functions of one instance only moves the frame pointer. Calls of the host and of other
instances leave the interpreter through `call_outside`.
"""

from wasmote.core.function import instance_function
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Function, Instance
from wasmote.core.table import elem_drop, table_copy, table_fill, table_grow, table_init
from wasmote.core.type_store import store_defined_matches
from wasmote.interp.common.outside import call_outside
from wasmote.nativepy import (
    inline,
    load,
    native,
    ptr,
    store,
    tail,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
)

from .bulk import bulk
from .frames import translated
from .registers import (
    FLOATS,
    OPCODES,
    PROLOGUE_UNITS,
    go,
    handler,
    operand,
    operand_units,
    pc_offset,
    poll_then_go_on,
    trap,
    write_if,
)


@inline
def enter_function(start, back, delta, pc, fp, mem, size, exec, inst, table, r, f):
    """Go on in the function whose code starts at `start`, to return to the code offset `back`."""
    callee = fp + delta
    trap_if(usize(callee) + usize(start[2]) * 4 > usize(exec.stack_end), TrapCode.STACK_OVERFLOW)
    header = callee + start[0]
    header[0] = back
    header[1] = delta
    zero = start[1]
    local = header + 2
    for i in range(u16(0), zero):
        local[i] = 0
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, start + PROLOGUE_UNITS, callee, mem, size, exec, inst, table, r, f)
    return go(start + PROLOGUE_UNITS, callee, mem, size, exec, inst, table, r, f)


@inline
def code_offset(exec, pc):
    return u32(pc_offset(exec, pc))


@handler("call")
def call(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, frame distance, code offset (2), function (2)]: of a function that is translated."""
    start = exec.code + load(u32, pc + 2, align=2)
    back = code_offset(exec, pc + 6)
    return enter_function(start, back, u32(pc[1]), pc, fp, mem, size, exec, inst, table, r, f)


@handler("call first")
def call_first(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, frame distance, 0 (2), function (2)]: translate, then become a `call`."""
    function = inst.module.functions + load(u32, pc + 4, align=2)
    code = translated(exec, inst, function)
    trap_if(code != 0, code)
    store(ptr[u32](pc + 2), function.code, align=2)
    pc[0] = OPCODES["call"]
    return go(pc, fp, mem, size, exec, inst, table, r, f)


@native(convention="handler", noinline=True)
def outside(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Call the function instance in `r`; `mem` is the frame's first cell, `pc` the next instruction."""
    target = ptr[FuncInst](usize(r))
    cells = ptr[u32](mem)
    code = call_outside(exec, inst, target, code_offset(exec, pc) - 1, fp, cells)
    if code != 0:
        return code
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(pc, fp, memory.data, memory.size, exec, inst, table, r, f)
    return go(pc, fp, ptr[u8](cells), u64(0), exec, inst, table, r, f)


@handler("call import")
def call_import(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, frame distance, function (2)]"""
    target = inst.imported[load(u32, pc + 2, align=2)]
    cells = ptr[u8](fp + pc[1])
    return tail(outside, pc + 4, fp, cells, size, exec, inst, table, u64(usize(target)), f)


@native(convention="handler", cold=True, noinline=True)
def translate_first(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Translate the function at `mem`, then execute the instruction at `pc` again."""
    code = translated(exec, inst, ptr[Function](mem))
    if code != 0:
        return tail(trap, pc, fp, mem, size, exec, inst, table, u64(code), f)
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(pc, fp, memory.data, memory.size, exec, inst, table, r, f)
    return go(pc, fp, mem, size, exec, inst, table, r, f)


@inline
def check_type(inst, target, wanted):
    """The function must have the type of that id, or one below it."""
    if unlikely(target.type_id != wanted):
        fine = store_defined_matches(inst.store, target.type_id, wanted)
        trap_if(not fine, TrapCode.INDIRECT_CALL_TYPE_MISMATCH)


def call_indirect(form: str) -> None:
    """[op, frame distance, table, type (2), index?]"""
    units = 5 + operand_units(form, u32)

    @handler(f"call_indirect {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        index = operand(form, u32, pc + 5, fp, r, f)
        functions = inst.tables[pc[2]]
        trap_if(index >= functions.size, TrapCode.UNDEFINED_ELEMENT)
        handle = functions.elements[index]
        trap_if(handle == 0, TrapCode.UNINITIALIZED_ELEMENT)
        target = inst.store.functions[handle]
        module = inst.module
        check_type(inst, target, module.types[load(u32, pc + 3, align=2)].id)
        if target.instance != inst:
            cells = ptr[u8](fp + pc[1])
            return tail(outside, pc + units, fp, cells, size, exec, inst, table, u64(usize(target)), f)
        function = module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        back = code_offset(exec, pc + units)
        return enter_function(start, back, u32(pc[1]), pc, fp, mem, size, exec, inst, table, r, f)


call_indirect("S")
call_indirect("A")


def call_ref(form: str) -> None:
    """[op, frame distance, type (2), reference?]"""
    units = 4 + operand_units(form, u32)

    @handler(f"call_ref {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        handle = operand(form, u32, pc + 4, fp, r, f)
        trap_if(handle == 0, TrapCode.NULL_FUNCTION_REFERENCE)
        target = inst.store.functions[handle]
        module = inst.module
        check_type(inst, target, module.types[load(u32, pc + 2, align=2)].id)
        if target.instance != inst:
            cells = ptr[u8](fp + pc[1])
            return tail(outside, pc + units, fp, cells, size, exec, inst, table, u64(usize(target)), f)
        function = module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        back = code_offset(exec, pc + units)
        return enter_function(start, back, u32(pc[1]), pc, fp, mem, size, exec, inst, table, r, f)


call_ref("S")
call_ref("A")


@handler("ref.as_non_null")
def as_non_null(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, reference]"""
    trap_if(fp[pc[1]] == 0, TrapCode.NULL_REFERENCE)
    return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


@handler("ref.func")
def ref_func(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, function (2)]"""
    target = instance_function(inst, load(u32, pc + 2, align=2))
    trap_if(target is None, TrapCode.OUT_OF_MEMORY)
    fp[pc[1]] = target.handle
    return go(pc + 4, fp, mem, size, exec, inst, table, u64(target.handle), f)


def table_get(form: str, saved: bool) -> None:
    """[op, dst, table, index?]"""
    units = 3 + operand_units(form, u32)

    @handler(f"table.get {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        index = operand(form, u32, pc + 3, fp, r, f)
        references = inst.tables[pc[2]]
        trap_if(index >= references.size, TrapCode.TABLE_OUT_OF_BOUNDS)
        value = references.elements[index]
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, u64(value), f)


for _form in ("S", "A"):
    for _saved in (False, True):
        table_get(_form, _saved)


@handler("table.set")
def table_set(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, table, index, value]"""
    index = fp[pc[2]]
    references = inst.tables[pc[1]]
    trap_if(index >= references.size, TrapCode.TABLE_OUT_OF_BOUNDS)
    references.elements[index] = fp[pc[3]]
    return go(pc + 4, fp, mem, size, exec, inst, table, r, f)


@handler("table.size")
def table_size(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, table]"""
    count = inst.tables[pc[2]].size
    fp[pc[1]] = count
    return go(pc + 3, fp, mem, size, exec, inst, table, u64(count), f)


@handler("table.grow")
def table_grow_(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, table, first of (value, count)]"""
    o = fp + pc[3]
    old = u32(table_grow(inst.tables[pc[2]], u64(o[1]), o[0]))
    fp[pc[1]] = old
    return go(pc + 4, fp, mem, size, exec, inst, table, u64(old), f)


@inline
def fill_(pc, o, inst):
    return table_fill(inst.tables[pc[2]], u64(o[0]), o[1], u64(o[2]))


@inline
def copy_(pc, o, inst):
    return table_copy(inst.tables[pc[2]], inst.tables[pc[3]], u64(o[0]), u64(o[1]), u64(o[2]))


@inline
def init_(pc, o, inst):
    segment = load(u32, pc + 2, align=2)
    return table_init(inst, segment, inst.tables[pc[4]], u64(o[0]), u64(o[1]), u64(o[2]))


@inline
def drop_(pc, o, inst):
    elem_drop(inst, load(u32, pc + 2, align=2))
    return u32(0)


bulk("table.fill", 3, fill_)
bulk("table.copy", 4, copy_)
bulk("table.init", 5, init_)
bulk("elem.drop", 4, drop_)
