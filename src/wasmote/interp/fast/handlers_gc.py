"""Handlers of structures, arrays, i31 and casts.

The unit after the opcode is the slot of the first operand, which is also where the result goes; the
operands are in their homes, one after the other. The accumulators stay as they are.
"""

from wasmote.core.fuel import spend_for_size
from wasmote.core.gc.elements import array_init_elements, array_new_elements
from wasmote.core.gc.heap import fields_of, object_at
from wasmote.core.gc.mark import before_write
from wasmote.core.gc.objects import (
    array_copy,
    array_fill,
    array_init_data,
    array_new,
    array_new_data,
    array_new_fixed,
    reference_matches,
    structure_new,
)
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, Instance
from wasmote.core.value_types import cells_of, unpacked
from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import (
    NativeFunction,
    Type,
    const,
    i8,
    i16,
    i32,
    inline,
    load,
    ptr,
    store,
    trap_if,
    u8,
    u16,
    u32,
    u64,
    usize,
)

from .registers import FLOATS, go, handler, pc_offset

#: How a field is read and written: name, type in memory, type in a slot. Vectors are two halves.
#: References to functions are like numbers, only writing others concerns the garbage collector.
ACCESSES: tuple[tuple[str, Type, Type], ...] = (
    ("8s", i8, i32),
    ("8u", u8, u32),
    ("16s", i16, i32),
    ("16u", u16, u32),
    ("32", u32, u32),
    ("64", u64, u64),
    ("128", u64, u64),
    ("ref", u32, u32),
)


@inline
def word(pc, at: const):
    """An immediate of two units."""
    return load(u32, pc + at, align=2)


@inline
def type_at(inst, pc, at: const):
    return inst.module.types + word(pc, at)


# -- making objects --------------------------------------------------------------------------------


