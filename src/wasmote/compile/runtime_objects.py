"""The functions that modules with structures and arrays need, as LLVM IR."""

from typing import Any

from wasmote.aot.structs import Context
from wasmote.compile.runtime import HEADER, INVARIANT, RUNTIME, Runtime
from wasmote.core.gc.heap import COLOUR, HOST_TAG, I31_TAG
from wasmote.core.status import TrapCode
from wasmote.core.structs import Block, Heap, HeapObject, Store
from wasmote.core.type_store import TypeEntry, TypeGroup
from wasmote.nativepy import Struct

_INLINE = "alwaysinline"
#: `@struct` makes something else of a class than type checkers think.
_ENTRY: Any = TypeEntry
_GROUP: Any = TypeGroup
_FRAME = "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
#: The bits of an object's head that are its type's id, as LLVM writes them.
_ID = COLOUR - 1


def define_objects(r: Runtime) -> None:
    """Add them to the others."""
    _allocation(r)
    _arrays(r)
    _tests(r)


def _allocation(r: Runtime) -> None:
    o = r.o
    context = "ptr %exec, ptr %ctx"

    def counted(field: str, kind: str, base: str, struct: Struct, change: str) -> str:
        return (
            r.field(kind, base, struct, field)
            + f"  %{field}.new = {change.format(f'%{field}')}\n"
            + f"  store {kind} %{field}.new, ptr %{field}.at, {RUNTIME}\n"
        )

    cells = o.field(Heap, "current")
    # A cell of a size class, as `core.gc.heap.new_object` takes it but for the zeros: what is there
    # is written before the lock is given back. 0: the core has to do it, and nothing is locked.
    r.define(
        "rt.cell", "i32",
        ", i64 %class, i64 %cell, i64 %needed, i64 %id.slot, i64 %group.slot, i32 %length",
        _INLINE,
        r.field("ptr", "%ctx", Context, "lock", INVARIANT),
        "  %was = atomicrmw xchg ptr %lock, i32 1 acquire\n  %mine = icmp eq i32 %was, 0\n"
        "  br i1 %mine, label %locked, label %busy, !prof !7\nbusy:\n  ret i32 0\nlocked:\n",
        r.field("ptr", "%ctx", Context, "heap", INVARIANT),
        r.field("i64", "%heap", Heap, "credit"),
        f"  %class.at = getelementptr i8, ptr %heap, i64 {cells}\n"
        "  %current.at = getelementptr i32, ptr %class.at, i64 %class\n"
        f"  %current = load i32, ptr %current.at, {RUNTIME}\n",
        r.field("ptr", "%heap", Heap, "blocks", INVARIANT),
        f"  %current.wide = zext i32 %current to i64\n"
        f"  %block.offset = mul i64 %current.wide, {Block.size(o.pointer)}\n"
        "  %block = getelementptr i8, ptr %blocks, i64 %block.offset\n",
        r.field("i32", "%block", Block, "free"),
        "  %some = icmp ne i32 %free, 0\n  %paid = icmp sge i64 %credit, %needed\n"
        "  %ok = and i1 %some, %paid\n  br i1 %ok, label %take, label %give, !prof !7\n"
        "give:\n  store atomic i32 0, ptr %lock release, align 4\n  ret i32 0\ntake:\n",
        r.field("ptr", "%ctx", Context, "objects", INVARIANT),
        "  %free.wide = zext i32 %free to i64\n  %distance = shl i64 %free.wide, 2\n"
        "  %object = getelementptr i8, ptr %objects, i64 %distance\n",
        r.loaded("i32", "%object", o.field(HeapObject, "length"), "next", HEADER),
        f"  store i32 %next, ptr %free.at, {RUNTIME}\n",
        f"  store i32 %length, ptr %next.at, {HEADER}\n",
        "  %credit.new = sub i64 %credit, %cell\n"
        f"  store i64 %credit.new, ptr %credit.at, {RUNTIME}\n",
        counted("bytes", "i64", "%heap", Heap, "add i64 {0}, %cell"),
        r.loaded("i32", "%block", o.field(Block, "count"), "cells"),
        f"  %cells.new = add i32 %cells, 1\n  store i32 %cells.new, ptr %cells.at, {RUNTIME}\n",
        counted("count", "i32", "%heap", Heap, "add i32 {0}, 1"),
        "  %group.at = getelementptr i8, ptr %ctx, i64 %group.slot\n"
        f"  %group = load ptr, ptr %group.at, {INVARIANT}\n",
        counted("references", "i32", "%group", _GROUP, "add i32 {0}, 1"),
        "  %id.at = getelementptr i8, ptr %ctx, i64 %id.slot\n"
        f"  %id = load i32, ptr %id.at, {INVARIANT}\n",
        r.field("i32", "%heap", Heap, "colour"),
        "  %head = or i32 %id, %colour\n"
        f"  %head.at = getelementptr i8, ptr %object, i64 {o.field(HeapObject, 'head')}\n"
        f"  store i32 %head, ptr %head.at, {HEADER}\n  ret i32 %free\n",
    )  # fmt: skip
    r.define(
        "rt.unlock", "void", "", _INLINE,
        r.field("ptr", "%ctx", Context, "lock", INVARIANT),
        "  store atomic i32 0, ptr %lock release, align 4\n  ret void\n",
    )  # fmt: skip
    # The same, by the core, which may collect garbage; the lock is held after it.
    r.define(
        "rt.allocate", "i32", ", i32 %type, i32 %length", "noinline",
        r.helper("allocate"), _FRAME,
        f"  %object = call i32 %helper({context}, i32 %type, i32 %length, ptr %frame)\n"
        "  %ok = icmp ne i32 %object, 0\n",
        r.unless("%ok", TrapCode.OUT_OF_MEMORY),
        "  ret i32 %object\n",
    )  # fmt: skip
    # Before a reference in an object is overwritten.
    r.define(
        "rt.before_write", "void", ", ptr %field", _INLINE,
        r.field("ptr", "%ctx", Context, "heap", INVARIANT),
        r.field("i32", "%heap", Heap, "marking"),
        "  %idle = icmp eq i32 %marking, 0\n  br i1 %idle, label %fine, label %note, !prof !7\n"
        "note:\n  call void @rt.overwritten(ptr %exec, ptr %ctx, ptr %field)\n"
        "  br label %fine\nfine:\n  ret void\n",
    )  # fmt: skip
    r.define(
        "rt.overwritten", "void", ", ptr %field", "noinline cold",
        r.field("ptr", "%ctx", Context, "store", INVARIANT), r.helper("overwritten"),
        "  call void %helper(ptr %store, ptr %field)\n  ret void\n",
    )  # fmt: skip


