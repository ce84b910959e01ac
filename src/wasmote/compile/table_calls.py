"""Calls through tables that never change (`static_tables`): what they may call is known."""

from typing import TYPE_CHECKING

from wasmote.compile.runtime import INVARIANT

if TYPE_CHECKING:
    from wasmote.compile.unit import Unit


def static_look_up(unit: "Unit", n: str, index: str, type: int, table: int, size: int) -> str:
    """Text that finds the code of an element: `%<n>.code` at the end of the block `<n>.fast`, or
    `%<n>.found` at that of `<n>.slow`. Both go on to the block `<n>`.
    """
    number = unit.source.type_numbers[type]
    slot = unit.offsets.types + unit.offsets.pointer * type
    at = unit.offsets.tables + unit.offsets.pointer * table
    outside = unit.outside_symbol(type)
    return (
        f"  %{n}.in = icmp ult i32 {index}, {size}\n"
        f"  br i1 %{n}.in, label %{n}.look, label %{n}.slow, !prof !7\n"
        f"{n}.look:\n"
        f"  %{n}.i = zext i32 {index} to i64\n"
        f"  %{n}.at = getelementptr {{ i32, i32 }}, ptr @table.{table}, i64 %{n}.i\n"
        f"  %{n}.type = load i32, ptr %{n}.at, {INVARIANT}\n"
        f"  %{n}.same = icmp eq i32 %{n}.type, {number}\n"
        f"  br i1 %{n}.same, label %{n}.fast, label %{n}.slow, !prof !7\n"
        f"{n}.fast:\n"
        f"  %{n}.to = getelementptr {{ i32, i32 }}, ptr %{n}.at, i64 0, i32 1\n"
        f"  %{n}.distance = load i32, ptr %{n}.to, {INVARIANT}\n"
        f"  %{n}.wide = sext i32 %{n}.distance to i64\n"
        f"  %{n}.code = getelementptr i8, ptr @table.{table}, i64 %{n}.wide\n"
        f"  br label %{n}\n"
        f"{n}.slow:\n"
        f"  %{n}.j = zext i32 {index} to i64\n"
        f"  %{n}.table.at = getelementptr i8, ptr %ctx, i64 {at}\n"
        f"  %{n}.table = load ptr, ptr %{n}.table.at, {INVARIANT}\n"
        f"  %{n}.id.at = getelementptr i8, ptr %ctx, i64 {slot}\n"
        f"  %{n}.slot = load ptr, ptr %{n}.id.at, {INVARIANT}\n"
        f"  %{n}.id = ptrtoint ptr %{n}.slot to i64\n"
        f"  %{n}.found = call ptr @rt.find(ptr %exec, ptr %ctx, ptr %{n}.table, i64 %{n}.j, "
        f"i64 %{n}.id, ptr {outside}) #2\n"
        f"  br label %{n}\n"
    )


def dispatcher(unit: "Unit", type: int, table: int) -> str | None:
    """The function that calls an element of a table, whose index is its last parameter, if the
    table has few of the type (`Plan.few`). It is expanded where it is called.
    """
    callees = unit.plan.few.get((table, unit.source.type_numbers[type]))
    if not callees or unit.spilled(unit.source.types[type]):
        return None
    name = f"@dispatch.{table}.{type}"
    if name not in unit.dispatchers:
        unit.needs.add("rt.find")
        unit.dispatchers[name] = _text(unit, name, type, table, callees)
    return name


def _text(unit: "Unit", name: str, type: int, table: int, callees: dict[int, list[int]]) -> str:
    signature = unit.source.types[type]
    head = f"{unit.plan.convention}{signature.result}"
    parameters = unit.parameters(signature)

    def call(function: str, n: str) -> str:
        if not signature.results:
            return f"  call {head} {function}({parameters})\n  ret void\n"
        result = f"  ret {signature.result} %{n}.result\n"
        return f"  %{n}.result = call {head} {function}({parameters})\n{result}"

    cases = "".join(f" i32 {i}, label %f{f}" for f, indices in callees.items() for i in indices)
    size = len(unit.static_table(table) or ())
    return (
        f"define internal {head} {name}({parameters}, i32 %index) alwaysinline #0 {{\n"
        f"  switch i32 %index, label %other [{cases} ]\n"
        + "".join(f"f{f}:\n{call(unit.symbol(f), f'f{f}')}" for f in callees)
        + f"other:\n{static_look_up(unit, 'n', '%index', type, table, size)}"
        "n:\n  %callee = phi ptr [ %n.code, %n.fast ], [ %n.found, %n.slow ]\n"
        f"{call('%callee', 'n')}}}\n"
    )
