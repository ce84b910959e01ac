"""References and tables."""

from wasmote.compile.function import Function
from wasmote.compile.instructions.control import branch_if
from wasmote.compile.instructions.registry import handles
from wasmote.compile.metering import spend_for_size
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.types import FUNCTION_REFERENCE
from wasmote.core.status import TrapCode

# -- references --------------------------------------------------------------------------------


@handles(0xD0)
def ref_null(f: Function) -> None:
    f.push(f.heap_type(), "0")


@handles(0xD1)
def ref_is_null(f: Function) -> None:
    condition = f.value(f"icmp eq i32 {f.pop()}, 0")
    value = f.value(f"zext i1 {condition} to i32")
    f.conditions[value] = condition
    f.push("i32", value)


@handles(0xD2)
def ref_func(f: Function) -> None:
    f.needs.add("rt.function")
    value = f.value(f"call i32 @rt.function(ptr %exec, ptr %ctx, i32 {f.unsigned()})")
    f.push(FUNCTION_REFERENCE, value)


@handles(0xD3)
def ref_eq(f: Function) -> None:
    b, a = f.pop(), f.pop()
    condition = f.value(f"icmp eq i32 {a}, {b}")
    value = f.value(f"zext i1 {condition} to i32")
    f.conditions[value] = condition
    f.push("i32", value)


@handles(0xD4)
def ref_as_non_null(f: Function) -> None:
    f.check(f.value(f"icmp eq i32 {f.values[-1]}, 0"), TrapCode.NULL_REFERENCE)


@handles(0xD5)
def br_on_null(f: Function) -> None:
    value, kind = f.values.pop(), f.kinds.pop()
    branch_if(f, f.value(f"icmp eq i32 {value}, 0"), f.unsigned())
    f.push(kind, value)


@handles(0xD6)
def br_on_non_null(f: Function) -> None:
    branch_if(f, f.value(f"icmp ne i32 {f.values[-1]}, 0"), f.unsigned())
    f.pop()


# -- tables ------------------------------------------------------------------------------------


def table_slot(f: Function, table: int, index: str) -> str:
    f.needs.add("rt.slot")
    address = f.unit.table(f, table)
    return f.value(f"call ptr @rt.slot(ptr %exec, ptr %ctx, ptr {address}, i64 {index})")


@handles(0x25)
def table_get(f: Function) -> None:
    table = f.unsigned()
    at = table_slot(f, table, f.pop_wide())
    f.push(f.source.elements[table], f.value(f"load i32, ptr {at}, {RUNTIME}"))


@handles(0x26)
def table_set(f: Function) -> None:
    value, index = f.pop(), f.pop_wide()
    table = f.unit.table(f, f.unsigned())
    helper(f, "table_set", f"ptr {table}, i64 {index}, i32 {value}")


def helper(f: Function, name: str, arguments: str) -> None:
    f.needs.add(f"rt.{name}")
    f.emit(f"call void @rt.{name}(ptr %exec, ptr %ctx, {arguments})")


def range_operands(f: Function) -> tuple[str, str, str]:
    """The three operands of an instruction on a range, as i64."""
    third, second, first = f.pop_wide(), f.pop_wide(), f.pop_wide()
    spend_for_size(f, third)
    return first, second, third


@handles(0xFC000C)
def table_init(f: Function) -> None:
    segment, table = f.unsigned(), f.unit.table(f, f.unsigned())
    d, s, n = range_operands(f)
    helper(f, "table_init", f"i32 {segment}, ptr {table}, i64 {d}, i64 {s}, i64 {n}")


@handles(0xFC000D)
def elem_drop(f: Function) -> None:
    helper(f, "elem_drop", f"i32 {f.unsigned()}")


@handles(0xFC000E)
def table_copy(f: Function) -> None:
    to, source = f.unit.table(f, f.unsigned()), f.unit.table(f, f.unsigned())
    d, s, n = range_operands(f)
    helper(f, "table_copy", f"ptr {to}, ptr {source}, i64 {d}, i64 {s}, i64 {n}")


@handles(0xFC000F)
def table_grow(f: Function) -> None:
    table = f.unsigned()
    n, value = f.pop_wide(), f.pop()
    f.needs.add("rt.table_grow")
    arguments = f"ptr {f.unit.table(f, table)}, i64 {n}, i32 {value}"
    old = f.value(f"call i64 @rt.table_grow(ptr %exec, ptr %ctx, {arguments})")
    f.index_result(old, f.source.tables[table])


@handles(0xFC0010)
def table_size(f: Function) -> None:
    table = f.unsigned()
    size = f.value(f"load i32, ptr {f.unit.table_size(f, table)}, {RUNTIME}")
    if f.source.tables[table]:
        f.push("i64", f.value(f"zext i32 {size} to i64"))
    else:
        f.push("i32", size)


@handles(0xFC0011)
def table_fill(f: Function) -> None:
    table = f.unit.table(f, f.unsigned())
    n, value, d = f.pop_wide(), f.pop(), f.pop_wide()
    spend_for_size(f, n)
    helper(f, "table_fill", f"ptr {table}, i64 {d}, i32 {value}, i64 {n}")
