"""Handlers of calls, references and tables.

A call between functions of one instance only moves the frame pointer. Calls of the host and of
other instances leave the interpreter through `call_outside`.
"""

from wasmote.core.function import instance_function
from wasmote.core.gc.mark import before_table_write
from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, TAIL_CALL, Exec, FuncInst, Function, Instance
from wasmote.core.table import elem_drop, table_copy, table_fill, table_grow, table_init
from wasmote.core.type_store import store_defined_matches
from wasmote.interp.common.outside import call_outside
from wasmote.nativepy import (
    Type,
    atomic_store,
    inline,
    load,
    native,
    order_after,
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

from .bulk import bulk, range_operand
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
    read_slot,
    trap,
    write_if,
    write_slot,
)
from .unwind import unwind


@inline
def enter_function(start, back, delta, pc, fp, mem, size, exec, inst, table, r, f):
    """Go on in the function whose code starts at `start`, to return to the code offset `back`."""
    trap_if(not fits(start, fp + delta, exec), TrapCode.STACK_OVERFLOW)
    return begin_function(start, back, delta, fp + delta, mem, size, exec, inst, table, r, f)


@inline
def fits(start, fp, exec):
    """Whether the stack has room for the frame, at `fp`, of the function whose code starts at
    `start`.
    """
    return usize(fp) + usize(start[2]) * 4 <= usize(exec.stack_end)


@inline
def begin_function(start, back, delta, callee, mem, size, exec, inst, table, r, f):
    """Set up the frame at `callee`, whose arguments are in place, and go on in the function."""
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
        return tail(
            poll_then_go_on, start + PROLOGUE_UNITS, callee, mem, size, exec, inst, table, r, f
        )
    return go(start + PROLOGUE_UNITS, callee, mem, size, exec, inst, table, r, f)


@inline
def replace_function(start, pc, fp, mem, size, exec, inst, table, r, f):
    """Tail call: go on in the function whose code starts at `start`, in this frame's place.

    The instruction at `pc` is [op, own parameter cells, first argument, …].
    """
    trap_if(not fits(start, fp, exec), TrapCode.STACK_OVERFLOW)
    header = fp + pc[1]
    back = header[0]
    delta = header[1]
    move_arguments(fp, fp + pc[2], u32(start[0]))
    return begin_function(start, back, delta, fp, mem, size, exec, inst, table, r, f)


@inline
def move_arguments(to, source, cells):
    """Bring the arguments of a tail call down to where this frame's own were."""
    for i in range(u32(0), cells):
        to[i] = source[i]


@inline
def code_offset(exec, pc):
    return u32(pc_offset(exec, pc))


@handler("call")
def call(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, frame distance, code offset (2), function (2)]: of a function that is translated."""
    order_after(pc)  # another thread may just have written the offset, and then the opcode
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
    atomic_store(pc, OPCODES["call"])
    return go(pc, fp, mem, size, exec, inst, table, r, f)


@native(convention="handler", noinline=True)
def outside(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Call the function instance in `r`; `mem` is the frame's first cell, `pc` the next
    instruction.
    """
    target = ptr[FuncInst](usize(r))
    cells = ptr[u32](mem)
    code = call_outside(exec, inst, target, code_offset(exec, pc) - 1, fp, cells)
    if code == EXCEPTION:
        return tail(unwind, pc - 1, fp, mem, size, exec, inst, table, r, f)
    if code != 0:
        return code
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(pc, fp, memory.data, memory.size, exec, inst, table, r, f)
    return go(pc, fp, ptr[u8](cells), u64(0), exec, inst, table, r, f)


