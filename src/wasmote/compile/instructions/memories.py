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


#: Bytes up to which a size that is known is copied or filled without a call.
FEW = 128


def few(f: Function) -> bool:
    """Whether the size on top of the operand stack is a small number."""
    return f.values[-1].isdigit() and int(f.values[-1]) <= FEW


def checked(f: Function, i: int, start: str, size: str) -> str:
    """The pointer to a range, which is in the memory, or there is a trap."""
    name = "rt.range64" if f.source.memories[i].is64 else "rt.range32"
    f.needs.add(name)
    return f.value(
        f"call ptr @{name}(ptr %exec, ptr %ctx, ptr {memory(f, i)}, ptr %mem{i}, "
        f"i64 {start}, i64 {size})"
    )


@handles(0xFC000A)
def memory_copy(f: Function) -> None:
    i, j = f.unsigned(), f.unsigned()
    is_few = few(f)
    d, s, n = range_operands(f)
    to, source = checked(f, i, d, n), checked(f, j, s, n)
    if is_few:
        f.unit.declare("declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)")
        f.emit(f"call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {source}, i64 {n}, i1 false)")
    else:
        f.roots.show()
        helper(f, "move", f"ptr {to}, ptr {source}, i64 {n}")


@handles(0xFC000B)
def memory_fill(f: Function) -> None:
    i = f.unsigned()
    is_few = few(f)
    n, value, d = f.pop_wide(), f.pop(), f.pop_wide()
    spend_for_size(f, n)
    to = checked(f, i, d, n)
    if is_few:
        f.unit.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        byte = f.value(f"trunc i32 {value} to i8")
        f.emit(f"call void @llvm.memset.p0.i64(ptr {to}, i8 {byte}, i64 {n}, i1 false)")
    else:
        f.roots.show()
        helper(f, "set", f"ptr {to}, i32 {value}, i64 {n}")