def _arrays(r: Runtime) -> None:
    def making(name: str, params: str) -> None:
        r.define(
            f"rt.{name}", "i32", f", {params}", "noinline",
            r.helper(name), _FRAME,
            f"  %made = call i64 %helper(ptr %exec, ptr %ctx, {params}, ptr %frame)\n"
            "  %code.wide = lshr i64 %made, 32\n  %code = trunc i64 %code.wide to i32\n"
            "  %ok = icmp eq i32 %code, 0\n  br i1 %ok, label %fine, label %trap, !prof !7\n",
            f"trap:\n{r.trap('%code')}fine:\n  %object = trunc i64 %made to i32\n"
            "  ret i32 %object\n",
        )  # fmt: skip

    making("array_new", "i32 %type, i32 %n, ptr %value")
    for name in ("array_new_data", "array_new_elem"):
        making(name, "i32 %type, i32 %segment, i32 %start, i32 %n")

    def changing(name: str, params: str) -> None:
        r.define(
            f"rt.{name}", "void", f", {params}", "noinline",
            r.helper(name),
            f"  %code = call i32 %helper(ptr %ctx, {params})\n  %ok = icmp eq i32 %code, 0\n"
            "  br i1 %ok, label %fine, label %trap, !prof !7\n",
            f"trap:\n{r.trap('%code')}fine:\n  ret void\n",
        )  # fmt: skip

    changing("array_fill", "i32 %type, i32 %array, i32 %d, ptr %value, i32 %n")
    changing("array_copy", "i32 %type, i32 %to, i32 %d, i32 %from, i32 %s, i32 %n")
    changing("array_init_data", "i32 %type, i32 %segment, i32 %array, i32 %d, i32 %s, i32 %n")
    changing("array_init_elem", "i32 %segment, i32 %array, i32 %d, i32 %s, i32 %n")