def allocating(name: str, units: int, perform: NativeFunction) -> None:
    """[op, base, first free slot, immediates (2 each)…]: an instruction that may collect
    garbage.
    """

    @handler(name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        leave_for(exec.entry, inst, u32(pc_offset(exec, pc)), fp)
        code = perform(pc, fp + pc[1], exec, inst)
        trap_if(code != 0, code)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


@inline
def struct_new_(pc, o, exec, inst):
    return structure_new(inst.store, exec, type_at(inst, pc, 3), o, o)


@inline
def struct_new_default_(pc, o, exec, inst):
    return structure_new(inst.store, exec, type_at(inst, pc, 3), None, o)


@inline
def array_new_(pc, o, exec, inst):
    t = type_at(inst, pc, 3)
    return array_new(inst.store, exec, t, o[cells_of(unpacked(t.types[0]))], o, o)


@inline
def array_new_default_(pc, o, exec, inst):
    return array_new(inst.store, exec, type_at(inst, pc, 3), o[0], None, o)


@inline
def array_new_fixed_(pc, o, exec, inst):
    return array_new_fixed(inst.store, exec, type_at(inst, pc, 3), word(pc, 5), o, o)


@inline
def array_new_data_(pc, o, exec, inst):
    return array_new_data(inst, exec, type_at(inst, pc, 3), word(pc, 5), o[0], o[1], o)


@inline
def array_new_elem_(pc, o, exec, inst):
    return array_new_elements(inst, exec, type_at(inst, pc, 3), word(pc, 5), o[0], o[1], o)


allocating("struct.new", 5, struct_new_)
allocating("struct.new_default", 5, struct_new_default_)
allocating("array.new", 5, array_new_)
allocating("array.new_default", 5, array_new_default_)
allocating("array.new_fixed", 7, array_new_fixed_)
allocating("array.new_data", 7, array_new_data_)
allocating("array.new_elem", 7, array_new_elem_)


# -- fields and elements ---------------------------------------------------------------------------


@inline
def load_cell(kind: const, slot: const, wide: const, o, p):
    """Copy a field at `p` to the slot at `o`."""
    store(o, slot(load(kind, p, align=1)), align=4)
    if wide:
        store(o + 2, load(u64, p + 8, align=1), align=4)


@inline
def store_cell(kind: const, slot: const, wide: const, p, o):
    """Copy the slot at `o` to a field at `p`."""
    store(p, kind(load(slot, o, align=4)), align=1)
    if wide:
        store(p + 8, load(u64, o + 2, align=4), align=1)


@inline
def field_at(inst, pc, o, at: const):
    """The field, at the offset in unit `at`, of the structure at `o`."""
    trap_if(o[0] == 0, TrapCode.NULL_STRUCTURE_REFERENCE)
    return fields_of(object_at(inst.store, o[0])) + word(pc, at)


@inline
def element_at(inst, o, size: const):
    """The element of the array at `o` whose index follows it."""
    trap_if(o[0] == 0, TrapCode.NULL_ARRAY_REFERENCE)
    array = object_at(inst.store, o[0])
    trap_if(o[1] >= array.length, TrapCode.ARRAY_OUT_OF_BOUNDS)
    return fields_of(array) + usize(o[1]) * size


def accesses(name: str, kind: Type, slot: Type) -> None:
    """Reading and writing fields and elements of one kind."""
    wide = name == "128"
    size = 16 if wide else kind.bits // 8
    if name != "ref":
        reads(name, kind, slot, wide, size)
    if name not in ("8s", "16s"):
        writes(name, kind, slot, wide, size)


def reads(name: str, kind: Type, slot: Type, wide: bool, size: int) -> None:
    @handler(f"struct.get {name}")
    def struct_get(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size_: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        o = fp + pc[1]
        load_cell(kind, slot, wide, o, field_at(inst, pc, o, 2))
        return go(pc + 4, fp, mem, size_, exec, inst, table, r, f)

    @handler(f"array.get {name}")
    def array_get(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size_: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        o = fp + pc[1]
        load_cell(kind, slot, wide, o, element_at(inst, o, size))
        return go(pc + 2, fp, mem, size_, exec, inst, table, r, f)


def writes(name: str, kind: Type, slot: Type, wide: bool, size: int) -> None:
    @handler(f"struct.set {name}")
    def struct_set(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size_: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        o = fp + pc[1]
        field = field_at(inst, pc, o, 2)
        if name == "ref":
            before_write(inst.store, field, 1)
        store_cell(kind, slot, wide, field, o + 1)
        return go(pc + 4, fp, mem, size_, exec, inst, table, r, f)

    @handler(f"array.set {name}")
    def array_set(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size_: u64, exec: ptr[Exec],
        inst: ptr[Instance], table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        o = fp + pc[1]
        element = element_at(inst, o, size)
        if name == "ref":
            before_write(inst.store, element, 1)
        store_cell(kind, slot, wide, element, o + 2)
        return go(pc + 2, fp, mem, size_, exec, inst, table, r, f)


for _name, _kind, _slot in ACCESSES:
    accesses(_name, _kind, _slot)


@handler("array.len")
def array_len(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    o = fp + pc[1]
    trap_if(o[0] == 0, TrapCode.NULL_ARRAY_REFERENCE)
    o[0] = object_at(inst.store, o[0]).length
    return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


# -- many elements ---------------------------------------------------------------------------------


def many(name: str, units: int, perform: NativeFunction) -> None:
    """[op, base, immediates (2 each)…]: an instruction without result that may trap."""

    @handler(name)
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        code = perform(pc, fp + pc[1], inst)
        trap_if(code != 0, code)
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


@inline
def array_fill_(pc, o, inst):
    t = type_at(inst, pc, 2)
    n = o[2 + cells_of(unpacked(t.types[0]))]
    code = spend_for_size(inst, n)
    return array_fill(inst.store, o[0], t, o[1], o + 2, n) if code == 0 else code


@inline
def array_copy_(pc, o, inst):
    t = type_at(inst, pc, 2)
    code = spend_for_size(inst, o[4])
    return array_copy(inst.store, t, o[0], o[1], o[2], o[3], o[4]) if code == 0 else code


@inline
def array_init_data_(pc, o, inst):
    t = type_at(inst, pc, 2)
    code = spend_for_size(inst, o[3])
    return array_init_data(inst, t, word(pc, 4), o[0], o[1], o[2], o[3]) if code == 0 else code


@inline
def array_init_elem_(pc, o, inst):
    code = spend_for_size(inst, o[3])
    return array_init_elements(inst, word(pc, 4), o[0], o[1], o[2], o[3]) if code == 0 else code


many("array.fill", 4, array_fill_)
many("array.copy", 4, array_copy_)
many("array.init_data", 6, array_init_data_)
many("array.init_elem", 6, array_init_elem_)


# -- i31 and casts ---------------------------------------------------------------------------------


@handler("ref.i31")
def ref_i31(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    o = fp + pc[1]
    o[0] = (o[0] << 1) | 1
    return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


@handler("i31.get_s")
def i31_get_s(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    o = fp + pc[1]
    trap_if(o[0] == 0, TrapCode.NULL_I31_REFERENCE)
    o[0] = u32(i32(o[0]) >> 1)
    return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


@handler("i31.get_u")
def i31_get_u(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    o = fp + pc[1]
    trap_if(o[0] == 0, TrapCode.NULL_I31_REFERENCE)
    o[0] = o[0] >> 1
    return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


@handler("ref.test")
def ref_test(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, result, reference, type (2)]"""
    fp[pc[1]] = u32(reference_matches(inst.store, fp[pc[2]], word(pc, 3)))
    return go(pc + 5, fp, mem, size, exec, inst, table, r, f)


@handler("ref.cast")
def ref_cast(
    pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
    table: ptr[usize], r: u64, f: FLOATS,
) -> u32:  # fmt: skip
    """[op, reference, type (2)]"""
    fine = reference_matches(inst.store, fp[pc[1]], word(pc, 2))
    trap_if(not fine, TrapCode.CAST_FAILURE)
    return go(pc + 4, fp, mem, size, exec, inst, table, r, f)
