"""Tables that never change after instantiation: calls through them need not look at the store.

Such a table is in the image's constants: for each element the number of its type, and where its
code is. Toolchains make nearly all tables so. Imported functions, null and elements of another
type are left to the general way, as `0` is no type's number.
"""

from wasmote.api.layouts import ElementSegmentLayout, ExportLayout, TableTypeLayout, items
from wasmote.compile.reading import Cursor
from wasmote.compile.scan import Calls
from wasmote.compile.source import Source
from wasmote.core.status import ExternKind, SegmentMode

#: Tables with more elements stay as they are.
LARGEST = 1 << 16
#: Up to so many functions of a type in a table, a call looks which of them it is.
FEW = 3


def static_tables(source: Source, calls: dict[int, Calls]) -> dict[int, list[int | None]]:
    """The function index of each element of the tables that never change; None is null."""
    core = source.module._layout
    if core.imported_tables:  # a segment may fail, and leave an instance with half of its elements
        return {}
    changed = set().union(*(each.tables for each in calls.values()))
    exported = items(ExportLayout, core.exports, core.export_count)
    changed |= {e.index for e in exported if e.kind == ExternKind.TABLE}
    found: dict[int, list[int | None]] = {}
    for index, table in enumerate(items(TableTypeLayout, core.tables, core.table_count)):
        if index not in changed and not table.init.code and 0 < table.minimum <= LARGEST:
            found[index] = [None] * table.minimum
    for segment in items(ElementSegmentLayout, core.elements, core.element_count):
        if segment.mode == SegmentMode.ACTIVE and not _apply(source, segment, found):
            return {}
    return found


def _apply(source: Source, segment: object, found: dict[int, list[int | None]]) -> bool:
    """Write an active segment's elements. False: they are not known, or do not fit."""
    elements = found.get(segment.table)  # type: ignore[attr-defined]
    if elements is None:
        return True
    base = source.module._layout.binary
    start = Cursor(source.binary, segment.offset.code - base)  # type: ignore[attr-defined]
    if start.opcode() != 0x41 or not segment.functions:  # type: ignore[attr-defined]
        return False
    first = start.signed() & 0xFFFF_FFFF
    count = segment.count  # type: ignore[attr-defined]
    if start.code[start.pos] != 0x0B or first + count > len(elements):
        return False
    cursor = Cursor(source.binary, (segment.items or base) - base)  # type: ignore[attr-defined]
    for i in range(first, first + count):
        elements[i] = cursor.unsigned()
    return True


def few_callees(
    source: Source, tables: dict[int, list[int | None]], small: set[int]
) -> dict[tuple[int, int], dict[int, list[int]]]:
    """By table and number of a type: the functions that a call of the type through the table may
    call, and at which indices they are, where they are few and all of `small`.
    """
    found: dict[tuple[int, int], dict[int, list[int]]] = {}
    for table, elements in tables.items():
        for index, element in enumerate(elements):
            if element is not None:
                key = table, source.type_numbers[source.functions[element]]
                found.setdefault(key, {}).setdefault(element, []).append(index)
    return {
        key: callees
        for key, callees in found.items()
        if len(callees) <= FEW and callees.keys() <= small
    }


def table_text(source: Source, index: int, elements: list[int | None], linkage: str) -> str:
    """A table as a constant: for each element the number of its type, and its code's distance from
    the table; nothing for None.
    """
    name = f"@table.{index}"
    rows = [_row(source, name, element) for element in elements]
    return (
        f"{name} = {linkage}unnamed_addr constant [{len(rows)} x {{ i32, i32 }}] "
        f"[{', '.join(rows)}], align 8\n"
    )


def _row(source: Source, name: str, element: int | None) -> str:
    if element is None:
        return "{ i32, i32 } zeroinitializer"
    distance = f"sub (i64 ptrtoint (ptr @f{element} to i64), i64 ptrtoint (ptr {name} to i64))"
    number = source.type_numbers[source.functions[element]]
    return f"{{ i32, i32 }} {{ i32 {number}, i32 trunc (i64 {distance} to i32) }}"