@handler("return_call")
def return_call(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, own parameter cells, first argument, function (2)]"""
    function = inst.module.functions + load(u32, pc + 3, align=2)
    if function.code == 0:
        return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
    start = exec.code + function.code
    return replace_function(start, pc, fp, mem, size, exec, inst, table, r, f)


@inline
def replace_by(target, pc, fp, mem, size, exec, inst, table, r, f):
    """Tail call of a function that is not this instance's; `pc` as in `replace_function`.

    As in a loop, this is where a program can be interrupted whose functions call each other
    forever.
    """
    budget = exec.budget - 1
    exec.budget = budget
    if budget < 0:
        return tail(poll_then_go_on, pc, fp, mem, size, exec, inst, table, r, f)
    return tail(replace_outside, pc, fp, mem, size, exec, inst, table, u64(usize(target)), f)


@handler("return_call import")
def return_call_import(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, own parameter cells, first argument, function (2)]"""
    target = inst.imported[load(u32, pc + 3, align=2)]
    return replace_by(target, pc, fp, mem, size, exec, inst, table, r, f)


@native(convention="handler", noinline=True)
def replace_outside(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """Tail call of the function instance in `r`, which is not this instance's; `pc` as in
    `replace_function`.

    Once its arguments are in this frame's place, it is as if the caller had called it.
    """
    target = ptr[FuncInst](usize(r))
    header = fp + pc[1]
    back = header[0]
    delta = header[1]
    move_arguments(fp, fp + pc[2], target.type.param_cells)
    return run_for_caller(target, back, delta, pc, fp, mem, size, exec, inst, table, r, f)


@inline
def run_for_caller(target, back, delta, pc, fp, mem, size, exec, inst, table, r, f):
    """Run a function outside in place of the one whose frame is at `fp`, for its caller. Arguments
    and results are at `fp`.

    Where the caller is not of this instance, control goes back to `call_function`, so that
    instances which tail call each other forever need no stack for it.
    """
    if delta == 0:
        exec.successor = target
        return u32(TAIL_CALL)
    code = call_outside(exec, inst, target, back - 1, fp - delta, fp)
    if code == EXCEPTION:
        call = exec.code + (back - 1)
        return tail(unwind, call, fp - delta, mem, size, exec, inst, table, r, f)
    if code != 0:
        return code
    # A caller in this instance expects a single result in the accumulator.
    integer = load(u64, fp, align=4)
    real = load(FLOATS, fp, align=4)
    if inst.module.memory_count != 0:
        memory = inst.memories[0]
        return go(
            exec.code + back, fp - delta, memory.data, memory.size, exec, inst, table, integer, real
        )
    return go(exec.code + back, fp - delta, ptr[u8](fp), u64(0), exec, inst, table, integer, real)


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
        exec.trap = code
        return tail(trap, pc, fp, mem, size, exec, inst, table, r, f)
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


@inline
def looked_up(index, p, inst):
    """The function at `index` of a table; `p` has [table, type (2)]."""
    functions = inst.tables[p[0]]
    trap_if(index >= functions.size, TrapCode.UNDEFINED_ELEMENT)
    handle = functions.elements[index]
    trap_if(handle == 0, TrapCode.UNINITIALIZED_ELEMENT)
    target = inst.store.functions[handle]
    check_type(inst, target, inst.module.types[load(u32, p + 1, align=2)].id)
    return target


def call_indirect(form: str) -> None:
    """[op, frame distance, table, type (2), index?]"""
    units = 5 + operand_units(form, u32)

    @handler(f"call_indirect {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        index = operand(form, u32, pc + 5, fp, r, f)
        target = looked_up(index, pc + 2, inst)
        if target.instance != inst:
            cells = ptr[u8](fp + pc[1])
            return tail(
                outside, pc + units, fp, cells, size, exec, inst, table, u64(usize(target)), f
            )
        function = inst.module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        back = code_offset(exec, pc + units)
        return enter_function(start, back, u32(pc[1]), pc, fp, mem, size, exec, inst, table, r, f)


call_indirect("S")
call_indirect("A")


def return_call_indirect(form: str) -> None:
    """[op, own parameter cells, first argument, table, type (2), index?]"""

    @handler(f"return_call_indirect {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        index = operand(form, u32, pc + 6, fp, r, f)
        target = looked_up(index, pc + 3, inst)
        if target.instance != inst:
            return replace_by(target, pc, fp, mem, size, exec, inst, table, r, f)
        function = inst.module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        return replace_function(start, pc, fp, mem, size, exec, inst, table, r, f)


return_call_indirect("S")
return_call_indirect("A")


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
            return tail(
                outside, pc + units, fp, cells, size, exec, inst, table, u64(usize(target)), f
            )
        function = module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        back = code_offset(exec, pc + units)
        return enter_function(start, back, u32(pc[1]), pc, fp, mem, size, exec, inst, table, r, f)


call_ref("S")
call_ref("A")


def return_call_ref(form: str) -> None:
    """[op, own parameter cells, first argument, type (2), reference?]"""

    @handler(f"return_call_ref {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        handle = operand(form, u32, pc + 5, fp, r, f)
        trap_if(handle == 0, TrapCode.NULL_FUNCTION_REFERENCE)
        target = inst.store.functions[handle]
        module = inst.module
        check_type(inst, target, module.types[load(u32, pc + 3, align=2)].id)
        if target.instance != inst:
            return tail(
                replace_outside, pc, fp, mem, size, exec, inst, table, u64(usize(target)), f
            )
        function = module.functions + target.index
        if function.code == 0:
            return tail(translate_first, pc, fp, ptr[u8](function), size, exec, inst, table, r, f)
        start = exec.code + function.code
        return replace_function(start, pc, fp, mem, size, exec, inst, table, r, f)


return_call_ref("S")
return_call_ref("A")


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
    before_table_write(references, index, 1)
    references.elements[index] = fp[pc[3]]
    return go(pc + 4, fp, mem, size, exec, inst, table, r, f)


def table_size(name: str, kind: Type) -> None:
    """[op, dst, table]"""

    @handler(f"table.size {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        count = kind(inst.tables[pc[2]].size)
        write_slot(fp, pc[1], count)
        return go(pc + 3, fp, mem, size, exec, inst, table, u64(count), f)


def table_grow_(name: str, kind: Type) -> None:
    """[op, dst, table, first of (value, count)]"""

    @handler(f"table.grow {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        count = read_slot(kind, fp, pc[3] + 1)
        old = kind(table_grow(inst.tables[pc[2]], u64(count), fp[pc[3]]))
        write_slot(fp, pc[1], old)
        return go(pc + 4, fp, mem, size, exec, inst, table, u64(old), f)


for _name, _kind in (("i32", u32), ("i64", u64)):
    table_size(_name, _kind)
    table_grow_(_name, _kind)


@handler("narrow index")
def narrow_index(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, dst, index]: an index into a table of 64-bit indices; what 32 bits cannot hold stays
    too large.
    """
    index = read_slot(u64, fp, pc[2])
    fp[pc[1]] = u32(index) if index < 0xFFFF_FFFF else u32(0xFFFF_FFFF)
    return go(pc + 3, fp, mem, size, exec, inst, table, r, f)


@inline
def fill_(pc, fp, exec, inst):
    start = range_operand(pc, fp, 0)
    return table_fill(inst.tables[pc[5]], start, fp[pc[3]], range_operand(pc, fp, 2))


@inline
def copy_(pc, fp, exec, inst):
    to = range_operand(pc, fp, 0)
    source = range_operand(pc, fp, 1)
    count = range_operand(pc, fp, 2)
    return table_copy(inst.tables[pc[5]], inst.tables[pc[6]], to, source, count)


@inline
def init_(pc, fp, exec, inst):
    segment = load(u32, pc + 6, align=2)
    to = range_operand(pc, fp, 0)
    return table_init(inst, segment, inst.tables[pc[5]], to, u64(fp[pc[3]]), u64(fp[pc[4]]))


@inline
def drop_(pc, fp, exec, inst):
    elem_drop(inst, load(u32, pc + 1, align=2))
    return u32(0)


bulk("table.fill", 6, fill_)
bulk("table.copy", 7, copy_)
bulk("table.init", 8, init_)
bulk("elem.drop", 3, drop_, ranges=False)
