"""Structures and arrays.

A field is at the heap's start, plus the handle times 4, plus an object's header. Structures come
out of a pool (`core.gc.pools`). References are written to a new object without ado: the collector
knows it as alive, and nothing is overwritten.
"""

from wasmote.compile.function import Function
from wasmote.compile.instructions.registry import handles
from wasmote.compile.metering import spend_for_size
from wasmote.compile.runtime import FIELD, INVARIANT
from wasmote.compile.types import REFERENCE, Defined, Storage
from wasmote.core.status import TrapCode
from wasmote.core.structs import HeapObject, Pool

# -- making structures -------------------------------------------------------------------------


@handles(0xFB0000)
def struct_new(f: Function) -> None:
    index = f.unsigned()
    fields = f.source.defined[index].fields
    object = new_structure(f, index)
    at = fields_of(f, object)
    for field, value in zip(fields, f.pop_many(len(fields)), strict=True):
        write(f, field, f.value(f"getelementptr i8, ptr {at}, i64 {field.offset}"), value)
    f.push(REFERENCE, object)


@handles(0xFB0001)
def struct_new_default(f: Function) -> None:
    f.push(REFERENCE, new_structure(f, f.unsigned()))


def new_structure(f: Function, index: int) -> str:
    """A new structure whose fields are zero. All operands are still on the stack."""
    f.needs |= {"rt.pooled", "rt.structure"}
    f.calls = True
    slot = f.unit.offsets.pools + Pool.size(f.unit.offsets.pointer) * index
    pooled = f.value(f"call i32 @rt.pooled(ptr %exec, ptr %ctx, i64 {slot})")
    none = f.value(f"icmp eq i32 {pooled}, 0")
    label, before = f.new_label(), f.last_block
    f.emit(f"br i1 {none}, label %{label}.make, label %{label}, !prof !11")
    f.block(f"{label}.make")
    with f.roots.aside():
        made = f.value(f"call i32 @rt.structure(ptr %exec, ptr %ctx, i32 {index})")
    f.emit(f"br label %{label}")
    f.block(label)
    return f.value(f"phi i32 [ {pooled}, %{before} ], [ {made}, %{label}.make ]")


# -- fields ------------------------------------------------------------------------------------


def object_at(f: Function, handle: str) -> str:
    """The address of an object."""
    f.deals_with_objects = True
    wide = f.value(f"zext i32 {handle} to i64")
    distance = f.value(f"shl nuw nsw i64 {wide}, 2")
    return f.value(f"getelementptr inbounds nuw i8, ptr %objects, i64 {distance}")


def fields_of(f: Function, handle: str) -> str:
    size = HeapObject.size(f.unit.offsets.pointer)
    return f.value(f"getelementptr inbounds nuw i8, ptr {object_at(f, handle)}, i64 {size}")


def not_null(f: Function, handle: str, code: TrapCode) -> None:
    f.check(f.value(f"icmp eq i32 {handle}, 0"), code)


def read(f: Function, field: Storage, at: str, signed: bool) -> None:
    value = f.load_cells(field.memory, at, f"align {field.alignment}, {FIELD}")
    if field.memory != field.value:
        value = f.value(f"{'sext' if signed else 'zext'} {field.memory} {value} to i32")
    f.push(field.value, value)


def write(f: Function, field: Storage, at: str, value: str) -> None:
    if field.memory != field.value:
        value = f.value(f"trunc i32 {value} to {field.memory}")
    f.store_cells(field.memory, value, at, f"align {field.alignment}, {FIELD}")


def overwrite(f: Function, field: Storage, at: str, value: str) -> None:
    """Write a field of an object that is in use."""
    if field.collected:
        f.needs.add("rt.before_write")
        f.emit(f"call void @rt.before_write(ptr %exec, ptr %ctx, ptr {at})")
    write(f, field, at, value)


def field_at(f: Function, field: Storage, handle: str) -> str:
    not_null(f, handle, TrapCode.NULL_STRUCTURE_REFERENCE)
    at = fields_of(f, handle)
    return f.value(f"getelementptr inbounds nuw i8, ptr {at}, i64 {field.offset}")


def struct_get(f: Function, signed: bool = False) -> None:
    field = f.source.defined[f.unsigned()].fields[f.unsigned()]
    read(f, field, field_at(f, field, f.pop()), signed)


handles(0xFB0002, 0xFB0004)(struct_get)


@handles(0xFB0003)
def struct_get_s(f: Function) -> None:
    struct_get(f, signed=True)


@handles(0xFB0005)
def struct_set(f: Function) -> None:
    field = f.source.defined[f.unsigned()].fields[f.unsigned()]
    value, handle = f.pop(), f.pop()
    overwrite(f, field, field_at(f, field, handle), value)


# -- making arrays -----------------------------------------------------------------------------


def element_of(defined: Defined) -> Storage:
    return defined.fields[0]


def in_cells(f: Function, field: Storage, value: str) -> str:
    """A value in memory, as the core takes it."""
    f.needs_cells = True
    f.store_cells(field.value, value, "%cells", "align 4, !tbaa !9")
    return "%cells"


@handles(0xFB0006)
def array_new(f: Function) -> None:
    index = f.unsigned()
    value = in_cells(f, element_of(f.source.defined[index]), f.values[-2])
    with f.roots.aside():
        object = making(f, "array_new", f"i32 {index}, i32 {f.values[-1]}, ptr {value}")
    f.pop_many(2)
    f.push(REFERENCE, object)


