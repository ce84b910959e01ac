"""Instructions on whole memories."""

from wasmote.compile.function import Function
from wasmote.compile.instructions.registry import handles
from wasmote.compile.instructions.tables import helper, range_operands
from wasmote.compile.metering import spend_for_size
from wasmote.compile.runtime import RUNTIME


def memory(f: Function, i: int) -> str:
    """The address of a memory's structure."""
    f.touched.add(i)
    return f"%memory{i}"


@handles(0x3F)
def memory_size(f: Function) -> None:
    i = f.unsigned()
    pages = f.value(f"load i64, ptr {f.unit.memory_pages(f, memory(f, i))}, {RUNTIME}")
    f.index_result(pages, f.source.memories[i].is64)


@handles(0x40)
def memory_grow(f: Function) -> None:
    i = f.unsigned()
    pages = f.pop_wide()
    f.needs.add("rt.memory_grow")
    arguments = f"ptr {memory(f, i)}, i64 {pages}"
    old = f.value(f"call i64 @rt.memory_grow(ptr %exec, ptr %ctx, {arguments})")
    f.index_result(old, f.source.memories[i].is64)


@handles(0xFC0008)
def memory_init(f: Function) -> None:
    segment, it = f.unsigned(), memory(f, f.unsigned())
    d, s, n = range_operands(f)
    helper(f, "memory_init", f"i32 {segment}, ptr {it}, i64 {d}, i64 {s}, i64 {n}")


@handles(0xFC0009)
def data_drop(f: Function) -> None:
    helper(f, "data_drop", f"i32 {f.unsigned()}")


@handles(0xFC000A)
def memory_copy(f: Function) -> None:
    to, source = memory(f, f.unsigned()), memory(f, f.unsigned())
    d, s, n = range_operands(f)
    helper(f, "memory_copy", f"ptr {to}, ptr {source}, i64 {d}, i64 {s}, i64 {n}")


@handles(0xFC000B)
def memory_fill(f: Function) -> None:
    it = memory(f, f.unsigned())
    n, value, d = f.pop_wide(), f.value(f"trunc i32 {f.pop()} to i8"), f.pop_wide()
    spend_for_size(f, n)
    helper(f, "memory_fill", f"ptr {it}, i64 {d}, i8 zeroext {value}, i64 {n}")