def _tests(r: Runtime) -> None:
    """What kind of object a reference, not null, is to; all return an i1."""
    o = r.o
    is_object = (
        f"  %bits = and i32 %handle, {I31_TAG | HOST_TAG}\n  %is = icmp eq i32 %bits, 0\n"
        "  br i1 %is, label %object, label %no\nno:\n  ret i1 false\nobject:\n"
    )
    type_id = (
        r.field("ptr", "%ctx", Context, "objects", INVARIANT)
        + "  %wide = zext i32 %handle to i64\n  %distance = shl i64 %wide, 2\n"
        "  %at = getelementptr i8, ptr %objects, i64 %distance\n"
        + r.loaded("i32", "%at", o.field(HeapObject, "head"), "head", HEADER)
        + f"  %id = and i32 %head, {_ID}\n"
    )
    entry = (
        r.field("ptr", "%ctx", Context, "store", INVARIANT)
        + r.field("ptr", "%store", Store, "types")
        + "  %id.wide = zext i32 %id to i64\n"
        "  %entry.at = getelementptr ptr, ptr %types, i64 %id.wide\n"
        f"  %entry = load ptr, ptr %entry.at, {RUNTIME}\n"
    )
    r.define(
        "rt.is_exactly", "i1", ", i32 %handle, i32 %wanted", _INLINE,
        is_object, type_id,
        "  %same = icmp eq i32 %id, %wanted\n  ret i1 %same\n",
    )  # fmt: skip
    above = o.field(_ENTRY, "above")
    r.define(
        "rt.is_below", "i1", ", i32 %handle, i32 %wanted, i32 %depth", _INLINE,
        is_object, type_id,
        "  %same = icmp eq i32 %id, %wanted\n  br i1 %same, label %yes, label %look\n"
        "yes:\n  ret i1 true\nlook:\n",
        entry,
        r.loaded("i32", "%entry", o.field(_ENTRY, "depth"), "own"),
        "  %deep = icmp ugt i32 %own, %depth\n  br i1 %deep, label %chain, label %no\nchain:\n",
        r.loaded("ptr", "%entry", above, "above"),
        "  %depth.wide = zext i32 %depth to i64\n"
        "  %super.at = getelementptr i32, ptr %above, i64 %depth.wide\n"
        f"  %super = load i32, ptr %super.at, {RUNTIME}\n"
        "  %found = icmp eq i32 %super, %wanted\n  ret i1 %found\n",
    )  # fmt: skip
    r.define(
        "rt.has_form", "i1", ", i32 %handle, i32 %wanted", _INLINE,
        is_object, type_id, entry,
        r.loaded("i32", "%entry", o.field(_ENTRY, "form"), "form"),
        "  %same = icmp eq i32 %form, %wanted\n  ret i1 %same\n",
    )  # fmt: skip
    r.define(
        "rt.is_function", "i1", ", i32 %handle, i32 %wanted", "noinline",
        r.field("ptr", "%ctx", Context, "store", INVARIANT), r.helper("function_matches"),
        "  %does = call i32 %helper(ptr %store, i32 %handle, i32 %wanted)\n"
        "  %is = icmp ne i32 %does, 0\n  ret i1 %is\n",
    )  # fmt: skip