@handles(0xFB0007)
def array_new_default(f: Function) -> None:
    index = f.unsigned()
    with f.roots.aside():
        object = making(f, "array_new", f"i32 {index}, i32 {f.values[-1]}, ptr null")
    f.pop()
    f.push(REFERENCE, object)


@handles(0xFB0008)
def array_new_fixed(f: Function) -> None:
    index, count = f.unsigned(), f.unsigned()
    field = element_of(f.source.defined[index])
    with f.roots.aside():
        object = making(f, "array_new", f"i32 {index}, i32 {count}, ptr null")
    at = fields_of(f, object)
    for i, value in enumerate(f.pop_many(count)):
        write(f, field, f.value(f"getelementptr i8, ptr {at}, i64 {i * field.size}"), value)
    f.push(REFERENCE, object)


def array_from_segment(f: Function, name: str) -> None:
    index, segment = f.unsigned(), f.unsigned()
    start, n = f.values[-2:]
    with f.roots.aside():
        object = making(f, name, f"i32 {index}, i32 {segment}, i32 {start}, i32 {n}")
    f.pop_many(2)
    f.push(REFERENCE, object)


@handles(0xFB0009)
def array_new_data(f: Function) -> None:
    array_from_segment(f, "array_new_data")


@handles(0xFB000A)
def array_new_elem(f: Function) -> None:
    array_from_segment(f, "array_new_elem")


def making(f: Function, name: str, arguments: str) -> str:
    f.needs.add(f"rt.{name}")
    f.calls = True
    return f.value(f"call i32 @rt.{name}(ptr %exec, ptr %ctx, {arguments})")


# -- elements ----------------------------------------------------------------------------------


def length_of(f: Function, handle: str) -> tuple[str, str]:
    """The address of an array, which must not be null, and its length."""
    not_null(f, handle, TrapCode.NULL_ARRAY_REFERENCE)
    array = object_at(f, handle)
    offset = f.unit.offsets.field(HeapObject, "length")
    at = f.value(f"getelementptr inbounds nuw i8, ptr {array}, i64 {offset}")
    # The core has written it before anybody here knew the array.
    return array, f.value(f"load i32, ptr {at}, {INVARIANT}")


def element_at(f: Function, field: Storage, handle: str, index: str) -> str:
    array, length = length_of(f, handle)
    f.check(f.value(f"icmp uge i32 {index}, {length}"), TrapCode.ARRAY_OUT_OF_BOUNDS)
    size = HeapObject.size(f.unit.offsets.pointer)
    first = f.value(f"getelementptr inbounds nuw i8, ptr {array}, i64 {size}")
    wide = f.value(f"zext i32 {index} to i64")
    return f.value(f"getelementptr inbounds nuw {field.memory}, ptr {first}, i64 {wide}")


def array_get(f: Function, signed: bool = False) -> None:
    field = element_of(f.source.defined[f.unsigned()])
    index, handle = f.pop(), f.pop()
    read(f, field, element_at(f, field, handle, index), signed)


handles(0xFB000B, 0xFB000D)(array_get)


@handles(0xFB000C)
def array_get_s(f: Function) -> None:
    array_get(f, signed=True)


@handles(0xFB000E)
def array_set(f: Function) -> None:
    field = element_of(f.source.defined[f.unsigned()])
    value, index, handle = f.pop(), f.pop(), f.pop()
    overwrite(f, field, element_at(f, field, handle, index), value)


@handles(0xFB000F)
def array_len(f: Function) -> None:
    f.push("i32", length_of(f, f.pop())[1])


# -- many elements -----------------------------------------------------------------------------


def changing(f: Function, name: str, arguments: str, n: str) -> None:
    """Call what works on `n` elements."""
    spend_for_size(f, f.wide(n, "i32"))
    f.needs.add(f"rt.{name}")
    f.calls = True
    f.emit(f"call void @rt.{name}(ptr %exec, ptr %ctx, {arguments})")


@handles(0xFB0010)
def array_fill(f: Function) -> None:
    index = f.unsigned()
    array, d, value, n = f.pop_many(4)
    cells = in_cells(f, element_of(f.source.defined[index]), value)
    changing(f, "array_fill", f"i32 {index}, i32 {array}, i32 {d}, ptr {cells}, i32 {n}", n)


@handles(0xFB0011)
def array_copy(f: Function) -> None:
    index = f.unsigned()
    f.unsigned()
    to, d, source, s, n = f.pop_many(5)
    arguments = f"i32 {index}, i32 {to}, i32 {d}, i32 {source}, i32 {s}, i32 {n}"
    changing(f, "array_copy", arguments, n)


@handles(0xFB0012)
def array_init_data(f: Function) -> None:
    index, segment = f.unsigned(), f.unsigned()
    array, d, s, n = f.pop_many(4)
    arguments = f"i32 {index}, i32 {segment}, i32 {array}, i32 {d}, i32 {s}, i32 {n}"
    changing(f, "array_init_data", arguments, n)


@handles(0xFB0013)
def array_init_elem(f: Function) -> None:
    f.unsigned()
    segment = f.unsigned()
    array, d, s, n = f.pop_many(4)
    arguments = f"i32 {segment}, i32 {array}, i32 {d}, i32 {s}, i32 {n}"
    changing(f, "array_init_elem", arguments, n)
