"""Handlers of structures, arrays, i31 and casts.

They are behind the prefix 0xFB and get the address of their first immediate in `r`, so their
operands come from memory.
"""

from collections.abc import Callable

from wasmote.core.fuel import spend_for_size
from wasmote.core.gc.elements import array_init_elements, array_new_elements
from wasmote.core.gc.heap import I31_TAG, fields_of, object_at
from wasmote.core.gc.mark import before_write
from wasmote.core.gc.objects import (
    array_copy,
    array_fill,
    array_init_data,
    array_new,
    array_new_data,
    array_new_fixed,
    reference_matches,
    store_field,
    structure_new,
)
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import Exec, Instance
from wasmote.core.value_types import KIND, cells_of, is_object_reference, size_of, unpacked
from wasmote.interp.common.accumulators import FLOATS
from wasmote.interp.common.casts import read_target
from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import (
    NativeFunction,
    Type,
    const,
    f32,
    f64,
    i8,
    i16,
    i32,
    inline,
    load,
    ptr,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .handlers_any_memory import stack_below
from .handlers_bulk import bulk, pop_cell
from .immediates import cursor, read_index, skip
from .registers import State, branch, go, handler, offset_of, push
from .side_table import SideTable

#: In the flags of br_on_cast: the second type, which the reference is tested for, has null.
TARGET_NULLABLE = 2


@inline
def read_type(at, inst):
    return inst.module.types + read_index(at)


# -- making objects --------------------------------------------------------------------------------


def allocating(name: str) -> Callable[[NativeFunction], None]:
    """Decorator: (cursor at the immediates, cursor for operands, exec, instance) -> trap code, with
    the new reference where that cursor ends. It may collect garbage.
    """

    def register(perform: NativeFunction) -> None:
        @handler(name)
        def run(
            pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
            inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
            f: FLOATS,
        ) -> u32:  # fmt: skip
            at = cursor(ptr[u8](usize(r)))
            o = stack_below(sp)
            leave_for(exec.entry, inst, offset_of(inst, pc), fp)
            code = perform(at, o, exec, inst)
            trap_if(code != 0, code)
            made = o[0][0]
            return push(made, at[0], o[0], fp, mem, size, exec, inst, table, stp, side, r, f)

    return register


@allocating("struct.new")
@inline
def struct_new(at, o, exec, inst):
    t = read_type(at, inst)
    o[0] = o[0] - t.param_cells
    return structure_new(inst.store, exec, t, o[0], o[0])


@allocating("struct.new_default")
@inline
def struct_new_default(at, o, exec, inst):
    return structure_new(inst.store, exec, read_type(at, inst), None, o[0])


@allocating("array.new")
@inline
def array_new_(at, o, exec, inst):
    t = read_type(at, inst)
    length = pop_cell(o)
    o[0] = o[0] - t.param_cells
    return array_new(inst.store, exec, t, length, o[0], o[0])


@allocating("array.new_default")
@inline
def array_new_default(at, o, exec, inst):
    length = pop_cell(o)
    return array_new(inst.store, exec, read_type(at, inst), length, None, o[0])


@allocating("array.new_fixed")
@inline
def array_new_fixed_(at, o, exec, inst):
    t = read_type(at, inst)
    length = read_index(at)
    o[0] = o[0] - length * t.param_cells
    return array_new_fixed(inst.store, exec, t, length, o[0], o[0])


@allocating("array.new_data")
@inline
def array_new_data_(at, o, exec, inst):
    t = read_type(at, inst)
    n = pop_cell(o)
    start = pop_cell(o)
    return array_new_data(inst, exec, t, read_index(at), start, n, o[0])


@allocating("array.new_elem")
@inline
def array_new_elem(at, o, exec, inst):
    t = read_type(at, inst)
    n = pop_cell(o)
    start = pop_cell(o)
    return array_new_elements(inst, exec, t, read_index(at), start, n, o[0])


# -- fields and elements ---------------------------------------------------------------------------


@inline
def push_field(packed: const, kind, p, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f):
    """Continue at `pc` with the field at `p` pushed. Packed ones are extended: "s" or "u"."""
    if packed == "s":
        small = i32(load(i8, p)) if kind & KIND == ValueType.I8 else i32(load(i16, p))
        return push(small, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    if packed == "u":
        bits = u32(p[0]) if kind & KIND == ValueType.I8 else u32(load(u16, p))
        return push(bits, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
    match kind & KIND:
        case ValueType.I64:
            wide = load(u64, p, align=4)
            return push(wide, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case ValueType.F32:
            single = load(f32, p, align=4)
            return push(single, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case ValueType.F64:
            double = load(f64, p, align=4)
            return push(double, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case ValueType.V128:
            lanes = load(FLOATS, p, align=4)
            return push(lanes, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        case _:
            cell = load(u32, p, align=4)
            return push(cell, pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


@inline
def field_at(inst, handle, t, field):
    """A field of the structure of a handle."""
    trap_if(handle == 0, TrapCode.NULL_STRUCTURE_REFERENCE)
    return fields_of(object_at(inst.store, handle)) + t.types[t.param_count + field]


@inline
def element_at(inst, handle, t, index):
    """An element of the array of a handle."""
    trap_if(handle == 0, TrapCode.NULL_ARRAY_REFERENCE)
    array = object_at(inst.store, handle)
    trap_if(index >= array.length, TrapCode.ARRAY_OUT_OF_BOUNDS)
    return fields_of(array) + usize(index) * usize(t.size)


def reading(suffix: str, packed: str) -> None:
    """struct.get and array.get."""

    @handler("struct.get" + suffix)
    def struct_get(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        t = read_type(at, inst)
        field = read_index(at)
        p = field_at(inst, sp[-1], t, field)
        return push_field(
            packed, t.types[field], p, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side,
            r, f,
        )  # fmt: skip

    @handler("array.get" + suffix)
    def array_get(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        t = read_type(at, inst)
        p = element_at(inst, sp[-2], t, sp[-1])
        return push_field(
            packed, t.types[0], p, at[0], sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f
        )


for _suffix, _packed in (("", ""), ("_s", "s"), ("_u", "u")):
    reading(_suffix, _packed)


@handler("struct.set")
def struct_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    t = read_type(at, inst)
    field = read_index(at)
    kind = t.types[field]
    value = sp - cells_of(unpacked(kind))
    to = field_at(inst, value[-1], t, field)
    if is_object_reference(kind):
        before_write(inst.store, to, 1)
    store_field(to, size_of(kind), value)
    return go(State.MEMORY, at[0], value - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("array.set")
def array_set(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    at = cursor(ptr[u8](usize(r)))
    t = read_type(at, inst)
    value = sp - t.param_cells
    to = element_at(inst, value[-2], t, value[-1])
    if is_object_reference(t.types[0]):
        before_write(inst.store, to, 1)
    store_field(to, t.size, value)
    return go(State.MEMORY, at[0], value - 2, fp, mem, size, exec, inst, table, stp, side, r, f)


@handler("array.len")
def array_len(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    after = ptr[u8](usize(r))
    trap_if(sp[-1] == 0, TrapCode.NULL_ARRAY_REFERENCE)
    length = object_at(inst.store, sp[-1]).length
    return push(length, after, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


# -- many elements ---------------------------------------------------------------------------------


@bulk("array.fill")
@inline
def array_fill_(at, o, exec, inst):
    t = read_type(at, inst)
    n = pop_cell(o)
    o[0] = o[0] - t.param_cells
    value = o[0]
    start = pop_cell(o)
    reference = pop_cell(o)
    code = spend_for_size(inst, n)
    return array_fill(inst.store, reference, t, start, value, n) if code == 0 else code


@bulk("array.copy")
@inline
def array_copy_(at, o, exec, inst):
    t = read_type(at, inst)
    skip(at)
    n = pop_cell(o)
    start = pop_cell(o)
    source = pop_cell(o)
    to = pop_cell(o)
    reference = pop_cell(o)
    code = spend_for_size(inst, n)
    return array_copy(inst.store, t, reference, to, source, start, n) if code == 0 else code


@bulk("array.init_data")
@inline
def array_init_data_(at, o, exec, inst):
    t = read_type(at, inst)
    n = pop_cell(o)
    start = pop_cell(o)
    to = pop_cell(o)
    reference = pop_cell(o)
    segment = read_index(at)
    code = spend_for_size(inst, n)
    return array_init_data(inst, t, segment, reference, to, start, n) if code == 0 else code


@bulk("array.init_elem")
@inline
def array_init_elem(at, o, exec, inst):
    skip(at)
    n = pop_cell(o)
    start = pop_cell(o)
    to = pop_cell(o)
    reference = pop_cell(o)
    segment = read_index(at)
    code = spend_for_size(inst, n)
    return array_init_elements(inst, segment, reference, to, start, n) if code == 0 else code


# -- i31 and casts ---------------------------------------------------------------------------------


@handler("ref.i31")
def ref_i31(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    made = (sp[-1] << 1) | I31_TAG
    after = ptr[u8](usize(r))
    return push(made, after, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


def i31_get(name: str, kind: Type) -> None:
    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        trap_if(sp[-1] == 0, TrapCode.NULL_I31_REFERENCE)
        value = kind(sp[-1]) >> 1
        after = ptr[u8](usize(r))
        return push(value, after, sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)


i31_get("i31.get_s", i32)
i31_get("i31.get_u", u32)


@handler("ref.eq")
def ref_eq(
    pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
    inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    same = u32(sp[-2] == sp[-1])
    return push(same, pc + 1, sp - 2, fp, mem, size, exec, inst, table, stp, side, r, f)


def convert(name: str) -> None:
    """References are alike in both hierarchies."""

    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        after = ptr[u8](usize(r))
        return go(State.MEMORY, after, sp, fp, mem, size, exec, inst, table, stp, side, r, f)


convert("any.convert_extern")
convert("extern.convert_any")


def cast(suffix: str, nullable: bool) -> None:
    """ref.test and ref.cast."""

    @handler("ref.test" + suffix)
    def ref_test(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        wanted = read_target(at, inst.module, nullable)
        fine = u32(reference_matches(inst.store, sp[-1], wanted))
        return push(fine, at[0], sp - 1, fp, mem, size, exec, inst, table, stp, side, r, f)

    @handler("ref.cast" + suffix)
    def ref_cast(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        at = cursor(ptr[u8](usize(r)))
        wanted = read_target(at, inst.module, nullable)
        trap_if(not reference_matches(inst.store, sp[-1], wanted), TrapCode.CAST_FAILURE)
        return go(State.MEMORY, at[0], sp, fp, mem, size, exec, inst, table, stp, side, r, f)


cast("", False)
cast(" null", True)


def branch_on_cast(name: str, succeeds: bool) -> None:
    @handler(name)
    def run(
        pc: ptr[u8], sp: ptr[u32], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], stp: ptr[u16], side: ptr[SideTable], r: u64,
        f: FLOATS,
    ) -> u32:  # fmt: skip
        """The reference stays, for the label and for the code after it."""
        at = cursor(ptr[u8](usize(r)))
        nullable = u32(at[0][0]) & TARGET_NULLABLE != 0
        at[0] = at[0] + 1
        skip(at)
        skip(at)
        wanted = read_target(at, inst.module, nullable)
        if reference_matches(inst.store, sp[-1], wanted) == succeeds:
            return branch(pc, sp, fp, mem, size, exec, inst, table, stp, side, r, f)
        return go(State.MEMORY, at[0], sp, fp, mem, size, exec, inst, table, stp - 1, side, r, f)


branch_on_cast("br_on_cast", True)
branch_on_cast("br_on_cast_fail", False)
