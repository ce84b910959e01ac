"""Handlers that move values: between slots, constants, globals, accumulators; and select."""

from wasmote.core.structs import Exec, Instance
from wasmote.nativepy import Type, f32, f64, inline, load, ptr, u8, u16, u32, u64, usize, vec

from .registers import (
    FLOATS,
    from_accumulator,
    go,
    handler,
    new_f,
    new_r,
    operand,
    operand_units,
    read_slot,
    write_if,
    write_slot,
)

#: The kinds of values that are moved: name, type.
VECTOR = vec[u32, 4]
KINDS: tuple[tuple[str, Type], ...] = (
    ("i32", u32), ("i64", u64), ("f32", f32), ("f64", f64), ("v128", VECTOR),
)  # fmt: skip


def move(name: str, kind: Type) -> None:
    """[op, dst, src]; accumulators stay as they are."""

    @handler(f"move{name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        write_slot(fp, pc[1], read_slot(kind, fp, pc[2]))
        return go(pc + 3, fp, mem, size, exec, inst, table, r, f)


def move_twice(name: str, kind: Type) -> None:
    """[op, dst, src, dst, src]: two moves, one after the other."""

    @handler(f"move{name} twice")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        write_slot(fp, pc[1], read_slot(kind, fp, pc[2]))
        write_slot(fp, pc[3], read_slot(kind, fp, pc[4]))
        return go(pc + 5, fp, mem, size, exec, inst, table, r, f)


def constant(name: str, kind: Type, units: int) -> None:
    """[op, dst, value…]"""

    @handler(f"constant{name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        write_slot(fp, pc[1], load(kind, pc + 2, align=2))
        return go(pc + 2 + units, fp, mem, size, exec, inst, table, r, f)


def save(name: str, kind: Type) -> None:
    """[op, dst]: the accumulator into a slot."""

    @handler(f"save {name}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        write_slot(fp, pc[1], from_accumulator(kind, r, f))
        return go(pc + 2, fp, mem, size, exec, inst, table, r, f)


def select(name: str, kind: Type, form: str, saved: bool) -> None:
    """[op, dst, a, b, condition?]"""
    units = 4 + operand_units(form, u32)

    @handler(f"select {name} {form} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        a = read_slot(kind, fp, pc[2])
        b = read_slot(kind, fp, pc[3])
        value = a if operand(form, u32, pc + 4, fp, r, f) != 0 else b
        write_if(saved, fp, pc[1], value)
        return go(pc + units, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


@inline
def global_at(inst, pc):
    return ptr[u32](inst.globals[load(u32, pc, align=2)])


def global_get(name: str, kind: Type, saved: bool) -> None:
    """[op, dst, index (2)]"""

    @handler(f"global.get {name} {'S' if saved else 'A'}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        value = load(kind, global_at(inst, pc + 2), align=4)
        write_if(saved, fp, pc[1], value)
        return go(pc + 4, fp, mem, size, exec, inst, table, new_r(value, r), new_f(value, f))


def global_set(name: str, kind: Type, form: str) -> None:
    """[op, index (2), value?]"""
    units = 3 + operand_units(form, kind)

    @handler(f"global.set {name} {form}")
    def run(
        pc: ptr[u16], fp: ptr[u32], mem: ptr[u8], size: u64, exec: ptr[Exec], inst: ptr[Instance],
        table: ptr[usize], r: u64, f: FLOATS,
    ) -> u32:  # fmt: skip
        write_slot(global_at(inst, pc + 1), 0, operand(form, kind, pc + 3, fp, r, f))
        return go(pc + units, fp, mem, size, exec, inst, table, r, f)


move("32", u32)
move("64", u64)
move_twice("32", u32)
move_twice("64", u64)
move("128", VECTOR)
constant("32", u32, 2)
constant("64", u64, 4)
for _name, _kind in KINDS:
    save(_name, _kind)
    for _form in ("S", "A"):
        for _saved in (False, True):
            select(_name, _kind, _form, _saved)
    for _saved in (False, True):
        global_get(_name, _kind, _saved)
    for _form in ("S", "A"):
        global_set(_name, _kind, _form)
