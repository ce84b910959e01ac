"""The functions that modules with structures and arrays need, as LLVM IR."""

from typing import Any

from wasmote.aot.structs import Context
from wasmote.compile.runtime import HEADER, INVARIANT, RUNTIME, Runtime
from wasmote.core.gc.heap import COLOUR, HOST_TAG, I31_TAG
from wasmote.core.status import TrapCode
from wasmote.core.structs import Heap, HeapObject, Pool, Store
from wasmote.core.type_store import TypeEntry

_INLINE = "alwaysinline"
#: `@struct` makes something else of a class than type checkers think.
_ENTRY: Any = TypeEntry
_FRAME = "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
#: The bits of an object's head that are its type's id, as LLVM writes them.
_ID = COLOUR - 1


def define_objects(r: Runtime) -> None:
    """Add them to the others."""
    _structures(r)
    _arrays(r)
    _tests(r)


def _structures(r: Runtime) -> None:
    o = r.o
    length = o.field(HeapObject, "length")
    # The first structure of a pool; 0: there is none, or the pools are not this thread's.
    r.define(
        "rt.pooled", "i32", ", i64 %slot", "alwaysinline",
        r.field("ptr", "%ctx", Context, "owner"),
        "  %mine = icmp eq ptr %owner, %exec\n"
        "  br i1 %mine, label %look, label %none, !prof !7\nnone:\n  ret i32 0\nlook:\n"
        "  %pool = getelementptr i8, ptr %ctx, i64 %slot\n",
        r.field("i32", "%pool", Pool, "free"),
        "  %some = icmp ne i32 %free, 0\n  br i1 %some, label %take, label %none, !prof !7\n"
        "take:\n",
        r.field("ptr", "%ctx", Context, "objects", INVARIANT),
        "  %wide = zext i32 %free to i64\n  %distance = shl nuw nsw i64 %wide, 2\n"
        "  %object = getelementptr i8, ptr %objects, i64 %distance\n",
        r.loaded("i32", "%object", length, "next", HEADER),
        f"  store i32 %next, ptr %free.at, {RUNTIME}\n  ret i32 %free\n",
    )  # fmt: skip
    # The same, made by the core, which may collect garbage.
    r.define(
        "rt.structure", "i32", ", i32 %type", "noinline",
        r.helper("structure"), _FRAME,
        "  %object = call i32 %helper(ptr %exec, ptr %ctx, i32 %type, ptr %frame)\n"
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
